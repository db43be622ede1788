//! From a request that is over to a transaction, on our own thread: when it began and ended, and how.

use std::borrow::Cow;

use http::StatusCode;
use sentry::ClientOptions;
use sentry::protocol::{EnvelopeItem, ResponseContext, SpanStatus, TraceContext, Transaction};

use super::{build, decorate, trace};
use crate::context::Context;
use crate::record::{EventId, RequestSnapshot};
use crate::sink::Finished;

/// What Sentry calls the work of a server on one request.
const OP: &str = "http.server";

/// The transaction. The gate is still ahead of it.
pub(crate) fn item(finished: Finished, options: &ClientOptions) -> EnvelopeItem {
    let Finished { context, facts, status, outcome, started, ended } = finished;
    let mut transaction = Transaction {
        event_id: EventId::random().uuid(),
        name: context.request().map(RequestSnapshot::name),
        release: options.release.clone(),
        environment: options.environment.clone(),
        server_name: options.server_name.clone(),
        sdk: Some(Cow::Owned(build::sdk_info())),
        platform: "native".into(),
        start_timestamp: started,
        timestamp: Some(ended.max(started)),
        request: context.request().map(decorate::shown),
        ..Transaction::new()
    };
    if let Some(facts) = &facts {
        let tags = facts.tags.iter().map(|(key, value)| (key.to_string(), value.clone()));
        transaction.tags.extend(tags);
    }
    if let Some(status) = status {
        transaction.tags.insert("http.response.status_code".to_owned(), status.as_u16().to_string());
        let response = ResponseContext { status_code: Some(status.as_u16().into()), ..Default::default() };
        transaction.contexts.insert("response".to_owned(), response.into());
    }
    transaction.contexts.insert("trace".to_owned(), trace_of(&context, outcome).into());
    transaction.into()
}

fn trace_of(context: &Context, outcome: Option<StatusCode>) -> TraceContext {
    TraceContext {
        op: Some(OP.to_owned()),
        status: Some(outcome.map_or(SpanStatus::Cancelled, of_http)),
        origin: Some("auto.http.faultwire".to_owned()),
        ..trace::context_of(context).unwrap_or_default()
    }
}

fn of_http(status: StatusCode) -> SpanStatus {
    match status.as_u16() {
        100..=399 => SpanStatus::Ok,
        401 => SpanStatus::Unauthenticated,
        403 => SpanStatus::PermissionDenied,
        404 => SpanStatus::NotFound,
        409 => SpanStatus::AlreadyExists,
        429 => SpanStatus::ResourceExhausted,
        400..=499 => SpanStatus::InvalidArgument,
        501 => SpanStatus::Unimplemented,
        503 => SpanStatus::Unavailable,
        504 => SpanStatus::DeadlineExceeded,
        500..=599 => SpanStatus::InternalError,
        _ => SpanStatus::UnknownError,
    }
}
