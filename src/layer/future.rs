//! The future: polls the service inside the request's context, and looks at how it ends.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use http::Response;
use pin_project_lite::pin_project;

use super::response::{self, Active};
use crate::panics::{self, Caught};

pin_project! {
    /// The future of [`ReportService`](super::ReportService).
    pub struct ReportFuture<F> {
        // `None` when making the future panicked.
        #[pin]
        inner: Option<F>,
        // `None` when the layer steps aside, and after the end.
        active: Option<Active>,
        caught: Option<Box<Caught>>,
    }

    impl<F> PinnedDrop for ReportFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(active) = this.active.take() {
                // What it destroys, it destroys in its own context.
                let entered = active.context.enter(&active.hub);
                this.inner.set(None);
                drop(entered);
                active.cancelled();
            }
        }
    }
}

impl<F> ReportFuture<F> {
    pub(super) fn passing(inner: F) -> Self {
        Self { inner: Some(inner), active: None, caught: None }
    }

    pub(super) fn active(inner: F, active: Active) -> Self {
        Self { inner: Some(inner), active: Some(active), caught: None }
    }

    pub(super) fn panicked(active: Active, caught: Caught) -> Self {
        Self { inner: None, active: Some(active), caught: Some(Box::new(caught)) }
    }
}

impl<F, R, E> Future for ReportFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: 'static,
    E: fmt::Display + 'static,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(active) = this.active.as_mut() else {
            // Stepped aside, or polled again after the end.
            return this.inner.as_pin_mut().map_or(Poll::Pending, |inner| inner.poll(cx));
        };
        let polled = match this.inner.as_pin_mut() {
            Some(inner) => {
                let lent = active.context.lend(&active.hub);
                let polled = panics::guarded(|| inner.poll(cx));
                drop(lent);
                if let Some(panic) = panics::seen() {
                    active.panic = Some(panic);
                }
                polled
            }
            None => match this.caught.take() {
                Some(caught) => Err(*caught),
                None => return Poll::Pending,
            },
        };
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(mut answer))) => {
                if let Some(active) = this.active.take() {
                    let active = active.answered(&mut answer);
                    #[cfg(any(feature = "axum", feature = "tonic"))]
                    super::stream::watch(&mut answer, active);
                    #[cfg(not(any(feature = "axum", feature = "tonic")))]
                    drop(active);
                }
                Poll::Ready(Ok(answer))
            }
            Ok(Poll::Ready(Err(error))) => {
                if let Some(active) = this.active.take() {
                    active.failed(&error);
                }
                Poll::Ready(Err(error))
            }
            Err(caught) => match this.active.take() {
                Some(active) => Poll::Ready(Ok(response::after_panic(active, caught))),
                None => Poll::Pending,
            },
        }
    }
}

impl<F> fmt::Debug for ReportFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportFuture").field("active", &self.active.is_some()).finish_non_exhaustive()
    }
}
