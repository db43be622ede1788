//! One call, from its request to the headers of its response.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::{HeaderMap, Method, StatusCode};

use super::{Choices, trace};
use crate::context::{Context, current, hub};
use crate::record::{
    Call, CalledUrl, Cause, Details, FailedCall, Link, Origin, Outcome, ThirdPartyClass, ThirdPartyFailure,
};
use crate::report::foreign;
use crate::report::submit::submit_call;
use crate::report::third_party::{crumb, look_closely, of_response};
use crate::reporter::{self, Reporter};

/// A call that runs. Dropped before its end it was cancelled.
pub(super) struct Running {
    choices: Arc<Choices>,
    reporter: Arc<Reporter>,
    context: Context,
    method: Method,
    /// `None` after the end.
    url: Option<CalledUrl>,
    began: Instant,
    /// Whether the host is told the trace.
    is_told: bool,
}

/// Begins a call. `None` where nobody reports, and for calls of the servers to which events are sent. `place` finds the
/// host and the port in `authority`, which takes longer than most calls of the layer should.
#[inline]
pub(super) fn begin<'a>(
    choices: &Arc<Choices>,
    method: &Method,
    authority: &str,
    place: impl Fn() -> (&'a str, u16),
    url: impl FnOnce() -> CalledUrl,
) -> Option<Running> {
    let context = current();
    let reporter = match context.reporter() {
        Some(reporter) => Arc::clone(reporter),
        None => reporter::global()?,
    };
    let begins = |own: &str| authority.get(..own.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(own));
    let is = |own: &str, at: u16| {
        let (host, port) = place();
        port == at && host.eq_ignore_ascii_case(own)
    };
    let mut servers = reporter.settings.servers.iter();
    if servers.any(|(own, at)| (begins(own) || authority.contains('@')) && is(own, *at)) {
        return None;
    }
    let is_told = !choices.trace.is_empty() && {
        let (host, _) = place();
        choices.trace.iter().any(|pattern| pattern.is(host))
    };
    Some(Running {
        choices: Arc::clone(choices),
        reporter,
        context,
        method: method.clone(),
        url: Some(url()),
        began: Instant::now(),
        is_told,
    })
}

impl Running {
    /// Adds the headers that are to go with it.
    #[inline]
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        if self.is_told {
            trace::add(headers, &self.context, &self.reporter);
        }
    }

    /// A response came.
    #[inline]
    pub(super) fn answered(mut self, status: StatusCode, headers: &HeaderMap) {
        if status.is_server_error() {
            self.failed_with(|_| {
                let failure = of_response(status, headers);
                (Outcome::Answered(status), None, failure)
            });
        } else {
            self.leave(Outcome::Answered(status));
        }
    }

    /// No response came.
    #[cold]
    pub(super) fn failed<E: fmt::Display + 'static>(mut self, error: &E) {
        self.failed_with(|reporter| {
            let details = foreign::details_of(error, &reporter.settings.error_names);
            let closely = || reporter::shielded(|| look_closely(foreign::known(error)?)).flatten();
            // Of a type that nobody knows a report of the caller may know more.
            let failure = details.third_party().cloned().or_else(closely).unwrap_or_default();
            let outcome = match failure.class {
                ThirdPartyClass::Other => ThirdPartyClass::Connection,
                class => class,
            };
            (Outcome::Failed(outcome), Some(details), failure)
        });
    }

    #[cold]
    fn failed_with(&mut self, say: impl FnOnce(&Reporter) -> (Outcome, Option<Details>, ThirdPartyFailure)) {
        let now = Instant::now();
        let (outcome, details, mut failure) = say(&self.reporter);
        failure.method = Some(self.method.clone());
        failure.service = self.choices.service.clone();
        failure.elapsed = Some(now.saturating_duration_since(self.began));
        failure.target = self.url.as_ref().and_then(crumb::target).or(failure.target);
        self.leave(outcome);
        let host = failure.name().into_owned();
        let Some(failures) = self.choices.report.decide(&self.choices.windows, &host, now) else { return };
        failure.failures = failures;
        let mut details = Box::new(details.unwrap_or_else(|| {
            let link = Link { type_name: "UpstreamError".into(), message: failure.to_string() };
            Details::new(Cause::Chain(vec![link]))
        }));
        details.about_third_party(|said| *said = failure);
        if let Err(details) = self.context.hold_call(details) {
            let call = FailedCall { details, timestamp: SystemTime::now() };
            let hub = || Some(hub::current_copy());
            if self.context.reporter().is_some() {
                submit_call(&self.context, call, hub);
            } else {
                submit_call(&Context::for_process(Arc::clone(&self.reporter), Origin::Process), call, hub);
            }
        }
    }

    /// Leaves the call among the breadcrumbs.
    #[inline]
    fn leave(&mut self, outcome: Outcome) {
        let Some(url) = self.url.take() else { return };
        self.context.called(Call {
            timestamp: SystemTime::now(),
            method: std::mem::take(&mut self.method),
            url,
            elapsed: self.began.elapsed(),
            outcome,
        });
    }
}

impl Drop for Running {
    #[inline]
    fn drop(&mut self) {
        self.leave(Outcome::Cancelled);
    }
}
