//! The future of a job: polls it inside the run's context, ends it in time, and notices when it is given up.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use pin_project_lite::pin_project;

use super::Job;
use super::alarm::Alarm;
use super::run::Run;
use crate::report::Report;

pin_project! {
    /// The future of [`Job::run`].
    #[must_use = "futures do nothing unless they are polled"]
    pub struct JobFuture<F> {
        // `None` after the end.
        #[pin]
        inner: Option<F>,
        state: State,
        bedtime: Option<Bedtime>,
        place: &'static Location<'static>,
    }

    impl<F> PinnedDrop for JobFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let State::Running(run) = this.state {
                // That this is a cancellation is told by the run.
                run.destroy(|| this.inner.set(None));
            }
        }
    }
}

enum State {
    Waiting(Job),
    Running(Run),
    Ended,
}

/// Wakes the task when the run is to be ended.
struct Bedtime {
    waker: Arc<Mutex<Option<Waker>>>,
    _alarm: Alarm,
}

impl<F> JobFuture<F> {
    pub(super) fn new(job: Job, inner: F, place: &'static Location<'static>) -> Self {
        Self { inner: Some(inner), state: State::Waiting(job), bedtime: None, place }
    }
}

impl<F, T, E> Future for JobFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Report> + 'static,
{
    type Output = Result<T, Report>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let State::Waiting(_) = this.state
            && let State::Waiting(mut job) = std::mem::replace(this.state, State::Ended)
        {
            // In force here only, and so shown here only.
            job.facts.timeout = job.plan.timeout;
            *this.state = State::Running(Run::begin(job, Some(this.place)));
        }
        // Polled again after the end.
        let State::Running(run) = this.state else { return Poll::Pending };
        let polled = {
            let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Pending };
            run.enter(|| inner.poll(cx))
        };
        if let Ok(Poll::Pending) = polled {
            let Some(deadline) = run.deadline() else { return Poll::Pending };
            Bedtime::set(this.bedtime, deadline, cx.waker());
            // Looked at after the alarm was set, which may have rung by then.
            if Instant::now() < deadline {
                return Poll::Pending;
            }
        }
        *this.bedtime = None;
        run.destroy(|| this.inner.set(None));
        let ended = match polled {
            Ok(Poll::Ready(Ok(value))) => {
                run.succeeded();
                Ok(value)
            }
            Ok(Poll::Ready(Err(error))) => Err(run.failed(error)),
            Err(caught) => Err(run.panicked(caught)),
            Ok(Poll::Pending) => Err(run.timed_out()),
        };
        *this.state = State::Ended;
        Poll::Ready(ended)
    }
}

impl Bedtime {
    /// Has this task woken at that time.
    fn set(bedtime: &mut Option<Self>, at: Instant, waker: &Waker) {
        match bedtime {
            Some(Self { waker: known, .. }) => {
                let known = || known.lock().unwrap_or_else(PoisonError::into_inner);
                if !known().as_ref().is_some_and(|known| known.will_wake(waker)) {
                    // Somebody else's code: not under the lock.
                    let waker = waker.clone();
                    let before = known().replace(waker);
                    drop(before);
                }
            }
            None => {
                let waker = Arc::new(Mutex::new(Some(waker.clone())));
                let rings = Arc::clone(&waker);
                let _alarm = Alarm::at(at, move || {
                    let waker = rings.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                });
                *bedtime = Some(Self { waker, _alarm });
            }
        }
    }
}

impl<F> fmt::Debug for JobFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Waiting(_) => "waiting",
            State::Running(_) => "running",
            State::Ended => "ended",
        };
        f.debug_struct("JobFuture").field("state", &state).finish_non_exhaustive()
    }
}
