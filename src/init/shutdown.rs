//! The end of reporting, for those who may block and for those who may not.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::Running;
use crate::reporter;

/// What the end of reporting could do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownSummary {
    /// Events that a server accepted, since `init`.
    pub sent: u64,
    /// Events that are on disk ([`Config::spool_dir`](crate::Config::spool_dir)), for each destination, also those that
    /// earlier processes left: the next process sends them. 0 without a spool.
    pub spooled: u64,
    /// Events that no server had accepted when the time was over, and that are not on disk.
    pub lost: u64,
}

/// The end of reporting under way: what [`Guard::shutdown_async`](crate::Guard::shutdown_async) returns.
///
/// A thread of this crate does the waiting and wakes the task, so it needs no particular runtime. Dropping it does
/// not stop the end, only the wait for it.
#[must_use = "without `.await` the process may end before reporting does"]
#[derive(Debug)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    summary: Option<ShutdownSummary>,
    waker: Option<Waker>,
}

impl Shutdown {
    /// Begins the end at once; it takes no longer than `timeout`.
    pub(super) fn begin(running: Option<Running>, timeout: Duration) -> Self {
        let summary = running.is_none().then(ShutdownSummary::default);
        let shared = Arc::new(Shared { state: Mutex::new(State { running, summary, waker: None }) });
        let ending = Arc::clone(&shared);
        let end = move || {
            reporter::own_this_thread();
            ending.end(timeout);
        };
        if summary.is_none()
            && std::thread::Builder::new().name("faultwire-end".to_owned()).spawn(end).is_err()
        {
            // There is nobody who could wait.
            shared.end(Duration::ZERO);
        }
        Self { shared }
    }
}

impl Shared {
    fn end(&self, timeout: Duration) {
        let Some(running) = self.state().running.take() else { return };
        // It writes to the log, which is the application's code.
        let summary = catch_unwind(AssertUnwindSafe(|| running.end(timeout))).unwrap_or_default();
        let mut state = self.state();
        state.summary = Some(summary);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Shutdown {
    type Output = ShutdownSummary;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ShutdownSummary> {
        let mut state = self.shared.state();
        if let Some(summary) = state.summary {
            return Poll::Ready(summary);
        }
        // Another task may be polling it now.
        let before = state.waker.replace(context.waker().clone());
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("summary", &self.summary).finish_non_exhaustive()
    }
}
