//! The queue between those who capture and the thread that processes.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::lanes::{Lane, Lanes, Side};

/// Takes items from any thread and hands them to one, what matters most first. Its lock is held for moments only,
/// never while anything is read, written or dropped.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    lanes: Lanes<T>,
    /// Somebody waits: waking costs a call of the system, which callers are spared otherwise.
    awaited: bool,
    /// Whoever waits is to look around.
    woken: bool,
    closed: bool,
}

/// What came of waiting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<T> {
    Item(T),
    /// The time was over first, or somebody woke us.
    Nothing,
    Closed,
}

impl<T> Queue<T> {
    pub(super) fn new(max_len: usize, max_weight: usize) -> Self {
        let state =
            State { lanes: Lanes::new(max_len, max_weight), awaited: false, woken: false, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Adds an item and returns what had to make room for it; gives it back when there is no room. Never waits.
    #[inline]
    pub(super) fn put(&self, lane: Lane, weight: usize, item: T) -> Result<Vec<T>, T> {
        let mut state = self.state();
        if state.closed {
            return Err(item);
        }
        let shed = state.lanes.push(lane, weight, item)?;
        let awaited = std::mem::take(&mut state.awaited);
        drop(state);
        if awaited {
            self.changed.notify_one();
        }
        Ok(shed)
    }

    /// Adds an item whether there is room or not: for what is bounded where it comes from.
    pub(super) fn put_extra(&self, lane: Lane, weight: usize, item: T) {
        let mut state = self.state();
        if !state.closed {
            state.lanes.push_extra(lane, weight, item);
        }
        let awaited = std::mem::take(&mut state.awaited);
        drop(state);
        if awaited {
            self.changed.notify_one();
        }
    }

    /// Lets whoever waits for items, now or next, look around first.
    pub(super) fn wake(&self) {
        let mut state = self.state();
        state.woken = true;
        let awaited = std::mem::take(&mut state.awaited);
        drop(state);
        if awaited {
            self.changed.notify_one();
        }
    }

    /// The next item, as soon as there is one, or what came first: the end of the queue, `until`, or a call.
    pub(super) fn take_until(&self, until: Option<Instant>) -> Taken<T> {
        let mut state = self.state();
        loop {
            if state.closed {
                return Taken::Closed;
            }
            if let Some(placed) = state.lanes.take(Side::Fresh, |_| true) {
                return Taken::Item(placed.item);
            }
            if std::mem::take(&mut state.woken) {
                return Taken::Nothing;
            }
            state.awaited = true;
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Taken::Nothing,
                Some(nap) => self.changed.wait_timeout(state, nap).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Takes no more, gives out no more, and returns what was in it.
    pub(super) fn close(&self) -> Vec<T> {
        let mut state = self.state();
        state.closed = true;
        let items = state.lanes.drain();
        drop(state);
        self.changed.notify_all();
        items
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_queue_gives_back_everything_and_takes_nothing() {
        let queue = Queue::new(3, 10);
        assert_eq!(queue.put(Lane::Errors, 4, 4), Ok(vec![]));
        assert_eq!(queue.put(Lane::Errors, 7, 7), Err(7), "too heavy beside the other");
        assert_eq!(queue.put(Lane::Urgent, 1, 1), Ok(vec![]));
        assert_eq!(queue.take_until(None), Taken::Item(1));
        assert_eq!(queue.close(), [4]);
        assert_eq!((queue.take_until(None), queue.put(Lane::Urgent, 1, 1)), (Taken::Closed, Err(1)));
    }

    #[test]
    fn waiting_ends_at_its_time() {
        let queue = Queue::new(1, 10);
        let until = Instant::now() + Duration::from_millis(20);
        assert_eq!(queue.take_until(Some(until)), Taken::Nothing);
        assert!(Instant::now() >= until);
        queue.put_extra(Lane::Errors, 1, 1);
        queue.put_extra(Lane::Errors, 1, 2);
        assert_eq!(queue.take_until(Some(until)), Taken::Item(1), "what is there is given out at any time");
        assert_eq!((queue.take_until(None), queue.put(Lane::Errors, 1, 3)), (Taken::Item(2), Ok(vec![])));
    }

    #[test]
    fn who_is_woken_looks_around_once_also_when_nobody_waited() {
        let queue = Queue::new(1, 10);
        queue.wake();
        queue.put_extra(Lane::Errors, 1, 1);
        assert_eq!(queue.take_until(None), Taken::Item(1));
        assert_eq!(queue.take_until(None), Taken::Nothing);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.take_until(None));
            queue.wake();
            assert_eq!(waiting.join().unwrap(), Taken::Nothing);
        });
    }
}
