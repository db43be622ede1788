//! The watch over a response's body that may still fail.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::response::Active;
use crate::panics;
use crate::record::{Cause, Details, Mechanism};
use crate::report::chain;
use crate::report::submit::was_told;

/// Has a body that may still fail take `active` along, if its type is one that can be wrapped inside itself. One whose
/// size is known holds its bytes already.
pub(super) fn watch<R: 'static>(answer: &mut Response<R>, active: &mut Option<Active>) {
    let status = answer.status();
    let body: &mut dyn Any = answer.body_mut();
    let answered = |active: &mut Option<Active>| {
        let active = active.take();
        // The body may go on for hours.
        active.iter().for_each(|active| active.context.answered());
        active
    };
    #[cfg(feature = "axum")]
    rewrap(body, |inner| {
        axum::body::Body::new(Watched { inner: Some(inner), active: answered(active), status })
    });
    #[cfg(feature = "tonic")]
    rewrap(body, |inner| {
        tonic::body::Body::new(Watched { inner: Some(inner), active: answered(active), status })
    });
}

fn rewrap<B: Body + Default + 'static>(body: &mut dyn Any, wrap: impl FnOnce(B) -> B) {
    if let Some(body) = body.downcast_mut::<B>()
        && may_fail(body)
    {
        *body = wrap(std::mem::take(body));
    }
}

fn may_fail<B: Body>(body: &B) -> bool {
    !body.is_end_stream() && body.size_hint().exact().is_none()
}

pin_project! {
    /// A body that is polled in its request's context, and whose failure is recorded.
    struct Watched<B> {
        // `None` only while it is dropped.
        #[pin]
        inner: Option<B>,
        active: Option<Active>,
        status: StatusCode,
    }

    impl<B> PinnedDrop for Watched<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(active) = this.active {
                // What it destroys, it destroys in its request's context.
                let _entered = active.context.enter_to_destroy(&active.hub);
                this.inner.set(None);
            }
        }
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
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Ready(None) };
        let Some(active) = this.active.as_mut() else { return inner.poll_frame(cx) };
        match active.run(|| inner.poll_frame(cx)) {
            Ok(polled) => {
                if let Some(panic) = panics::seen() {
                    active.panic = Some(panic);
                }
                if let Poll::Ready(Some(Ok(frame))) = &polled
                    && let Some(trailers) = frame.trailers_ref()
                {
                    active.trailed(trailers, *this.status);
                }
                if let Poll::Ready(Some(Err(error))) = &polled {
                    let details = active.met_here(Details::of_chain(error, None, active.error_names()));
                    if !was_told(&active.context, &details, || chain::texts(error)) {
                        let mechanism = Mechanism { name: "body", handled: false };
                        active.record(details, mechanism, Some(*this.status));
                    }
                }
                if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
                    *this.active = None;
                }
                polled
            }
            // The headers are out: nothing can be said to the client but that the connection ends.
            Err(caught) => {
                let details = active.met_here(Details::new(Cause::Panic(caught.info)));
                active.record(details, Mechanism { name: "panic", handled: false }, Some(*this.status));
                *this.active = None;
                resume_unwind(caught.payload)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl<B> fmt::Debug for Watched<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("status", &self.status).finish_non_exhaustive()
    }
}
