//! How a request ended.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

#[cfg(any(feature = "axum", feature = "tonic"))]
use http::HeaderMap;
use http::{Method, Response, StatusCode};
use sentry::Hub;

use super::choices::Choices;
use super::grpc::Ended;
#[cfg(feature = "axum")]
use super::reason;
use super::traces::Traced;
#[cfg(any(feature = "axum", feature = "tonic"))]
use crate::context::is_listening;
use crate::context::{Context, put};
use crate::panics::{self, Caught};
#[cfg(feature = "axum")]
use crate::record::Breadcrumb;
use crate::record::{Cause, Details, EventId, FailedCall, Kind, Level, Link, Mechanism, PanicInfo};
use crate::report::response::take_travelling;
#[cfg(any(feature = "axum", feature = "tonic"))]
use crate::report::submit::was_told;
use crate::report::submit::{settle, submit_call, tell_apart_kept};
use crate::report::{EVENT_ID_HEADER, auth};

/// The tag that says how a call of gRPC ended.
pub(super) const RPC_STATUS: Cow<'static, str> = Cow::Borrowed("rpc.response.status_code");

/// The type of what is told of a request that was given up, and the status that `ignore` is asked with: nginx's.
const CANCELLED: &str = "RequestCancelled";
const CLOSED_REQUEST: u16 = 499;

/// What the layer knows of a running request.
pub(super) struct Active {
    pub(super) context: Context,
    pub(super) hub: Arc<Hub>,
    pub(super) choices: Option<Arc<Choices>>,
    /// How the service panicked when it was called: the response says so.
    pub(super) caught: Option<Box<Caught>>,
    /// A panic that somebody further in caught.
    pub(super) panic: Option<Box<PanicInfo>>,
    /// Whether there is a response: from then on nobody can give the request up.
    pub(super) is_answered: bool,
    /// One failure, one event: what fails after that is a consequence.
    pub(super) reported: bool,
    /// What was kept of the request's body went with that.
    pub(super) gave_body: bool,
    /// If it is to become a transaction.
    pub(super) traced: Option<Box<Traced>>,
}

impl Drop for Active {
    #[inline]
    fn drop(&mut self) {
        if let Some(traced) = self.traced.take() {
            self.finish(&traced);
        }
        if let Some(calls) = self.context.end_calls() {
            self.tell(calls);
        }
        std::mem::take(&mut self.context).recycle(Some(&mut self.hub), self.gave_body);
    }
}

impl Active {
    /// Runs code of the service in the request's context.
    #[inline]
    pub(super) fn run<T>(&mut self, run: impl FnOnce() -> T) -> Result<T, Caught> {
        self.context.lend(&self.hub, || panics::guarded(run))
    }

    /// A response came. It goes on with the id of its event, or untouched.
    #[inline]
    pub(super) fn answered<R: 'static>(&mut self, answer: &mut Response<R>) {
        self.is_answered = true;
        if let Some(traced) = &mut self.traced {
            traced.status = Some(answer.status());
        }
        let parked = self.context.unpark().or_else(|| take_travelling(answer.extensions_mut()));
        // Calls of gRPC are POST: the others need not be asked.
        let is_post = self.context.request().is_some_and(|request| request.line.method == Method::POST);
        let ended = if is_post { Ended::of(answer.headers()) } else { None };
        self.trace_end(ended.as_ref());
        let status = answer.status();
        let as_http = ended.as_ref().map_or(status, |ended| ended.status.max(status));
        if parked.is_none() && as_http.is_client_error() && self.context.left_in_body().is_some() {
            // An extractor refused the half of a body.
            self.left(&[]);
        } else if parked.is_some() || as_http >= StatusCode::BAD_REQUEST {
            let is_asked_for = self.is_asked_for(as_http);
            #[cfg(feature = "axum")]
            if is_asked_for && let Some(said) = reason::of(answer) {
                let said = Breadcrumb::new(said).category("response").level(Level::Warning);
                self.context.breadcrumb(said);
            }
            let is_failure = as_http.is_server_error() || is_asked_for;
            if (parked.is_some() || is_failure)
                && let Some(id) = self.ended(parked, status, ended.as_ref(), is_failure)
            {
                add_event_id(answer, id);
            }
        }
        if self.context.has_failed_calls() {
            // The body may take hours.
            self.tell(self.context.take_failed_calls());
        }
    }

    /// The trailers of a call of gRPC came.
    #[cfg(any(feature = "axum", feature = "tonic"))]
    pub(super) fn trailed(&mut self, trailers: &HeaderMap, status: StatusCode) {
        let Some(ended) = Ended::of(trailers) else { return };
        self.trace_end(Some(&ended));
        let parked = self.context.unpark();
        let is_failure = ended.status.is_server_error() || self.is_asked_for(ended.status);
        let was_logged = || is_listening() && was_told(&self.context, &ended.details(), Vec::new);
        if parked.is_none() && is_failure && was_logged() {
            // While the body went out.
            return;
        }
        if parked.is_some() || is_failure {
            self.ended(parked, status, Some(&ended), is_failure);
        }
    }

    /// How a call of gRPC ended is how its transaction did.
    #[inline]
    fn trace_end(&mut self, ended: Option<&Ended>) {
        if let (Some(traced), Some(ended)) = (&mut self.traced, ended) {
            traced.ends_as(ended.status);
        }
    }

    /// Tells of failed calls that the request did not fail by.
    #[cold]
    fn tell(&self, calls: Vec<FailedCall>) {
        for call in calls {
            submit_call(&self.context, call, || Some(self.hub.clone()));
        }
    }

    /// The id of the event that tells of it, if there is one.
    #[cold]
    fn ended(
        &mut self,
        mut parked: Option<Box<Details>>,
        status: StatusCode,
        ended: Option<&Ended>,
        is_failure: bool,
    ) -> Option<EventId> {
        let as_http = ended.map_or(status, |ended| ended.status.max(status));
        if let Some(said) = parked.as_mut().and_then(|details| self.leaving(details)) {
            self.left(&said);
            return None;
        }
        if let (Some(details), Some(reporter)) = (&parked, self.context.reporter()) {
            auth::note(reporter, self.context.request(), details);
        }
        match parked {
            Some(details) if !is_failure && !details.always && !details.critical => {
                settle(&self.context, &details);
                return None;
            }
            // What was reported before is why.
            None if self.panic.is_none() && self.follows() => return self.context.told(),
            _ => {}
        }
        let (mechanism, mut details) = self.cause_of(parked, ended);
        // What was logged, and a panic, is as bad as it is.
        let is_of_answer = || matches!(mechanism.name, "report" | "response");
        if !as_http.is_server_error() && is_failure && is_of_answer() {
            details.level.get_or_insert(Level::Warning);
        }
        if let Some(ended) = ended {
            let added = details.added_mut();
            let said = put(&mut added.tags, RPC_STATUS, ended.code.to_owned());
            added.count(said);
        }
        let id = details.id;
        self.record_as(details, mechanism, Some(status), as_http).then_some(id)
    }

    /// Whether something was reported in this request already. Then that is the failure.
    fn follows(&mut self) -> bool {
        let follows = self.context.told().is_some();
        self.reported |= follows;
        follows
    }

    /// The client left while its body was read. `said`: what the service made of it.
    #[cold]
    fn left(&mut self, said: &[String]) {
        self.tell_apart_leaving(said);
        if let Some(traced) = &mut self.traced {
            // Nobody was answered.
            traced.status = None;
        }
        self.cancelled();
    }

    /// Nobody waits for an answer any more.
    #[cold]
    pub(super) fn cancelled(&mut self) {
        let Some(reporter) = self.context.reporter() else { return };
        reporter.counters.cancelled.add(1);
        if let Some(caught) = self.caught.take() {
            let details = self.met_here(Details::new(Cause::Panic(caught.info)));
            self.record(details, Mechanism { name: "panic", handled: false }, None);
            return;
        }
        // It had failed, and its answer was on the way out.
        if let Some(mut parked) = self.context.unpark() {
            let status = parked.answer;
            let is_failure = status.is_server_error() || self.is_asked_for(status);
            if let Some(said) = self.leaving(&mut parked) {
                self.tell_apart_leaving(&said);
            } else if self.ended(Some(parked), status, None, is_failure).is_some() {
                return;
            }
        }
        let reports = self.choices.as_ref().is_some_and(|choices| choices.reports_cancelled);
        let Some(request) = self.context.request().filter(|_| reports) else { return };
        let message = "the request was given up before it was answered".to_owned();
        let link = Link { type_name: CANCELLED.into(), message };
        let mut details = self.met_here(Details::new(Cause::Chain(vec![link])));
        details.level = Some(Level::Warning);
        details.added_mut().fingerprint =
            Some(vec![Kind::Route.as_str().to_owned(), CANCELLED.to_owned(), request.name()]);
        if !self.follows() {
            let asked = StatusCode::from_u16(CLOSED_REQUEST).unwrap_or(StatusCode::REQUEST_TIMEOUT);
            self.record_as(details, Mechanism { name: "cancelled", handled: true }, None, asked);
        }
    }

    /// The service failed.
    pub(super) fn failed<E: fmt::Display + 'static>(mut self, error: &E) {
        let mut parked = self.context.unpark();
        let leaves = parked.as_mut().is_some_and(|parked| self.leaving(parked).is_some());
        let details = match parked.filter(|_| !leaves) {
            Some(parked) => parked,
            None => {
                let mut details = self.met_here(self.details_of(error));
                if let Some(said) = self.fails_by_leaving(&mut details, error) {
                    return self.left(&said);
                }
                details
            }
        };
        if let Some(reporter) = self.context.reporter() {
            auth::note(reporter, self.context.request(), &details);
        }
        tell_apart_kept(&self.context, error);
        if details.is_single_login() {
            return settle(&self.context, &details);
        }
        self.record(details, Mechanism { name: "service", handled: false }, None);
    }
}

/// The response says which event tells of it.
pub(super) fn add_event_id<R>(answer: &mut Response<R>, id: EventId) {
    // A report's response has it already, unless somebody rebuilt the response.
    // There are few: looking at each is cheaper than a hash.
    if !answer.headers().keys().any(|name| *name == EVENT_ID_HEADER) {
        answer.headers_mut().insert(EVENT_ID_HEADER, id.header_value());
    }
}
