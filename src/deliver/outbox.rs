//! A schedule between threads: those who add events, the senders of one destination, and who reads its backlog.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::schedule::{Next, Schedule, Sending};
use crate::stats::{DestinationCounters, Load};

/// Its lock is held for moments only, never while anything is read, written or said.
pub(super) struct Outbox<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// What the reader of the backlog waits for.
    hungry: Condvar,
    counters: Arc<DestinationCounters>,
}

struct State<T> {
    schedule: Schedule<T>,
    /// Senders that wait.
    idle: usize,
    reader_waits: bool,
    /// There is more of the backlog than before.
    spilled: bool,
}

impl<T> Outbox<T> {
    pub(super) fn new(schedule: Schedule<T>, counters: Arc<DestinationCounters>) -> Self {
        let state = State { schedule, idle: 0, reader_waits: false, spilled: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), hungry: Condvar::new(), counters }
    }

    /// Adds something, or looks at what is there. Wakes one sender: it wakes the next if there is more to do.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut Schedule<T>) -> R) -> R {
        let mut state = self.state();
        let result = change(&mut state.schedule);
        self.unlock(state);
        result
    }

    /// Changes what all senders wait for.
    pub(super) fn with_all<R>(&self, change: impl FnOnce(&mut Schedule<T>) -> R) -> R {
        let result = self.with(change);
        self.changed.notify_all();
        self.hungry.notify_all();
        result
    }

    /// Waits until it is the backlog's turn; false at the end.
    pub(super) fn wait_for_turn_of_backlog(&self) -> bool {
        let mut state = self.state();
        while !state.schedule.is_closed() {
            if state.schedule.wants_backlog(Instant::now()) {
                return true;
            }
            state.reader_waits = true;
            state = self.hungry.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.reader_waits = false;
        }
        false
    }

    /// Waits that long, or until something is added to the backlog, or until the end.
    pub(super) fn wait_for_backlog(&self, pause: Duration) {
        let none = |state: &mut State<T>| !state.spilled && !state.schedule.is_closed();
        let waited = self.hungry.wait_timeout_while(self.state(), pause, none);
        waited.unwrap_or_else(PoisonError::into_inner).0.spilled = false;
    }

    /// Something was added to the backlog.
    pub(super) fn spilled(&self) {
        self.state().spilled = true;
        self.hungry.notify_all();
    }

    /// The next request to make, as soon as there is one, which `taken` sees under the lock. `None` at the end.
    pub(super) fn take(&self, taken: impl Fn(&T)) -> Option<Sending<T>> {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let until = match state.schedule.next(now) {
                Next::Send(sending) => {
                    taken(sending.item());
                    self.unlock(state);
                    return Some(sending);
                }
                Next::Closed => return None,
                Next::Wait(until) => until,
            };
            state.idle = state.idle.saturating_add(1);
            state = match until {
                Some(until) => {
                    let pause = until.saturating_duration_since(now);
                    self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.idle = state.idle.saturating_sub(1);
        }
    }

    fn unlock(&self, state: MutexGuard<'_, State<T>>) {
        let (events, bytes) = state.schedule.load();
        self.counters.set_load(Load { events, bytes });
        let wake = state.idle > 0 && state.schedule.has_waiting();
        let feed = state.reader_waits && state.schedule.wants_backlog(Instant::now());
        drop(state);
        if feed {
            self.hungry.notify_all();
        }
        if wake {
            self.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Outbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}
