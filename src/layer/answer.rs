//! What the layer itself answers.

use std::any::Any;
use std::panic::resume_unwind;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::response::{Active, RPC_STATUS, add_event_id};
use crate::panics::Caught;
use crate::record::{Cause, Details, Mechanism, RequestSnapshot};
use crate::report::{problem_json, request_id};

/// The request panicked: records it and answers for it. With a body type that cannot be made here the panic
/// goes on.
pub(super) fn after_panic<R: 'static>(mut active: Active, caught: Caught) -> Response<R> {
    let mut details = active.met_here(Details::new(Cause::Panic(caught.info)));
    let id = details.id;
    let grpc = active.context.request().is_some_and(RequestSnapshot::is_grpc);
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    if grpc {
        details.added_mut().tags.push((RPC_STATUS, "INTERNAL".to_owned()));
    }
    let answered = if grpc { StatusCode::OK } else { status };
    active.record_as(details, Mechanism { name: "panic", handled: false }, Some(answered), status);
    let problem = |of: Option<&str>| problem_json(status, None, id.encode(&mut [0; 32]), of);
    let text = if grpc { String::new() } else { request_id::lend(&active.context, problem) };
    let Some(body) = known(text) else { resume_unwind(caught.payload) };
    let mut answer = Response::new(body);
    let mut header = |name, value| answer.headers_mut().insert(name, HeaderValue::from_static(value));
    if grpc {
        // gRPC says how a call ended in a header of its own, under HTTP's 200.
        header(CONTENT_TYPE, "application/grpc");
        header(HeaderName::from_static("grpc-status"), "13");
        header(HeaderName::from_static("grpc-message"), "internal error");
    } else {
        header(CONTENT_TYPE, "application/problem+json");
        *answer.status_mut() = status;
    }
    add_event_id(&mut answer, id);
    answer
}

/// A body of type `R` with this text, if `R` is a type that we know.
fn known<R: 'static>(text: String) -> Option<R> {
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
