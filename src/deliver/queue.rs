//! Bounded queues between threads, and the count of what is still on its way.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A first-in first-out queue that is bounded by the number and the weight of its items.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    max_items: usize,
    max_weight: usize,
    weigh: fn(&T) -> usize,
}

struct State<T> {
    items: VecDeque<T>,
    weight: usize,
    /// Nothing is given out before this.
    held_until: Option<Instant>,
    closed: bool,
}

/// What came of waiting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<T> {
    Item(T),
    /// The time was over first.
    Nothing,
    Closed,
}

impl<T> Queue<T> {
    pub(crate) fn new(max_items: usize, max_weight: usize, weigh: fn(&T) -> usize) -> Self {
        let state = State { items: VecDeque::new(), weight: 0, held_until: None, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), max_items, max_weight, weigh }
    }

    /// Adds an item, or gives it back when there is no room. Never waits.
    pub(crate) fn put(&self, item: T) -> Result<(), T> {
        let weight = (self.weigh)(&item);
        let mut state = self.state();
        if state.closed || !self.has_room(&state, weight) {
            return Err(item);
        }
        state.weight = state.weight.saturating_add(weight);
        state.items.push_back(item);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Adds an item whether there is room or not: for what is bounded where it comes from.
    pub(crate) fn put_extra(&self, item: T) {
        let weight = (self.weigh)(&item);
        let mut state = self.state();
        if !state.closed {
            state.weight = state.weight.saturating_add(weight);
            state.items.push_back(item);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Adds an item as soon as there is room; gives it back when the queue is closed.
    pub(crate) fn put_when_room(&self, item: T) -> Result<(), T> {
        let weight = (self.weigh)(&item);
        let mut state = self.state();
        while !state.closed && !self.has_room(&state, weight) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        self.put(item)
    }

    /// Puts back what was taken, at the front, and gives out nothing for that long.
    pub(crate) fn put_back(&self, item: T, hold: Duration) {
        let mut state = self.state();
        if !state.closed {
            state.weight = state.weight.saturating_add((self.weigh)(&item));
            state.items.push_front(item);
        }
        drop(state);
        self.hold(hold);
    }

    /// Gives out nothing for that long.
    pub(crate) fn hold(&self, hold: Duration) {
        let until = Instant::now().checked_add(hold);
        let mut state = self.state();
        state.held_until = state.held_until.max(until);
        drop(state);
        self.changed.notify_all();
    }

    /// The next item, as soon as there is one. `None` when the queue is closed.
    pub(crate) fn take(&self) -> Option<T> {
        match self.take_until(None) {
            Taken::Item(item) => Some(item),
            Taken::Nothing | Taken::Closed => None,
        }
    }

    /// The next item, if there is one before `until`.
    pub(crate) fn take_until(&self, until: Option<Instant>) -> Taken<T> {
        let mut state = self.state();
        loop {
            if state.closed {
                return Taken::Closed;
            }
            let now = Instant::now();
            let held = state.held_until.filter(|held| *held > now);
            if held.is_none()
                && let Some(item) = state.items.pop_front()
            {
                state.weight = state.weight.saturating_sub((self.weigh)(&item));
                drop(state);
                self.changed.notify_all();
                return Taken::Item(item);
            }
            if until.is_some_and(|until| until <= now) {
                return Taken::Nothing;
            }
            state = match [held, until].into_iter().flatten().min() {
                Some(next) => {
                    let nap = next.saturating_duration_since(now);
                    self.changed.wait_timeout(state, nap).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Takes no more, gives out no more, and returns what was in it.
    pub(crate) fn close(&self) -> VecDeque<T> {
        let mut state = self.state();
        state.closed = true;
        state.weight = 0;
        let items = std::mem::take(&mut state.items);
        drop(state);
        self.changed.notify_all();
        items
    }

    /// How many items wait, if none of them will be given out before `deadline`.
    pub(crate) fn held_beyond(&self, deadline: Instant) -> Option<usize> {
        let state = self.state();
        state.held_until.is_some_and(|until| until > deadline).then_some(state.items.len())
    }

    fn has_room(&self, state: &State<T>, weight: usize) -> bool {
        let fits = state.weight.saturating_add(weight) <= self.max_weight;
        state.items.len() < self.max_items && (fits || state.items.is_empty())
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("max_items", &self.max_items).finish_non_exhaustive()
    }
}

/// Counts what is on its way. Whatever happens to an item, its ticket is dropped with it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pending: Mutex<usize>,
    changed: Condvar,
}

/// One item on its way.
#[derive(Debug)]
pub(crate) struct Ticket(Arc<Progress>);

impl Progress {
    pub(crate) fn ticket(self: &Arc<Self>) -> Ticket {
        let mut pending = self.lock();
        *pending = pending.saturating_add(1);
        Ticket(Arc::clone(self))
    }

    /// How many items are on their way.
    pub(crate) fn pending(&self) -> usize {
        *self.lock()
    }

    /// Waits until nothing is on its way, until `deadline`, or until `hopeless` says that the rest will not
    /// move in time. True if nothing is left.
    pub(crate) fn wait(&self, deadline: Instant, hopeless: impl Fn(usize) -> bool) -> bool {
        let mut pending = self.lock();
        while *pending > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return false;
            };
            if hopeless(*pending) {
                return false;
            }
            // Whether it is hopeless changes without a ticket being dropped, so look again now and then.
            let nap = left.min(Duration::from_millis(20));
            pending = self.changed.wait_timeout(pending, nap).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut pending = self.0.lock();
        *pending = pending.saturating_sub(1);
        drop(pending);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_gives_the_item_back_and_a_closed_one_everything() {
        let queue = Queue::new(3, 10, |item: &usize| *item);
        assert_eq!(queue.put(4), Ok(()));
        assert_eq!(queue.put(7), Err(7), "too heavy beside the other");
        assert_eq!(queue.put(1), Ok(()));
        assert_eq!(queue.put(1), Ok(()));
        assert_eq!(queue.put(1), Err(1), "too many");
        assert_eq!(queue.take(), Some(4));
        assert_eq!(queue.close(), [1, 1]);
        assert_eq!((queue.take(), queue.put(1)), (None, Err(1)));
    }

    #[test]
    fn what_is_too_heavy_for_any_queue_still_gets_through_an_empty_one() {
        let queue = Queue::new(3, 10, |item: &usize| *item);
        assert_eq!(queue.put(99), Ok(()));
    }

    #[test]
    fn a_hold_is_kept_and_known() {
        let queue = Queue::new(3, 10, |item: &usize| *item);
        let started = Instant::now();
        queue.put_back(1, Duration::from_millis(30));
        assert_eq!(queue.held_beyond(started), Some(1));
        assert_eq!(queue.take(), Some(1));
        assert!(started.elapsed() >= Duration::from_millis(30));
        assert_eq!(queue.held_beyond(Instant::now()), None);
    }

    #[test]
    fn waiting_ends_at_its_time() {
        let queue = Queue::new(1, 10, |item: &usize| *item);
        let until = Instant::now() + Duration::from_millis(20);
        assert_eq!(queue.take_until(Some(until)), Taken::Nothing);
        assert!(Instant::now() >= until);
        queue.put_extra(1);
        queue.put_extra(2);
        assert_eq!(queue.take_until(Some(until)), Taken::Item(1), "what is there is given out at any time");
        assert_eq!((queue.take(), queue.put(3)), (Some(2), Ok(())));
    }

    #[test]
    fn progress_ends_with_the_last_ticket() {
        let progress = Arc::new(Progress::default());
        let ticket = progress.ticket();
        assert!(!progress.wait(Instant::now() + Duration::from_millis(5), |_| false));
        assert!(!progress.wait(Instant::now() + Duration::from_secs(60), |pending| pending == 1));
        let waiting = std::thread::spawn({
            let progress = Arc::clone(&progress);
            move || progress.wait(Instant::now() + Duration::from_secs(60), |_| false)
        });
        drop(ticket);
        assert!(waiting.join().unwrap());
    }
}
