//! What the inbox keeps: the newest events, in memory, bounded by number and bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const MAX_EVENTS: usize = 2_000;
const MAX_BYTES: usize = 32 * 1024 * 1024;

pub(super) struct Store {
    /// Tells the events of this store from those of another process at the same address.
    name: String,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    about: Arc<str>,
    kept: VecDeque<Arc<[u8]>>,
    /// The number of the oldest event that is kept; numbers begin with 1 and are never used twice.
    oldest: u64,
    bytes: usize,
    /// From the beginning: whoever closes the inbox at once waits for the thread that listens, too.
    is_listened_for: bool,
    busy: usize,
    closed: bool,
}

/// What a reader gets next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    About(Arc<str>),
    Event(u64, Arc<[u8]>),
    /// Nothing happened in that time.
    Nothing,
    Closed,
}

/// Something that is waited for when the inbox closes.
pub(super) struct Busy<'a>(&'a Store);

impl Store {
    pub(super) fn new(about: String) -> Self {
        let state = State {
            about: about.into(),
            kept: VecDeque::new(),
            oldest: 1,
            bytes: 0,
            is_listened_for: true,
            busy: 0,
            closed: false,
        };
        let name = sentry::types::random_uuid().simple().to_string();
        Self { name, state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Keeps an event; the oldest ones make room. Waits for nobody.
    pub(super) fn push(&self, payload: &[u8]) {
        let payload: Arc<[u8]> = payload.into();
        let mut state = self.state();
        state.bytes = state.bytes.saturating_add(payload.len());
        state.kept.push_back(payload);
        while state.kept.len() > MAX_EVENTS || state.bytes > MAX_BYTES {
            let Some(oldest) = state.kept.pop_front() else { break };
            state.bytes = state.bytes.saturating_sub(oldest.len());
            state.oldest = state.oldest.saturating_add(1);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Says anew whose events these are.
    pub(super) fn introduce(&self, about: String) {
        self.state().about = about.into();
        self.changed.notify_all();
    }

    /// What follows for a reader who has seen this `about` and the events up to number `seen`. A reader who is
    /// too slow misses what made room.
    pub(super) fn next(&self, about: Option<&Arc<str>>, seen: u64, patience: Duration) -> Next {
        let started = Instant::now();
        let mut state = self.state();
        loop {
            if about.is_none_or(|about| !Arc::ptr_eq(about, &state.about)) {
                return Next::About(Arc::clone(&state.about));
            }
            let number = seen.saturating_add(1).max(state.oldest);
            let at = usize::try_from(number.saturating_sub(state.oldest)).unwrap_or(usize::MAX);
            if let Some(payload) = state.kept.get(at) {
                return Next::Event(number, Arc::clone(payload));
            }
            let left = patience.saturating_sub(started.elapsed());
            match () {
                () if state.closed => return Next::Closed,
                () if left.is_zero() => return Next::Nothing,
                () => state = self.wait(state, left),
            }
        }
    }

    pub(super) fn busy(&self) -> Busy<'_> {
        let mut state = self.state();
        state.busy = state.busy.saturating_add(1);
        Busy(self)
    }

    /// Takes leave of the readers once they have seen everything.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Nobody listens any more.
    pub(super) fn is_deaf(&self) {
        self.state().is_listened_for = false;
        self.changed.notify_all();
    }

    pub(super) fn wait_until_deaf(&self, patience: Duration) {
        self.wait_while(patience, |state| state.is_listened_for);
    }

    pub(super) fn wait_until_idle(&self, patience: Duration) {
        self.wait_while(patience, |state| state.busy > 0);
    }

    fn wait_while(&self, patience: Duration, goes_on: impl Fn(&mut State) -> bool) {
        let waited = self.changed.wait_timeout_while(self.state(), patience, goes_on);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy = state.busy.saturating_sub(1);
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of everything that is kept.
    fn kept(store: &Store) -> Vec<u64> {
        let (about, mut numbers) = (Arc::clone(&store.state().about), Vec::new());
        while let Next::Event(number, _) =
            store.next(Some(&about), numbers.last().copied().unwrap_or_default(), Duration::ZERO)
        {
            numbers.push(number);
        }
        numbers
    }

    #[test]
    fn the_oldest_events_make_room_by_number_and_by_bytes() {
        let store = Store::new(String::new());
        (0..5_000).for_each(|_| store.push(b"{}"));
        assert_eq!(kept(&store), (3_001..=5_000).collect::<Vec<_>>());
        let megabyte = vec![b' '; 1024 * 1024];
        (0..40).for_each(|_| store.push(&megabyte));
        assert_eq!(kept(&store), (5_009..=5_040).collect::<Vec<_>>());
        assert_eq!(store.state().bytes, MAX_BYTES);
        store.push(&vec![b' '; MAX_BYTES + 1]);
        assert_eq!((kept(&store).len(), store.state().bytes), (0, 0), "larger than everything");
    }

    #[test]
    fn a_closed_store_gives_out_what_it_has_and_then_says_so() {
        let store = Store::new("a".to_owned());
        let Next::About(about) = store.next(None, 0, Duration::ZERO) else { panic!("who is this") };
        store.push(b"{}");
        store.close();
        assert!(matches!(store.next(Some(&about), 0, Duration::from_secs(9)), Next::Event(1, _)));
        assert_eq!(store.next(Some(&about), 1, Duration::from_secs(9)), Next::Closed);
    }

    #[test]
    fn a_reader_learns_that_somebody_else_took_over() {
        let store = Store::new("first".to_owned());
        let first = Arc::clone(&store.state().about);
        assert_eq!(store.next(Some(&first), 0, Duration::ZERO), Next::Nothing);
        store.introduce("second".to_owned());
        assert_eq!(store.next(Some(&first), 0, Duration::ZERO), Next::About("second".into()));
    }
}
