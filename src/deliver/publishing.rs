//! Hands the counters to the application's recorder of metrics, which is its code: outside of every lock.
//!
//! One thread at a time does, so that what is published last is what was read last. Whoever comes meanwhile leaves it to
//! that one, and waits for it, but not for a recorder that hangs.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a recorder may take while somebody waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lets one thread publish at a time.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_busy: bool,
    /// Something was counted since the one that is busy has read it.
    again: bool,
}

impl Publishing {
    /// Reads and publishes, or has whoever is at it do so once more.
    pub(super) fn publish(&self, read_and_publish: impl Fn()) {
        let mut state = self.state();
        state.again = true;
        if state.is_busy {
            let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| state.is_busy);
            return drop(waited);
        }
        state.is_busy = true;
        while std::mem::take(&mut state.again) {
            drop(state);
            read_and_publish();
            state = self.state();
        }
        state.is_busy = false;
        drop(state);
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
