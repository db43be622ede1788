//! The windows of the failures that happen now, with the time as an argument: what is passed on, what is
//! counted, and what a window's summary says.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::Limit;
use super::key::Key;
use crate::record::{EventId, RequestSnapshot};

/// So many ids of counted failures are named in a summary.
pub(crate) const MAX_IDS: usize = 50;
/// So many routes are told apart, and so many named.
const MAX_ROUTES: usize = 32;

/// The windows that are open, at most as many as there is room for.
pub(super) struct Table<T> {
    windows: HashMap<Key, Window<T>, RandomState>,
    room: usize,
}

/// The time from the first failure with a key, in which so many pass and the others are counted.
struct Window<T> {
    ends: Duration,
    touched: Duration,
    passed: u32,
    /// The first that passed.
    sent: EventId,
    counted: Option<Box<Counted<T>>>,
}

/// Failures that were counted and not sent, and one of them as an example.
#[derive(Debug)]
pub(super) struct Counted<T> {
    pub(super) failures: u64,
    pub(super) first: Duration,
    pub(super) last: Duration,
    pub(super) ids: Vec<EventId>,
    pub(super) routes: Vec<(String, u64)>,
    /// The example, once the one who was asked for it has brought it.
    pub(super) example: Option<T>,
}

/// One failure that asks to pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) key: Key,
    pub(crate) id: EventId,
    /// Somebody should get up for it: it never waits for the others' sake.
    pub(crate) urgent: bool,
    pub(crate) request: Option<&'a RequestSnapshot>,
}

/// What becomes of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is delivered.
    Passes,
    /// It is counted. `same_as` is one of its kind that passed; `keep` asks for the failure itself, as the
    /// example of the summary.
    Counted { same_as: Option<EventId>, keep: bool },
}

impl<T> Table<T> {
    pub(super) fn new(room: usize) -> Self {
        Self { windows: HashMap::default(), room }
    }

    /// `process` says whether the process as a whole may send one more. What had to make room comes back.
    /// `None` for a failure that the process has no room for and that has no window.
    pub(super) fn offer(
        &mut self,
        now: Duration,
        limit: Limit,
        offer: &Offer<'_>,
        process: impl FnOnce() -> bool,
    ) -> (Option<Verdict>, Option<Box<Counted<T>>>) {
        if let Some(window) = self.windows.get_mut(&offer.key)
            && now < window.ends
        {
            window.touched = now;
            if window.passed < limit.failures && process() {
                window.passed = window.passed.saturating_add(1);
                return (Some(Verdict::Passes), None);
            }
            return (Some(window.count(now, offer)), None);
        }
        if !process() {
            return (None, self.end(offer.key));
        }
        let ends = now.saturating_add(limit.window);
        let fresh = Window { ends, touched: now, passed: 1, sent: offer.id, counted: None };
        let evicted = match self.windows.insert(offer.key, fresh) {
            Some(ended) => ended.counted,
            None if self.windows.len() > self.room => self.evict(),
            None => None,
        };
        (Some(Verdict::Passes), evicted)
    }

    fn end(&mut self, key: Key) -> Option<Box<Counted<T>>> {
        self.windows.remove(&key)?.counted
    }

    /// Ends the window that was quiet for the longest time.
    fn evict(&mut self) -> Option<Box<Counted<T>>> {
        let quietest = self.windows.iter().min_by_key(|(_, window)| window.touched);
        let key = quietest.map(|(key, _)| *key)?;
        self.end(key)
    }

    /// Takes an example that was asked for. It comes back if it is too late.
    pub(super) fn keep(&mut self, key: Key, example: T) -> Option<T> {
        match self.windows.get_mut(&key).and_then(|window| window.counted.as_mut()) {
            Some(counted) if counted.example.is_none() => {
                counted.example = Some(example);
                None
            }
            _ => Some(example),
        }
    }

    /// Ends the windows whose time is over; what was counted in them. One whose example is still on its way
    /// stays.
    pub(super) fn ended(&mut self, now: Duration) -> Vec<Counted<T>> {
        let is_over = |_: &Key, window: &mut Window<T>| {
            window.ends <= now && window.counted.as_ref().is_none_or(|counted| counted.example.is_some())
        };
        let over = self.windows.extract_if(is_over);
        over.filter_map(|(_, window)| window.counted).map(|counted| *counted).collect()
    }

    /// What was counted so far; the windows go on.
    pub(super) fn counted(&mut self) -> Vec<Counted<T>> {
        let ready = self.windows.values_mut().map(|window| &mut window.counted);
        ready
            .filter_map(|counted| {
                counted.take_if(|counted| counted.example.is_some()).map(|counted| *counted)
            })
            .collect()
    }

    /// The same, whether there is an example or not.
    pub(super) fn all_counted(&mut self) -> Vec<Counted<T>> {
        self.windows.values_mut().filter_map(|window| window.counted.take().map(|counted| *counted)).collect()
    }

    /// When the next window ends.
    pub(super) fn next_end(&self) -> Option<Duration> {
        self.windows.values().map(|window| window.ends).min()
    }
}

impl<T> Window<T> {
    #[inline]
    fn count(&mut self, now: Duration, offer: &Offer<'_>) -> Verdict {
        let keep = self.counted.is_none();
        self.counted.get_or_insert_with(|| Box::new(Counted::new(now))).add(now, offer);
        Verdict::Counted { same_as: Some(self.sent), keep }
    }
}

impl<T> Counted<T> {
    pub(super) fn new(now: Duration) -> Self {
        Self { failures: 0, first: now, last: now, ids: Vec::new(), routes: Vec::new(), example: None }
    }

    #[inline]
    pub(super) fn add(&mut self, now: Duration, offer: &Offer<'_>) {
        self.failures = self.failures.saturating_add(1);
        self.last = now;
        if self.ids.len() < MAX_IDS {
            self.ids.push(offer.id);
        }
        if let Some(request) = offer.request {
            self.count_route(1, |route| request.is_named(route), || request.name());
        }
    }

    /// Counts others in, without their example.
    pub(super) fn merge<U>(&mut self, other: Counted<U>) {
        self.failures = self.failures.saturating_add(other.failures);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.ids.extend(other.ids.into_iter().take(MAX_IDS.saturating_sub(self.ids.len())));
        for (name, failures) in other.routes {
            self.count_route(failures, |route| *route == name, || name.clone());
        }
    }

    fn count_route(&mut self, failures: u64, is: impl Fn(&str) -> bool, name: impl FnOnce() -> String) {
        let has_room = self.routes.len() < MAX_ROUTES;
        match self.routes.iter_mut().find(|(route, _)| is(route)) {
            Some((_, known)) => *known = known.saturating_add(failures),
            None if has_room => self.routes.push((name(), failures)),
            None => {}
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "the numbers of tests are small")]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const LIMIT: Limit = Limit { failures: 3, window: Duration::from_secs(60) };

    /// What a test does to the table.
    #[derive(Clone, Debug)]
    enum Step {
        Fail(u64),
        Pass(Duration),
        Ended,
        SoFar,
    }

    fn step(keys: u64) -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0..keys).prop_map(Step::Fail),
            2 => (0..50_u64).prop_map(|seconds| Step::Pass(Duration::from_secs(seconds))),
            1 => Just(Step::Ended),
            1 => Just(Step::SoFar),
        ]
    }

    fn offer(key: u64) -> Offer<'static> {
        Offer { key: Key(key), id: EventId::random(), urgent: false, request: None }
    }

    /// A window, as somebody would write it who has all the memory there is.
    #[derive(Clone, Copy, Debug)]
    struct Model {
        ends: Duration,
        passed: u32,
        counted: u64,
    }

    proptest! {
        /// With room for all keys the table does what a map of counters does.
        #[test]
        fn it_counts_like_a_map(steps in prop::collection::vec(step(8), 1..300)) {
            let (mut table, mut now) = (Table::new(8), Duration::ZERO);
            let mut model: HashMap<u64, Model> = HashMap::new();
            let (mut said, mut expected) = (HashMap::new(), HashMap::new());
            for step in steps {
                match step {
                    Step::Pass(time) => now += time,
                    Step::Fail(key) => {
                        let (verdict, ended) = table.offer(now, LIMIT, &offer(key), || true);
                        let ended = ended.map(|ended: Box<Counted<u64>>| (ended.example, ended.failures));
                        let fresh = Model { ends: now + LIMIT.window, passed: 0, counted: 0 };
                        let window = model.entry(key).or_insert(fresh);
                        let over = (window.ends <= now).then(|| std::mem::replace(window, fresh));
                        let over = over.filter(|over| over.counted > 0).map(|over| (Some(key), over.counted));
                        prop_assert_eq!(ended, over);
                        if let Some((Some(key), counted)) = over {
                            *said.entry(key).or_insert(0) += counted;
                        }
                        let passes = window.passed < LIMIT.failures;
                        prop_assert_eq!(matches!(verdict, Some(Verdict::Passes)), passes);
                        if passes {
                            window.passed += 1;
                            continue;
                        }
                        let keep = window.counted == 0;
                        let asked = matches!(verdict, Some(Verdict::Counted { same_as: Some(_), keep: true }));
                        prop_assert_eq!(asked, keep);
                        if keep {
                            prop_assert_eq!(table.keep(Key(key), key), None);
                        }
                        window.counted += 1;
                        *expected.entry(key).or_insert(0) += 1;
                    }
                    Step::Ended => {
                        let ended = table.ended(now);
                        let over = model.iter().filter(|(_, window)| window.ends <= now && window.counted > 0);
                        prop_assert_eq!(ended.len(), over.count());
                        model.retain(|_, window| window.ends > now);
                        for counted in ended {
                            *said.entry(counted.example.unwrap()).or_insert(0) += counted.failures;
                        }
                        prop_assert_eq!(table.next_end(), model.values().map(|window| window.ends).min());
                    }
                    Step::SoFar => {
                        for counted in table.counted() {
                            *said.entry(counted.example.unwrap()).or_insert(0) += counted.failures;
                        }
                        model.values_mut().for_each(|window| window.counted = 0);
                    }
                }
            }
            for counted in table.all_counted() {
                *said.entry(counted.example.unwrap()).or_insert(0) += counted.failures;
            }
            prop_assert_eq!(said, expected);
        }

        /// Without room for all keys, or for one more event of the process, none is lost all the same.
        #[test]
        fn whatever_happens_every_failure_passes_or_is_counted_once(
            steps in prop::collection::vec((step(12), any::<bool>(), any::<bool>()), 1..300),
        ) {
            let (mut table, mut now) = (Table::<u64>::new(4), Duration::ZERO);
            let (mut failures, mut accounted) = (0, 0);
            for (step, has_room, brings_example) in steps {
                let said = match step {
                    Step::Pass(time) => {
                        now += time;
                        Vec::new()
                    }
                    Step::Fail(key) => {
                        let (verdict, ended) = table.offer(now, LIMIT, &offer(key), || has_room);
                        failures += 1;
                        if matches!(verdict, None | Some(Verdict::Passes)) {
                            accounted += 1;
                        }
                        if brings_example && verdict.is_some_and(|verdict| verdict != Verdict::Passes) {
                            table.keep(Key(key), key);
                        }
                        ended.into_iter().map(|ended| *ended).collect()
                    }
                    Step::Ended => table.ended(now),
                    Step::SoFar => table.counted(),
                };
                accounted += said.iter().map(|counted| counted.failures).sum::<u64>();
                prop_assert!(table.windows.len() <= 4);
            }
            accounted += table.all_counted().iter().map(|counted| counted.failures).sum::<u64>();
            prop_assert_eq!(accounted, failures);
        }
    }

    #[test]
    fn what_makes_room_was_quiet_for_the_longest_time() {
        let mut table = Table::<()>::new(2);
        for (second, key) in [1, 2, 1, 3, 1].into_iter().enumerate() {
            let now = Duration::from_secs(second as u64);
            table.offer(now, LIMIT, &offer(key), || true);
        }
        let left = |key| table.windows.contains_key(&Key(key));
        assert_eq!([left(1), left(2), left(3)], [true, false, true]);
    }

    #[test]
    fn a_summary_names_the_first_fifty_ids_and_counts_the_rest() {
        let mut counted = Counted::<()>::new(Duration::ZERO);
        for _ in 0..1_000 {
            counted.add(Duration::from_secs(1), &offer(1));
        }
        let mut other = Counted::<()>::new(Duration::from_secs(2));
        other.add(Duration::from_secs(3), &offer(2));
        counted.merge(other);
        assert_eq!((counted.failures, counted.ids.len()), (1_001, MAX_IDS));
        assert_eq!((counted.first, counted.last), (Duration::ZERO, Duration::from_secs(3)));
    }
}
