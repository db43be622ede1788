//! A failed call on an event: tags to search by, and a context that tells the rest.
//!
//! Names are those of OpenTelemetry's semantic conventions, where it has one. `http.request.*` and `http.response.*` as
//! tags are the failing request's own, so those of the call stand in the context, and as `upstream.*`.

use std::collections::BTreeMap;

use sentry::protocol::{Context, Event};
use serde_json::Value;

use super::excerpt::Excerpt;
use crate::record::ThirdPartyFailure;

/// The context's name; the servers' own names have a fixed shape.
const CONTEXT: &str = "third_party";

/// Adds what is known. Tags of the application win over these. `with_body`: whether bodies are shown at all.
pub(crate) fn third_party(event: &mut Event<'static>, failure: &ThirdPartyFailure, with_body: bool) {
    let mut context = BTreeMap::new();
    let mut tell = |name: &str, value: Value| context.insert(name.to_owned(), value);
    let excerpt = failure.body.as_ref().map(Excerpt::of).unwrap_or_default();
    let status = failure.status.map(|status| status.as_u16().to_string());
    let tags = [
        ("peer.service", failure.service()),
        ("server.address", failure.host()),
        ("url.template", failure.template()),
        ("error.type", Some(failure.class.as_str())),
        ("error.fault", Some(failure.fault().as_str())),
        ("error.retryable", Some(if failure.is_retryable() { "true" } else { "false" })),
        ("rpc.response.status_code", failure.grpc),
        ("upstream.phase", Some(failure.phase.as_str())),
        ("upstream.status_code", status.as_deref()),
        ("upstream.error_code", excerpt.code.as_deref()),
        ("upstream.request_id", failure.request_id.as_ref().map(|(_, id)| id.as_str())),
    ];
    for (name, value) in tags {
        if let Some(value) = value {
            event.tags.insert(name.to_owned(), value.to_owned());
            tell(name, value.into());
        }
    }
    if let Some(target) = &failure.target {
        tell("url.scheme", target.scheme.as_ref().into());
        if let Some(port) = target.port {
            tell("server.port", port.into());
        }
    }
    if failure.grpc.is_some() {
        tell("rpc.system", "grpc".into());
    }
    if let Some(method) = &failure.method {
        tell("http.request.method", method.as_str().into());
    }
    if let Some(status) = failure.status {
        tell("http.response.status_code", status.as_u16().into());
    }
    if let Some(pause) = failure.retry_after {
        tell("http.response.header.retry-after", pause.as_secs().into());
    }
    if let Some((header, id)) = &failure.request_id {
        tell(&format!("http.response.header.{header}"), id.as_str().into());
    }
    if let Some(elapsed) = failure.elapsed {
        // Seconds, as OpenTelemetry counts.
        tell("http.client.request.duration", elapsed.as_secs_f64().into());
    }
    if let Some(attempt) = failure.attempt {
        tell("http.request.resend_count", attempt.saturating_sub(1).into());
    }
    if let Some(failures) = failure.failures {
        tell("failures", failures.into());
    }
    if let Some(client) = failure.client {
        tell("client", client.into());
    }
    let said = [("upstream.error_type", excerpt.kind), ("upstream.error_title", excerpt.title)];
    for (name, value) in said {
        if let Some(value) = value {
            tell(name, value.into());
        }
    }
    if with_body && !excerpt.text.is_empty() {
        tell("http.response.body", excerpt.text.into());
    }
    event.contexts.insert(CONTEXT.to_owned(), Context::Other(context));
}
