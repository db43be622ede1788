//! [`FailureInfo`]: what a rule may ask of a failure, while it is still on the thread where it happened.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use http::StatusCode;

use super::{Cause, DatabaseFailure, Details, Kind, RequestSnapshot};
use crate::context::Context;

/// What [`Config::critical`](crate::Config::critical) may ask of a failure: an error, a panic, or a response of 500
/// or above that came without either.
///
/// Nothing in it is scrubbed: it is yours, before anything leaves.
pub struct FailureInfo<'a> {
    details: &'a Details,
    context: &'a Context,
    status: Option<StatusCode>,
}

impl<'a> FailureInfo<'a> {
    pub(crate) fn new(details: &'a Details, context: &'a Context, status: Option<StatusCode>) -> Self {
        Self { details, context, status }
    }

    /// What caused it, as far as that is known on its thread.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.details.kind_or_default(self.context.surface())
    }

    /// The error itself; `None` for panics, for responses without one, and for an error that somebody else keeps.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        match &self.details.cause {
            Cause::Error { error, .. } => Some(&**error),
            Cause::Chain(_) | Cause::Panic(_) | Cause::Status => None,
        }
    }

    /// What its driver said, if a database's is in the chain.
    #[must_use]
    pub fn database(&self) -> Option<&DatabaseFailure> {
        self.details.failure()
    }

    /// The full path of the outermost error's type; `panic` for a panic, and nothing for a response without either.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match &self.details.cause {
            Cause::Error { type_name, .. } => type_name,
            Cause::Chain(links) => links.first().map_or("", |link| &link.type_name),
            Cause::Panic(_) => "panic",
            Cause::Status => "",
        }
    }

    /// The text of the outermost error or of the panic.
    #[must_use]
    pub fn message(&self) -> Cow<'_, str> {
        match &self.details.cause {
            Cause::Error { error, .. } => Cow::Owned(error.to_string()),
            Cause::Chain(links) => links.first().map_or("", |link| &link.message).into(),
            Cause::Panic(panic) => Cow::Borrowed(&panic.message),
            Cause::Status => Cow::Borrowed(""),
        }
    }

    /// Whether it is a panic.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.details.cause, Cause::Panic(_))
    }

    /// The status of the response, where there is one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The name of the route: `GET /orders/{id}`. `None` outside of a request.
    #[must_use]
    pub fn route(&self) -> Option<String> {
        self.context.request().map(RequestSnapshot::name)
    }

    /// The name of the job. `None` outside of one.
    #[must_use]
    pub fn job(&self) -> Option<&str> {
        self.context.job().map(|job| &*job.name)
    }

    /// A tag that the report was given.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.details.added().tags.iter().find(|(known, _)| known == key).map(|(_, value)| &**value)
    }
}

impl fmt::Debug for FailureInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureInfo").field("details", &self.details).finish_non_exhaustive()
    }
}
