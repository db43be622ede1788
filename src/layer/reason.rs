//! What a short answer says, for an event about it: `Failed to parse the request body as JSON: ..`.

use std::any::Any;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};

use axum::body::{Body, Bytes, HttpBody};
use http::Response;
use http::header::CONTENT_TYPE;
use http_body::{Frame, SizeHint};

use crate::panics;

/// A longer answer is a page.
const MAX: u64 = 1024;

/// The text of the body, if that is short and there already. The client gets it as it is.
pub(super) fn of<R: 'static>(answer: &mut Response<R>) -> Option<String> {
    let any: &mut dyn Any = answer;
    let answer = any.downcast_mut::<Response<Body>>()?;
    let content_type = answer.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let is_text = ["text/plain", "application/json", "application/problem+json"]
        .iter()
        .any(|text| content_type.starts_with(text));
    let body = answer.body_mut();
    if !is_text || body.size_hint().exact().is_none_or(|size| size == 0 || size > MAX) {
        return None;
    }
    let mut rest = std::mem::take(body);
    let poll = || Pin::new(&mut rest).poll_frame(&mut TaskContext::from_waker(Waker::noop()));
    let first = match panics::guarded(poll) {
        Ok(Poll::Ready(first)) => first,
        Ok(Poll::Pending) | Err(_) => None,
    };
    let said = match &first {
        Some(Ok(frame)) => frame.data_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    };
    *body = match first {
        Some(first) => Body::new(Again { first: Some(first), rest }),
        None => rest,
    };
    said
}

/// A body of which the first frame was seen before.
struct Again {
    first: Option<Result<Frame<Bytes>, axum::Error>>,
    rest: Body,
}

impl HttpBody for Again {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let seen = match &self.first {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        let rest = self.rest.size_hint();
        match rest.exact() {
            Some(exact) => SizeHint::with_exact(exact.saturating_add(seen as u64)),
            None => SizeHint::new(),
        }
    }
}
