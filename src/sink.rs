//! The one door from capturing to delivery.
//!
//! Those who capture know this and the context; they never see the queue or a destination.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::StatusCode;

use crate::context::{Context, Facts};
use crate::record::{Details, EventId, KeptBody, Mechanism, Origin, value_weight};
use crate::stats::Counters;

/// One failure, on its way from the failing thread to ours.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) details: Box<Details>,
    pub(crate) timestamp: SystemTime,
    pub(crate) mechanism: Mechanism,
    pub(crate) origin: Origin,
    pub(crate) status: Option<StatusCode>,
    pub(crate) context: Context,
    /// What the context held when the failure happened.
    pub(crate) facts: Option<Arc<Facts>>,
    /// What was read of the request's body until then.
    pub(crate) body: Option<Box<KeptBody>>,
    /// The hub that the failure happened under: its scope is the SDK's share of the context.
    pub(crate) hub: Option<Arc<sentry::Hub>>,
}

impl Record {
    /// Roughly what it occupies, beside the error itself.
    pub(crate) fn weight(&self) -> usize {
        let data: usize = self.details.data.iter().map(|(_, value)| value_weight(value)).sum();
        let facts = self.facts.as_ref().map_or(0, |facts| facts.weight());
        let body = self.body.as_ref().map_or(0, |body| body.weight());
        data.saturating_add(facts).saturating_add(body).saturating_add(RECORD)
    }
}

/// What a record occupies without what the application said: the snapshot, the scope, an error.
const RECORD: usize = 4 * 1024;

/// What stands behind the door: a bounded queue. `put` never blocks; it says whether there was room.
pub(crate) trait Intake: Send + Sync {
    fn put(&self, record: Record) -> bool;
}

/// Sees what passed the gate: scrubbed, serialized, on the processing thread. It must not wait for anything.
pub(crate) trait Watcher: Send + Sync {
    /// `kind` is the item's type: `event`, `transaction`, ...
    fn passed(&self, kind: &'static str, payload: &[u8]);
}

pub(crate) struct Sink {
    intake: Arc<dyn Intake>,
    counters: Arc<Counters>,
    sample_rate: f32,
}

impl Sink {
    pub(crate) fn new(intake: Arc<dyn Intake>, counters: Arc<Counters>, sample_rate: f32) -> Self {
        Self { intake, counters, sample_rate }
    }

    /// Counts a failure and says whether it is to be delivered, before anything is built for it.
    pub(crate) fn admit(&self, id: EventId) -> bool {
        self.counters.captured.add(1);
        let admitted = id.fraction() < f64::from(self.sample_rate);
        if !admitted {
            self.counters.sampled.add(1);
        }
        admitted
    }

    /// Takes a failure. It is delivered, or counted with the reason why not.
    pub(crate) fn accept(&self, record: Record) {
        if self.admit(record.details.id) && !self.intake.put(record) {
            self.counters.queue_full.add(1);
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("sample_rate", &self.sample_rate).finish_non_exhaustive()
    }
}
