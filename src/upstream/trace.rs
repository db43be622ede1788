//! The headers by which another service of yours goes on with the trace.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::context::Context;
use crate::report::trace;
use crate::reporter::Reporter;

const SENTRY_TRACE: HeaderName = HeaderName::from_static("sentry-trace");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A host that may be told, or all below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    name: String,
    below: bool,
}

impl Host {
    /// `None` if the pattern names nobody.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        let pattern = pattern.trim().to_ascii_lowercase();
        let (name, below) = match pattern.strip_prefix('*') {
            Some(suffix) => (suffix, true),
            None => (&*pattern, false),
        };
        let names_somebody = name.bytes().any(|byte| byte != b'.');
        names_somebody.then(|| Self { name: name.to_owned(), below })
    }

    pub(super) fn is(&self, host: &str) -> bool {
        let Some(begin) = host.len().checked_sub(self.name.len()) else { return false };
        let end = host.get(begin..).is_some_and(|end| end.eq_ignore_ascii_case(&self.name));
        // `*` alone is everybody; `*internal` without a dot would be `notinternal`, too.
        end && if self.below { begin > 0 && self.name.starts_with('.') } else { begin == 0 }
    }
}

/// Adds the running trace to the headers of a request.
#[cold]
pub(super) fn add(headers: &mut HeaderMap, context: &Context, reporter: &Reporter) {
    if headers.contains_key(&SENTRY_TRACE) {
        return;
    }
    let Some(trace) = context.active_trace() else { return };
    let (trace_id, span_id) = (trace.trace_id, trace.span_id);
    let mut set = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    };
    set(SENTRY_TRACE, trace::ids_of(&trace));
    set(BAGGAGE, trace::baggage_of(context, &trace, reporter));
    let incoming = context.request().and_then(|request| request.headers.value("traceparent"));
    let flags = incoming.and_then(|value| {
        let flags = value.trim().rsplit('-').next().filter(|flags| flags.len() == 2)?;
        u8::from_str_radix(flags, 16).ok()
    });
    // Whether the trace is kept is the last bit; what else they say is passed on.
    let flags = flags.map(|flags| trace.sampled.map_or(flags, |sampled| (flags & !1) | u8::from(sampled)));
    if let Some(flags) = flags
        && !headers.contains_key(&TRACEPARENT)
        && let Ok(value) = HeaderValue::from_str(&format!("00-{trace_id}-{span_id}-{flags:02x}"))
    {
        headers.insert(TRACEPARENT, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_host_or_all_below_one_and_nothing_like_it() {
        let is = |pattern: &str, host| Host::new(pattern).is_some_and(|pattern| pattern.is(host));
        assert!(is("orders.internal", "orders.internal") && is("Orders.Internal", "orders.INTERNAL"));
        assert!(is("*.internal", "orders.internal") && is(" *.internal ", "a.b.internal"));
        for (pattern, host) in [
            ("orders.internal", "my.orders.internal"),
            ("orders.internal", "orders.internal.example.com"),
            ("*.internal", "internal"),
            ("*.internal", ".internal"),
            ("*.internal", "notinternal"),
            ("*internal", "notinternal"),
            ("*", "example.com"),
            ("", "example.com"),
            ("", ""),
            (" ", ""),
            ("*.", "example.com."),
        ] {
            assert!(!is(pattern, host), "{pattern}: {host}");
        }
    }
}
