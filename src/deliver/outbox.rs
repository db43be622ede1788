//! A schedule between threads: those who add events, and the senders of one destination.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::schedule::{Next, Schedule, Sending};
use crate::stats::{DestinationCounters, Load};

/// Its lock is held for moments only, never while anything is read, written or said.
pub(super) struct Outbox<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    counters: Arc<DestinationCounters>,
}

struct State<T> {
    schedule: Schedule<T>,
    /// Senders that wait.
    idle: usize,
}

impl<T> Outbox<T> {
    pub(super) fn new(schedule: Schedule<T>, counters: Arc<DestinationCounters>) -> Self {
        Self { state: Mutex::new(State { schedule, idle: 0 }), changed: Condvar::new(), counters }
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
        result
    }

    /// The next request to make, as soon as there is one. `None` at the end.
    pub(super) fn take(&self) -> Option<Sending<T>> {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let until = match state.schedule.next(now) {
                Next::Send(sending) => {
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
        drop(state);
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
