//! What one destination has on disk: events are written before they are sent, and read back after new ones. Trouble
//! with the disk is said once, and delivery goes on from memory.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::sentry::types::Dsn;

use super::lanes::Lane;
use super::say;
use super::spool::{self, Entry, Options, Spool, SpoolError, Trouble};
use crate::scrub::scrub_text;
use crate::stats::{DestinationCounters, Evicted, SpoolStats};

/// How long a spool that cannot be opened is left alone.
const REOPEN: Duration = Duration::from_secs(60);
/// A disk that is full now and then is not worth a warning each time.
const WARN_AGAIN: Duration = Duration::from_secs(60 * 60);

/// The spool of one destination, as far as there is one.
pub(crate) struct Backlog {
    options: Options,
    server: String,
    counters: Arc<DestinationCounters>,
    state: Mutex<State>,
}

/// Its lock is never held while the disk is written to or read.
#[derive(Default)]
struct State {
    spool: Option<Spool>,
    /// What was counted by spools that were removed under us.
    past: SpoolStats,
    /// Not before that time; without one, now.
    reopen_at: Option<Instant>,
    is_troubled: bool,
    warned_at: Option<Instant>,
    closed: bool,
}

/// The same for every process that sends to this project, whatever its key: a new key finds what waited for the old.
pub(crate) fn name_of(dsn: &Dsn) -> String {
    let of = format!("{}://{}:{}{}{}", dsn.scheme(), dsn.host(), dsn.port(), dsn.path(), dsn.project_id());
    format!("{:032x}", fnv1a(of.as_bytes()))
}

/// FNV-1a, which is the same in every build: the standard library's hashes need not be.
fn fnv1a(bytes: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

impl Backlog {
    /// Opens the spool. One that cannot be used is said, and tried again later.
    pub(crate) fn open(options: Options, server: &str, counters: Arc<DestinationCounters>) -> Self {
        let backlog = Self { options, server: server.to_owned(), counters, state: Mutex::default() };
        drop(backlog.spool());
        backlog.publish();
        backlog
    }

    /// Takes over what dead processes left.
    pub(super) fn adopt(&self) {
        if let Some(spool) = self.spool() {
            spool.adopt();
        }
        self.publish();
    }

    /// Writes an envelope. `None` if it is in memory only.
    pub(super) fn put(&self, lane: Lane, envelope: &[u8]) -> Option<Entry> {
        let mut result = self.spool()?.put(lane.rank(), envelope);
        if let Err(SpoolError::Disk { trouble: Trouble::Gone, .. }) = &result {
            // Somebody removed the directory; a spool opened anew makes it again.
            self.forget();
            result = self.spool()?.put(lane.rank(), envelope);
        }
        match &result {
            Ok(_) => self.recovered(),
            Err(error) => self.failed(error),
        }
        self.publish();
        result.ok()
    }

    /// The next envelope that waits, which is then held.
    pub(super) fn next(&self) -> Option<(Entry, Vec<u8>)> {
        let next = self.spool()?.next_backlog();
        self.publish();
        next
    }

    /// A server has it.
    pub(super) fn remove(&self, entry: Entry) {
        entry.remove();
        self.publish();
    }

    /// No server will have it. `why` is scrubbed.
    pub(super) fn quarantine(&self, entry: Entry, why: &str) {
        entry.quarantine(why);
        self.publish();
    }

    /// How many events wait on disk and nowhere else.
    pub(super) fn waiting(&self) -> u64 {
        self.state().spool.as_ref().map_or(0, |spool| spool.counts().waiting)
    }

    /// Ends it. Returns how many events are on disk: the next process sends them.
    pub(super) fn close(&self) -> u64 {
        let mut state = self.state();
        state.closed = true;
        let stats = state.stats();
        let (spool, files) = (state.spool.take(), stats.events);
        state.past = stats;
        drop(state);
        drop(spool);
        self.publish();
        files
    }

    /// Tells the counters how it stands.
    pub(super) fn publish(&self) {
        self.counters.set_spool(|| self.state().stats());
    }

    fn spool(&self) -> Option<Spool> {
        let mut state = self.state();
        if state.closed || state.spool.is_some() {
            return state.spool.clone();
        }
        let now = Instant::now();
        if state.reopen_at.is_some_and(|at| at > now) {
            return None;
        }
        state.reopen_at = now.checked_add(REOPEN);
        drop(state);
        match Spool::open(&self.options) {
            Ok(spool) => {
                let mut state = self.state();
                if !state.closed {
                    state.spool = Some(spool);
                    state.reopen_at = None;
                }
                state.spool.clone()
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    /// The directory is gone, and what was in it.
    fn forget(&self) {
        let mut state = self.state();
        state.past = SpoolStats { events: 0, bytes: 0, waiting: 0, left: 0, ..state.stats() };
        let gone = state.spool.take();
        drop(state);
        drop(gone);
    }

    fn failed(&self, error: &SpoolError) {
        let now = Instant::now();
        let mut state = self.state();
        let is_recent = |at: Instant| now.saturating_duration_since(at) < WARN_AGAIN;
        let is_news = !state.is_troubled && !state.warned_at.is_some_and(is_recent);
        state.is_troubled = true;
        if is_news {
            state.warned_at = Some(now);
        }
        drop(state);
        let (server, why) = (&*self.server, error.to_string());
        let why = scrub_text(&why).unwrap_or(why);
        if is_news {
            say(|| {
                tracing::warn!(
                    target: "faultwire",
                    server,
                    "the spool cannot be used, events are in memory only: {why}"
                );
            });
        } else {
            say(|| tracing::debug!(target: "faultwire", server, "in memory only: {why}"));
        }
    }

    fn recovered(&self) {
        if std::mem::take(&mut self.state().is_troubled) {
            let server = &*self.server;
            say(|| tracing::info!(target: "faultwire", server, "the spool can be used again"));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn stats(&self) -> SpoolStats {
        let counts = self.spool.as_ref().map(Spool::counts).unwrap_or_default();
        let spool::Evicted { for_bytes, for_files, for_age } = counts.evicted;
        let past = &self.past;
        let sum = u64::saturating_add;
        SpoolStats {
            events: sum(past.events, counts.files),
            bytes: sum(past.bytes, counts.bytes),
            waiting: sum(past.waiting, counts.waiting),
            left: sum(past.left, counts.left),
            written: sum(past.written, counts.written),
            adopted: sum(past.adopted, counts.adopted),
            evicted: Evicted {
                for_space: sum(past.evicted.for_space, sum(for_bytes, for_files)),
                for_age: sum(past.evicted.for_age, for_age),
            },
            quarantined: sum(past.quarantined, counts.quarantined),
            failed_writes: sum(past.failed_writes, sum(counts.failed_writes, counts.refused)),
            failed_reads: sum(past.failed_reads, sum(counts.failed_reads, counts.vanished)),
            failed_removals: sum(past.failed_removals, counts.failed_removals),
        }
    }
}

impl fmt::Debug for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backlog").field("server", &self.server).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_one_name_whatever_the_key() {
        let name = |dsn: &str| name_of(&dsn.parse().unwrap());
        let known = "http://key@localhost/1";
        assert_eq!(name(known), name("http://other:secret@localhost:80/1"));
        for other in [
            "https://key@localhost/1",
            "http://key@localhost:81/1",
            "http://key@localhost/2",
            "http://key@localhost/path/1",
            "http://key@localhos/1",
        ] {
            assert_ne!(name(other), name(known), "{other}");
        }
    }

    /// What another build wrote has to be found: these are the published vectors.
    #[test]
    fn the_hash_never_changes() {
        assert_eq!(fnv1a(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(fnv1a(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }
}
