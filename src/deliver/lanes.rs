//! What goes first, and what has to go when there is no room.

use std::collections::VecDeque;

/// How much an item matters: what matters more is sent first, and what matters less makes room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// Panics, critical reports, and whatever else is fatal.
    Urgent,
    Errors,
    /// Warnings and below.
    Warnings,
    /// Transactions and check-ins.
    Rest,
}

impl Lane {
    pub(super) const ALL: [Self; 4] = [Self::Urgent, Self::Errors, Self::Warnings, Self::Rest];

    /// 0 matters most.
    pub(super) const fn rank(self) -> u8 {
        self as u8
    }

    pub(super) fn ranked(rank: u8) -> Self {
        Self::ALL.into_iter().find(|lane| lane.rank() == rank).unwrap_or(Self::Rest)
    }
}

/// A queue for each lane, bounded together by the number and the weight of their items.
///
/// Each queue has a fresh side and an old one: what waited through an outage is old, what comes after it is fresh.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    lanes: [Sides<T>; 4],
    max_len: usize,
    max_weight: usize,
    next_seq: u64,
}

/// An item, and what is needed to put it back.
#[derive(Debug)]
pub(super) struct Placed<T> {
    pub(super) item: T,
    lane: Lane,
    weight: usize,
    /// Says which of two items came first.
    seq: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Fresh,
    Old,
}

impl<T> Lanes<T> {
    pub(super) fn new(max_len: usize, max_weight: usize) -> Self {
        let lanes = [(); 4].map(|()| Sides { fresh: VecDeque::new(), old: VecDeque::new(), weight: 0 });
        Self { lanes, max_len, max_weight, next_seq: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.iter().map(Sides::len).sum()
    }

    pub(super) fn weight(&self) -> usize {
        self.lanes.iter().map(|sides| sides.weight).sum()
    }

    /// Adds an item and returns what had to go for it: of the lowest lanes below its own, the oldest first. The
    /// item comes back when even that would make no room. What is too heavy for any queue gets into an empty one.
    #[inline]
    pub(super) fn push(&mut self, lane: Lane, weight: usize, item: T) -> Result<Vec<T>, T> {
        if self.is_full_for(weight) {
            return self.push_to_full(lane, weight, item);
        }
        self.push_extra(lane, weight, item);
        Ok(Vec::new())
    }

    #[cold]
    fn push_to_full(&mut self, lane: Lane, weight: usize, item: T) -> Result<Vec<T>, T> {
        let staying = || Lane::ALL.into_iter().zip(&self.lanes).filter(|(other, _)| *other <= lane);
        let len: usize = staying().map(|(_, sides)| sides.len()).sum();
        let heavy: usize = staying().map(|(_, sides)| sides.weight).sum();
        let fits = len < self.max_len && heavy.saturating_add(weight) <= self.max_weight;
        if !fits && self.len() > 0 {
            return Err(item);
        }
        let mut shed = Vec::new();
        while self.is_full_for(weight) {
            let mut lower =
                Lane::ALL.into_iter().zip(&mut self.lanes).rev().filter(|(other, _)| *other > lane);
            let Some(placed) = lower.find_map(|(_, sides)| sides.remove_oldest()) else { break };
            shed.push(placed.item);
        }
        self.push_extra(lane, weight, item);
        Ok(shed)
    }

    /// Adds an item whether there is room or not.
    #[inline]
    pub(super) fn push_extra(&mut self, lane: Lane, weight: usize, item: T) {
        self.next_seq = self.next_seq.wrapping_add(1);
        let placed = Placed { item, lane, weight, seq: self.next_seq };
        self.of(lane).append(Side::Fresh, placed);
    }

    /// Adds what waited elsewhere, behind the rest of its lane. Nothing makes room for it.
    pub(super) fn push_old(&mut self, lane: Lane, weight: usize, item: T) -> Result<(), T> {
        if self.is_full_for(weight) {
            return Err(item);
        }
        self.next_seq = self.next_seq.wrapping_add(1);
        let placed = Placed { item, lane, weight, seq: self.next_seq };
        self.of(lane).append(Side::Old, placed);
        Ok(())
    }

    /// Whether less than half of the room is taken.
    pub(super) fn is_half_empty(&self) -> bool {
        self.len() < self.max_len / 2 && self.weight() < self.max_weight / 2
    }

    pub(super) fn old(&self) -> usize {
        self.lanes.iter().map(|sides| sides.old.len()).fold(0, usize::saturating_add)
    }

    /// The first item of the highest lane that is allowed to go.
    pub(super) fn take(&mut self, side: Side, allowed: impl Fn(&T) -> bool) -> Option<Placed<T>> {
        self.lanes.iter_mut().find_map(|sides| {
            let at = sides.queue(side).iter().position(|placed| allowed(&placed.item))?;
            sides.remove(side, at)
        })
    }

    /// Puts back what was taken, where it was. There was room for it before, so it is not turned away.
    pub(super) fn put_back(&mut self, placed: Placed<T>) {
        let sides = self.of(placed.lane);
        // It stands close to the front: not much was taken after it.
        match sides.fresh.iter().position(|other| other.seq > placed.seq) {
            Some(at) => sides.insert(at, placed),
            None => sides.append(Side::Fresh, placed),
        }
    }

    /// Puts back what was taken, behind the rest of its lane.
    pub(super) fn put_behind(&mut self, placed: Placed<T>) {
        self.of(placed.lane).append(Side::Old, placed);
    }

    /// What waits now is old, where it may be.
    pub(super) fn age(&mut self, may: impl Fn(&T) -> bool) {
        for sides in &mut self.lanes {
            let (aged, fresh) =
                std::mem::take(&mut sides.fresh).into_iter().partition(|placed| may(&placed.item));
            sides.fresh = fresh;
            sides.old.extend::<VecDeque<_>>(aged);
        }
    }

    /// What waits on one side, lane by lane.
    pub(super) fn iter(&self, side: Side) -> impl Iterator<Item = &T> {
        self.lanes
            .iter()
            .flat_map(move |sides| match side {
                Side::Fresh => &sides.fresh,
                Side::Old => &sides.old,
            })
            .map(|placed| &placed.item)
    }

    /// Empties it.
    pub(super) fn drain(&mut self) -> Vec<T> {
        let sides = self.lanes.iter_mut().flat_map(Sides::drain);
        sides.map(|placed| placed.item).collect()
    }

    fn is_full_for(&self, weight: usize) -> bool {
        let len = self.len();
        len >= self.max_len || (len > 0 && self.weight().saturating_add(weight) > self.max_weight)
    }

    fn of(&mut self, lane: Lane) -> &mut Sides<T> {
        let [urgent, errors, warnings, rest] = &mut self.lanes;
        match lane {
            Lane::Urgent => urgent,
            Lane::Errors => errors,
            Lane::Warnings => warnings,
            Lane::Rest => rest,
        }
    }
}

#[derive(Debug)]
struct Sides<T> {
    fresh: VecDeque<Placed<T>>,
    old: VecDeque<Placed<T>>,
    weight: usize,
}

impl<T> Sides<T> {
    fn len(&self) -> usize {
        self.fresh.len().saturating_add(self.old.len())
    }

    fn queue(&mut self, side: Side) -> &mut VecDeque<Placed<T>> {
        match side {
            Side::Fresh => &mut self.fresh,
            Side::Old => &mut self.old,
        }
    }

    #[inline]
    fn append(&mut self, side: Side, placed: Placed<T>) {
        self.weight = self.weight.saturating_add(placed.weight);
        self.queue(side).push_back(placed);
    }

    /// `at` is at most the number of fresh ones.
    fn insert(&mut self, at: usize, placed: Placed<T>) {
        self.weight = self.weight.saturating_add(placed.weight);
        self.fresh.insert(at, placed);
    }

    fn remove(&mut self, side: Side, at: usize) -> Option<Placed<T>> {
        let placed = self.queue(side).remove(at)?;
        self.weight = self.weight.saturating_sub(placed.weight);
        Some(placed)
    }

    fn remove_oldest(&mut self) -> Option<Placed<T>> {
        self.remove(Side::Old, 0).or_else(|| self.remove(Side::Fresh, 0))
    }

    fn drain(&mut self) -> impl Iterator<Item = Placed<T>> {
        self.weight = 0;
        std::mem::take(&mut self.old).into_iter().chain(std::mem::take(&mut self.fresh))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Lane::{Errors, Rest, Urgent, Warnings};
    use super::*;

    fn all<T>(lanes: &mut Lanes<T>) -> Vec<T> {
        std::iter::from_fn(|| lanes.take(Side::Fresh, |_| true).or_else(|| lanes.take(Side::Old, |_| true)))
            .map(|placed| placed.item)
            .collect()
    }

    #[test]
    fn what_matters_more_goes_first_and_the_oldest_of_a_lane() {
        let mut lanes = Lanes::new(10, 100);
        for (lane, item) in [(Rest, 1), (Errors, 2), (Urgent, 3), (Errors, 4), (Warnings, 5)] {
            assert_eq!(lanes.push(lane, 1, item), Ok(vec![]));
        }
        assert_eq!(all(&mut lanes), [3, 2, 4, 5, 1]);
    }

    #[test]
    fn a_full_queue_sheds_the_oldest_of_the_lowest_lane_and_never_its_own() {
        let mut lanes = Lanes::new(4, 100);
        for (lane, item) in [(Warnings, 1), (Rest, 2), (Rest, 3), (Errors, 4)] {
            lanes.push(lane, 1, item).unwrap();
        }
        assert_eq!(lanes.push(Rest, 1, 5), Err(5), "nothing is below it");
        assert_eq!(lanes.push(Errors, 1, 6), Ok(vec![2]));
        assert_eq!(lanes.push(Urgent, 1, 7), Ok(vec![3]));
        assert_eq!(lanes.push(Errors, 1, 8), Ok(vec![1]));
        assert_eq!(lanes.push(Errors, 1, 9), Err(9));
        assert_eq!(all(&mut lanes), [7, 4, 6, 8]);
    }

    #[test]
    fn nothing_is_shed_for_what_does_not_fit_even_so() {
        let mut lanes = Lanes::new(10, 10);
        lanes.push(Errors, 6, 1).unwrap();
        lanes.push(Rest, 4, 2).unwrap();
        assert_eq!(lanes.push(Errors, 5, 3), Err(3));
        assert_eq!(lanes.push(Errors, 4, 4), Ok(vec![2]));
        assert_eq!(all(&mut lanes), [1, 4]);
        assert_eq!(lanes.push(Rest, 99, 5), Ok(vec![]), "too heavy for any queue, but this one is empty");
        assert_eq!(lanes.push(Rest, 1, 6), Err(6));
    }

    #[test]
    fn what_is_put_back_has_its_old_place() {
        let mut lanes = Lanes::new(10, 100);
        for item in 1..=5 {
            lanes.push(Errors, 1, item).unwrap();
        }
        let taken: Vec<_> = (0..3).map(|_| lanes.take(Side::Fresh, |_| true).unwrap()).collect();
        let [first, second, third] = taken.try_into().unwrap();
        lanes.put_back(second);
        lanes.put_back(first);
        lanes.put_behind(third);
        assert_eq!(all(&mut lanes), [1, 2, 4, 5, 3]);
    }

    #[test]
    fn what_comes_after_an_outage_goes_before_what_waited_through_it() {
        let mut lanes = Lanes::new(10, 100);
        lanes.push(Urgent, 1, 1).unwrap();
        lanes.push(Errors, 1, 2).unwrap();
        lanes.age(|_| true);
        lanes.push(Warnings, 1, 3).unwrap();
        assert_eq!(lanes.iter(Side::Old).collect::<Vec<_>>(), [&1, &2]);
        assert_eq!(all(&mut lanes), [3, 1, 2]);
    }

    fn lane() -> impl Strategy<Value = Lane> {
        proptest::sample::select(&Lane::ALL[..])
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever happens, the bounds hold, every item is in one place, and nothing goes for less than itself.
        #[test]
        fn bounds_hold_and_nothing_goes_for_less(steps in prop::collection::vec((lane(), 1_usize..40, 0_u8..4), 1..200)) {
            let mut lanes = Lanes::new(12, 100);
            let (mut gone, pushed) = (Vec::new(), steps.len());
            for (n, (lane, weight, then)) in steps.into_iter().enumerate() {
                match lanes.push(lane, weight, (lane, n)) {
                    Ok(shed) => {
                        prop_assert!(shed.iter().all(|(below, _)| *below > lane));
                        gone.extend(shed);
                    }
                    Err(item) => gone.push(item),
                }
                match then {
                    0 => lanes.age(|_| true),
                    1 => gone.extend(lanes.take(Side::Old, |_| true).map(|placed| placed.item)),
                    2 => gone.extend(lanes.take(Side::Fresh, |_| true).map(|placed| placed.item)),
                    _ => {
                        if let Some(placed) = lanes.take(Side::Fresh, |(_, n)| n % 2 == 0) {
                            lanes.put_back(placed);
                        }
                    }
                }
                prop_assert!(lanes.len() <= 12 && lanes.weight() <= 100);
            }
            gone.extend(lanes.drain());
            prop_assert_eq!((lanes.len(), lanes.weight()), (0, 0));
            gone.sort_by_key(|(_, n)| *n);
            gone.dedup();
            prop_assert_eq!(gone.len(), pushed);
        }
    }
}
