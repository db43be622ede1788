//! The one door from capturing to delivery.
//!
//! Those who capture know this and the context; they never see the queue or a destination.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::StatusCode;

use crate::auth::{Network, Pseudonym, Watch};
use crate::context::{Context, Facts};
use crate::record::{AuthFailure, CheckIn, Details, EventId, KeptBody, Mechanism, Origin, value_weight};
use crate::stats::Counters;
use crate::storm::{self, Counts, Example, Key, Offer, Verdict};

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
    /// What this failure stands for at the end of a storm's window.
    pub(crate) stands_for: Option<Box<Counts>>,
}

impl Record {
    /// Roughly what it occupies, beside the error itself.
    pub(crate) fn weight(&self) -> usize {
        let data: usize = self.details.added().data.iter().map(|(_, value)| value_weight(value)).sum();
        let facts = self.facts.as_ref().map_or(0, |facts| facts.weight());
        let body = self.body.as_ref().map_or(0, |body| body.weight());
        data.saturating_add(facts).saturating_add(body).saturating_add(RECORD)
    }
}

/// What a record occupies without what the application said: the snapshot, the scope, an error.
const RECORD: usize = 4 * 1024;

/// A request that is over, on its way to becoming a transaction.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) context: Context,
    pub(crate) facts: Option<Arc<Facts>>,
    /// `None` for one that was given up.
    pub(crate) status: Option<StatusCode>,
    /// The same, where HTTP's status does not say how it ended.
    pub(crate) outcome: Option<StatusCode>,
    pub(crate) started: SystemTime,
    pub(crate) ended: SystemTime,
}

impl Finished {
    pub(crate) fn weight(&self) -> usize {
        self.facts.as_ref().map_or(0, |facts| facts.weight()).saturating_add(RECORD)
    }
}

/// What stands behind the door: a bounded queue. It never blocks, and counts what there is no room for.
pub(crate) trait Intake: Send + Sync {
    fn put(&self, record: Record);
    fn put_finished(&self, finished: Finished);
    fn check_in(&self, check_in: CheckIn);

    /// Has a URL called by a thread of ours. Never blocks; it is counted what becomes of it.
    fn heartbeat(&self, url: Box<str>);

    /// Wakes the processing thread: something was noted elsewhere.
    fn wake(&self);

    /// Waits until everything is delivered, for a process that ends. True if nothing is left.
    fn flush(&self, timeout: Duration) -> bool;
}

/// Sees what passed the gate: scrubbed, serialized, on the processing thread. It must not wait for anything.
pub(crate) trait Watcher: Send + Sync {
    /// `kind` is the item's type: `event`, `transaction`, ...
    fn passed(&self, kind: &'static str, payload: &[u8]);
}

/// Whether a failure is delivered, counted or left out, before anything is built for it.
#[derive(Debug)]
pub(crate) struct Admission {
    counters: Arc<Counters>,
    sample_rate: f32,
    pub(crate) storm: storm::Control,
    pub(crate) auth: Watch,
}

impl Admission {
    pub(crate) fn new(counters: Arc<Counters>, sample_rate: f32, storm: storm::Control, auth: Watch) -> Self {
        Self { counters, sample_rate, storm, auth }
    }

    /// Counts a failure and decides. `None` when sampling leaves it out. `offer` is made only if it is needed:
    /// it prints the error.
    pub(crate) fn admit<'a>(&self, id: EventId, offer: impl FnOnce() -> Offer<'a>) -> Option<(Verdict, Key)> {
        self.counters.captured.add(1);
        if id.fraction() >= f64::from(self.sample_rate) {
            self.counters.sampled.add(1);
            return None;
        }
        if !self.storm.is_on() {
            return Some((Verdict::Passes, Key::default()));
        }
        let offer = offer();
        let verdict = self.storm.offer(&offer);
        if verdict != Verdict::Passes {
            self.counters.suppressed.add(1);
        }
        Some((verdict, offer.key))
    }
}

pub(crate) struct Sink {
    intake: Arc<dyn Intake>,
    counters: Arc<Counters>,
    pub(crate) admission: Arc<Admission>,
}

impl Sink {
    pub(crate) fn new(intake: Arc<dyn Intake>, counters: Arc<Counters>, admission: Arc<Admission>) -> Self {
        Self { intake, counters, admission }
    }

    /// Takes a failure that was admitted. It is delivered, or counted with the reason why not.
    pub(crate) fn accept(&self, record: Record) {
        self.intake.put(record);
    }

    /// Takes a request that is over. It was sampled already.
    pub(crate) fn finished(&self, finished: Finished) {
        self.counters.captured.add(1);
        self.intake.put_finished(finished);
    }

    /// Takes a check-in, which neither sampling nor storm control leaves out.
    pub(crate) fn check_in(&self, check_in: CheckIn) {
        self.counters.captured.add(1);
        self.intake.check_in(check_in);
    }

    pub(crate) fn heartbeat(&self, url: Box<str>) {
        self.intake.heartbeat(url);
    }

    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        self.intake.flush(timeout)
    }

    /// Counts a failed login, and shows it to the watch.
    pub(crate) fn login_failed(
        &self,
        failure: AuthFailure,
        login: Option<Pseudonym>,
        network: Option<Network>,
    ) {
        self.counters.auth.add(failure);
        if self.admission.auth.note(failure, login, network) {
            self.intake.wake();
        }
    }

    /// Takes the one that stands for those that are counted.
    pub(crate) fn keep(&self, key: Key, record: Record) {
        self.admission.storm.keep(key, Example::Record(Box::new(record)));
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("admission", &self.admission).finish_non_exhaustive()
    }
}
