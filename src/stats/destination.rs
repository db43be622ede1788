//! The counters of one destination.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Counter, Dropped, Reason, SpoolStats};

/// What happened to the events of one destination.
///
/// # Example
/// ```
/// for destination in faultwire::stats().destinations {
///     println!("{} has {} events waiting", destination.name, destination.queued);
/// }
/// ```
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct DestinationStats {
    /// Its name: `default` for that of `SENTRY_DSN`.
    pub name: String,
    /// The server and project, without the key.
    pub server: String,
    /// Whether the last answer was a good one; true before the first.
    pub reachable: bool,
    /// Events that the server accepted.
    pub sent: u64,
    /// Attempts after the first.
    pub retried: u64,
    /// Events that wait or are under way.
    pub queued: u64,
    /// How many bytes they have.
    pub queued_bytes: u64,
    /// What is on disk for it. `None` without a spool.
    pub spool: Option<SpoolStats>,
    /// Events that this server will not get, by reason.
    pub dropped: Dropped,
    /// When the server last accepted an event.
    #[serde(serialize_with = "rfc3339")]
    pub last_success: Option<SystemTime>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// How many seconds the clock of this machine is ahead of the server's (less than 0: behind), where that is
    /// more than a minute. Servers replace the times of events that come from the future.
    pub clock_ahead_seconds: Option<i64>,
}

/// The living side of [`DestinationStats`].
#[derive(Debug, Default)]
pub(crate) struct DestinationCounters {
    name: String,
    server: String,
    unreachable: AtomicBool,
    pub(crate) sent: Counter,
    pub(crate) retried: Counter,
    queue_full: Counter,
    shed: Counter,
    rejected: Counter,
    pub(crate) shutdown: Counter,
    queued: AtomicU64,
    queued_bytes: AtomicU64,
    spool: Mutex<Option<SpoolStats>>,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    last_success: Option<SystemTime>,
    last_error: Option<String>,
    clock_ahead_seconds: Option<i64>,
}

/// How many events wait, and how many bytes they have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

impl DestinationCounters {
    pub(crate) fn new(name: String, server: String) -> Self {
        Self { name, server, ..Self::default() }
    }

    pub(crate) fn succeeded(&self) {
        let mut notes = self.notes();
        notes.last_success = Some(SystemTime::now());
        // Under the lock: whoever reads that something was sent reads when.
        self.sent.add(1);
    }

    pub(crate) fn failed(&self, why: &str) {
        self.notes().last_error = Some(why.to_owned());
    }

    pub(crate) fn lost(&self, reason: Reason) {
        let counter = match reason {
            Reason::QueueFull => &self.queue_full,
            Reason::Shed => &self.shed,
            Reason::Rejected => &self.rejected,
            Reason::Shutdown => &self.shutdown,
            // It would not be lost here.
            Reason::NoDestination => return,
        };
        counter.add(1);
    }

    pub(crate) fn set_load(&self, load: Load) {
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.queued.store(number(load.events), Ordering::Relaxed);
        self.queued_bytes.store(number(load.bytes), Ordering::Relaxed);
    }

    /// `stats` is asked under the lock, so that no older answer comes after a newer one.
    pub(crate) fn set_spool(&self, stats: impl FnOnce() -> SpoolStats) {
        let mut spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
        *spool = Some(stats());
    }

    pub(crate) fn set_reachable(&self, reachable: bool) {
        self.unreachable.store(!reachable, Ordering::Relaxed);
    }

    /// Notes how far the clock is ahead; true if that is new and far.
    pub(crate) fn set_clock_ahead(&self, seconds: Option<i64>) -> bool {
        let mut notes = self.notes();
        let was_right = notes.clock_ahead_seconds.is_none();
        notes.clock_ahead_seconds = seconds;
        was_right && seconds.is_some()
    }

    pub(crate) fn read(&self) -> DestinationStats {
        let spool = *self.spool.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = self.notes();
        DestinationStats {
            name: self.name.clone(),
            server: self.server.clone(),
            reachable: !self.unreachable.load(Ordering::Relaxed),
            sent: self.sent.get(),
            retried: self.retried.get(),
            queued: self.queued.load(Ordering::Relaxed),
            queued_bytes: self.queued_bytes.load(Ordering::Relaxed),
            spool,
            dropped: Dropped {
                queue_full: self.queue_full.get(),
                shed: self.shed.get(),
                rejected: self.rejected.get(),
                shutdown: self.shutdown.get(),
                evicted: spool.map_or(0, |spool| spool.evicted.total()),
                ..Dropped::default()
            },
            last_success: notes.last_success,
            last_error: notes.last_error.clone(),
            clock_ahead_seconds: notes.clock_ahead_seconds,
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `2026-11-22T07:46:00Z`, or nothing.
pub(super) fn rfc3339<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = time.and_then(|time| OffsetDateTime::from(time).format(&Rfc3339).ok());
    text.serialize(serializer)
}
