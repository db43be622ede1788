//! The ids by which servers connect the events of one request.

use sentry::protocol::TraceContext;

use crate::context::{Context, Trace};
use crate::record::RequestSnapshot;

/// The name of the header, as Sentry's SDKs know it.
pub(super) const SENTRY_TRACE: &str = "sentry-trace";
const TRACEPARENT: &str = "traceparent";

/// The trace of a context: the one that its request came with, or a new one.
pub(crate) fn of(context: &Context) -> Option<Trace> {
    context.trace(|request: Option<&RequestSnapshot>| {
        let header = |name| request?.headers.value(name).as_deref().and_then(incoming);
        header(SENTRY_TRACE).or_else(|| header(TRACEPARENT)).unwrap_or_default()
    })
}

/// The same as the SDK's context.
pub(crate) fn context_of(context: &Context) -> Option<TraceContext> {
    of(context).map(shown)
}

pub(crate) fn shown(trace: Trace) -> TraceContext {
    let Trace { trace_id, span_id, parent } = trace;
    TraceContext { trace_id, span_id, parent_span_id: parent, ..TraceContext::default() }
}

/// Reads `traceparent` (`00-<trace>-<span>-<flags>`) or `sentry-trace` (`<trace>-<span>[-<sampled>]`).
fn incoming(header: &str) -> Option<Trace> {
    let ids = header.trim().strip_prefix("00-").unwrap_or(header.trim());
    let mut ids = ids.split('-');
    let (trace, span) = (ids.next()?, ids.next()?);
    let known = |id: &str| id.bytes().any(|byte| byte != b'0');
    if trace.len() != 32 || span.len() != 16 || !known(trace) || !known(span) {
        return None;
    }
    Some(Trace { trace_id: trace.parse().ok()?, parent: Some(span.parse().ok()?), ..Trace::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_trace_headers_are_read_and_bad_ones_are_not() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        for header in
            [format!("00-{trace}-{span}-01"), format!("{trace}-{span}-1"), format!("{trace}-{span}")]
        {
            let read = incoming(&header).expect("a good header");
            assert_eq!(
                (read.trace_id.to_string(), read.parent.map(|id| id.to_string())),
                (trace.into(), Some(span.into()))
            );
        }
        let (zeros, zero_span) = ("0".repeat(32), "0".repeat(16));
        for header in
            ["", "00-", "abc-def", &format!("00-{zeros}-{span}-01"), &format!("00-{trace}-{zero_span}-01")]
        {
            assert!(incoming(header).is_none(), "{header}");
        }
    }
}
