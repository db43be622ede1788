//! The future: polls the service inside the request's context, and looks at how it ends.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use http::Response;
use pin_project_lite::pin_project;

use super::answer::after_panic;
use super::response::Active;
use crate::panics;

pin_project! {
    /// The future of [`ReportService`](super::ReportService).
    pub struct ReportFuture<F> {
        // `None` when making the future panicked.
        #[pin]
        inner: Option<F>,
        // `None` when the layer steps aside, and after the end.
        active: Option<Active>,
    }

    impl<F> PinnedDrop for ReportFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(mut active) = this.active.take() {
                // What it destroys, it destroys in its own context.
                let entered = active.context.enter_to_destroy(&active.hub);
                this.inner.set(None);
                drop(entered);
                if !active.is_answered {
                    active.cancelled();
                }
            }
        }
    }
}

impl<F> ReportFuture<F> {
    pub(super) fn passing(inner: F) -> Self {
        Self { inner: Some(inner), active: None }
    }

    pub(super) fn active(inner: Option<F>, active: Active) -> Self {
        Self { inner, active: Some(active) }
    }
}

impl<F, R, E> Future for ReportFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: 'static,
    E: fmt::Display + 'static,
{
    type Output = Result<Response<R>, E>;

    // The answer stays where it was written while it is looked at: moving it costs more than that.
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut polled = Poll::Pending;
        let Some(active) = this.active.as_mut() else {
            // Stepped aside, or polled again after the end.
            if let Some(inner) = this.inner.as_pin_mut() {
                polled = inner.poll(cx);
            }
            return polled;
        };
        let caught = match this.inner.as_pin_mut() {
            Some(inner) => {
                let done = active.run(|| polled = inner.poll(cx));
                if let Some(panic) = panics::seen() {
                    active.panic = Some(panic);
                }
                done.err()
            }
            None => active.caught.take().map(|caught| *caught),
        };
        if let Some(caught) = caught {
            if let Some(active) = this.active.take() {
                polled = Poll::Ready(Ok(after_panic(active, caught)));
            }
            return polled;
        }
        match &mut polled {
            // Alone: with the others it would be moved as if it held an answer.
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(answer)) => {
                active.answered(answer);
                #[cfg(any(feature = "axum", feature = "tonic"))]
                super::stream::watch(answer, this.active);
                *this.active = None;
            }
            Poll::Ready(Err(error)) => {
                if let Some(active) = this.active.take() {
                    active.failed(error);
                }
            }
        }
        polled
    }
}

impl<F> fmt::Debug for ReportFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportFuture").field("active", &self.active.is_some()).finish_non_exhaustive()
    }
}
