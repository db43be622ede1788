//! The SDK's side door: what the application captures through the SDK itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::sentry::protocol::{EnvelopeItem, Event, Exception};
use ::sentry::{Envelope, Transport};

use super::{Delivery, Job, labels};
use crate::record::truncated;
use crate::sink::Admission;
use crate::storm::{Example, Key, KeyOf, Offer, Verdict};

/// So much of a text is kept for a summary: what servers keep of it.
const MAX_VALUE: usize = 8 * 1024;

/// The SDK's transport: takes envelopes to the same queue as our own records. Never blocks, never sends.
pub(crate) struct SdkTransport {
    delivery: Arc<Delivery>,
    admission: Arc<Admission>,
}

impl SdkTransport {
    pub(crate) fn new(delivery: Arc<Delivery>, admission: Arc<Admission>) -> Self {
        Self { delivery, admission }
    }

    /// Whether an envelope with an event passes. Nothing is logged here: the SDK may hold its lock, and what
    /// listens to the log may wait for it.
    fn admits(&self, envelope: &Envelope) -> bool {
        let event = envelope.items().find_map(|item| match item {
            EnvelopeItem::Event(event) => Some(event),
            _ => None,
        });
        let Some(event) = event else {
            self.delivery.counters.captured.add(1);
            return true;
        };
        let id = event.event_id.into();
        let offer = || Offer { key: key(event), id, urgent: false, request: None };
        match self.admission.admit(id, offer) {
            Some((Verdict::Passes, _)) => true,
            Some((Verdict::Counted { keep, .. }, key)) => {
                if keep {
                    self.admission.storm.keep(key, Example::Event(Box::new(light(event))));
                }
                false
            }
            None => false,
        }
    }
}

impl Transport for SdkTransport {
    fn send_envelope(&self, envelope: Envelope) {
        if !self.admits(&envelope) {
            return;
        }
        let (lane, ticket) = (labels::lane_of_envelope(&envelope), self.delivery.progress.ticket());
        self.delivery.take_in(lane, Job::Sdk(Box::new(envelope), ticket));
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

/// What events of the SDK have in common: the fingerprint that they were given, else types and messages.
fn key(event: &Event<'static>) -> Key {
    if *event.fingerprint != *Event::default().fingerprint {
        return event.fingerprint.iter().fold(KeyOf::new(), |key, part| key.text(part)).finish();
    }
    let key = event.exception.iter().fold(KeyOf::new(), |key, exception| {
        key.text(&exception.ty).message(exception.value.as_deref().unwrap_or_default())
    });
    let logged = event.logentry.as_ref().map(|entry| &*entry.message);
    key.message(logged.or(event.message.as_deref()).unwrap_or_default()).finish()
}

/// What of the event tells people which issue it belongs to.
fn light(event: &Event<'static>) -> Event<'static> {
    let exceptions = event.exception.iter().map(|exception| Exception {
        ty: exception.ty.clone(),
        value: exception.value.as_deref().map(|value| truncated(value, MAX_VALUE).to_owned()),
        module: exception.module.clone(),
        mechanism: exception.mechanism.clone(),
        ..Exception::default()
    });
    let message = event.logentry.as_ref().map(|entry| &entry.message).or(event.message.as_ref());
    Event {
        event_id: event.event_id,
        level: event.level,
        fingerprint: event.fingerprint.clone(),
        culprit: event.culprit.clone(),
        transaction: event.transaction.clone(),
        message: message.map(|message| truncated(message, MAX_VALUE).to_owned()),
        logger: event.logger.clone(),
        platform: event.platform.clone(),
        server_name: event.server_name.clone(),
        release: event.release.clone(),
        dist: event.dist.clone(),
        environment: event.environment.clone(),
        exception: exceptions.collect::<Vec<_>>().into(),
        sdk: event.sdk.clone(),
        ..Event::default()
    }
}
