//! The ids by which servers connect the events of one request with those of the jobs that it queued.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sentry::Hub;
use sentry::protocol::TraceContext;

use crate::context::{Context, Trace};
use crate::record::RequestSnapshot;
use crate::reporter::Reporter;

/// The names of the headers, as Sentry's SDKs know them.
const SENTRY_TRACE: &str = "sentry-trace";
const BAGGAGE: &str = "baggage";
const TRACEPARENT: &str = "traceparent";

/// More of somebody's baggage is not carried on.
const MAX_BAGGAGE: usize = 2 * 1024;
/// The members of the baggage that are meant for SDKs like this one.
const OURS: &str = "sentry-";
/// What a member's value may hold as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Context {
    /// What connects the events of somebody else with those of this request or job: the headers `sentry-trace` and
    /// `baggage`, for the payload of a job ([`Job::trace`](crate::job::Job::trace)) or a request to a service of
    /// your own. Empty outside of a request or job, and before `init`.
    ///
    /// Where the request becomes a [transaction](crate::Config::traces_sample_rate), or its trace came with a decision,
    /// they say so: what happens there belongs to it.
    ///
    /// The baggage names the trace, the release, the environment and the public key of the project: nothing that is
    /// secret inside of your own systems, and nothing for others.
    ///
    /// # Example
    /// ```
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Queued {
    ///     order: u64,
    ///     trace: Vec<(String, String)>,
    /// }
    ///
    /// // In the request:
    /// let trace = faultwire::current().trace_headers();
    /// let queued = Queued { order: 7, trace };
    ///
    /// // In the worker:
    /// let job = faultwire::job("ship_order").trace(queued.trace);
    /// # drop(job);
    /// ```
    #[must_use]
    pub fn trace_headers(&self) -> Vec<(String, String)> {
        let (Some(trace), Some(reporter)) = (of(self), self.reporter()) else { return Vec::new() };
        let baggage = baggage_of(self, &trace, reporter);
        vec![(SENTRY_TRACE.to_owned(), ids_of(&trace)), (BAGGAGE.to_owned(), baggage)]
    }
}

/// The trace of a context: the one that its request came with, or a new one.
pub(crate) fn of(context: &Context) -> Option<Trace> {
    context.trace(came_with)
}

/// The same for a request that begins: `decide` says whether its trace is kept, of what the request asks for.
pub(crate) fn begin(context: &Context, decide: impl Fn(Option<bool>) -> bool) -> bool {
    let trace = context.trace(|request| {
        let trace = came_with(request);
        Trace { sampled: Some(decide(trace.sampled)), ..trace }
    });
    trace.and_then(|trace| trace.sampled).unwrap_or_default()
}

fn came_with(request: Option<&RequestSnapshot>) -> Trace {
    let header = |name| request?.headers.value(name).as_deref().and_then(incoming);
    header(SENTRY_TRACE).or_else(|| header(TRACEPARENT)).unwrap_or_else(Trace::random)
}

/// The same as the SDK's context.
pub(crate) fn context_of(context: &Context) -> Option<TraceContext> {
    of(context).map(shown)
}

pub(crate) fn shown(trace: Trace) -> TraceContext {
    let Trace { trace_id, span_id, parent, .. } = trace;
    TraceContext { trace_id, span_id, parent_span_id: parent, ..TraceContext::default() }
}

/// The value of `sentry-trace`: the trace, who asks, and whether the trace is kept.
pub(crate) fn ids_of(trace: &Trace) -> String {
    let sampled = match trace.sampled {
        Some(true) => "-1",
        Some(false) => "-0",
        None => "",
    };
    format!("{}-{}{sampled}", trace.trace_id, trace.span_id)
}

/// The value of `baggage`: what came with the job that runs, or what is known here.
pub(crate) fn baggage_of(context: &Context, trace: &Trace, reporter: &Reporter) -> String {
    let came = context.job().and_then(|job| job.baggage.clone());
    came.unwrap_or_else(|| own_baggage(trace, &reporter.hub))
}

/// What came with a job: the trace, and what of the baggage is for us.
pub(crate) fn from_headers<N, V>(headers: impl IntoIterator<Item = (N, V)>) -> (Option<Trace>, Option<String>)
where
    N: AsRef<str>,
    V: AsRef<str>,
{
    let (mut by_sentry, mut by_w3c, mut baggage) = (None, None, None);
    for (name, value) in headers {
        let (name, value) = (name.as_ref(), value.as_ref());
        if name.eq_ignore_ascii_case(SENTRY_TRACE) {
            by_sentry = incoming(value);
        } else if name.eq_ignore_ascii_case(TRACEPARENT) {
            by_w3c = incoming(value);
        } else if name.eq_ignore_ascii_case(BAGGAGE) {
            baggage = ours_of(value);
        }
    }
    let trace = by_sentry.or(by_w3c);
    // Without its trace it says nothing.
    (trace, baggage.filter(|_| trace.is_some()))
}

/// Reads `traceparent` (`00-<trace>-<span>-<flags>`) or `sentry-trace` (`<trace>-<span>[-<sampled>]`).
fn incoming(header: &str) -> Option<Trace> {
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
    Some(Trace {
        trace_id: trace.parse().ok()?,
        parent: Some(span.parse().ok()?),
        sampled,
        ..Trace::default()
    })
}

/// The members of somebody's baggage that are for us; others may be about people.
fn ours_of(baggage: &str) -> Option<String> {
    let ours = baggage.split(',').map(str::trim).filter(|member| member.starts_with(OURS));
    let plain = |member: &&str| member.bytes().all(|byte| byte.is_ascii_graphic());
    let mut kept = String::new();
    for member in ours.filter(plain) {
        if kept.len().saturating_add(member.len()) >= MAX_BAGGAGE {
            break;
        }
        if !kept.is_empty() {
            kept.push(',');
        }
        kept.push_str(member);
    }
    (!kept.is_empty()).then_some(kept)
}

fn own_baggage(trace: &Trace, hub: &Hub) -> String {
    let mut baggage = format!("{OURS}trace_id={}", trace.trace_id);
    if let Some(sampled) = trace.sampled {
        baggage.push_str(&format!(",{OURS}sampled={sampled}"));
    }
    let Some(client) = hub.client() else { return baggage };
    let options = client.options();
    let key = options.dsn.as_ref().map(|dsn| dsn.public_key());
    let members = [
        ("environment", options.environment.as_deref()),
        ("release", options.release.as_deref()),
        ("public_key", key),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            let value = utf8_percent_encode(value, PLAIN);
            baggage.push_str(&format!(",{OURS}{name}={value}"));
        }
    }
    baggage
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn both_trace_headers_are_read_and_bad_ones_are_not() {
        for header in
            [format!("00-{TRACE}-{SPAN}-01"), format!("{TRACE}-{SPAN}-1"), format!("{TRACE}-{SPAN}")]
        {
            let read = incoming(&header).expect("a good header");
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
            assert_eq!(incoming(&header).expect("a good header").sampled, sampled, "{header}");
        }
        let (zeros, zero_span) = ("0".repeat(32), "0".repeat(16));
        for header in
            ["", "00-", "abc-def", &format!("00-{zeros}-{SPAN}-01"), &format!("00-{TRACE}-{zero_span}-01")]
        {
            assert!(incoming(header).is_none(), "{header}");
        }
    }

    #[test]
    fn of_somebodys_baggage_only_what_is_ours_goes_on() {
        let ids = format!("{TRACE}-{SPAN}");
        let baggage = "user=ada, sentry-trace_id=0af,sentry-release=shop%401 , sentry-x=a b,sentry-é=1";
        let (trace, kept) = from_headers([("Sentry-Trace", &*ids), ("Baggage", baggage)]);
        assert_eq!(trace.map(|trace| trace.trace_id.to_string()).as_deref(), Some(TRACE));
        assert_eq!(kept.as_deref(), Some("sentry-trace_id=0af,sentry-release=shop%401"));
        let long = format!("sentry-a={},sentry-b={}", "x".repeat(1_500), "y".repeat(1_500));
        let (_, kept) = from_headers([("sentry-trace", &*ids), ("baggage", &long)]);
        assert_eq!(kept.map(|kept| kept.len()), Some("sentry-a=".len() + 1_500));
        let (trace, kept) = from_headers([("baggage", baggage)]);
        assert!(trace.is_none() && kept.is_none(), "baggage without a trace");
    }
}
