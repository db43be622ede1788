//! A table of fixed size: who comes when it is full takes the place of the least important one.

use super::window::{Partners, Tally};
use crate::record::AuthFailure;

/// So many keys share a place, and the least important of them goes.
const WAYS: usize = 8;

/// What stands in a table.
pub(super) trait Entry: Clone {
    /// With key 0 it is nobody's.
    fn new(key: u64, now: u32) -> Self;
    fn tally(&self) -> &Tally;
    /// Forgets what is too old.
    fn roll(&mut self, now: u32);
    /// How much would be forgotten with it.
    fn weight(&self) -> u32;
}

/// Keys and what is counted for them. Keys are hashes: nobody outside can choose who shares a place.
pub(super) struct Table<E> {
    entries: Box<[E]>,
}

impl<E: Entry> Table<E> {
    /// Rounded up to whole places.
    pub(super) fn new(entries: usize) -> Self {
        Self { entries: vec![E::new(0, 0); entries.next_multiple_of(WAYS)].into_boxed_slice() }
    }

    /// What it occupies.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.entries)
    }

    /// The entry of a key, a new one if it has none. `None` if everybody at its place is part of an incident.
    pub(super) fn touch(&mut self, key: u64, now: u32) -> Option<&mut E> {
        let place = self.place(key)?;
        let at = match place.iter().position(|entry| entry.tally().key == key) {
            Some(at) => at,
            None => {
                let at = least(place, now)?;
                *place.get_mut(at)? = E::new(key, now);
                at
            }
        };
        let entry = place.get_mut(at)?;
        entry.roll(now);
        Some(entry)
    }

    /// The entry of a key, if it has one.
    pub(super) fn find(&mut self, key: u64) -> Option<&mut E> {
        self.place(key)?.iter_mut().find(|entry| entry.tally().key == key)
    }

    fn place(&mut self, key: u64) -> Option<&mut [E]> {
        let places = u64::try_from(self.entries.len() / WAYS).ok()?;
        let place = usize::try_from(key.checked_rem(places)?).ok()?;
        self.entries.chunks_exact_mut(WAYS).nth(place)
    }
}

/// Nobody's, else the one with the least to forget, and of those the quietest.
fn least<E: Entry>(place: &mut [E], now: u32) -> Option<usize> {
    place.iter_mut().for_each(|entry| entry.roll(now));
    let free = place.iter().enumerate().filter(|(_, entry)| entry.tally().incident == 0);
    let rank = |entry: &E| (entry.tally().key != 0, entry.weight(), entry.tally().last);
    free.min_by_key(|(_, entry)| rank(entry)).map(|(at, _)| at)
}

impl Entry for Tally {
    fn new(key: u64, now: u32) -> Self {
        Self::new(key, now)
    }

    fn tally(&self) -> &Tally {
        self
    }

    fn roll(&mut self, now: u32) {
        self.roll(now);
    }

    fn weight(&self) -> u32 {
        self.turns.failures()
    }
}

/// Failures of one key, and with how many partners: an account and its networks, a network and its accounts.
#[derive(Clone, Debug)]
pub(super) struct Target<const WORDS: usize> {
    pub(super) tally: Tally,
    partners: Partners<WORDS>,
}

impl<const WORDS: usize> Target<WORDS> {
    pub(super) fn count(&mut self, now: u32, failure: AuthFailure, partner: Option<u64>, thinned: u32) {
        self.tally.count(now, failure);
        self.partners.count(partner, thinned);
    }

    /// How many partners: an estimate, and never more than failures with one.
    pub(super) fn partners(&self, thinned: u32) -> u32 {
        self.partners.estimate(thinned).min(self.most_partners())
    }

    /// No more partners than this, which is known without an estimate.
    pub(super) fn most_partners(&self) -> u32 {
        self.partners.turns.failures()
    }

    /// When what is counted here began, and how many failures that is: of the hours where they are enough, else of
    /// the days.
    pub(super) fn evidence(&self, by_the_hour: bool) -> (u32, u32) {
        if by_the_hour {
            (self.tally.turns.first, self.tally.turns.failures())
        } else {
            (self.partners.turns.first, self.partners.turns.failures())
        }
    }

    pub(super) fn clear(&mut self, now: u32) {
        self.tally.clear(now);
        self.partners = Partners::new(now);
    }
}

impl<const WORDS: usize> Entry for Target<WORDS> {
    fn new(key: u64, now: u32) -> Self {
        Self { tally: Tally::new(key, now), partners: Partners::new(now) }
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }

    fn roll(&mut self, now: u32) {
        self.tally.roll(now);
        self.partners.roll(now);
    }

    fn weight(&self) -> u32 {
        self.tally.turns.failures().max(self.partners.marks())
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "the numbers of tests are small")]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::auth::window::HOUR;
    use crate::record::spread;

    fn fail(table: &mut Table<Tally>, key: u64, now: u32) {
        if let Some(tally) = table.touch(key, now) {
            tally.count(now, AuthFailure::Mfa);
        }
    }

    fn counted(table: &mut Table<Tally>, key: u64) -> u32 {
        table.find(key).map_or(0, |tally| tally.turns.failures())
    }

    proptest! {
        /// Whoever is evicted loses what was counted; nobody is ever given what was another's.
        #[test]
        fn no_count_is_above_the_truth(keys in prop::collection::vec(1..200_u64, 1..2_000)) {
            let mut table = Table::<Tally>::new(64);
            let mut truth = HashMap::<u64, u32>::new();
            for (now, key) in (0..HOUR).zip(keys) {
                let key = spread(key);
                fail(&mut table, key, now);
                *truth.entry(key).or_default() += 1;
                prop_assert!((1..=truth[&key]).contains(&counted(&mut table, key)));
            }
        }

        /// With room for all of them nobody is evicted.
        #[test]
        fn with_room_it_is_a_map(keys in prop::collection::vec(0..8_u64, 1..500)) {
            let mut table = Table::<Tally>::new(8);
            let mut truth = HashMap::<u64, u32>::new();
            for (now, key) in (0..HOUR).zip(keys) {
                fail(&mut table, key + 1, now);
                *truth.entry(key + 1).or_default() += 1;
            }
            for (key, failures) in truth {
                prop_assert_eq!(counted(&mut table, key), failures);
            }
        }
    }

    #[test]
    fn a_flood_of_others_does_not_evict_who_fails_often() {
        let mut table = Table::<Tally>::new(1024);
        let often: Vec<u64> = (0..32).map(|n| spread(1_000_000_000 + n)).collect();
        for n in 0..200_000_u64 {
            let now = (n / 60) as u32;
            fail(&mut table, spread(n + 1), now);
            if n % 100 == 0 {
                often.iter().for_each(|key| fail(&mut table, *key, now));
            }
        }
        for key in often {
            assert_eq!(counted(&mut table, key), 2_000);
        }
    }

    #[test]
    fn who_is_part_of_an_incident_stays_and_may_leave_no_room() {
        let mut table = Table::<Tally>::new(8);
        for key in 1..=8 {
            table.touch(key, 0).unwrap().incident = 1;
        }
        assert!(table.touch(9, 0).is_none());
        table.find(3).unwrap().clear(1);
        assert!(table.touch(9, 1).is_some() && table.find(3).is_none());
    }

    #[test]
    fn a_network_that_tries_many_accounts_slowly_outweighs_one_that_fails_once() {
        let mut slow = Target::<8>::new(1, 0);
        for n in 0..100_u32 {
            let now = n * 400;
            slow.roll(now);
            slow.count(now, AuthFailure::BadCredentials, Some(spread(u64::from(n))), 0);
        }
        assert!(slow.tally.turns.failures() < 20 && slow.weight() > 80, "{slow:?}");
    }
}
