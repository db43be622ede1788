//! What became of the earlier attempts of a job in this process: breadcrumbs of the one that is an event.
//!
//! Bounded in jobs, attempts, bytes and time. What is pushed out is counted.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::record::{Breadcrumb, JobFacts};

/// At most so many jobs are remembered, and so many attempts of each; the oldest go first.
const MAX_JOBS: usize = 1_024;
const MAX_ATTEMPTS: usize = 16;
/// At most so many bytes, over all jobs.
const MAX_BYTES: usize = 512 * 1024;
/// For no longer than this.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// What a job occupies beside its texts.
const ENTRY: usize = 256;

/// How many jobs are remembered: what a job that succeeds pays is this load.
static REMEMBERED: AtomicUsize = AtomicUsize::new(0);

/// Remembers an attempt. Returns how many others were forgotten for it. Without an id nothing tells two jobs of one
/// name apart, and nothing is remembered.
pub(super) fn remember(job: &JobFacts, attempt: Breadcrumb) -> u64 {
    let Some(key) = Key::of(job) else { return 1 };
    with(|attempts| attempts.remember(key, attempt, Instant::now()))
}

/// Takes what is remembered of a job: it ended.
pub(super) fn take(job: &JobFacts) -> VecDeque<Breadcrumb> {
    if REMEMBERED.load(Ordering::Relaxed) == 0 {
        return VecDeque::new();
    }
    let Some(key) = Key::of(job) else { return VecDeque::new() };
    with(|attempts| attempts.take(&key))
}

/// Forgets all of them: reporting begins anew.
pub(crate) fn forget_all() {
    if REMEMBERED.load(Ordering::Relaxed) > 0 {
        with(|attempts| *attempts = Attempts::default());
    }
}

fn with<T>(act: impl FnOnce(&mut Attempts) -> T) -> T {
    static ATTEMPTS: OnceLock<Mutex<Attempts>> = OnceLock::new();
    let mut attempts: MutexGuard<'_, _> =
        ATTEMPTS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let done = act(&mut attempts);
    REMEMBERED.store(attempts.jobs.len(), Ordering::Relaxed);
    done
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    name: Cow<'static, str>,
    id: String,
}

impl Key {
    fn of(job: &JobFacts) -> Option<Self> {
        Some(Self { name: job.name.clone(), id: job.id.clone()? })
    }

    fn weight(&self) -> usize {
        // It is there twice.
        self.name.len().saturating_add(self.id.len()).saturating_mul(2).saturating_add(ENTRY)
    }
}

#[derive(Debug, Default)]
struct Attempts {
    jobs: HashMap<Key, Entry>,
    /// Every job once, the one that failed longest ago first. A job that failed again or ended leaves an entry
    /// behind, whose number is not its own.
    order: VecDeque<(Key, u64)>,
    bytes: usize,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    attempts: VecDeque<Breadcrumb>,
    number: u64,
    last: Instant,
}

impl Attempts {
    fn remember(&mut self, key: Key, attempt: Breadcrumb, now: Instant) -> u64 {
        let mut forgotten = 0_u64;
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(attempt.weight());
        let added = key.weight();
        let entry = self.jobs.entry(key.clone()).or_insert_with(|| {
            self.bytes = self.bytes.saturating_add(added);
            Entry { attempts: VecDeque::new(), number, last: now }
        });
        (entry.number, entry.last) = (number, now);
        entry.attempts.push_back(attempt);
        if entry.attempts.len() > MAX_ATTEMPTS
            && let Some(oldest) = entry.attempts.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(oldest.weight());
            forgotten = forgotten.saturating_add(1);
        }
        self.order.push_back((key, number));
        forgotten.saturating_add(self.make_room(now))
    }

    fn take(&mut self, key: &Key) -> VecDeque<Breadcrumb> {
        let Some(entry) = self.jobs.remove(key) else { return VecDeque::new() };
        let weight = entry.attempts.iter().map(Breadcrumb::weight).fold(key.weight(), usize::saturating_add);
        self.bytes = self.bytes.saturating_sub(weight);
        entry.attempts
    }

    /// Forgets what is too much or too old.
    fn make_room(&mut self, now: Instant) -> u64 {
        let mut forgotten = 0_u64;
        while let Some((key, number)) = self.order.front() {
            let entry = self.jobs.get(key).filter(|entry| entry.number == *number);
            let is_old = |entry: &Entry| now.saturating_duration_since(entry.last) > MAX_AGE;
            let is_full = self.jobs.len() > MAX_JOBS || self.bytes > MAX_BYTES;
            if !is_full && entry.is_some_and(|entry| !is_old(entry)) {
                break;
            }
            let is_current = entry.is_some();
            let Some((key, _)) = self.order.pop_front() else { break };
            if is_current {
                let attempts = u64::try_from(self.take(&key).len()).unwrap_or(u64::MAX);
                forgotten = forgotten.saturating_add(attempts);
            }
        }
        // What ended long ago leaves no more behind than what is remembered.
        if self.order.len() > MAX_JOBS.saturating_mul(4) {
            let jobs = &self.jobs;
            self.order.retain(|(key, number)| jobs.get(key).is_some_and(|entry| entry.number == *number));
        }
        forgotten
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "the numbers of a test are small")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(id: impl ToString) -> Key {
        Key { name: "a".into(), id: id.to_string() }
    }

    fn crumb(text: &str) -> Breadcrumb {
        Breadcrumb::new(text)
    }

    fn texts(crumbs: &VecDeque<Breadcrumb>) -> Vec<&str> {
        crumbs.iter().map(|crumb| &*crumb.message).collect()
    }

    #[test]
    fn a_job_takes_its_own_attempts_once_in_their_order() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for (id, text) in [(1, "first"), (2, "other"), (1, "second")] {
            assert_eq!(attempts.remember(key(id), crumb(text), now), 0);
        }
        assert_eq!(texts(&attempts.take(&key(1))), ["first", "second"]);
        assert!(attempts.take(&key(1)).is_empty());
        assert_eq!(texts(&attempts.take(&key(2))), ["other"]);
        assert_eq!((attempts.bytes, attempts.jobs.len()), (0, 0));
    }

    #[test]
    fn what_is_too_old_too_many_or_too_much_is_forgotten_and_counted() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        attempts.remember(key("old"), crumb("x"), now);
        let later = now + MAX_AGE + Duration::from_secs(1);
        assert_eq!(attempts.remember(key("new"), crumb("x"), later), 1);
        assert!(attempts.take(&key("old")).is_empty());

        let forgotten: u64 =
            (0..MAX_ATTEMPTS + 3).map(|_| attempts.remember(key("again"), crumb("x"), later)).sum();
        assert_eq!((forgotten, attempts.take(&key("again")).len()), (3, MAX_ATTEMPTS));

        let forgotten: u64 = (0..MAX_JOBS + 5).map(|id| attempts.remember(key(id), crumb("x"), later)).sum();
        assert_eq!((forgotten, attempts.jobs.len()), (6, MAX_JOBS), "with the one called new");

        let long = "x".repeat(16 * 1024);
        for id in 0..100 {
            attempts.remember(key(format!("long{id}")), crumb(&long), later);
        }
        assert!(attempts.bytes <= MAX_BYTES, "{}", attempts.bytes);
        assert_eq!(attempts.take(&key("long99")).len(), 1, "the newest stay");
    }

    proptest! {
        #[test]
        fn whatever_happens_the_bounds_hold_and_nothing_is_lost_uncounted(
            steps in prop::collection::vec((0_u16..2_000, 0_usize..3_000, any::<bool>()), 1..3_000)
        ) {
            let (mut attempts, now) = (Attempts::default(), Instant::now());
            let (mut remembered, mut forgotten, mut taken) = (0, 0, 0);
            for (id, length, ends) in steps {
                if ends {
                    taken += attempts.take(&key(id)).len() as u64;
                } else {
                    remembered += 1;
                    forgotten += attempts.remember(key(id), crumb(&"x".repeat(length)), now);
                }
                prop_assert!(attempts.jobs.len() <= MAX_JOBS && attempts.bytes <= MAX_BYTES);
                prop_assert!(attempts.order.len() <= MAX_JOBS * 4);
            }
            let left: u64 = attempts.jobs.values().map(|entry| entry.attempts.len() as u64).sum();
            prop_assert_eq!(remembered, forgotten + taken + left);
            let weights = attempts.jobs.iter().map(|(key, entry)| {
                key.weight() + entry.attempts.iter().map(Breadcrumb::weight).sum::<usize>()
            });
            prop_assert_eq!(attempts.bytes, weights.sum::<usize>());
        }
    }
}
