//! The counters of what is on disk.

use serde::Serialize;

/// What one destination has in the spool, and what happened there since `init`.
///
/// # Example
/// ```
/// for destination in faultwire::stats().destinations {
///     let spool = destination.spool.unwrap_or_default();
///     println!("{}: {} on disk, {} evicted", destination.name, spool.events, spool.evicted.total());
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SpoolStats {
    /// Events that are on disk now, and which the next process sends if this one cannot.
    pub events: u64,
    /// What they occupy there, in blocks of 4 KiB.
    pub bytes: u64,
    /// How many of them are on disk only: left by dead processes, or there was no room for them in memory.
    pub waiting: u64,
    /// Events of dead processes for which there was no room yet.
    pub left: u64,
    /// Events that were written.
    pub written: u64,
    /// Events taken over from dead processes.
    pub adopted: u64,
    /// Events that were removed undelivered.
    pub evicted: Evicted,
    /// Files that were put aside for people: what the server refuses, and what cannot be read.
    pub quarantined: u64,
    /// Events that are in memory only, because the disk or the spool was full, or in other trouble.
    pub failed_writes: u64,
    /// Files that could not be read, or were gone.
    pub failed_reads: u64,
    /// Files that could not be removed: they may be sent twice, with the same id.
    pub failed_removals: u64,
}

/// Events that were removed from the spool undelivered, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Evicted {
    /// They made room for what is newer, or matters more.
    pub for_space: u64,
    /// They were older than 30 days.
    pub for_age: u64,
}

impl Evicted {
    /// The sum over all reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { for_space, for_age } = *self;
        for_space.saturating_add(for_age)
    }
}
