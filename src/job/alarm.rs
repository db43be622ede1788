//! Alarms: what is to be done when a run takes too long. One thread for all of them, which ends when there are none.
//!
//! There are as many as there are runs that asked for one: whoever drops a run drops its alarms.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::reporter;

/// The thread waits so long for another alarm.
const IDLE: Duration = Duration::from_secs(10);

static CLOCK: Clock = Clock {
    state: Mutex::new(State { alarms: BTreeMap::new(), next: 0, runs: false }),
    changed: Condvar::new(),
};

type Ring = Box<dyn FnOnce() + Send>;

struct Clock {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    alarms: BTreeMap<(Instant, u64), Ring>,
    next: u64,
    runs: bool,
}

/// An alarm that is set. Dropped, it does not ring.
#[must_use = "an alarm that is dropped does not ring"]
pub(super) struct Alarm {
    key: (Instant, u64),
}

impl Alarm {
    /// Runs `ring` on a thread of our own at that time, outside of every lock.
    pub(super) fn at(time: Instant, ring: impl FnOnce() + Send + 'static) -> Self {
        let mut state = CLOCK.state();
        let key = (time, state.next);
        state.next = state.next.wrapping_add(1);
        state.alarms.insert(key, Box::new(ring));
        let is_next = state.alarms.first_key_value().is_some_and(|(first, _)| *first == key);
        let starts = !std::mem::replace(&mut state.runs, true);
        drop(state);
        if starts {
            start();
        } else if is_next {
            CLOCK.changed.notify_one();
        }
        Self { key }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // What it holds is the application's, and is dropped outside of the lock.
        let removed = CLOCK.state().alarms.remove(&self.key);
        drop(removed);
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").finish_non_exhaustive()
    }
}

fn start() {
    let run = || {
        reporter::own_this_thread();
        CLOCK.run();
    };
    if std::thread::Builder::new().name("faultwire-jobs".to_owned()).spawn(run).is_err() {
        CLOCK.state().runs = false;
        reporter::shielded(|| {
            tracing::warn!(target: "faultwire", "no thread can be started: jobs do not time out");
        });
    }
}

impl Clock {
    fn run(&self) {
        while let Some(ring) = self.next() {
            // It wakes a task, which is somebody else's code.
            let _ = catch_unwind(AssertUnwindSafe(ring));
        }
    }

    /// The next one that rings. `None` when there was none for a while.
    fn next(&self) -> Option<Ring> {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let nap = match state.alarms.first_entry() {
                Some(first) if first.key().0 <= now => return Some(first.remove()),
                Some(first) => first.key().0.saturating_duration_since(now),
                None => IDLE,
            };
            let (after, waited) =
                self.changed.wait_timeout(state, nap).unwrap_or_else(PoisonError::into_inner);
            state = after;
            if waited.timed_out() && state.alarms.is_empty() {
                state.runs = false;
                return None;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn alarms_ring_in_their_order_and_dropped_ones_do_not() {
        let (rung, heard) = mpsc::channel();
        let now = Instant::now();
        let alarm = |millis, name: &'static str| {
            let rung = rung.clone();
            Alarm::at(now + Duration::from_millis(millis), move || rung.send(name).unwrap())
        };
        let later = alarm(60, "later");
        let dropped = alarm(30, "dropped");
        let soon = alarm(1, "soon");
        let panics = Alarm::at(now, || panic!("in a waker"));
        drop(dropped);
        assert_eq!(heard.recv(), Ok("soon"));
        assert_eq!(heard.recv(), Ok("later"));
        assert!(now.elapsed() >= Duration::from_millis(60));
        drop((later, soon, panics));
        assert!(heard.try_recv().is_err());
    }
}
