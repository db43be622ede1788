//! The SDK's side door: what the application captures through the SDK itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::sentry::protocol::EnvelopeItem;
use ::sentry::{Envelope, Transport};

use super::{Delivery, Job, labels};
use crate::record::EventId;

/// The SDK's transport: takes envelopes to the same queue as our own records. Never blocks, never sends.
pub(crate) struct SdkTransport {
    delivery: Arc<Delivery>,
    sample_rate: f32,
}

impl SdkTransport {
    pub(crate) fn new(delivery: Arc<Delivery>, sample_rate: f32) -> Self {
        Self { delivery, sample_rate }
    }

    fn is_sampled(&self, envelope: &Envelope) -> bool {
        let event = envelope.items().any(|item| matches!(item, EnvelopeItem::Event(_)));
        let fraction = envelope.uuid().map_or(0.0, |id| EventId::from(*id).fraction());
        !event || fraction < f64::from(self.sample_rate)
    }
}

impl Transport for SdkTransport {
    fn send_envelope(&self, envelope: Envelope) {
        let counters = &self.delivery.counters;
        counters.captured.add(1);
        if !self.is_sampled(&envelope) {
            counters.sampled.add(1);
            return;
        }
        let (lane, ticket) = (labels::lane_of_envelope(&envelope), self.delivery.progress.ticket());
        if !self.delivery.take_in(lane, Job::Sdk(Box::new(envelope), ticket)) {
            counters.queue_full.add(1);
        }
    }

    fn flush(&self, timeout: Duration) -> bool {
        self.delivery.flush(timeout)
    }

    /// Delivery ends with our guard, not with the SDK's client.
    fn shutdown(&self, timeout: Duration) -> bool {
        self.delivery.flush(timeout)
    }
}

impl fmt::Debug for SdkTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkTransport").finish_non_exhaustive()
    }
}
