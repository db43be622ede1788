//! The counters: what happened to every failure, for health handlers.

mod auth;
mod destination;
#[cfg(feature = "metrics")]
pub(crate) mod facade;
mod jobs;
mod spool;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

pub(crate) use self::auth::AuthCounters;
pub use self::auth::AuthStats;
pub use self::destination::DestinationStats;
pub(crate) use self::destination::{DestinationCounters, Load};
pub(crate) use self::jobs::JobCounters;
pub use self::jobs::JobStats;
pub use self::spool::{Evicted, SpoolStats};

/// What happened to the failures of this process since `init`. What counts events only grows.
///
/// Every failure ends up in exactly one of `sent`, `logged`, `suppressed`, [`Dropped`], or is still on its way, in memory
/// or on disk; so does every summary of suppressed failures: `captured + summaries` is what there is to account for. With
/// several destinations an event is sent when the first of them accepted it, and dropped when the last of them could not;
/// `destinations` counts for each of them. What comes back from the disk, left by a dead process or because there was no
/// room in memory, counts as an event of its own there.
///
/// It is made to be the body of a health handler: times are written in RFC 3339, and nothing in it is secret.
///
/// # Example
/// ```
/// let stats = faultwire::stats();
/// assert_eq!(stats.dropped.total(), 0);
///
/// let body = serde_json::to_value(&stats)?;
/// assert_eq!(body["dropped"]["queue_full"], 0);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Failures that were recorded, check-ins, and events that came in through the SDK.
    pub captured: u64,
    /// Events that a server accepted.
    pub sent: u64,
    /// Events that were written to the log because no DSN is set.
    pub logged: u64,
    /// Failures that were counted and not sent one by one, because there were too many of their kind.
    pub suppressed: u64,
    /// Events that say how many were suppressed. They are sent like others.
    pub summaries: u64,
    /// Events that are on disk now, over all destinations ([`DestinationStats::spool`]).
    pub spooled: u64,
    /// Attempts after the first.
    pub retried: u64,
    /// Reports that were neither sent nor turned into an error response, and reports answered below 500.
    pub discarded: u64,
    /// Requests that a [`ReportLayer`](crate::ReportLayer) saw: what the failures are a part of.
    pub requests: u64,
    /// Requests that were given up before they were answered: the client left, also in the middle of its body
    /// ([when that is known](crate::layer#clients-that-leave)), or a timeout outside of the layer ended them. They are
    /// no failures, see [`ReportLayer::report_cancelled`](crate::ReportLayer::report_cancelled).
    pub cancelled: u64,
    /// Failed logins, by kind; most are nothing else than counted.
    pub auth: AuthStats,
    /// Runs of background jobs, and their heartbeats.
    pub jobs: JobStats,
    /// Events that are not coming, by reason.
    pub dropped: Dropped,
    /// When a server last accepted an event.
    #[serde(serialize_with = "destination::rfc3339")]
    pub last_success: Option<SystemTime>,
    /// Why the last attempt failed. Holds no key, and of the server's answer at most what it says of an event that
    /// it refuses.
    pub last_error: Option<String>,
    /// Settings that had to be mended at `init`: a release or environment that servers refuse.
    pub mended: Vec<String>,
    /// The same for each destination.
    pub destinations: Vec<DestinationStats>,
}

/// Events that are not coming, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Dropped {
    /// The queue was full of what matters as much: it holds 16 384 failures (64 MiB) that wait to be processed, and
    /// as many events (32 MiB) for each destination.
    pub queue_full: u64,
    /// They made room in a full queue for something that matters more: the order is panics and critical reports,
    /// errors, warnings, transactions and check-ins.
    pub shed: u64,
    /// No destination takes events like them.
    pub no_destination: u64,
    /// `SENTRY_SAMPLE_RATE` said no.
    pub sampled: u64,
    /// A `before_send`, an event processor or an integration of the application said no.
    pub by_hook: u64,
    /// The server refused the event for what it is (400, 413 and the like).
    pub rejected: u64,
    /// Still undelivered, and not on disk, when the guard's time was over, or captured after that.
    pub shutdown: u64,
    /// Removed from the spool undelivered: too old, or they made room there.
    pub evicted: u64,
    /// Items that are never sent: attachments, sessions, raw envelopes.
    pub unsupported: u64,
}

impl Dropped {
    /// The sum over all reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self {
            queue_full,
            shed,
            no_destination,
            sampled,
            by_hook,
            rejected,
            shutdown,
            evicted,
            unsupported,
        } = *self;
        [queue_full, shed, no_destination, sampled, by_hook, rejected, shutdown, evicted, unsupported]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// Why something is not coming after it was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    QueueFull,
    Shed,
    NoDestination,
    Rejected,
    Shutdown,
}

/// The living side of [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) captured: Counter,
    pub(crate) sent: Counter,
    pub(crate) logged: Counter,
    pub(crate) suppressed: Counter,
    pub(crate) summaries: Counter,
    pub(crate) retried: Counter,
    pub(crate) discarded: Counter,
    pub(crate) requests: Alone<Counter>,
    pub(crate) cancelled: Counter,
    pub(crate) queue_full: Counter,
    pub(crate) shed: Counter,
    pub(crate) no_destination: Counter,
    pub(crate) sampled: Counter,
    pub(crate) by_hook: Counter,
    pub(crate) rejected: Counter,
    pub(crate) shutdown: Counter,
    pub(crate) unsupported: Counter,
    pub(crate) auth: AuthCounters,
    pub(crate) jobs: JobCounters,
    destinations: Vec<Arc<DestinationCounters>>,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    last_success: Option<SystemTime>,
    last_error: Option<String>,
    mended: Vec<String>,
}

impl Counters {
    pub(crate) fn new(mended: Vec<String>, destinations: Vec<Arc<DestinationCounters>>) -> Self {
        let notes = Mutex::new(Notes { mended, ..Notes::default() });
        Self { destinations, notes, ..Self::default() }
    }

    pub(crate) fn succeeded(&self) {
        let mut notes = self.notes();
        notes.last_success = Some(SystemTime::now());
        // Under the lock: whoever reads that something was sent reads when.
        self.sent.add(1);
    }

    pub(crate) fn failed(&self, reason: String) {
        self.notes().last_error = Some(reason);
    }

    pub(crate) fn lost(&self, reason: Reason) {
        let counter = match reason {
            Reason::QueueFull => &self.queue_full,
            Reason::Shed => &self.shed,
            Reason::NoDestination => &self.no_destination,
            Reason::Rejected => &self.rejected,
            Reason::Shutdown => &self.shutdown,
        };
        counter.add(1);
    }

    pub(crate) fn read(&self) -> Stats {
        let destinations: Vec<_> = self.destinations.iter().map(|destination| destination.read()).collect();
        let sum =
            |count: fn(&DestinationStats) -> u64| destinations.iter().map(count).fold(0, u64::saturating_add);
        let notes = self.notes();
        Stats {
            sent: self.sent.get(),
            logged: self.logged.get(),
            suppressed: self.suppressed.get(),
            spooled: sum(|destination| destination.spool.map_or(0, |spool| spool.events)),
            retried: self.retried.get(),
            discarded: self.discarded.get(),
            requests: self.requests.0.get(),
            cancelled: self.cancelled.get(),
            auth: self.auth.read(),
            jobs: self.jobs.read(),
            dropped: Dropped {
                queue_full: self.queue_full.get(),
                shed: self.shed.get(),
                no_destination: self.no_destination.get(),
                sampled: self.sampled.get(),
                by_hook: self.by_hook.get(),
                rejected: self.rejected.get(),
                shutdown: self.shutdown.get(),
                evicted: sum(|destination| destination.dropped.evicted),
                unsupported: self.unsupported.get(),
            },
            last_success: notes.last_success,
            last_error: notes.last_error.clone(),
            mended: notes.mended.clone(),
            destinations,
            // After what became of them: meanwhile there may be more failures than fates, and never fewer.
            captured: self.captured.get(),
            summaries: self.summaries.get(),
        }
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// On a line of the processor's cache of its own: every request writes to it, on every core.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Alone<T>(pub(crate) T);

/// A number that only grows. Whoever reads it finds what was counted before in the others, too.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Release);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn whoever_reads_while_failures_happen_sees_no_more_fates_than_failures() {
        let (counters, ended) = (Counters::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..100_000 {
                    counters.captured.add(1);
                    counters.succeeded();
                    counters.summaries.add(1);
                    counters.lost(Reason::Shutdown);
                }
                ended.store(true, Ordering::Relaxed);
            });
            while !ended.load(Ordering::Relaxed) {
                let stats = counters.read();
                let fates = stats.sent + stats.dropped.total();
                assert!(fates <= stats.captured + stats.summaries, "{stats:?}");
                assert!(stats.sent == 0 || stats.last_success.is_some(), "{stats:?}");
            }
        });
    }
}
