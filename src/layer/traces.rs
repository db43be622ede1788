//! Which requests become transactions.

use std::time::SystemTime;

use http::StatusCode;

use super::response::Active;
use crate::context::Context;
use crate::record::EventId;
use crate::sink::Finished;

/// What the settings say about them.
pub(super) struct Traces {
    pub(super) rate: f32,
    pub(super) trusts_sampled: bool,
}

/// A request that is to become one.
pub(super) struct Traced {
    started: SystemTime,
    /// How it was answered, once it is.
    pub(super) status: Option<StatusCode>,
    /// What that would be in HTTP: a call of gRPC fails under a 200.
    outcome: Option<StatusCode>,
}

impl Traced {
    /// It fails. `taken_for`: the status that says so.
    #[cold]
    pub(super) fn fails(&mut self, status: Option<StatusCode>, taken_for: StatusCode) {
        self.status = status.or(Some(taken_for));
        self.outcome = Some(taken_for);
    }

    /// It ended, whatever HTTP's status is.
    #[cold]
    pub(super) fn ends_as(&mut self, outcome: StatusCode) {
        self.outcome = Some(outcome);
    }
}

impl Traces {
    /// Decides it for a request that begins, and for those whom it asks for something.
    #[cold]
    pub(super) fn start(self, context: &Context) -> Option<Box<Traced>> {
        let decide = |asked_for: Option<bool>| {
            let asked_for = asked_for.filter(|_| self.trusts_sampled);
            asked_for.unwrap_or_else(|| EventId::random().fraction() < f64::from(self.rate))
        };
        let sampled = context.begin_trace(decide);
        sampled.then(|| Box::new(Traced { started: SystemTime::now(), status: None, outcome: None }))
    }
}

impl Active {
    /// The request is over, and so is its transaction.
    #[cold]
    pub(super) fn finish(&self, traced: &Traced) {
        let Some(reporter) = self.context.reporter() else { return };
        reporter.sink.finished(Finished {
            context: self.context.clone(),
            facts: self.context.facts(),
            status: traced.status,
            outcome: traced.outcome.or(traced.status),
            started: traced.started,
            ended: SystemTime::now(),
        });
    }
}
