//! What is counted for one key, in a few bytes: failures in the last hour, and how many different partners.
//!
//! Times are seconds since the watch began.

use crate::record::AuthFailure;

/// Failures are counted by the hour.
pub(super) const HOUR: u32 = 60 * 60;
/// Partners are remembered for one to two of these.
pub(super) const HALF_DAY: u32 = 12 * HOUR;

/// Failures in the current turn of so many seconds, and in the one before.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns<const SECONDS: u32> {
    turn: u32,
    previous: u32,
    current: u32,
    /// When the first of them happened.
    pub(super) first: u32,
}

/// What has to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Old {
    Nothing,
    /// What was of the turn before; what was current is.
    Previous,
    Everything,
}

impl<const SECONDS: u32> Turns<SECONDS> {
    fn new(now: u32) -> Self {
        Self { turn: turn(now, SECONDS), first: now, ..Self::default() }
    }

    fn roll(&mut self, now: u32) -> Old {
        let now_is = turn(now, SECONDS);
        let old = match now_is.checked_sub(self.turn) {
            // Threads tell of their failures in an order that may differ by moments.
            None | Some(0) => return Old::Nothing,
            Some(1) => {
                self.first = self.first.max(self.turn.saturating_mul(SECONDS));
                self.previous = self.current;
                Old::Previous
            }
            Some(_) => {
                self.previous = 0;
                Old::Everything
            }
        };
        (self.turn, self.current) = (now_is, 0);
        if self.previous == 0 {
            self.first = now;
        }
        old
    }

    fn count(&mut self) {
        self.current = self.current.saturating_add(1);
    }

    /// How many there were in the last `SECONDS`, if those of the turn before were spread evenly.
    fn recent(&self, now: u32) -> u32 {
        let left = SECONDS.saturating_sub(now.saturating_sub(self.turn.saturating_mul(SECONDS)));
        let previous = u64::from(self.previous).saturating_mul(u64::from(left));
        let previous = previous.checked_div(u64::from(SECONDS)).unwrap_or_default();
        self.current.saturating_add(u32::try_from(previous).unwrap_or(u32::MAX))
    }

    /// All of them: those since `first`.
    pub(super) fn failures(&self) -> u32 {
        self.previous.saturating_add(self.current)
    }
}

fn turn(now: u32, seconds: u32) -> u32 {
    now.checked_div(seconds).unwrap_or_default()
}

/// Failures of one key in the last one to two hours.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// 0 for nobody.
    pub(super) key: u64,
    pub(super) turns: Turns<HOUR>,
    pub(super) last: u32,
    /// Which failures there were, a bit each.
    pub(super) kinds: u16,
    /// The incident that its failures belong to, from 1 on; 0 for none.
    pub(super) incident: u8,
}

impl Tally {
    pub(super) fn new(key: u64, now: u32) -> Self {
        Self { key, turns: Turns::new(now), last: now, ..Self::default() }
    }

    /// Forgets what is too old.
    pub(super) fn roll(&mut self, now: u32) {
        self.turns.roll(now);
        if self.turns.failures() == 0 {
            self.kinds = 0;
        }
    }

    pub(super) fn count(&mut self, now: u32, failure: AuthFailure) {
        self.turns.count();
        self.last = now;
        self.kinds |= bit(failure);
    }

    /// How many failures there were in the last hour, if those of the hour before were spread evenly. Never more
    /// than there were in the last two.
    pub(super) fn recent(&self, now: u32) -> u32 {
        self.turns.recent(now)
    }

    /// Begins anew.
    pub(super) fn clear(&mut self, now: u32) {
        *self = Self::new(self.key, now);
    }
}

fn bit(failure: AuthFailure) -> u16 {
    1_u16.wrapping_shl(failure as u32)
}

/// The failures whose bits are set.
pub(super) fn kinds(bits: u16) -> impl Iterator<Item = AuthFailure> {
    AuthFailure::ALL.into_iter().filter(move |failure| bits & bit(*failure) != 0)
}

/// How many different partners a key had in the last 12 to 24 hours: a bit for each (linear counting, Whang et al.
/// 1990), in two sets that take turns.
#[derive(Clone, Debug)]
pub(super) struct Partners<const WORDS: usize> {
    pub(super) turns: Turns<HALF_DAY>,
    previous: [u64; WORDS],
    current: [u64; WORDS],
}

impl<const WORDS: usize> Partners<WORDS> {
    pub(super) fn new(now: u32) -> Self {
        Self { turns: Turns::new(now), previous: [0; WORDS], current: [0; WORDS] }
    }

    pub(super) fn roll(&mut self, now: u32) {
        match self.turns.roll(now) {
            Old::Nothing => return,
            Old::Previous => self.previous = self.current,
            Old::Everything => self.previous = [0; WORDS],
        }
        self.current = [0; WORDS];
    }

    /// One more failure, with whomever.
    pub(super) fn count(&mut self, partner: Option<u64>, thinned: u32) {
        self.turns.count();
        if let Some(partner) = partner {
            self.add(partner, thinned);
        }
    }

    /// Only one of `2^thinned` partners leaves a mark, always the same ones.
    fn add(&mut self, partner: u64, thinned: u32) {
        let marks = 1_u64.checked_shl(thinned).unwrap_or(0).wrapping_sub(1);
        if partner & marks != 0 {
            return;
        }
        // Bits that the table does not look at to find its place.
        let at = partner.wrapping_shr(32);
        let word = usize::try_from(at.wrapping_shr(6)).unwrap_or_default().checked_rem(WORDS);
        if let Some(word) = word.and_then(|word| self.current.get_mut(word)) {
            *word |= 1_u64.wrapping_shl((at & 63) as u32);
        }
    }

    /// The estimate. Its standard error is 4 % where there are as many as bits, and 6 % where there are three times
    /// as many; beyond that it is too high rather than too low.
    pub(super) fn estimate(&self, thinned: u32) -> u32 {
        let bits = u32::try_from(WORDS).unwrap_or_default().saturating_mul(u64::BITS);
        let blank = bits.saturating_sub(self.marks()).max(1);
        let bits = f64::from(bits);
        let estimate = (bits * (bits / f64::from(blank)).ln()).round() as u32;
        estimate.saturating_mul(1_u32.checked_shl(thinned).unwrap_or(u32::MAX))
    }

    /// How many marks there are: no more than partners.
    pub(super) fn marks(&self) -> u32 {
        self.previous.iter().zip(&self.current).map(|(a, b)| (a | b).count_ones()).sum()
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "the numbers of tests are small")]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::record::spread;

    proptest! {
        /// Beside the truth, which remembers every failure.
        #[test]
        fn a_tally_is_never_above_the_last_two_hours_nor_below_the_current_one(
            gaps in prop::collection::vec((0..4_000_u32, 1..20_u32), 1..200),
        ) {
            let (mut tally, mut truth, mut now) = (Tally::new(1, 0), Vec::new(), 0);
            for (gap, failures) in gaps {
                now += gap;
                tally.roll(now);
                for _ in 0..failures {
                    tally.count(now, AuthFailure::Mfa);
                    truth.push(now);
                }
                let since = |from: u32| truth.iter().filter(|at| **at >= from).count() as u32;
                let (two, one) = ((now / HOUR).saturating_sub(1) * HOUR, now / HOUR * HOUR);
                prop_assert_eq!(tally.turns.failures(), since(two));
                prop_assert!((since(one)..=since(two)).contains(&tally.recent(now)));
                let first = truth.iter().find(|at| **at >= two).copied();
                prop_assert!(tally.turns.first <= first.unwrap() && tally.turns.first >= two, "{}", tally.turns.first);
                prop_assert_eq!(tally.last, now);
            }
        }

        /// What comes at an even pace is counted as it is, but for one at each end.
        #[test]
        fn an_even_pace_is_counted_as_it_is(every in 1..600_u32) {
            let mut tally = Tally::new(1, 0);
            for at in (0..5 * HOUR).step_by(every as usize) {
                tally.roll(at);
                tally.count(at, AuthFailure::Mfa);
                if at > HOUR {
                    prop_assert!(tally.recent(at).abs_diff(HOUR / every) <= 1, "{} at {at}", tally.recent(at));
                }
            }
        }

        #[test]
        fn partners_are_estimated_and_repetitions_make_no_difference(seed: u64, partners in 0..1_000_u32) {
            let mut many = Partners::<8>::new(0);
            for n in 0..3 * partners {
                many.add(spread(seed ^ u64::from(n % partners.max(1))), 0);
            }
            let error = many.estimate(0).abs_diff(partners);
            // More than five standard errors.
            prop_assert!(error <= 8 + partners * 2 / 5, "{} of {partners}", many.estimate(0));
        }

        #[test]
        fn thinned_partners_are_estimated_from_their_share(seed: u64) {
            let mut many = Partners::<8>::new(0);
            (0..12_000_u64).for_each(|n| many.add(spread(seed.wrapping_add(n)), 3));
            // Three times as many as there are bits: a few blanks more or less make much.
            prop_assert!((7_000..20_000).contains(&many.estimate(3)), "{}", many.estimate(3));
        }
    }

    #[test]
    fn partners_are_forgotten_after_a_day_at_most() {
        let mut partners = Partners::<2>::new(0);
        partners.add(spread(1), 0);
        for (at, left) in [(HALF_DAY - 1, 1), (HALF_DAY, 1), (2 * HALF_DAY - 1, 1), (2 * HALF_DAY, 0)] {
            partners.roll(at);
            assert_eq!(partners.estimate(0), left, "at {at}");
        }
    }

    #[test]
    fn every_kind_has_its_bit() {
        let bits: HashSet<_> = AuthFailure::ALL.into_iter().map(bit).collect();
        assert_eq!(bits.len(), AuthFailure::ALL.len());
        assert_eq!(kinds(bit(AuthFailure::Mfa)).collect::<Vec<_>>(), [AuthFailure::Mfa]);
    }
}
