//! Envelopes on disk, from before they are sent until a server has accepted them.
//!
//! # What it promises
//! - What [`Spool::put`] has returned survives the death of the process, `kill -9` included, until its holder removes
//!   it. With `sync` it survives a power failure too; without, an envelope of the last seconds may be torn by one,
//!   which is recognised.
//! - What survives is sent by the next process for the same destination, in the order in which it was captured. A
//!   process that dies between the server's answer and the removal leaves an envelope that is sent twice: the event's
//!   id is the same, and servers drop the second.
//! - It takes at most so many bytes and files for each living process, and as much again for dead ones; nothing in it
//!   gets older than 30 days. What makes room is counted.
//! - A file that is torn, changed or foreign goes to the quarantine. Nothing here panics, and no error is a reason for
//!   more than going on from memory.
//! - It writes the bytes that it is given: that they are scrubbed is the caller's affair. No name holds more than
//!   lanes, times, numbers, process ids and the destination's hash.
//!
//! # On disk
//! ```text
//! <dir>/                                         made if missing; may be a symbolic link, which is followed once
//!   <destination>/                               the caller's hash of it                        0700
//!     <time>-<pid>-<random>/                     one process                                    0700
//!       lock                                     locked as long as the process lives            0600
//!       <lane>-<time>-<sequence>.envelope        one envelope and a checksum (see `seal`)       0600
//!       <lane>-<time>-<sequence>.envelope.tmp    being written
//!     quarantine/                                what cannot be sent, and why
//! ```
//! Below `<dir>` no symbolic link is followed and nothing of another user is used; directories that are open to others
//! are closed (`chmod 0700`) or refused. Who may rename what is in `<dir>` can take the spool away, but not read it.
//!
//! # Who does what
//! Only the process that holds a directory's lock writes, moves or removes anything in it, so there is nothing to
//! coordinate: everything else is known from the names, and kept in memory ([`index`]). [`Spool::open`] makes the
//! directory, and reads nothing. [`Spool::adopt`] takes over what dead processes left.
//!
//! # Clocks
//! Within a process no time in a name is earlier than the one before, so a clock that is set back changes no order.
//! The age of an envelope is what the clock said when the process adopted it, and from then on what really passed; one
//! that cannot be true (of the future, of more than a year) is taken for none.
//!
//! # Forks
//! A forked child must not use its parent's spool, but open its own. As long as it lives it keeps the parent's lock.

mod adopt;
mod counts;
mod error;
mod home;
mod index;
mod name;
mod quarantine;
mod seal;
mod store;
mod system;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use self::counts::{Counts, Evicted};
pub(crate) use self::error::{SpoolError, Trouble};
use self::index::Limits;
use self::name::Key;
use self::store::Store;
use self::system::{Os, System};

/// 128 MiB: 15 000 events of up to 8 KiB, which is an outage of hours behind storm control, and less than what
/// containers are given to write to.
pub(crate) const DEFAULT_MAX_BYTES: u64 = 128 * 1024 * 1024;
/// Keeps the names in memory below 5 MiB and the directory quick to read.
const MAX_FILES: usize = 50_000;

/// Where and how much.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    dir: PathBuf,
    destination: String,
    limits: Limits,
    sync: bool,
}

impl Options {
    /// `destination` is 8 to 64 lower-case hexadecimal digits, the same in every process that may send for another.
    pub(crate) fn new(dir: impl Into<PathBuf>, destination: impl Into<String>) -> Self {
        let (dir, destination) = (dir.into(), destination.into());
        let limits = Limits { bytes: DEFAULT_MAX_BYTES, files: MAX_FILES };
        Self { dir, destination, limits, sync: false }
    }

    /// What the envelopes of one process may occupy on disk, in blocks of 4 KiB.
    pub(crate) fn max_bytes(mut self, bytes: u64) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// Waits for the disk, so that nothing is lost with the power.
    pub(crate) fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }
}

/// The envelopes for one destination, of this process and of those it adopted. A handle: clones are the same spool.
///
/// Everything but [`counts`](Self::counts) blocks on the disk.
#[derive(Clone)]
pub(crate) struct Spool(Arc<Store>);

impl Spool {
    /// Makes this process' directory. Takes a fraction of a millisecond: what others left is not looked at.
    pub(crate) fn open(options: &Options) -> Result<Self, SpoolError> {
        Self::open_in(options, Arc::new(Os))
    }

    fn open_in(options: &Options, system: Arc<dyn System>) -> Result<Self, SpoolError> {
        Store::open(options, system).map(|store| Self(Arc::new(store)))
    }

    /// Takes over what dead processes left for this destination: it waits for [`next_backlog`](Self::next_backlog),
    /// which calls this too, at first and then every five minutes while there is nothing else to do. Call it early
    /// all the same: a server that is away for weeks must not let directories of dead processes pile up.
    pub(crate) fn adopt(&self) {
        self.0.adopt();
    }

    /// Stores an envelope, making room if there is none: what waits in the last lane goes first, the oldest first.
    /// Lane 0 matters most.
    ///
    /// # Errors
    /// The envelope is not on disk then, and the caller has it in memory.
    pub(crate) fn put(&self, lane: u8, envelope: &[u8]) -> Result<Entry, SpoolError> {
        self.0.put(lane, envelope).map(|key| self.held(key))
    }

    /// The next envelope that waits, from the first lane that has one, the oldest first. One at a time is in memory.
    /// `None` also when reading fails for a reason that may pass.
    pub(crate) fn next_backlog(&self) -> Option<(Entry, Vec<u8>)> {
        self.0.next().map(|(key, envelope)| (self.held(key), envelope))
    }

    /// Does not wait for the disk.
    pub(crate) fn counts(&self) -> Counts {
        self.0.counts()
    }

    fn held(&self, key: Key) -> Entry {
        Entry { store: Arc::clone(&self.0), key, is_held: true }
    }
}

/// An envelope on disk, for which its holder answers: it is never evicted. Dropped, it waits, and comes back from
/// [`Spool::next_backlog`].
#[must_use = "dropped, it is sent again"]
pub(crate) struct Entry {
    store: Arc<Store>,
    key: Key,
    is_held: bool,
}

impl Entry {
    /// Removes it: a server has accepted it, or it is given up and counted.
    pub(crate) fn remove(mut self) {
        self.is_held = false;
        self.store.settle(self.key);
    }

    /// Puts it aside for people, with the reason, of which 1000 characters are kept. It must not hold a secret.
    pub(crate) fn quarantine(mut self, why: &str) {
        self.is_held = false;
        self.store.quarantine(self.key, why);
    }

    pub(crate) fn lane(&self) -> u8 {
        self.key.lane
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.is_held {
            self.store.index.release(self.key);
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.key.file_name()).finish()
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
