//! What happened to files, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// What happened since the spool was opened. `files`, `bytes`, `waiting` and `left` are of this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Envelopes on disk that this process answers for.
    pub(crate) files: u64,
    /// What they occupy there, in blocks of 4 KiB.
    pub(crate) bytes: u64,
    /// How many of them nobody holds: they come from `next_backlog`.
    pub(crate) waiting: u64,
    /// Envelopes of dead processes for which there was no room; they are adopted later, or by another process.
    pub(crate) left: u64,
    /// Envelopes that reached the disk.
    pub(crate) written: u64,
    /// Envelopes removed by their holder: delivered, or given up with a reason.
    pub(crate) removed: u64,
    /// Envelopes taken over from dead processes.
    pub(crate) adopted: u64,
    /// Envelopes that are lost, by reason.
    pub(crate) evicted: Evicted,
    /// Envelopes that were not taken: too large, or the spool is full of what goes first.
    pub(crate) refused: u64,
    /// Files moved to the quarantine.
    pub(crate) quarantined: u64,
    /// Files of which a process died in the middle of writing: nobody was told that they are stored.
    pub(crate) unfinished: u64,
    /// Envelopes that somebody else removed.
    pub(crate) vanished: u64,
    pub(crate) failed_writes: u64,
    pub(crate) failed_reads: u64,
    /// Files that cannot be removed or moved. The next process finds them again.
    pub(crate) failed_removals: u64,
}

/// Envelopes that were removed undelivered, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evicted {
    /// The bytes were needed for what goes first or is newer.
    pub(crate) for_bytes: u64,
    /// There were too many files.
    pub(crate) for_files: u64,
    /// Older than 30 days.
    pub(crate) for_age: u64,
}

/// Why an envelope is removed undelivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Bytes,
    Files,
    Age,
}

/// The living side of [`Counts`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) left: Counter,
    pub(super) written: Counter,
    pub(super) removed: Counter,
    pub(super) adopted: Counter,
    pub(super) refused: Counter,
    pub(super) quarantined: Counter,
    pub(super) unfinished: Counter,
    pub(super) vanished: Counter,
    pub(super) failed_writes: Counter,
    pub(super) failed_reads: Counter,
    pub(super) failed_removals: Counter,
    for_bytes: Counter,
    for_files: Counter,
    for_age: Counter,
}

impl Counters {
    pub(super) fn evicted(&self, reason: Reason) {
        match reason {
            Reason::Bytes => self.for_bytes.add(1),
            Reason::Files => self.for_files.add(1),
            Reason::Age => self.for_age.add(1),
        }
    }

    /// `files`, `bytes` and `waiting` are for the caller to fill in.
    pub(super) fn read(&self) -> Counts {
        Counts {
            left: self.left.get(),
            written: self.written.get(),
            removed: self.removed.get(),
            adopted: self.adopted.get(),
            evicted: Evicted {
                for_bytes: self.for_bytes.get(),
                for_files: self.for_files.get(),
                for_age: self.for_age.get(),
            },
            refused: self.refused.get(),
            quarantined: self.quarantined.get(),
            unfinished: self.unfinished.get(),
            vanished: self.vanished.get(),
            failed_writes: self.failed_writes.get(),
            failed_reads: self.failed_reads.get(),
            failed_removals: self.failed_removals.get(),
            ..Counts::default()
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
