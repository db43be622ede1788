//! Looks after delivery from outside: says when nothing gets through. Never an event about itself.
//!
//! One thread looks every ten seconds. What it finds to say is decided without a clock of its own, for tests.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the thread looks.
pub(super) const TICK: Duration = Duration::from_secs(10);
/// This long nothing has to get through before it is worth a warning, ..
const TOO_LONG: Duration = Duration::from_secs(60);
/// .. and this long before it is worth another.
const AGAIN: Duration = Duration::from_secs(60 * 60);

/// Looks at one destination.
#[derive(Debug, Default)]
pub(super) struct Watch {
    accepted: u64,
    /// Since when events wait and none gets through.
    stuck_since: Option<Instant>,
    warned: Option<Instant>,
}

impl Watch {
    /// `waiting` is whether events wait, `accepted` how many the server has accepted. Returns for how long nothing
    /// has got through, when that is worth a warning.
    pub(super) fn look(&mut self, now: Instant, waiting: bool, accepted: u64) -> Option<Duration> {
        let moves = std::mem::replace(&mut self.accepted, accepted) != accepted;
        if moves || !waiting {
            (self.stuck_since, self.warned) = (None, None);
        }
        if !waiting {
            return None;
        }
        let stuck = now.saturating_duration_since(*self.stuck_since.get_or_insert(now));
        let is_news = self.warned.is_none_or(|warned| now.saturating_duration_since(warned) >= AGAIN);
        (stuck >= TOO_LONG && is_news).then(|| {
            self.warned = Some(now);
            stuck
        })
    }
}

/// Wakes the thread that looks.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rung {
    #[default]
    No,
    Yes,
    TheEnd,
}

impl Bell {
    /// There is something to look at.
    pub(super) fn ring(&self) {
        let mut rung = self.rung();
        if *rung == Rung::No {
            *rung = Rung::Yes;
        }
        drop(rung);
        self.changed.notify_all();
    }

    pub(super) fn end(&self) {
        *self.rung() = Rung::TheEnd;
        self.changed.notify_all();
    }

    /// Waits until it rings, or for so long; false at the end.
    pub(super) fn wait(&self, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.rung(), pause, |rung| *rung == Rung::No);
        let mut rung = waited.unwrap_or_else(PoisonError::into_inner).0;
        if *rung == Rung::TheEnd {
            return false;
        }
        *rung = Rung::No;
        true
    }

    fn rung(&self) -> MutexGuard<'_, Rung> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said at which second, when the destination is looked at like this.
    fn said(seconds: impl Iterator<Item = (u64, bool, u64)>) -> Vec<(u64, u64)> {
        let (mut watch, begin) = (Watch::default(), Instant::now());
        let look = |(second, waiting, accepted)| {
            let now = begin.checked_add(Duration::from_secs(second)).unwrap();
            Some((second, watch.look(now, waiting, accepted)?.as_secs()))
        };
        seconds.filter_map(look).collect()
    }

    #[test]
    fn a_minute_without_a_delivery_is_said_once_and_then_every_hour() {
        let stuck = (0..8_000).step_by(10).map(|second| (second, second >= 100, 7));
        assert_eq!(said(stuck), [(160, 60), (3_760, 3_660), (7_360, 7_260)]);
    }

    #[test]
    fn what_moves_and_what_has_nothing_to_move_is_not_stuck() {
        let slowly = (0..10_000).step_by(10).map(|second| (second, true, second / 50));
        assert_eq!(said(slowly), []);
        let idle = (0..10_000).step_by(10).map(|second| (second, false, 7));
        assert_eq!(said(idle), []);
        let now_and_then = (0..10_000).step_by(10).map(|second| (second, second % 50 != 0, 7));
        assert_eq!(said(now_and_then), []);
    }

    #[test]
    fn the_next_outage_is_news_again() {
        let twice = (0..1_000).step_by(10).map(|second| (second, true, u64::from(second >= 500)));
        assert_eq!(said(twice), [(60, 60), (560, 60)]);
    }
}
