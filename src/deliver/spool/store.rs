//! Writing, reading and removing envelopes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Options;
use super::counts::{Counters, Counts, Reason};
use super::error::SpoolError;
use super::home::Home;
use super::index::{Index, Limits, Next, Slot};
use super::name::Key;
use super::seal::{MAX_ENVELOPE, MAX_FILE, TRAILER, seal, unseal};
use super::system::System;

/// Sentry takes an older event for one of now.
pub(super) const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// An age of more than a year says that a clock is or was wrong, not that nothing was sent for a year.
const INCREDIBLE_AGE: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How often what waits is looked through for what is too old.
const SWEEP: Duration = Duration::from_secs(3600);
/// A file occupies whole blocks.
const BLOCK: u64 = 4096;
/// After that a file that cannot be read goes to the quarantine.
const MAX_FAILED_READS: u8 = 3;

/// One process' spool for one destination.
pub(super) struct Store {
    pub(super) system: Arc<dyn System>,
    pub(super) home: Home,
    pub(super) index: Index,
    pub(super) counters: Counters,
    pub(super) sequence: AtomicU64,
    pub(super) limits: Limits,
    pub(super) adopted_at: Mutex<Option<Duration>>,
    sync: bool,
}

impl Store {
    pub(super) fn open(options: &Options, system: Arc<dyn System>) -> Result<Self, SpoolError> {
        let Options { dir, destination, limits, sync } = options;
        Ok(Self {
            home: Home::make(&*system, dir, destination, *sync)?,
            system,
            index: Index::new(*limits),
            counters: Counters::default(),
            sequence: AtomicU64::new(0),
            limits: *limits,
            adopted_at: Mutex::new(None),
            sync: *sync,
        })
    }

    /// Writes an envelope, which is then held.
    pub(super) fn put(&self, lane: u8, envelope: &[u8]) -> Result<Key, SpoolError> {
        self.remove_expired();
        let length = envelope.len().saturating_add(TRAILER);
        let bytes = occupied(u64::try_from(length).unwrap_or(u64::MAX));
        if envelope.len() > MAX_ENVELOPE || bytes > self.limits.bytes {
            self.counters.refused.add(1);
            return Err(SpoolError::TooLarge { bytes: envelope.len() });
        }
        let expires = self.system.uptime().saturating_add(MAX_AGE);
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let slot = Slot { bytes, expires, failed_reads: 0 };
        let Some((key, victims)) = self.index.reserve(lane, self.system.wall(), sequence, slot) else {
            self.counters.refused.add(1);
            return Err(SpoolError::Full);
        };
        for (victim, reason) in victims {
            self.counters.evicted(reason);
            self.remove(&self.path(victim));
        }
        match self.write(key, envelope) {
            Ok(()) => self.counters.written.add(1),
            Err(error) => {
                self.index.forget(key);
                self.counters.failed_writes.add(1);
                return Err(error);
            }
        }
        Ok(key)
    }

    /// The next envelope that waits, which is then held.
    pub(super) fn next(&self) -> Option<(Key, Vec<u8>)> {
        if self.adoption_is_due() {
            self.adopt();
        }
        loop {
            let key = match self.index.next(self.system.uptime())? {
                Next::Entry(key) => key,
                Next::Expired(key) => {
                    self.counters.evicted(Reason::Age);
                    self.remove(&self.path(key));
                    continue;
                }
            };
            let file = self.system.read(&self.path(key), MAX_FILE);
            let wrong = match file.map(unseal) {
                Ok(Ok(envelope)) => return Some((key, envelope)),
                Ok(Err(wrong)) => wrong.to_owned(),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => error.to_string(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.counters.vanished.add(1);
                    self.index.forget(key);
                    continue;
                }
                Err(error) => {
                    self.counters.failed_reads.add(1);
                    if self.index.failed_read(key) < MAX_FAILED_READS {
                        self.index.release(key);
                        return None;
                    }
                    error.to_string()
                }
            };
            self.quarantine(key, &wrong);
        }
    }

    /// Removes what was held.
    pub(super) fn settle(&self, key: Key) {
        if self.remove(&self.path(key)) {
            self.counters.removed.add(1);
        }
        self.index.forget(key);
    }

    /// Puts what was held aside. If it cannot be moved, the next process finds it again.
    pub(super) fn quarantine(&self, key: Key, why: &str) {
        self.to_quarantine(&self.path(key), why);
        self.index.forget(key);
    }

    pub(super) fn counts(&self) -> Counts {
        let usage = self.index.usage();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Counts {
            files: number(usage.files),
            bytes: usage.bytes,
            waiting: number(usage.files.saturating_sub(usage.held)),
            ..self.counters.read()
        }
    }

    pub(super) fn path(&self, key: Key) -> PathBuf {
        self.home.path.join(key.file_name())
    }

    /// True if it is gone.
    pub(super) fn remove(&self, path: &Path) -> bool {
        match self.system.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.counters.failed_removals.add(1);
                false
            }
            _ => true,
        }
    }

    /// To a temporary name first: a file with an envelope's name is complete, as long as the power stays on.
    fn write(&self, key: Key, envelope: &[u8]) -> Result<(), SpoolError> {
        let unfinished = self.home.path.join(key.unfinished_name());
        let path = self.path(key);
        let written = self.write_to(&unfinished, envelope).and_then(|()| {
            let published = self.system.rename(&unfinished, &path);
            published.map_err(|error| SpoolError::disk("renaming", &unfinished, error))
        });
        if written.is_err() {
            let _ = self.system.remove_file(&unfinished);
        } else if self.sync
            && let Err(error) = self.system.sync_dir(&self.home.path)
        {
            // The caller keeps it in memory; a second copy would be sent twice.
            let _ = self.system.remove_file(&path);
            return Err(SpoolError::disk("syncing", &self.home.path, error));
        }
        written
    }

    fn write_to(&self, path: &Path, envelope: &[u8]) -> Result<(), SpoolError> {
        let failed = |doing| move |error| SpoolError::disk(doing, path, error);
        let mut file = self.system.create(path).map_err(failed("making"))?;
        self.system.write(&mut file, &seal(envelope)).map_err(failed("writing"))?;
        if self.sync {
            self.system.sync(&file).map_err(failed("syncing"))?;
        }
        Ok(())
    }

    fn remove_expired(&self) {
        for key in self.index.expired(self.system.uptime(), SWEEP) {
            self.counters.evicted(Reason::Age);
            self.remove(&self.path(key));
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.home.leave(&*self.system, self.index.usage().files == 0);
    }
}

/// What a file of so many bytes occupies.
pub(super) fn occupied(bytes: u64) -> u64 {
    bytes.max(1).checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX)
}

/// How old something of this stamp is. Nothing is known when it is of the future, or incredibly old: it counts as
/// new then, because a clock that is wrong may not cost an event.
pub(super) fn age(stamp: u64, now: u64) -> Duration {
    let age = Duration::from_millis(now.saturating_sub(stamp));
    if age > INCREDIBLE_AGE { Duration::ZERO } else { age }
}
