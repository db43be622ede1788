//! The counters of background jobs.

use serde::Serialize;

use super::Counter;

/// Runs of jobs since `init`, by how they ended, and their heartbeats.
///
/// A run that failed is an event, or held back ([`Policy`](crate::job::Policy)), or it failed with a report that had
/// been reported already.
///
/// # Example
/// ```
/// let jobs = faultwire::stats().jobs;
/// println!("{} runs failed, {} of them for good", jobs.failed, jobs.dead);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JobStats {
    /// Runs that ended well.
    pub succeeded: u64,
    /// Runs that ended with an error, a panic or a timeout.
    pub failed: u64,
    /// Failed runs that are no event of their own, because another attempt follows.
    pub held_back: u64,
    /// Failed runs that were the last attempt.
    pub dead: u64,
    /// Failed runs that were ended because they took too long.
    pub timed_out: u64,
    /// Runs that were dropped before they ended.
    pub cancelled: u64,
    /// Runs that went on for longer than they were to.
    pub overran: u64,
    /// Attempts that were held back and forgotten before the job's last one: too old, or too many of them.
    pub forgotten: u64,
    /// Heartbeats that a server accepted.
    pub heartbeats: u64,
    /// Heartbeats that no server accepted.
    pub failed_heartbeats: u64,
    /// Heartbeats for a URL that was waiting to be called already.
    pub merged_heartbeats: u64,
    /// Heartbeats that were not tried: more than 256 waited, or the process ended.
    pub dropped_heartbeats: u64,
}

/// The living side of [`JobStats`].
#[derive(Debug, Default)]
pub(crate) struct JobCounters {
    pub(crate) succeeded: Counter,
    pub(crate) failed: Counter,
    pub(crate) held_back: Counter,
    pub(crate) dead: Counter,
    pub(crate) timed_out: Counter,
    pub(crate) cancelled: Counter,
    pub(crate) overran: Counter,
    pub(crate) forgotten: Counter,
    pub(crate) heartbeats: Counter,
    pub(crate) failed_heartbeats: Counter,
    pub(crate) merged_heartbeats: Counter,
    pub(crate) dropped_heartbeats: Counter,
}

impl JobCounters {
    pub(super) fn read(&self) -> JobStats {
        JobStats {
            succeeded: self.succeeded.get(),
            failed: self.failed.get(),
            held_back: self.held_back.get(),
            dead: self.dead.get(),
            timed_out: self.timed_out.get(),
            cancelled: self.cancelled.get(),
            overran: self.overran.get(),
            forgotten: self.forgotten.get(),
            heartbeats: self.heartbeats.get(),
            failed_heartbeats: self.failed_heartbeats.get(),
            merged_heartbeats: self.merged_heartbeats.get(),
            dropped_heartbeats: self.dropped_heartbeats.get(),
        }
    }
}
