//! The tee: keeps the beginning of a request's body while the handler reads it.
//!
//! It reads nothing that the handler does not read, and passes on every frame, size and error as it is.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::left;
use crate::context::Context;
use crate::record::{BoxError, GRPC, KeptBody};
use crate::reporter::{self, Bodies, Settings};

/// Wraps the body inside itself, if its type allows that, it has bytes, and they are to be shown.
#[inline]
pub(super) fn tee<R: 'static>(request: &mut Request<R>, context: &Context) {
    // An error stays what it is: wrapped once more, it is not found by those who look for its type.
    #[cfg(feature = "axum")]
    if has_bytes::<R, axum::body::Body>(request) {
        wrap(request, context, axum::body::Body::new, axum::Error::into_inner);
    }
    #[cfg(feature = "tonic")]
    if has_bytes::<R, tonic::body::Body>(request) {
        wrap(request, context, tonic::body::Body::new, BoxError::from);
    }
}

/// Whether the body is a `B` that has not ended before it began.
#[inline]
fn has_bytes<R: 'static, B: Body + 'static>(request: &Request<R>) -> bool {
    let body: &dyn Any = request.body();
    body.downcast_ref::<B>().is_some_and(|body| !body.is_end_stream())
}

#[inline(never)]
fn wrap<R: 'static, B: Body + Default + 'static>(
    request: &mut Request<R>,
    context: &Context,
    wrapped: fn(Tee<B>) -> B,
    original: fn(B::Error) -> BoxError,
) {
    let Some(reporter) = context.reporter() else { return };
    let Some(limit) = limit(request.headers(), &reporter.settings) else { return };
    let body: &mut dyn Any = request.body_mut();
    if let Some(body) = body.downcast_mut::<B>() {
        context.keep_body(KeptBody::new(limit, body.size_hint().exact()));
        *body = wrapped(Tee { inner: std::mem::take(body), context: context.clone(), original });
    }
}

/// How many bytes are kept of a body with these headers; 0 for one that is only counted.
fn limit(headers: &HeaderMap, settings: &Settings) -> Option<usize> {
    if settings.body_limit == 0 {
        return None;
    }
    let content_type = headers.get(header::CONTENT_TYPE)?.as_bytes();
    let is_shown = is_json_or_form(content_type)
        || match settings.bodies {
            Bodies::All if !is_grpc(content_type) => is_text(content_type),
            _ => return None,
        };
    Some(if is_shown && is_readable(headers) { settings.body_limit } else { 0 })
}

/// GraphQL is sent as one of these.
fn is_json_or_form(content_type: &[u8]) -> bool {
    const NAMES: [&str; 3] = ["application/json", "application/x-www-form-urlencoded", "text/json"];
    is_one_of(content_type, &NAMES) || (has_suffix(content_type, "+json") && !is_grpc(content_type))
}

/// Never shown, also where it is called `application/grpc+json`: its frames have lengths before them.
fn is_grpc(content_type: &[u8]) -> bool {
    starts_with(content_type, GRPC)
}

fn is_text(content_type: &[u8]) -> bool {
    const NAMES: [&str; 6] = [
        "application/xml",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/json-seq",
        "application/graphql",
    ];
    is_one_of(content_type, &NAMES)
        || starts_with(content_type, "text/")
        || starts_with(content_type, "multipart/")
        || has_suffix(content_type, "+xml")
}

/// Whether nothing has to be unpacked first.
fn is_readable(headers: &HeaderMap) -> bool {
    let is_identity = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    !headers.contains_key(header::CONTENT_ENCODING)
        || headers.get_all(header::CONTENT_ENCODING).iter().all(is_identity)
}

fn is_one_of(content_type: &[u8], names: &[&str]) -> bool {
    let is = |name: &&str| starts_with(content_type, name) && ends(content_type.get(name.len()..));
    names.iter().any(is)
}

/// Whether nothing but parameters follows.
fn ends(rest: Option<&[u8]>) -> bool {
    rest.is_none_or(|rest| matches!(rest.trim_ascii_start(), [] | [b';', ..]))
}

fn starts_with(text: &[u8], start: &str) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()))
}

/// Whether the name ends like that, before any parameters.
fn has_suffix(content_type: &[u8], suffix: &str) -> bool {
    let name = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let at = name.len().checked_sub(suffix.len());
    at.and_then(|at| name.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
}

pin_project! {
    /// A body whose bytes its request's context sees too.
    struct Tee<B: Body> {
        #[pin]
        inner: B,
        context: Context,
        original: fn(B::Error) -> BoxError,
    }
}

impl<B: Body<Data = Bytes>> Body for Tee<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let polled = ready!(this.inner.poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    this.context.body_frame(bytes);
                }
            }
            Some(Err(_)) => {}
            None => this.context.body_end(),
        }
        let original = |error| broken((this.original)(error), this.context);
        Poll::Ready(polled.map(|frame| frame.map_err(original)))
    }

    fn is_end_stream(&self) -> bool {
        let ended = self.inner.is_end_stream();
        if ended {
            // Who asks may stop here, without polling for the end.
            self.context.body_end();
        }
        ended
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Remembers that the client left, if that is why the body ends before its end.
#[cold]
fn broken(error: BoxError, context: &Context) -> BoxError {
    if let Some(left) = reporter::shielded_anyway(|| left::of(&*error)).flatten() {
        context.leave_in_body(left);
    }
    error
}

impl<B: Body> fmt::Debug for Tee<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tee").field("context", &self.context).finish_non_exhaustive()
    }
}
