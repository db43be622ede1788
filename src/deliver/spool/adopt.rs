//! What dead processes left: moved into the directory of this one, each envelope exactly once, however many processes
//! start at the same moment. A lock is held while a dead process' directory is emptied, and even without it only one
//! of two processes can rename a file.
//!
//! What does not fit is not evicted: it stays where it is, for another process or for later. What stays behind is
//! bounded as well, by as much as one spool may hold.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::counts::Reason;
use super::home::{remove_process, unlock};
use super::index::Slot;
use super::name::{self, Key};
use super::store::{MAX_AGE, Store, age, occupied};

/// Dead processes that are emptied at a time.
const MAX_PROCESSES: usize = 4096;
/// Files of one of them. (No spool has more; somebody else may.)
const MAX_LISTED: usize = 100_000;
/// How often a process without a backlog looks for other processes that died.
const INTERVAL: Duration = Duration::from_secs(300);

/// What stays behind because there is no room for it.
#[derive(Default)]
struct Left {
    files: usize,
    bytes: u64,
}

/// What becomes of the envelopes of a dead process.
enum Plan<'a> {
    Adopt(&'a mut Left),
    /// They are another destination's, whose turn may come: only what is too old is removed.
    Expire,
}

impl Store {
    /// Adopts now, or lets the thread that is at it finish.
    pub(super) fn adopt(&self) {
        let Ok(mut adopted_at) = self.adopted_at.try_lock() else { return };
        let mut left = Left::default();
        for process in self.processes(&self.home.destination) {
            if let Some(lock) = self.home.lock_dead(&*self.system, &process) {
                self.empty(&process, &lock, Plan::Adopt(&mut left));
            }
        }
        self.counters.left.set(u64::try_from(left.files).unwrap_or(u64::MAX));
        self.trim_quarantine(&self.home.destination.join(name::QUARANTINE));
        self.expire_elsewhere();
        *adopted_at = Some(self.system.uptime());
    }

    /// Whether somebody may have died since the last time.
    pub(super) fn adoption_is_due(&self) -> bool {
        let Ok(adopted_at) = self.adopted_at.try_lock() else { return false };
        let is_idle = || {
            let usage = self.index.usage();
            usage.files == usage.held
        };
        match *adopted_at {
            None => true,
            Some(at) => is_idle() && self.system.uptime() >= at.saturating_add(INTERVAL),
        }
    }

    /// Destinations that nobody sends to any more would keep their envelopes for ever.
    fn expire_elsewhere(&self) {
        for destination in self.directories(&self.home.root, name::is_destination) {
            if destination == self.home.destination {
                continue;
            }
            let mut processes = self.processes(&destination);
            processes.retain(|process| self.has_expired(process));
            for process in processes {
                if let Some(lock) = self.home.lock_dead(&*self.system, &process) {
                    self.empty(&process, &lock, Plan::Expire);
                }
            }
            self.trim_quarantine(&destination.join(name::QUARANTINE));
        }
    }

    /// Asked before the lock is taken: whoever adopts there at this moment would take the process for a living one.
    fn has_expired(&self, process: &Path) -> bool {
        let now = self.system.wall();
        let is_old = |stamp| age(stamp, now) > MAX_AGE;
        let started = process.file_name().and_then(OsStr::to_str).and_then(name::process_started);
        let items = self.system.list(process, MAX_LISTED).unwrap_or_default();
        let mut keys = items.iter().filter_map(|item| Key::parse(item.name.to_str()?));
        started.is_some_and(is_old) || keys.any(|key| is_old(key.stamp))
    }

    /// The directories of other processes, the newest first.
    fn processes(&self, destination: &Path) -> Vec<PathBuf> {
        let mut found = self.directories(destination, name::is_process);
        found.retain(|path| *path != self.home.path);
        found.sort_unstable_by(|a, b| b.cmp(a));
        found
    }

    fn directories(&self, parent: &Path, is_ours: fn(&str) -> bool) -> Vec<PathBuf> {
        let items = self.system.list(parent, MAX_PROCESSES).unwrap_or_default();
        let ours =
            items.into_iter().filter(|item| item.kind.is_dir() && item.name.to_str().is_some_and(is_ours));
        ours.map(|item| parent.join(item.name)).collect()
    }

    /// Does what is planned with each envelope in a dead process' directory, and removes it when nothing is left.
    fn empty(&self, process: &Path, lock: &File, mut plan: Plan<'_>) {
        let Ok(items) = self.system.list(process, MAX_LISTED) else { return unlock(lock) };
        let mut stays = items.len() >= MAX_LISTED;
        let mut envelopes = Vec::new();
        for item in items {
            let path = process.join(&item.name);
            let text = item.name.to_str().unwrap_or_default();
            match Key::parse(text).filter(|_| item.kind.is_file()) {
                Some(key) => envelopes.push((key, path, item.bytes)),
                None if text == name::LOCK => {}
                None if name::is_unfinished(text) && item.kind.is_file() => {
                    self.counters.unfinished.add(1);
                    stays |= !self.remove(&path);
                }
                None if matches!(plan, Plan::Expire) || item.kind.is_dir() => stays = true,
                None => stays |= !self.to_quarantine(&path, "not a file of the spool"),
            }
        }
        // What matters most comes first to where there is room, and is numbered so that the oldest goes out first.
        envelopes.sort_unstable_by_key(|&(key, ..)| (key.lane, std::cmp::Reverse((key.stamp, key.sequence))));
        let number = u64::try_from(envelopes.len()).unwrap_or(u64::MAX);
        let mut sequence = self.sequence.fetch_add(number, Ordering::Relaxed).saturating_add(number);
        let now = self.system.wall();
        for (key, path, bytes) in envelopes {
            sequence = sequence.saturating_sub(1);
            let age = age(key.stamp, now);
            // An age that cannot be true is forgotten: here begins a new one.
            let stamp = if age.is_zero() { now } else { key.stamp };
            let key = Key { stamp, sequence, ..key };
            stays |= !match &mut plan {
                _ if age > MAX_AGE => {
                    self.counters.evicted(Reason::Age);
                    self.remove(&path)
                }
                Plan::Expire => false,
                Plan::Adopt(left) => self.take_over(&path, key, age, occupied(bytes), left),
            };
        }
        if !stays {
            remove_process(&*self.system, process);
        }
        unlock(lock);
    }

    /// Moves one envelope here, or leaves it, or removes it where too much is left already. True if it is no
    /// longer there.
    fn take_over(&self, path: &Path, key: Key, age: Duration, bytes: u64, left: &mut Left) -> bool {
        let expires = self.system.uptime().saturating_add(MAX_AGE.saturating_sub(age));
        if self.index.hold_if_room(key, Slot { bytes, expires, failed_reads: 0 }) {
            match self.system.rename(path, &self.path(key)) {
                Ok(()) => {
                    self.counters.adopted.add(1);
                    self.index.release(key);
                    return true;
                }
                Err(error) => {
                    self.index.forget(key);
                    let gone = error.kind() == io::ErrorKind::NotFound;
                    self.counters.failed_removals.add(u64::from(!gone));
                    return gone;
                }
            }
        }
        left.bytes = left.bytes.saturating_add(bytes);
        left.files = left.files.saturating_add(1);
        let Some(reason) = self.limits.exceeded(left.bytes, left.files) else { return false };
        left.bytes = left.bytes.saturating_sub(bytes);
        left.files = left.files.saturating_sub(1);
        self.counters.evicted(reason);
        self.remove(path)
    }
}
