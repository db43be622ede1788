//! Which requests become transactions.

use std::time::SystemTime;

use http::StatusCode;

use super::response::Active;
use crate::context::Context;
use crate::record::EventId;
use crate::report::transaction;
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
}

impl Traces {
    /// Decides it for a request that begins.
    #[cold]
    pub(super) fn start(self, context: &Context) -> Option<Box<Traced>> {
        let asked_for = context.request().filter(|_| self.trusts_sampled).and_then(transaction::asked_for);
        let sampled = asked_for.unwrap_or_else(|| EventId::random().fraction() < f64::from(self.rate));
        sampled.then(|| Box::new(Traced { started: SystemTime::now(), status: None }))
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
            started: traced.started,
            ended: SystemTime::now(),
        });
    }
}
