//! Response bodies: the ones we can make, and the watch over those that may still fail.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use super::future::Active;
use crate::panics;

/// A body of type `R` with this text, if `R` is a type that we know.
pub(super) fn known<R: 'static>(text: String) -> Option<R> {
    let full = Full::new(Bytes::from(text));
    #[cfg(feature = "axum")]
    if let Some(body) = cast(axum::body::Body::new(full.clone())) {
        return Some(body);
    }
    #[cfg(feature = "tonic")]
    if let Some(body) = cast(tonic::body::Body::new(full.clone())) {
        return Some(body);
    }
    cast(full)
}

/// `body` as an `R`, if that is what it is.
fn cast<T: 'static, R: 'static>(body: T) -> Option<R> {
    let mut slot = Some(body);
    let slot: &mut dyn Any = &mut slot;
    slot.downcast_mut::<Option<R>>()?.take()
}

/// Watches a body that may still fail, if its type is one that we can wrap inside itself. One whose size is
/// known holds its bytes already.
pub(super) fn watch<R: 'static>(answer: &mut Response<R>, active: Active) {
    let status = answer.status();
    let body: &mut dyn Any = answer.body_mut();
    #[cfg(feature = "axum")]
    if let Some(body) = body.downcast_mut::<axum::body::Body>() {
        if may_fail(body) {
            let inner = std::mem::take(body);
            *body = axum::body::Body::new(Watched { inner, active: Some(active), status });
        }
        return;
    }
    #[cfg(feature = "tonic")]
    if let Some(body) = body.downcast_mut::<tonic::body::Body>() {
        if may_fail(body) {
            let inner = std::mem::take(body);
            *body = tonic::body::Body::new(Watched { inner, active: Some(active), status });
        }
        return;
    }
    // No other body type can be wrapped without changing the response's type.
    drop((body, active, status));
}

fn may_fail<B: Body>(body: &B) -> bool {
    !body.is_end_stream() && body.size_hint().exact().is_none()
}

pin_project! {
    /// A body that is polled in its request's context, and whose failure is recorded.
    struct Watched<B> {
        #[pin]
        inner: B,
        active: Option<Active>,
        status: StatusCode,
    }
}

impl<B> Body for Watched<B>
where
    B: Body,
    B::Error: Error + 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(active) = this.active.as_mut() else { return this.inner.poll_frame(cx) };
        let polled = {
            let _entered = active.context.enter(&active.hub);
            panics::guarded(|| this.inner.poll_frame(cx))
        };
        match polled {
            Ok((polled, _)) => {
                if let Poll::Ready(Some(Err(error))) = &polled {
                    active.body_failed(error, *this.status);
                }
                if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
                    *this.active = None;
                }
                polled
            }
            // The headers are out: nothing can be said to the client but that the connection ends.
            Err(caught) => {
                let payload = active.body_panicked(caught, *this.status);
                *this.active = None;
                resume_unwind(payload)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for Watched<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("status", &self.status).finish_non_exhaustive()
    }
}
