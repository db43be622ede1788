//! The watch over failed logins: single ones are counted, and somebody who tries and tries is told.
//!
//! ```text
//! a request that fails ─ pseudonym, network ─▶ a short list ─▶ our thread: detector ─▶ probing · attack · over
//! ```
//! The request's thread adds a few bytes to a list, whoever fails and however often; tables are looked at elsewhere,
//! so that nothing can be learnt from how long an answer takes. The detector is bounded, and its time is an argument.

mod detector;
mod incident;
mod key;
mod limits;
mod network;
#[cfg(test)]
mod scenarios;
mod signal;
mod table;
mod window;

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::detector::Detector;
use self::incident::Pattern;
use self::incident::Sample;
use self::key::HashKey;
pub(crate) use self::key::Pseudonym;
pub(crate) use self::limits::Limits;
pub(crate) use self::network::Network;
use crate::record::AuthFailure;
use crate::sink::Record;
use crate::stats::Counters;

/// So many failures may wait for our thread. More are counted, and not looked at.
const MAX_WAITING: usize = 1024;

/// Whether a login ever failed in this process: before that, nobody asks where requests come from.
static IS_WATCHING: AtomicBool = AtomicBool::new(false);

/// Whether the network of a request may be of interest.
#[inline]
pub(crate) fn is_watching() -> bool {
    IS_WATCHING.load(Ordering::Relaxed)
}

/// The watch of one initialisation.
pub(crate) struct Watch {
    key: HashKey,
    limits: Limits,
    started: Instant,
    /// Failures that our thread has not seen yet. Under its lock they are added and taken, and nothing else happens.
    waiting: Mutex<Vec<Sample>>,
    behind: Mutex<Behind>,
    /// When an incident may be over, in seconds since `started`.
    next_end: AtomicU64,
    counters: Arc<Counters>,
}

/// What only our thread uses, and who waits for the end.
#[derive(Default)]
struct Behind {
    /// Takes turns with the list of those that wait.
    seen: Vec<Sample>,
    /// Made when the first login fails.
    detector: Option<Box<Detector>>,
}

impl Watch {
    /// Without a key it takes a random one.
    pub(crate) fn new(key: Option<&str>, limits: Limits, counters: Arc<Counters>) -> Self {
        Self {
            key: HashKey::new(key),
            limits,
            started: Instant::now(),
            waiting: Mutex::default(),
            behind: Mutex::default(),
            next_end: AtomicU64::new(u64::MAX),
            counters,
        }
    }

    /// What stands for who tried to log in.
    pub(crate) fn pseudonym(&self, identifier: &str) -> Pseudonym {
        self.key.of_login(identifier)
    }

    /// What stands for who is known by this id.
    pub(crate) fn pseudonym_of_user(&self, id: &str) -> Pseudonym {
        self.key.of_user(id)
    }

    /// Says that hashes are this process' own, if nobody gave a key: for settings under which every event has one.
    pub(crate) fn warn_of_random_key(&self) {
        self.key.warn();
    }

    /// What stands for the address of a client.
    pub(crate) fn pseudonym_of_address(&self, address: IpAddr) -> Pseudonym {
        self.key.of_address(address)
    }

    /// Takes note of a failure. True if our thread has to be told that there is something to look at.
    pub(crate) fn note(
        &self,
        failure: AuthFailure,
        login: Option<Pseudonym>,
        network: Option<Network>,
    ) -> bool {
        IS_WATCHING.store(true, Ordering::Relaxed);
        if !failure.is_guess() {
            return false;
        }
        let sample = Sample { at: self.now(), failure, login, network };
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= MAX_WAITING {
            drop(waiting);
            self.counters.auth.unwatched.add(1);
            return false;
        }
        let room = MAX_WAITING.saturating_sub(waiting.len());
        waiting.reserve_exact(room);
        waiting.push(sample);
        waiting.len() == 1
    }

    /// Looks at what happened. Each change of an incident is an event.
    pub(crate) fn signals(&self) -> Vec<Record> {
        self.signals_at(self.now())
    }

    fn signals_at(&self, now: u32) -> Vec<Record> {
        let mut behind = lock(&self.behind);
        let Behind { seen, detector } = &mut *behind;
        std::mem::swap(&mut *lock(&self.waiting), seen);
        if seen.is_empty() && detector.is_none() {
            return Vec::new();
        }
        let detector = detector.get_or_insert_with(|| Box::new(Detector::new(self.limits)));
        let mut changes = Vec::new();
        for sample in seen.drain(..) {
            // What was over before it is not made longer by it.
            changes.extend(std::iter::from_fn(|| detector.over(sample.at)));
            changes.extend(detector.observe(&sample));
        }
        changes.extend(std::iter::from_fn(|| detector.over(now)));
        self.next_end.store(detector.next_end().map_or(u64::MAX, u64::from), Ordering::Relaxed);
        self.counters.auth.untold.add(std::mem::take(&mut detector.untold));
        drop(behind);
        changes.into_iter().map(|change| self.signal(change)).collect()
    }

    /// When there may be something to tell.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        match self.next_end.load(Ordering::Relaxed) {
            u64::MAX => None,
            next => self.started.checked_add(Duration::from_secs(next)),
        }
    }

    fn now(&self) -> u32 {
        u32::try_from(self.started.elapsed().as_secs()).unwrap_or(u32::MAX)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use sentry::protocol::{Context, Event};

    use super::*;
    use crate::record::{Level, Origin};

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn watch() -> Watch {
        Watch::new(Some(KEY), Limits::default(), Arc::default())
    }

    fn note(watch: &Watch, login: &str) -> bool {
        let network = Network::of([198, 51, 100, 7].into());
        watch.note(AuthFailure::BadCredentials, Some(watch.pseudonym(login)), Some(network))
    }

    fn tag<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
        record.details.added().tags.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The context that its event will have.
    fn context(record: Record) -> serde_json::Value {
        let mut event = Event::default();
        (record.details.additions.unwrap().edit.unwrap())(&mut event);
        let Some(Context::Other(context)) = event.contexts.remove("brute_force") else { panic!("{event:?}") };
        context.into_iter().collect::<serde_json::Map<_, _>>().into()
    }

    #[test]
    fn the_end_is_a_third_event_of_the_same_issue_with_the_sum_of_it_all() {
        let watch = watch();
        assert_eq!(watch.next_end(), None);
        for _ in 0..250 {
            note(&watch, "ada");
        }
        let mut signals = watch.signals();
        assert!(watch.next_end().unwrap() >= watch.started + Duration::from_secs(1_800));
        assert_eq!(watch.signals_at(1_700).len(), 0);
        signals.append(&mut watch.signals_at(1_900));
        assert_eq!(watch.next_end(), None);
        assert_eq!(watch.signals_at(1_000_000).len(), 0, "once");

        let states: Vec<_> = signals.iter().map(|signal| tag(signal, "brute_force.state").unwrap()).collect();
        assert_eq!(states, ["probing", "attack", "over"]);
        let levels: Vec<_> = signals.iter().map(|signal| signal.details.level.unwrap()).collect();
        assert_eq!(levels, [Level::Warning, Level::Error, Level::Info]);
        let pseudonym = watch.pseudonym("ada").to_string();
        for signal in &signals {
            assert_eq!(signal.details.added().fingerprint, signals[0].details.added().fingerprint);
            assert_eq!(tag(signal, "user.hash"), Some(&*pseudonym));
            assert_eq!(signal.origin, Origin::Process);
        }
        let over = context(signals.remove(2));
        assert_eq!((&over["failures"], &over["kinds"][0]), (&250.into(), &"bad_credentials".into()));
    }

    #[test]
    fn only_the_first_that_waits_wakes_our_thread_and_there_is_only_so_much_room() {
        let watch = watch();
        assert!(note(&watch, "ada") && !note(&watch, "ada"));
        for n in 2..MAX_WAITING + 10 {
            note(&watch, &n.to_string());
        }
        assert_eq!(watch.counters.auth.unwatched.get(), 10);
        watch.signals();
        assert!(note(&watch, "ada"));
        assert!(!watch.note(AuthFailure::Forbidden, None, None), "no guess");
    }

    #[test]
    fn threads_that_fail_at_the_same_time_are_all_counted() {
        let watch = watch();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        note(&watch, "ada");
                    }
                });
            }
        });
        watch.signals();
        let over = watch.signals_at(5_000).remove(0);
        assert_eq!(context(over)["failures"], 800);
    }

    #[test]
    fn before_the_first_failure_nothing_is_kept() {
        let watch = watch();
        assert_eq!(watch.signals().len(), 0);
        assert!(lock(&watch.behind).detector.is_none() && lock(&watch.waiting).capacity() == 0);
    }
}
