//! The ids by which servers connect the events of one request with those of the jobs that it queued.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sentry::Hub;
use sentry::protocol::TraceContext;

use crate::context::{Context, SENTRY_TRACE, TRACEPARENT, Trace};
use crate::reporter::Reporter;

const BAGGAGE: &str = "baggage";
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
    /// they say so: what happens there belongs to it. While a span of OpenTelemetry is active (feature
    /// `opentelemetry`), they name it, as events do, also where the request came with another trace.
    ///
    /// The baggage names the trace, the release, the environment and the public key of the project: nothing that is
    /// secret inside of your own systems, and nothing for others. Of one that came with the trace, the members that
    /// begin with `sentry-` (up to 2 KiB) go on instead, as they came.
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
        let (Some(trace), Some(reporter)) = (self.active_trace(), self.reporter()) else { return Vec::new() };
        let baggage = baggage_of(self, &trace, reporter);
        vec![(SENTRY_TRACE.to_owned(), ids_of(&trace)), (BAGGAGE.to_owned(), baggage)]
    }
}

/// The trace of a context, as the SDK's context.
pub(crate) fn context_of(context: &Context) -> Option<TraceContext> {
    context.trace().map(shown)
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

/// The value of `baggage`: what came with the job or request that runs, or what is known here.
pub(crate) fn baggage_of(context: &Context, trace: &Trace, reporter: &Reporter) -> String {
    // About another trace, as an OpenTelemetry span may have, it says nothing.
    let is_about = |came_with: Trace| came_with.trace_id == trace.trace_id;
    let came = match (context.job(), context.request()) {
        (Some(job), _) => job.baggage.clone().filter(|_| context.trace().is_some_and(is_about)),
        (None, Some(request)) if Trace::of_request(request).is_some_and(is_about) => {
            ours_of(&request.headers.baggage().collect::<Vec<_>>().join(","))
        }
        _ => None,
    };
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
            by_sentry = Trace::incoming(value);
        } else if name.eq_ignore_ascii_case(TRACEPARENT) {
            by_w3c = Trace::incoming(value);
        } else if name.eq_ignore_ascii_case(BAGGAGE) {
            baggage = ours_of(value);
        }
    }
    let trace = by_sentry.or(by_w3c);
    // Without its trace it says nothing.
    (trace, baggage.filter(|_| trace.is_some()))
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
