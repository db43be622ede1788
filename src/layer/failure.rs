//! What is made of a request that failed: one event, unless it is to be ignored.

use std::fmt;
use std::time::SystemTime;

use http::StatusCode;

use super::grpc::Ended;
use super::response::Active;
use crate::context::spans;
use crate::record::{Cause, Details, Mechanism, Origin};
use crate::report::foreign;
use crate::report::submit::{Failure, submit, tell_apart};
use crate::reporter::ErrorName;
use crate::sink::Record;

impl Active {
    /// A service's own status is its answer, and no call of another.
    pub(super) fn details_of<E: fmt::Display + 'static>(&self, error: &E) -> Details {
        let details = foreign::details_of(error, self.error_names());
        #[cfg(feature = "tonic")]
        if (error as &dyn std::any::Any).is::<tonic::Status>() {
            return Details { subject: None, ..details };
        }
        details
    }

    /// A failure of which nobody said in which trace it is: as far as that is known here, where the layer meets it. What
    /// was active in the handler alone is over.
    pub(super) fn met_here(&self, details: Details) -> Box<Details> {
        let mut details = Box::new(details);
        if details.around.is_none() {
            details.around = spans::trace_only(|| self.context.clone());
        }
        details
    }

    pub(super) fn error_names(&self) -> &[ErrorName] {
        self.context.reporter().map_or(&[], |reporter| &reporter.settings.error_names)
    }

    /// Why the response is what it is: the report, else a panic that other middleware caught, else what was logged
    /// last, else unknown.
    pub(super) fn cause_of(
        &mut self,
        parked: Option<Box<Details>>,
        ended: Option<&Ended>,
    ) -> (Mechanism, Box<Details>) {
        match (parked, self.panic.take()) {
            (Some(details), _) => (Mechanism { name: "report", handled: true }, details),
            (None, Some(panic)) => {
                let details = self.met_here(Details::new(Cause::Panic(panic)));
                (Mechanism { name: "panic", handled: false }, details)
            }
            (None, None) => match self.context.take_logged() {
                Some(details) => (Mechanism { name: "log", handled: true }, details),
                None => {
                    let failure = ended.filter(|ended| ended.status >= StatusCode::BAD_REQUEST);
                    let details = failure.map_or_else(|| Details::new(Cause::Status), Ended::details);
                    let details = self.met_here(details);
                    (Mechanism { name: "response", handled: true }, details)
                }
            },
        }
    }

    /// Records a failure, unless it is to be ignored.
    pub(super) fn record(
        &mut self,
        details: Box<Details>,
        mechanism: Mechanism,
        status: Option<StatusCode>,
    ) -> bool {
        self.record_as(details, mechanism, status, status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// The same, for what `ignore` is to take for another status.
    pub(super) fn record_as(
        &mut self,
        mut details: Box<Details>,
        mechanism: Mechanism,
        status: Option<StatusCode>,
        asked: StatusCode,
    ) -> bool {
        if let Some(traced) = &mut self.traced {
            traced.fails(status, asked);
        }
        let Some(reporter) = self.context.reporter() else { return false };
        if details.fate.is_recorded() {
            // By the job that failed with it, or as the panic of a task: the answer has the id of that event.
            self.reported = true;
            tell_apart(&self.context, &details, true);
            return true;
        }
        if self.reported {
            return false;
        }
        if self.ignores(asked) {
            tell_apart(&self.context, &details, true);
            return false;
        }
        self.context.absorb_calls(&mut details);
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

    /// Whether somebody wants to know of an answer that is the client's mistake.
    pub(super) fn is_asked_for(&self, status: StatusCode) -> bool {
        status.is_client_error()
            && self.choices.as_ref().is_some_and(|choices| choices.reports(&self.context, status))
    }

    fn ignores(&self, status: StatusCode) -> bool {
        self.choices.as_ref().is_some_and(|choices| choices.ignores(&self.context, status))
    }
}
