//! The trace of a request or job.

use sentry::protocol::{SpanId, TraceId};

use super::{Context, Inner, spans};
use crate::record::{EventId, RequestSnapshot};

/// The names of the headers by which a trace comes and goes.
pub(crate) const SENTRY_TRACE: &str = "sentry-trace";
pub(crate) const TRACEPARENT: &str = "traceparent";

/// The ids by which servers connect events of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent: Option<SpanId>,
    /// Whether the trace is kept, as far as somebody decided it.
    pub(crate) sampled: Option<bool>,
}

impl Trace {
    /// A new one. It takes a fraction of the time that the SDK's own random ids take.
    pub(crate) fn random() -> Self {
        let bytes = || EventId::random().uuid().into_bytes();
        // The second half of a UUID has more that is random.
        let [.., a, b, c, d, e, f, g, h] = bytes();
        let span_id = SpanId::from([a, b, c, d, e, f, g, h]);
        Self { trace_id: TraceId::from(bytes()), span_id, parent: None, sampled: None }
    }

    /// Reads `traceparent` (`00-<trace>-<span>-<flags>`) or `sentry-trace` (`<trace>-<span>[-<sampled>]`).
    pub(crate) fn incoming(header: &str) -> Option<Self> {
        let header = header.trim();
        let w3c = header.strip_prefix("00-");
        let ids = w3c.unwrap_or(header);
        let mut ids = ids.split('-');
        let (trace, span) = (ids.next()?, ids.next()?);
        let known = |id: &str| id.bytes().any(|byte| byte != b'0');
        if trace.len() != 32 || span.len() != 16 || !known(trace) || !known(span) {
            return None;
        }
        let sampled = ids.next().and_then(|flag| match w3c {
            Some(_) => Some(u8::from_str_radix(flag, 16).ok()? & 1 == 1),
            None => Some(flag).filter(|flag| matches!(*flag, "0" | "1")).map(|flag| flag == "1"),
        });
        Some(Self {
            trace_id: trace.parse().ok()?,
            parent: Some(span.parse().ok()?),
            sampled,
            ..Self::default()
        })
    }

    /// The one that a request came with.
    pub(crate) fn of_request(request: &RequestSnapshot) -> Option<Self> {
        let header = |name| request.headers.value(name).as_deref().and_then(Self::incoming);
        header(SENTRY_TRACE).or_else(|| header(TRACEPARENT))
    }

    /// The one that a context begins with: that of the `active` span of OpenTelemetry, as its events have it; else the
    /// one that its request came with; else a new one. With OpenTelemetry's propagator the first two are the same, and
    /// without it the events go by OpenTelemetry. Whether the trace is kept is what the request came with, anyway.
    fn first(request: Option<&RequestSnapshot>, active: Option<Self>) -> Self {
        let came_with = request.and_then(Self::of_request);
        match active {
            None => came_with.unwrap_or_else(Self::random),
            Some(active) => Self {
                trace_id: active.trace_id,
                parent: Some(active.span_id),
                sampled: came_with.and_then(|trace| trace.sampled),
                ..Self::random()
            },
        }
    }
}

impl Context {
    /// The trace of this context, from when it is first asked for. It stays the same.
    pub(crate) fn trace(&self) -> Option<Trace> {
        let inner = self.0.as_ref()?;
        Some(match inner.trace.get() {
            Some(trace) => *trace,
            None => inner.start_trace(spans::open_telemetry()),
        })
    }

    /// What others are told here: while a span of OpenTelemetry is active, its ids, as events have them.
    pub(crate) fn active_trace(&self) -> Option<Trace> {
        let inner = self.0.as_ref()?;
        let active = spans::open_telemetry();
        let own = inner.start_trace(active);
        Some(match active {
            Some(active) => Trace { sampled: own.sampled, ..active },
            None => own,
        })
    }

    /// The same as [`trace`](Self::trace) for a request that begins: `decide` says whether it is kept, of what the
    /// request asks for.
    pub(crate) fn begin_trace(&self, decide: impl FnOnce(Option<bool>) -> bool) -> bool {
        let Some(inner) = &self.0 else { return false };
        let active = spans::open_telemetry();
        let trace = inner.trace.get_or_init(|| {
            let first = Trace::first(inner.request(), active);
            Trace { sampled: Some(decide(first.sampled)), ..first }
        });
        trace.sampled.unwrap_or_default()
    }

    /// Something here has the trace of the span that is active: unless the context has one already, it is the same.
    pub(super) fn agree_on(&self, active: Trace) {
        if let Some(inner) = &self.0 {
            inner.start_trace(Some(active));
        }
    }
}

impl Inner {
    fn start_trace(&self, active: Option<Trace>) -> Trace {
        *self.trace.get_or_init(|| Trace::first(self.request(), active))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Headers, RequestLine};

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn both_trace_headers_are_read_and_bad_ones_are_not() {
        for header in
            [format!("00-{TRACE}-{SPAN}-01"), format!("{TRACE}-{SPAN}-1"), format!("{TRACE}-{SPAN}")]
        {
            let read = Trace::incoming(&header).expect("a good header");
            assert_eq!(
                (read.trace_id.to_string(), read.parent.map(|id| id.to_string())),
                (TRACE.into(), Some(SPAN.into()))
            );
        }
        for (header, sampled) in [
            (format!("00-{TRACE}-{SPAN}-01"), Some(true)),
            (format!("00-{TRACE}-{SPAN}-03"), Some(true)),
            (format!("00-{TRACE}-{SPAN}-02"), Some(false)),
            (format!("00-{TRACE}-{SPAN}"), None),
            (format!("{TRACE}-{SPAN}-1"), Some(true)),
            (format!("{TRACE}-{SPAN}-0"), Some(false)),
            (format!("{TRACE}-{SPAN}-d"), None),
            (format!("{TRACE}-{SPAN}"), None),
        ] {
            assert_eq!(Trace::incoming(&header).expect("a good header").sampled, sampled, "{header}");
        }
        let (zeros, zero_span) = ("0".repeat(32), "0".repeat(16));
        for header in
            ["", "00-", "abc-def", &format!("00-{zeros}-{SPAN}-01"), &format!("00-{TRACE}-{zero_span}-01")]
        {
            assert!(Trace::incoming(header).is_none(), "{header}");
        }
    }

    #[test]
    fn a_request_in_a_span_of_open_telemetry_is_below_it_and_kept_as_its_headers_say() {
        let mut headers = http::HeaderMap::new();
        headers.insert(SENTRY_TRACE, format!("{TRACE}-{SPAN}-0").parse().unwrap());
        let mut request = RequestSnapshot { line: RequestLine::default(), headers: Headers::new() };
        request.headers.keep(&headers);
        let active = Trace::random();
        for (request, sampled) in [(None, None), (Some(&request), Some(false))] {
            let first = Trace::first(request, Some(active));
            assert_eq!((first.trace_id, first.parent), (active.trace_id, Some(active.span_id)));
            assert_eq!(first.sampled, sampled);
            assert_ne!(first.span_id, active.span_id, "it is a span of its own");
        }
        let alone = Trace::first(Some(&request), None);
        assert_eq!((alone.trace_id.to_string(), alone.sampled), (TRACE.to_owned(), Some(false)));
    }
}
