//! The counters: what happened to every failure, for health handlers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// What happened to the failures of this process since `init`. All numbers only grow.
///
/// Every failure ends up in exactly one of `sent`, `suppressed`, [`Dropped`], or is still on its way; so does
/// every summary of suppressed failures: `captured + summaries` is what there is to account for.
///
/// # Example
/// ```
/// let stats = faultwire::stats();
/// assert_eq!(stats.dropped.total(), 0);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Failures that were recorded, and events that came in through the SDK.
    pub captured: u64,
    /// Events that the server accepted.
    pub sent: u64,
    /// Events that were written to the log because no DSN is set.
    pub logged: u64,
    /// Failures that were counted and not sent one by one, because there were too many of their kind.
    pub suppressed: u64,
    /// Events that say how many were suppressed. They are sent like others.
    pub summaries: u64,
    /// Attempts after the first.
    pub retried: u64,
    /// Reports that were neither sent nor turned into an error response, and reports answered below 500.
    pub discarded: u64,
    /// Events that are not coming, by reason.
    pub dropped: Dropped,
    /// When the server last accepted an event.
    pub last_success: Option<SystemTime>,
    /// Why the last attempt failed. Holds no key and no response body.
    pub last_error: Option<String>,
    /// Settings that had to be mended at `init`: a release or environment that servers refuse.
    pub mended: Vec<String>,
}

/// Events that are not coming, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The queue was full.
    pub queue_full: u64,
    /// `SENTRY_SAMPLE_RATE` said no.
    pub sampled: u64,
    /// A `before_send`, an event processor or an integration of the application said no.
    pub by_hook: u64,
    /// The server refused the event for what it is (400, 413 and the like).
    pub rejected: u64,
    /// Still undelivered when the guard's time was over.
    pub shutdown: u64,
    /// Items that are never sent: attachments, sessions, raw envelopes.
    pub unsupported: u64,
}

impl Dropped {
    /// The sum over all reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.queue_full, self.sampled, self.by_hook, self.rejected, self.shutdown, self.unsupported]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
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
    pub(crate) queue_full: Counter,
    pub(crate) sampled: Counter,
    pub(crate) by_hook: Counter,
    pub(crate) rejected: Counter,
    pub(crate) shutdown: Counter,
    pub(crate) unsupported: Counter,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    last_success: Option<SystemTime>,
    last_error: Option<String>,
    mended: Vec<String>,
}

impl Counters {
    pub(crate) fn new(mended: Vec<String>) -> Self {
        Self { notes: Mutex::new(Notes { mended, ..Notes::default() }), ..Self::default() }
    }

    pub(crate) fn succeeded(&self) {
        self.sent.add(1);
        self.notes().last_success = Some(SystemTime::now());
    }

    pub(crate) fn failed(&self, reason: String) {
        self.notes().last_error = Some(reason);
    }

    pub(crate) fn read(&self) -> Stats {
        let notes = self.notes();
        Stats {
            captured: self.captured.get(),
            sent: self.sent.get(),
            logged: self.logged.get(),
            suppressed: self.suppressed.get(),
            summaries: self.summaries.get(),
            retried: self.retried.get(),
            discarded: self.discarded.get(),
            dropped: Dropped {
                queue_full: self.queue_full.get(),
                sampled: self.sampled.get(),
                by_hook: self.by_hook.get(),
                rejected: self.rejected.get(),
                shutdown: self.shutdown.get(),
                unsupported: self.unsupported.get(),
            },
            last_success: notes.last_success,
            last_error: notes.last_error.clone(),
            mended: notes.mended.clone(),
        }
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
