//! How a request ended, and what is made of it.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use sentry::Hub;

use super::traces::Traced;
use super::{Ignore, RequestInfo, answer};
use crate::context::{Context, spans};
use crate::panics::{self, Caught};
use crate::record::{BoxError, Cause, Details, EventId, Link, Mechanism, Origin, PanicInfo, RequestSnapshot};
use crate::report::response::take_travelling;
use crate::report::submit::{Failure, submit, tell_apart};
use crate::report::{EVENT_ID_HEADER, Report, chain, problem_json};
use crate::reporter::ErrorName;
use crate::scrub::scrub_text;
use crate::sink::Record;

/// What the layer knows of a running request.
pub(super) struct Active {
    pub(super) context: Context,
    pub(super) hub: Arc<Hub>,
    pub(super) ignore: Option<Arc<Ignore>>,
    /// A panic that somebody further in caught.
    pub(super) panic: Option<Box<PanicInfo>>,
    /// One failure, one event: what fails after that is a consequence.
    pub(super) reported: bool,
    /// What was kept of the request's body went with that.
    pub(super) gave_body: bool,
    /// If it is to become a transaction.
    pub(super) traced: Option<Box<Traced>>,
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Some(traced) = self.traced.take() {
            self.finish(&traced);
        }
        std::mem::take(&mut self.context).recycle(self.gave_body);
    }
}

impl Active {
    /// A response came. It goes on with the id of its event, or untouched.
    #[inline]
    pub(super) fn answered<R>(mut self, answer: &mut Response<R>) -> Self {
        if let Some(traced) = &mut self.traced {
            traced.status = Some(answer.status());
        }
        let parked = self.context.unpark().or_else(|| take_travelling(answer.extensions_mut()));
        if parked.is_some() || answer.status().is_server_error() {
            self.failure_answered(parked, answer);
        }
        self
    }

    #[cold]
    fn failure_answered<R>(&mut self, parked: Option<Box<Details>>, answer: &mut Response<R>) {
        let status = answer.status();
        match parked {
            Some(details) if !status.is_server_error() && !details.always && !details.critical => {
                self.settle(&details);
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
            None => Box::new(details_of(error, self.error_names())),
        };
        self.record(details, Mechanism { name: "service", handled: false }, None);
    }

    pub(super) fn error_names(&self) -> &[ErrorName] {
        self.context.reporter().map_or(&[], |reporter| &reporter.settings.error_names)
    }

    /// Why the response is what it is: the report, else a panic that other middleware caught, else what was logged
    /// last, else unknown.
    fn cause_of(&mut self, parked: Option<Box<Details>>) -> (Mechanism, Box<Details>) {
        match (parked, self.panic.take()) {
            (Some(details), _) => (Mechanism { name: "report", handled: true }, details),
            (None, Some(panic)) => {
                (Mechanism { name: "panic", handled: false }, Box::new(Details::new(Cause::Panic(panic))))
            }
            (None, None) => match self.context.take_logged() {
                Some(details) => (Mechanism { name: "log", handled: true }, details),
                None => {
                    let mut details = Box::new(Details::new(Cause::Status));
                    details.around = spans::trace_only();
                    (Mechanism { name: "response", handled: true }, details)
                }
            },
        }
    }

    /// A report that is answered and not sent.
    fn settle(&self, details: &Details) {
        if let Some(reporter) = self.context.reporter() {
            reporter.counters.discarded.add(1);
        }
        if let Cause::Error { error, .. } = &details.cause {
            self.context.breadcrumb(chain::text_of(error));
        }
    }

    /// Records a failure, unless it is to be ignored.
    pub(super) fn record(
        &mut self,
        details: Box<Details>,
        mechanism: Mechanism,
        status: Option<StatusCode>,
    ) -> bool {
        if let Some(traced) = &mut self.traced {
            traced.status = status.or(Some(StatusCode::INTERNAL_SERVER_ERROR));
        }
        let Some(reporter) = self.context.reporter() else { return false };
        if self.reported {
            return false;
        }
        if self.ignores(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)) {
            tell_apart(&self.context, &details, true, self.error_names());
            return false;
        }
        let failure = Failure { details, status, context: &self.context, has_answer: true };
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
        let (Some(ignore), Some(request)) = (&self.ignore, self.context.request()) else { return false };
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

/// What can be said of a service's error, which need not be a `std::error::Error`.
fn details_of<E: fmt::Display + 'static>(error: &E, names: &[ErrorName]) -> Details {
    let any: &dyn Any = error;
    if let Some(details) = any.downcast_ref::<Report>().and_then(|report| report.copy(names)) {
        return details;
    }
    let known: Option<&(dyn Error + 'static)> = match any.downcast_ref::<BoxError>() {
        Some(boxed) => Some(&**boxed),
        None => any.downcast_ref::<std::io::Error>().map(|error| error as _),
    };
    #[cfg(feature = "axum")]
    let known = known.or_else(|| any.downcast_ref::<axum::Error>().map(|error| error as _));
    #[cfg(feature = "tonic")]
    let known = known.or_else(|| any.downcast_ref::<tonic::Status>().map(|error| error as _));
    let links = match known {
        Some(error) => chain::links(error, Some(std::any::type_name::<E>()), names),
        None => vec![Link { type_name: std::any::type_name::<E>().into(), message: chain::text_of(error) }],
    };
    Details::new(Cause::Chain(links))
}
