//! Tasks of apalis as jobs.

use std::any::{Any, type_name};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apalis_core::error::{AbortError, BoxDynError};
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;

use super::{Describe, Job, JobLayer, job};
use crate::report::chain;

/// Describes a task of apalis by what apalis knows of it; see [`JobLayer::apalis`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct OfTask;

impl JobLayer<OfTask> {
    /// A layer for the workers of apalis 1.
    ///
    /// The job is named after the type of the task's arguments. Attempt, maximum, id and queue are the task's; where
    /// its backend knows no queue it is the worker's name. A task that ends with apalis' `AbortError` is dead
    /// whatever the attempt. What the metadata hold of `sentry-trace`, `traceparent` and `baggage` is
    /// the trace that it goes on with.
    ///
    /// Add it last: what is added later is closer to the task, and each attempt of apalis' `retry` is a run. Added before
    /// `retry` it sees one run, which fails when the last attempt did.
    ///
    /// Arguments are not shown: describe the task yourself for that.
    ///
    /// # Example
    /// ```
    /// use apalis_core::task::Task;
    /// use faultwire::job::{Job, JobLayer};
    ///
    /// #[derive(serde::Serialize)]
    /// struct Invoice { customer: u64 }
    ///
    /// let layer = JobLayer::apalis();
    /// let shows_arguments = JobLayer::new(|task: &Task<Invoice>| Job::from(task).of(3).args(&task.args));
    /// # drop((layer, shows_arguments));
    /// ```
    #[must_use]
    pub fn apalis() -> Self {
        Self::new(OfTask)
    }
}

impl<A: 'static> Describe<Task<A>> for OfTask {
    fn describe(&self, task: &Task<A>) -> Job {
        Job::from(task)
    }
}

/// Whether apalis tries no more after this.
pub(super) fn is_abort<E: 'static>(error: &E) -> bool {
    let error: &dyn Any = error;
    error.downcast_ref::<BoxDynError>().is_some_and(|error| error.is::<AbortError>())
}

impl<A: 'static> From<&Task<A>> for Job {
    fn from(task: &Task<A>) -> Self {
        let known = task.ctx();
        let (_, name) = chain::split_path(type_name::<A>());
        // Attempts are counted when the task is first polled, which is after this.
        let attempt = number(known.attempt()).saturating_add(1);
        let attempts = known.raw_attempt().clone();
        let metadata = known.metadata();
        let headers =
            ["sentry-trace", "traceparent", "baggage"].map(|name| (name, metadata.get(name).unwrap_or("")));
        let mut job = job(name).attempt(attempt).trace(headers);
        if let Some(max) = known.max_attempts() {
            job = job.of(number(max));
        }
        if let Some(id) = known.task_id() {
            job = job.id(id);
        }
        let worker = || known.data().get::<WorkerContext>().map(|worker| worker.name().to_owned());
        if let Some(queue) = known.queue().map(ToString::to_string).or_else(worker) {
            job = job.queue(queue);
        }
        let due = known.run_at().and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at)));
        if let Some(waited) = due.and_then(|due| SystemTime::now().duration_since(due).ok()) {
            job = job.latency(waited);
        }
        job.plan.attempts = Some(Box::new(move || number(attempts.current())));
        job
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
