//! One process, and what the model says that it does.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::sample::Index;

use super::super::fake::Fake;
use super::{HOUR, Item, MAX_AGE, MAX_BLOCKS, MAX_FILES, envelope, id_of};
use crate::deliver::spool::{Entry, Spool, SpoolError};

pub(super) struct Process {
    pub(super) spool: Spool,
    pub(super) system: Arc<Fake>,
    pub(super) name: String,
    pub(super) held: Vec<(u64, Entry)>,
    pub(super) items: Vec<Item>,
    pub(super) evicted: u64,
    pub(super) latest: u64,
    pub(super) swept: Duration,
}

/// What a step changes: if the process dies in the middle of it, each of these may have happened or not.
#[derive(Default)]
pub(super) struct Change {
    pub(super) moved: BTreeSet<u64>,
    pub(super) removed: BTreeSet<u64>,
    pub(super) added: BTreeSet<u64>,
}

impl Process {
    /// `id` is the next one.
    pub(super) fn put(&mut self, id: u64, lane: u8, bytes: usize) -> Change {
        let result = self.spool.put(lane, &envelope(id, bytes));
        let mut change = self.sweep();
        let blocks = (bytes as u64 + 12).div_ceil(4096);
        // From the last lane on, the oldest first, until there is room.
        let waiting = self.items.iter().filter(|item| !item.is_held && item.lane >= lane);
        let mut waiting: Vec<Item> = waiting.copied().collect();
        waiting.sort_by_key(|item| (item.lane, Reverse((item.stamp, item.order))));
        let (mut rest, mut victims) = (self.items.clone(), BTreeSet::new());
        while !fits(&rest, blocks) {
            let Some(victim) = waiting.pop() else {
                assert!(matches!(result, Err(SpoolError::Full)) || self.system.is_dead(), "{result:?}");
                return change;
            };
            rest.retain(|item| item.id != victim.id);
            victims.insert(victim.id);
        }
        self.items = rest;
        self.evicted += victims.len() as u64;
        change.removed.append(&mut victims);
        self.latest = self.latest.max(self.system.clocks.wall());
        change.added.insert(id);
        match result {
            Ok(entry) => {
                self.held.push((id, entry));
                let (stamp, expires) = (self.latest, self.system.clocks.uptime() + MAX_AGE);
                self.items.push(Item { id, lane, stamp, order: id, blocks, expires, is_held: true });
            }
            Err(error) => assert!(self.system.is_dead(), "{error}"),
        }
        change
    }

    /// `next` is the order of the next adopted envelope.
    pub(super) fn take(&mut self, dead: &mut BTreeMap<String, Vec<Item>>, next: &mut u64) -> Change {
        let uptime = self.system.clocks.uptime();
        let adopted_at = *self.spool.0.adopted_at.lock().unwrap();
        let is_idle = self.items.iter().all(|item| item.is_held);
        let is_due = adopted_at.is_none_or(|at| is_idle && uptime >= at + Duration::from_secs(300));
        let taken = self.spool.next_backlog();
        let mut change = if is_due { self.adopt(dead, next) } else { Change::default() };
        let expected = loop {
            let waiting = self.items.iter().filter(|item| !item.is_held);
            let first = waiting.min_by_key(|item| (item.lane, item.stamp, item.order)).copied();
            match first {
                Some(first) if first.expires <= uptime => {
                    self.items.retain(|item| item.id != first.id);
                    change.removed.insert(first.id);
                    self.evicted += 1;
                }
                first => break first.map(|first| first.id),
            }
        };
        if !self.system.is_dead() {
            assert_eq!(taken.as_ref().map(|(_, found)| id_of(found)), expected);
        }
        if let Some((entry, found)) = taken {
            let id = id_of(&found);
            self.held.push((id, entry));
            self.items.iter_mut().filter(|item| item.id == id).for_each(|item| item.is_held = true);
        }
        change
    }

    /// The newest of the dead first, of each what matters most first, as long as there is room.
    pub(super) fn adopt(&mut self, dead: &mut BTreeMap<String, Vec<Item>>, next: &mut u64) -> Change {
        let (wall, uptime) = (self.system.clocks.wall(), self.system.clocks.uptime());
        let (mut change, mut left) = (Change::default(), Vec::new());
        for (_, items) in dead.iter_mut().rev() {
            let mut found = std::mem::take(items);
            found.sort_by_key(|item| (item.lane, Reverse((item.stamp, item.order))));
            let orders = (*next..*next + found.len() as u64).rev();
            *next += found.len() as u64;
            for (item, order) in found.into_iter().zip(orders) {
                let age = Duration::from_millis(wall.saturating_sub(item.stamp));
                if age <= MAX_AGE && fits(&self.items, item.blocks) {
                    let (stamp, expires) = (item.stamp.min(wall), uptime + MAX_AGE - age);
                    self.latest = self.latest.max(stamp);
                    self.items.push(Item { stamp, order, expires, ..item });
                    change.moved.insert(item.id);
                } else if age <= MAX_AGE && fits(&left, item.blocks) {
                    left.push(item);
                    items.push(item);
                } else {
                    change.removed.insert(item.id);
                    self.evicted += 1;
                }
            }
        }
        dead.retain(|_, items| !items.is_empty());
        change
    }

    /// Does something with one of the envelopes that are held.
    pub(super) fn settle(&mut self, index: Index, settle: impl FnOnce(Entry)) -> Change {
        let mut change = Change::default();
        if !self.held.is_empty() {
            let (id, entry) = self.held.remove(index.index(self.held.len()));
            settle(entry);
            self.items.retain(|item| item.id != id);
            change.removed.insert(id);
        }
        change
    }

    pub(super) fn let_go(&mut self, index: Index) {
        if !self.held.is_empty() {
            let (id, entry) = self.held.remove(index.index(self.held.len()));
            drop(entry);
            self.items.iter_mut().filter(|item| item.id == id).for_each(|item| item.is_held = false);
        }
    }

    /// What has waited for too long goes, once an hour.
    fn sweep(&mut self) -> Change {
        let uptime = self.system.clocks.uptime();
        let mut change = Change::default();
        if uptime >= self.swept + HOUR {
            self.swept = uptime;
            let old = self.items.iter().filter(|item| !item.is_held && item.expires <= uptime);
            change.removed = old.map(|item| item.id).collect();
            self.evicted += change.removed.len() as u64;
            self.items.retain(|item| !change.removed.contains(&item.id));
        }
        change
    }
}

pub(super) fn blocks(items: &[Item]) -> u64 {
    items.iter().map(|item| item.blocks).sum()
}

fn fits(items: &[Item], more: u64) -> bool {
    blocks(items) + more <= MAX_BLOCKS && items.len() < MAX_FILES
}
