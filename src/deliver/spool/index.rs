//! What is on disk, kept in memory: in which order it goes out, and what makes room when the spool is full.
//!
//! An envelope is held while somebody answers for it (its bytes are in memory, or on their way to the server), else
//! it waits. What is held is never evicted, so an eviction is a loss, and the counts are exact.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::counts::Reason;
use super::name::Key;

/// Everybody who asks how full the spool is takes the lock: nothing is done under it but counting.
pub(super) struct Index {
    limits: Limits,
    state: Mutex<State>,
}

/// What one process may have on disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) bytes: u64,
    pub(super) files: usize,
}

impl Limits {
    pub(super) fn exceeded(&self, bytes: u64, files: usize) -> Option<Reason> {
        match (bytes > self.bytes, files > self.files) {
            (true, _) => Some(Reason::Bytes),
            (_, true) => Some(Reason::Files),
            _ => None,
        }
    }
}

#[derive(Default)]
struct State {
    /// By lane, then oldest first.
    waiting: BTreeMap<u8, BTreeMap<(u64, u64), Slot>>,
    held: BTreeMap<Key, Slot>,
    files: usize,
    bytes: u64,
    /// The latest stamp there was. A clock that is set back must not make what is new look old.
    latest: u64,
    swept: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// What the file occupies.
    pub(super) bytes: u64,
    /// In the system's uptime.
    pub(super) expires: Duration,
    pub(super) failed_reads: u8,
}

#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// It is held now.
    Entry(Key),
    /// It is too old, and forgotten.
    Expired(Key),
}

/// What one look at the index says.
pub(super) struct Usage {
    pub(super) files: usize,
    pub(super) bytes: u64,
    pub(super) held: usize,
}

impl Index {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// Makes room for a new envelope, which is held. Returns it and what has to be removed for it, which is
    /// forgotten; `None` if even that is not enough.
    pub(super) fn reserve(
        &self,
        lane: u8,
        now: u64,
        sequence: u64,
        slot: Slot,
    ) -> Option<(Key, Vec<(Key, Reason)>)> {
        let mut state = self.state();
        let victims = self.victims(&state, lane, slot.bytes)?;
        for (victim, _) in &victims {
            state.take_waiting(*victim);
        }
        state.latest = state.latest.max(now);
        let key = Key { lane, stamp: state.latest, sequence };
        state.hold(key, slot);
        Some((key, victims))
    }

    /// Holds what another process left, if there is room without removing anything.
    pub(super) fn hold_if_room(&self, key: Key, slot: Slot) -> bool {
        let mut state = self.state();
        let (bytes, files) = (state.bytes.saturating_add(slot.bytes), state.files.saturating_add(1));
        let has_room = self.limits.exceeded(bytes, files).is_none();
        if has_room {
            state.latest = state.latest.max(key.stamp);
            state.hold(key, slot);
        }
        has_room
    }

    /// The most important of what waits, the oldest first.
    pub(super) fn next(&self, uptime: Duration) -> Option<Next> {
        let mut state = self.state();
        let (key, slot) = state.waiting().next()?;
        state.take_waiting(key);
        if slot.expires <= uptime {
            return Some(Next::Expired(key));
        }
        state.hold(key, slot);
        Some(Next::Entry(key))
    }

    /// What was held waits.
    pub(super) fn release(&self, key: Key) {
        let mut state = self.state();
        if let Some(slot) = state.held.remove(&key) {
            state.waiting.entry(key.lane).or_default().insert((key.stamp, key.sequence), slot);
        }
    }

    /// What was held is no longer on disk.
    pub(super) fn forget(&self, key: Key) {
        let mut state = self.state();
        if let Some(slot) = state.held.remove(&key) {
            state.uncount(slot);
        }
    }

    /// How often reading this has failed by now.
    pub(super) fn failed_read(&self, key: Key) -> u8 {
        self.state().held.get_mut(&key).map_or(0, |slot| {
            slot.failed_reads = slot.failed_reads.saturating_add(1);
            slot.failed_reads
        })
    }

    /// What has waited for too long, which is forgotten; looks for it once in `interval`.
    pub(super) fn expired(&self, uptime: Duration, interval: Duration) -> Vec<Key> {
        let mut state = self.state();
        if uptime < state.swept.saturating_add(interval) {
            return Vec::new();
        }
        state.swept = uptime;
        let old = state.waiting().filter(|(_, slot)| slot.expires <= uptime);
        let old: Vec<Key> = old.map(|(key, _)| key).collect();
        for key in &old {
            state.take_waiting(*key);
        }
        old
    }

    pub(super) fn usage(&self) -> Usage {
        let state = self.state();
        Usage { files: state.files, bytes: state.bytes, held: state.held.len() }
    }

    /// What waits in this lane or behind it and has to go: from the last lane on, the oldest first.
    fn victims(&self, state: &State, lane: u8, bytes: u64) -> Option<Vec<(Key, Reason)>> {
        let (mut bytes, mut files) = (state.bytes.saturating_add(bytes), state.files.saturating_add(1));
        let lanes = state.waiting.range(lane..).rev();
        let mut candidates = lanes.flat_map(|(lane, slots)| slots.iter().map(|slot| (*lane, slot)));
        let mut victims = Vec::new();
        while let Some(reason) = self.limits.exceeded(bytes, files) {
            let (lane, (&(stamp, sequence), slot)) = candidates.next()?;
            victims.push((Key { lane, stamp, sequence }, reason));
            bytes = bytes.saturating_sub(slot.bytes);
            files = files.saturating_sub(1);
        }
        Some(victims)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn waiting(&self) -> impl Iterator<Item = (Key, Slot)> {
        self.waiting.iter().flat_map(|(&lane, slots)| {
            slots.iter().map(move |(&(stamp, sequence), &slot)| (Key { lane, stamp, sequence }, slot))
        })
    }

    fn hold(&mut self, key: Key, slot: Slot) {
        self.held.insert(key, slot);
        self.files = self.files.saturating_add(1);
        self.bytes = self.bytes.saturating_add(slot.bytes);
    }

    fn take_waiting(&mut self, key: Key) {
        let Some(slots) = self.waiting.get_mut(&key.lane) else { return };
        let slot = slots.remove(&(key.stamp, key.sequence));
        if slots.is_empty() {
            self.waiting.remove(&key.lane);
        }
        if let Some(slot) = slot {
            self.uncount(slot);
        }
    }

    fn uncount(&mut self, slot: Slot) {
        self.files = self.files.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(slot.bytes);
    }
}
