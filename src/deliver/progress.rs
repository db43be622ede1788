//! What is on its way, counted: every event has one fate, and it is decided once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::stats::{Counters, Reason};

/// Nothing tells when the rest becomes hopeless, so whoever waits looks again after this long.
const NAP: Duration = Duration::from_millis(20);

/// Counts what is on its way.
#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct State {
    /// Events that are on their way and came after the last wait began.
    pending: usize,
    wave: u64,
    /// The same of those before, by the wait that they came before.
    earlier: BTreeMap<u64, usize>,
    /// Those that are not yet with their destinations.
    unrouted: usize,
    /// Those that no server has accepted yet.
    undecided: usize,
    /// How many of these are on disk.
    safe: usize,
    /// How many wait: waking them costs a call of the system.
    waiting: usize,
    closed: bool,
}

/// One event on its way: it is on its way until this is dropped. Its copies share it, one for each destination.
#[derive(Debug)]
pub(super) struct Ticket {
    progress: Arc<Progress>,
    wave: u64,
    /// Copies that were neither accepted nor lost yet.
    copies: AtomicUsize,
    routed: AtomicBool,
    decided: AtomicBool,
    on_disk: AtomicBool,
    /// A copy left memory for the disk. It comes back as an event of its own.
    spilled: AtomicBool,
}

impl Progress {
    pub(super) fn new(counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changed: Condvar::new(), counters })
    }

    /// For an event that is to be delivered. After the end it is lost, whatever becomes of it.
    pub(super) fn ticket(self: &Arc<Self>) -> Ticket {
        let mut state = self.state();
        state.unrouted = state.unrouted.saturating_add(1);
        let is_late = state.closed;
        if is_late {
            self.counters.shutdown.add(1);
        } else {
            state.undecided = state.undecided.saturating_add(1);
        }
        self.depart(&mut state, is_late, false)
    }

    /// For an event that comes from the disk, and stays there until its destination has it.
    pub(super) fn kept_ticket(self: &Arc<Self>) -> Ticket {
        let mut state = self.state();
        state.undecided = state.undecided.saturating_add(1);
        state.safe = state.safe.saturating_add(1);
        self.depart(&mut state, false, true)
    }

    fn depart(self: &Arc<Self>, state: &mut State, decided: bool, kept: bool) -> Ticket {
        state.pending = state.pending.saturating_add(1);
        Ticket {
            progress: Arc::clone(self),
            wave: state.wave,
            copies: AtomicUsize::new(1),
            routed: AtomicBool::new(kept),
            decided: AtomicBool::new(decided),
            on_disk: AtomicBool::new(kept),
            spilled: AtomicBool::new(false),
        }
    }

    /// Waits until nothing is on its way of what was when this was called: until `deadline`, or until all that is
    /// left is with its destinations and `hopeless` says that it will not move in time. True if nothing is left.
    pub(super) fn wait(&self, deadline: Instant, hopeless: impl Fn() -> bool) -> bool {
        let mut state = self.state();
        state.waiting = state.waiting.saturating_add(1);
        let wave = state.wave;
        let pending = std::mem::take(&mut state.pending);
        if pending > 0 {
            state.earlier.insert(wave, pending);
        }
        state.wave = wave.saturating_add(1);
        drop(state);
        let nothing_is_left = self.wait_for(wave, deadline, hopeless);
        let mut state = self.state();
        state.waiting = state.waiting.saturating_sub(1);
        nothing_is_left
    }

    fn wait_for(&self, wave: u64, deadline: Instant, hopeless: impl Fn() -> bool) -> bool {
        let mut state = self.state();
        loop {
            if state.earlier.range(..=wave).next().is_none() {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            if state.unrouted == 0 {
                // It takes locks of its own.
                drop(state);
                if hopeless() {
                    return false;
                }
                state = self.state();
            }
            state = self.changed.wait_timeout(state, left.min(NAP)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether everything that is on its way is on disk, too.
    pub(super) fn is_safe(&self) -> bool {
        let state = self.state();
        state.safe >= state.undecided
    }

    /// Counts everything that no server has accepted yet, and that is not on disk, as lost, and nothing from then on.
    pub(super) fn close(&self) {
        let mut state = self.state();
        if !std::mem::replace(&mut state.closed, true) {
            let lost = state.undecided.saturating_sub(state.safe);
            self.counters.shutdown.add(u64::try_from(lost).unwrap_or(u64::MAX));
        }
    }

    fn decide(&self, on_disk: &AtomicBool, count: impl FnOnce(&Counters)) {
        let mut state = self.state();
        state.undecided = state.undecided.saturating_sub(1);
        state.safe = state.safe.saturating_sub(usize::from(on_disk.load(Ordering::Acquire)));
        if !state.closed {
            count(&self.counters);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// So many destinations take the event.
    pub(super) fn route(&self, copies: usize) {
        self.copies.store(copies, Ordering::Release);
    }

    /// All of them have it.
    pub(super) fn routed(&self) {
        if !self.routed.swap(true, Ordering::AcqRel) {
            let mut state = self.progress.state();
            state.unrouted = state.unrouted.saturating_sub(1);
        }
    }

    /// A copy of it is on disk.
    pub(super) fn stored(&self) {
        let mut state = self.progress.state();
        // Whoever decides it counts it out under the same lock.
        if !self.decided.load(Ordering::Acquire) && !self.on_disk.swap(true, Ordering::AcqRel) {
            state.safe = state.safe.saturating_add(1);
        }
    }

    /// One copy is on disk only.
    pub(super) fn spilled(&self) {
        self.spilled.store(true, Ordering::Release);
        if self.copies.fetch_sub(1, Ordering::AcqRel) <= 1 {
            self.end(|_| {});
        }
    }

    /// One server has accepted it; the first one counts.
    pub(super) fn accepted(&self) {
        if !self.decided.swap(true, Ordering::AcqRel) {
            self.progress.decide(&self.on_disk, Counters::succeeded);
        }
        self.copies.fetch_sub(1, Ordering::AcqRel);
    }

    /// One copy is lost; the last one counts, unless another was accepted.
    pub(super) fn lost(&self, reason: Reason) {
        let last = self.copies.fetch_sub(1, Ordering::AcqRel) <= 1;
        if last {
            let comes_back = self.spilled.load(Ordering::Acquire);
            self.end(|counters| {
                if !comes_back {
                    counters.lost(reason);
                }
            });
        }
    }

    /// It ends here, before any destination.
    pub(super) fn end(&self, count: impl FnOnce(&Counters)) {
        if !self.decided.swap(true, Ordering::AcqRel) {
            self.progress.decide(&self.on_disk, count);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.routed();
        // What nobody decided was turned away, which is counted there, or the application's code panicked on it.
        self.end(|counters| counters.by_hook.add(u64::from(std::thread::panicking())));
        let mut state = self.progress.state();
        if self.wave == state.wave {
            state.pending = state.pending.saturating_sub(1);
        } else if let Some(pending) = state.earlier.get_mut(&self.wave) {
            *pending = pending.saturating_sub(1);
            if *pending == 0 {
                state.earlier.remove(&self.wave);
            }
        }
        let awaited = state.waiting > 0;
        drop(state);
        if awaited {
            self.progress.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn progress() -> (Arc<Progress>, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        (Progress::new(Arc::clone(&counters)), counters)
    }

    fn in_a(pause: Duration) -> Instant {
        Instant::now().checked_add(pause).unwrap()
    }

    #[test]
    fn waiting_ends_with_the_last_ticket_that_was_there() {
        let (progress, _) = progress();
        let ticket = progress.ticket();
        assert!(!progress.wait(in_a(Duration::from_millis(5)), || false));
        ticket.routed();
        assert!(!progress.wait(in_a(LONG), || true), "hopeless");
        let waiting = std::thread::spawn({
            let progress = Arc::clone(&progress);
            move || progress.wait(in_a(LONG), || false)
        });
        // Waves grow with every wait: this one comes after the wait began, so nobody waits for it.
        while progress.state().wave < 3 {
            std::thread::yield_now();
        }
        let later = progress.ticket();
        drop(ticket);
        assert!(waiting.join().unwrap());
        drop(later);
        let state = progress.state();
        assert!(state.pending == 0 && state.earlier.is_empty());
    }

    #[test]
    fn the_first_that_accepts_decides_and_else_the_last_that_loses() {
        let (progress, counters) = progress();
        let fates = [
            (&["accepted", "lost"][..], (1, 0)),
            (&["lost", "accepted"], (1, 0)),
            (&["accepted", "accepted"], (1, 0)),
            (&["lost", "lost"], (0, 1)),
        ];
        for (fate, expected) in fates {
            let before = (counters.sent.get(), counters.rejected.get());
            let ticket = progress.ticket();
            ticket.route(2);
            for end in fate {
                match *end {
                    "accepted" => ticket.accepted(),
                    _ => ticket.lost(Reason::Rejected),
                }
            }
            drop(ticket);
            let after = (counters.sent.get() - before.0, counters.rejected.get() - before.1);
            assert_eq!(after, expected, "{fate:?}");
        }
        progress.close();
        assert_eq!(counters.shutdown.get(), 0);
    }

    #[test]
    fn what_is_undecided_at_the_end_is_lost_once_and_nothing_counts_after_it() {
        let (progress, counters) = progress();
        let (accepted, waiting, late) = (progress.ticket(), progress.ticket(), progress.ticket());
        accepted.route(2);
        accepted.accepted();
        progress.close();
        progress.close();
        late.accepted();
        waiting.lost(Reason::Rejected);
        let counted = (counters.sent.get(), counters.rejected.get(), counters.shutdown.get());
        assert_eq!(counted, (1, 0, 2));
    }

    #[test]
    fn what_comes_after_the_end_is_lost_once_whatever_becomes_of_it() {
        let (progress, counters) = progress();
        let (early, kept) = (progress.ticket(), progress.kept_ticket());
        progress.close();
        let (queued, turned_away) = (progress.ticket(), progress.ticket());
        for ticket in [&early, &turned_away] {
            ticket.end(|counters| counters.lost(Reason::QueueFull));
        }
        drop((early, kept, queued, turned_away, progress.kept_ticket()));
        assert_eq!((counters.shutdown.get(), counters.queue_full.get()), (3, 0));
    }

    #[test]
    fn what_is_on_disk_is_never_lost_with_the_process() {
        let (progress, counters) = progress();
        let (kept, sent, spilled, unkept) =
            (progress.ticket(), progress.ticket(), progress.ticket(), progress.ticket());
        for ticket in [&kept, &sent, &spilled] {
            ticket.stored();
            ticket.stored();
        }
        assert!(!progress.is_safe());
        sent.accepted();
        sent.stored();
        spilled.route(2);
        spilled.spilled();
        spilled.lost(Reason::Rejected);
        drop((sent, spilled));
        progress.close();
        assert_eq!((counters.sent.get(), counters.rejected.get(), counters.shutdown.get()), (1, 0, 1));
        drop(unkept);
        assert!(progress.is_safe());
        drop(kept);
    }
}
