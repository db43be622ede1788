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
        caught: Option<Caught>,
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
        Self { inner: None, active: Some(active), caught: Some(caught) }
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
        let polled = match (this.inner.as_pin_mut(), this.active.as_mut()) {
            (Some(inner), None) => return inner.poll(cx),
            (Some(inner), Some(active)) => {
                let _entered = active.context.enter(&active.hub);
                panics::guarded(|| inner.poll(cx)).map(|(polled, panic)| {
                    active.panic = panic.or(active.panic.take());
                    polled
                })
            }
            (None, _) => match this.caught.take() {
                Some(caught) => Err(caught),
                // Polled again after its end.
                None => return Poll::Pending,
            },
        };
        let polled = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => Ok(result),
            Err(caught) => Err(caught),
        };
        let Some(active) = this.active.take() else { return Poll::Pending };
        Poll::Ready(match polled {
            Ok(Ok(mut answer)) => {
                let active = active.answered(&mut answer);
                #[cfg(any(feature = "axum", feature = "tonic"))]
                super::stream::watch(&mut answer, active);
                #[cfg(not(any(feature = "axum", feature = "tonic")))]
                drop(active);
                Ok(answer)
            }
            Ok(Err(error)) => {
                active.failed(&error);
                Err(error)
            }
            Err(caught) => Ok(response::after_panic(active, caught)),
        })
    }
}

impl<F> fmt::Debug for ReportFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportFuture").field("active", &self.active.is_some()).finish_non_exhaustive()
    }
}
