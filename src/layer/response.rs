//! How a request ended, and what is made of it.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use sentry::Hub;

use super::{Choices, RequestInfo, answer};
use crate::context::Context;
use crate::panics::{self, Caught};
use crate::record::{Cause, Details, EventId, FailedCall, Mechanism, Origin, PanicInfo, RequestSnapshot};
use crate::report::response::take_travelling;
use crate::report::submit::{Failure, settle, submit, submit_call};
use crate::report::{EVENT_ID_HEADER, auth, problem_json};
use crate::reporter::ErrorName;
use crate::scrub::scrub_text;
use crate::sink::Record;

/// What the layer knows of a running request.
pub(super) struct Active {
    pub(super) context: Context,
    pub(super) hub: Arc<Hub>,
    pub(super) choices: Option<Arc<Choices>>,
    /// A panic that somebody further in caught.
    pub(super) panic: Option<Box<PanicInfo>>,
    /// One failure, one event: what fails after that is a consequence.
    pub(super) reported: bool,
    /// What was kept of the request's body went with that.
    pub(super) gave_body: bool,
}

impl Drop for Active {
    #[inline]
    fn drop(&mut self) {
        let calls = self.context.end_calls();
        if !calls.is_empty() {
            self.tell(calls);
        }
        std::mem::take(&mut self.context).recycle(self.gave_body);
    }
}

impl Active {
    /// A response came. It goes on with the id of its event, or untouched.
    #[inline]
    pub(super) fn answered<R>(mut self, answer: &mut Response<R>) -> Self {
        let parked = self.context.unpark().or_else(|| take_travelling(answer.extensions_mut()));
        if parked.is_some() || answer.status().is_server_error() {
            self.failure_answered(parked, answer);
        }
        if self.context.has_failed_calls() {
            // The body may take hours.
            self.tell(self.context.take_failed_calls());
        }
        self
    }

    /// Tells of failed calls that the request did not fail by.
    #[cold]
    fn tell(&self, calls: Vec<FailedCall>) {
        for call in calls {
            submit_call(&self.context, call, || Some(self.hub.clone()));
        }
    }

    #[cold]
    fn failure_answered<R>(&mut self, parked: Option<Box<Details>>, answer: &mut Response<R>) {
        let status = answer.status();
        if let (Some(details), Some(reporter)) = (&parked, self.context.reporter()) {
            auth::note(reporter, self.context.request(), details);
        }
        match parked {
            Some(details) if !status.is_server_error() && !details.always && !details.critical => {
                settle(&self.context, &details);
            }
            parked => {
                let (mechanism, details) = self.cause_of(parked);
                let id = details.id;
                if self.record(details, mechanism, Some(status)) {
                    add_event_id(answer, id);
                }
            }
        }
    }

    /// The service failed.
    pub(super) fn failed<E: fmt::Display + 'static>(mut self, error: &E) {
        let details = match self.context.unpark() {
            Some(parked) => parked,
            None => Box::new(self.details_of(error)),
        };
        if let Some(reporter) = self.context.reporter() {
            auth::note(reporter, self.context.request(), &details);
        }
        if details.is_single_login() {
            return settle(&self.context, &details);
        }
        self.record(details, Mechanism { name: "service", handled: false }, None);
    }

    /// A service's own status is its answer, and no call of another.
    fn details_of<E: fmt::Display + 'static>(&self, error: &E) -> Details {
        let details = Details::of_service(error, self.error_names());
        #[cfg(feature = "tonic")]
        if (error as &dyn std::any::Any).is::<tonic::Status>() {
            return Details { subject: None, ..details };
        }
        details
    }

    pub(super) fn error_names(&self) -> &[ErrorName] {
        self.context.reporter().map_or(&[], |reporter| &reporter.settings.error_names)
    }

    /// Why the response is what it is: the report, else a panic that other middleware caught, else unknown.
    fn cause_of(&mut self, parked: Option<Box<Details>>) -> (Mechanism, Box<Details>) {
        match (parked, self.panic.take()) {
            (Some(details), _) => (Mechanism { name: "report", handled: true }, details),
            (None, Some(panic)) => {
                (Mechanism { name: "panic", handled: false }, Box::new(Details::new(Cause::Panic(panic))))
            }
            (None, None) => {
                (Mechanism { name: "response", handled: true }, Box::new(Details::new(Cause::Status)))
            }
        }
    }

    /// Records a failure, unless it is to be ignored.
    pub(super) fn record(
        &mut self,
        mut details: Box<Details>,
        mechanism: Mechanism,
        status: Option<StatusCode>,
    ) -> bool {
        let Some(reporter) = self.context.reporter() else { return false };
        if self.reported || self.ignores(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)) {
            return false;
        }
        self.context.absorb_calls(&mut details);
        let failure = Failure { details, status, request: self.context.request(), has_answer: true };
        let mut gave_body = false;
        submit(reporter, failure, |details| {
            gave_body = true;
            Record {
                details,
                timestamp: SystemTime::now(),
                mechanism,
                origin: Origin::Request,
                status,
                facts: self.context.facts(),
                body: self.context.take_body(),
                context: self.context.clone(),
                hub: Some(self.hub.clone()),
                stands_for: None,
            }
        });
        (self.reported, self.gave_body) = (true, gave_body);
        true
    }

    fn ignores(&self, status: StatusCode) -> bool {
        let ignore = self.choices.as_ref().and_then(|choices| choices.ignore.as_ref());
        let (Some(ignore), Some(request)) = (ignore, self.context.request()) else { return false };
        // The application's code: a panic in it must not cost the response or the event.
        match panics::guarded(|| ignore(&RequestInfo(request), status)) {
            Ok(ignored) => ignored,
            Err(caught) => {
                let message = scrub_text(&caught.info.message).unwrap_or(caught.info.message);
                tracing::warn!(target: "faultwire", "`ignore` panicked: {message}");
                false
            }
        }
    }
}

/// The request panicked: records it and answers for it. With a body type that cannot be made here the panic
/// goes on.
pub(super) fn after_panic<R: 'static>(mut active: Active, caught: Caught) -> Response<R> {
    let details = Box::new(Details::new(Cause::Panic(caught.info)));
    let id = details.id;
    let grpc = active.context.request().is_some_and(RequestSnapshot::is_grpc);
    active.record(
        details,
        Mechanism { name: "panic", handled: false },
        Some(StatusCode::INTERNAL_SERVER_ERROR),
    );
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let text = if grpc { String::new() } else { problem_json(status, None, id.encode(&mut [0; 32])) };
    let Some(body) = answer::known(text) else { resume_unwind(caught.payload) };
    let mut answer = Response::new(body);
    let mut header = |name, value| answer.headers_mut().insert(name, HeaderValue::from_static(value));
    if grpc {
        // gRPC says how a call ended in a header of its own, under HTTP's 200.
        header(CONTENT_TYPE, "application/grpc");
        header(http::HeaderName::from_static("grpc-status"), "13");
        header(http::HeaderName::from_static("grpc-message"), "internal error");
    } else {
        header(CONTENT_TYPE, "application/problem+json");
        *answer.status_mut() = status;
    }
    add_event_id(&mut answer, id);
    answer
}

fn add_event_id<R>(answer: &mut Response<R>, id: EventId) {
    // A report's response has it already, unless somebody rebuilt the response.
    // There are few: looking at each is cheaper than a hash.
    if !answer.headers().keys().any(|name| *name == EVENT_ID_HEADER) {
        answer.headers_mut().insert(EVENT_ID_HEADER, id.header_value());
    }
}
