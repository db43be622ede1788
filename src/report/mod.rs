//! [`Report`]: the error type of a handler, and what it says about the failure.
//!
//! A report is made by `?` (or a constructor), carries the error unread, and ends in one of four ways: it
//! becomes the response of the request (the layer sends it if the status is 500 or above), it is sent by
//! [`Report::send`], it is the `Err` of a service under the layer, or it is dropped, which is counted.

mod as_error;
pub(crate) mod auth;
mod body;
pub(crate) mod build;
pub(crate) mod chain;
pub(crate) mod database;
pub(crate) mod decorate;
mod fingerprint;
pub(crate) mod foreign;
mod from;
#[cfg(feature = "tonic")]
mod grpc;
mod job;
mod links;
mod meta;
mod problem;
mod recognise;
pub(crate) mod request_id;
pub(crate) mod response;
mod result_ext;
pub(crate) mod stack;
pub(crate) mod submit;
pub(crate) mod third_party;
pub(crate) mod trace;
pub(crate) mod transaction;
pub(crate) mod user;

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::SystemTime;

use http::StatusCode;
use sentry::Hub;
use sentry::protocol::Event;

pub use self::as_error::ReportError;
pub use self::result_ext::ResultExt;
pub use crate::record::{AuthError, AuthFailure, Breadcrumb};
pub use crate::record::{DatabaseClass, DatabaseFailure, EventId, FailureInfo, Fault, Kind, Level};
pub use crate::record::{ThirdPartyClass, ThirdPartyFailure, ThirdPartyPhase};
pub(crate) use problem::problem_json;

use self::submit::{Failure, settle, submit};
use crate::context::{Context, current, hub, put, spans};
use crate::record::{
    BoxError, Cause, Details, EditEvent, MAX_SHORT, Mechanism, Origin, PanicInfo, User, short_text, to_value,
};
use crate::reporter::{self, ErrorName};
use crate::sink::Record;
use crate::stacks;

/// The name of the header that carries an event's id.
pub(crate) const EVENT_ID_HEADER: http::HeaderName = http::HeaderName::from_static("x-event-id");

/// A failure that will be reported: the error type of a handler or a job.
///
/// `?` turns any error into one, `anyhow::Error` and `eyre::Report` included, and keeps the place of the
/// `?`. As a response it is `application/problem+json` (RFC 9457) with the status, the status' title, the
/// `event_id` and the `request_id`; the error's own text never reaches the client.
///
/// # Example
/// ```
/// use faultwire::Report;
/// use http::StatusCode;
///
/// async fn order(id: u64) -> Result<String, Report> {
///     let text = std::fs::read_to_string(format!("/var/orders/{id}"))?; // 500, reported
///     if text.is_empty() {
///         return Err(Report::new("order is empty").status(StatusCode::NOT_FOUND)); // answered, not sent
///     }
///     Ok(text)
/// }
/// # drop(order(1));
/// ```
#[must_use = "a report that is dropped is only counted: return it or call `send`"]
pub struct Report(Option<Box<Details>>);

impl Report {
    /// A report of any error, or of a text. The same as `Report::from`.
    #[track_caller]
    pub fn new(error: impl Into<BoxError> + 'static) -> Self {
        Self::from(error)
    }

    /// A report of an error that somebody else keeps: its chain is read here and now.
    ///
    /// # Example
    /// ```
    /// # fn example(error: &(dyn std::error::Error + 'static)) {
    /// faultwire::Report::from_ref(error).send();
    /// # }
    /// ```
    #[track_caller]
    pub fn from_ref(error: &(dyn std::error::Error + 'static)) -> Self {
        let reporter = reporter::global();
        let names = reporter.as_ref().map_or(&[][..], |reporter| &reporter.settings.error_names);
        let mut details = Box::new(Details::of_chain(error, None, names));
        details.location = Some(Location::caller().into());
        Self::with_details(details)
    }

    fn with_details(mut details: Box<Details>) -> Self {
        stacks::take_for(&mut details);
        spans::add_current(&mut details);
        Self(Some(details))
    }

    /// The id of the event: what the response's `x-event-id` will say.
    #[must_use]
    pub fn id(&self) -> EventId {
        self.0.as_ref().map_or_else(EventId::random, |details| details.id)
    }

    /// The status of the response. Default: 500; 503 for a database that cannot be reached; 502, 503 or 504 for
    /// another service that fails (see [`third_party`](Self::third_party)). A report that answers below 500 is not sent,
    /// only counted, unless it is [`always`](Self::always) or [`critical`](Self::critical).
    pub fn status(self, status: StatusCode) -> Self {
        self.say(|details| details.answer = status)
    }

    /// A text for the client: the `detail` of the problem+json. Default: none. It is scrubbed.
    pub fn public(self, detail: impl Into<String>) -> Self {
        let detail = detail.into().into_boxed_str();
        self.say(|details| details.added_mut().public = Some(detail))
    }

    /// What caused the failure. Default: [`Kind::Auth`] if an error of a login is in the chain, [`Kind::Database`] if a
    /// database's driver is, [`Kind::ThirdParty`] if an HTTP or gRPC client is, else [`Kind::Route`] in a request, else
    /// [`Kind::Other`].
    pub fn kind(self, kind: Kind) -> Self {
        self.say(|details| details.kind = Some(kind))
    }

    /// Default: [`Level::Error`].
    pub fn level(self, level: Level) -> Self {
        self.say(|details| details.level = Some(level))
    }

    /// Somebody should get up for it: level [`Level::Fatal`], tag `error.critical`, sent whatever the status.
    pub fn critical(self) -> Self {
        self.say(|details| details.critical = true)
    }

    /// Sent even if the response is below 500.
    pub fn always(self) -> Self {
        self.say(|details| details.always = true)
    }

    /// Who was affected; wins over the user of the context.
    pub fn user(self, user: User) -> Self {
        self.say(|details| details.added_mut().user = Some(user))
    }

    /// Adds a short searchable text (up to 200 characters); wins over the context's tag of that name.
    pub fn tag(self, key: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        let (key, value) = (key.into(), short_text(value, MAX_SHORT));
        self.say(|details| {
            let added = details.added_mut();
            let kept = put(&mut added.tags, key, value);
            added.count(kept);
        })
    }

    /// Adds a value of any shape (up to 16 KiB). It is scrubbed like everything that leaves.
    pub fn data<T: serde::Serialize + ?Sized>(self, name: impl Into<Cow<'static, str>>, value: &T) -> Self {
        let (name, value) = (name.into(), to_value(value));
        self.say(|details| {
            let added = details.added_mut();
            let kept = put(&mut added.data, name, value);
            added.count(kept);
        })
    }

    /// What makes two failures one issue. Default: kind, type, message without what varies, source file.
    ///
    /// # Example
    /// ```
    /// # let report =
    /// faultwire::Report::new("tenant 7 has no shard").fingerprint(["shard-map"])
    /// # ; drop(report);
    /// ```
    pub fn fingerprint<I>(self, parts: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let parts = parts.into_iter().map(Into::into).collect();
        self.say(|details| details.added_mut().fingerprint = Some(parts))
    }

    /// Changes the finished event of the SDK, on our thread; the last word before the scrubber. The SDK's
    /// types are outside of this crate's semver promise.
    pub fn with_event<F>(self, edit: F) -> Self
    where
        F: FnOnce(&mut Event<'static>) + Send + Sync + 'static,
    {
        self.say(|details| details.added_mut().edit = Some(Box::new(edit)))
    }

    /// Sends the report now, for code that handles the failure and goes on.
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    ///
    /// if let Err(error) = std::fs::remove_file("/var/cache/stale") {
    ///     Report::new(error).send();
    /// }
    /// ```
    #[expect(clippy::must_use_candidate, reason = "called for its effect")]
    pub fn send(mut self) -> EventId {
        let id = self.id();
        if let Some(details) = self.0.take_if(|details| !details.fate.is_recorded()) {
            send(details, Mechanism { name: "report", handled: true });
        }
        id
    }

    /// The error, where the report was made of one: to decide by it whether to try again, for instance.
    ///
    /// # Example
    /// ```
    /// # use faultwire::Report;
    /// fn is_timeout(report: &Report) -> bool {
    ///     report.error().is_some_and(|error| error.is::<faultwire::job::TimedOut>())
    /// }
    /// # assert!(!is_timeout(&Report::new("no stock")));
    /// ```
    #[must_use]
    pub fn error(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.as_ref()?.cause {
            Cause::Error { error, .. } => Some(&**error),
            Cause::Chain(_) | Cause::Panic(_) | Cause::Status => None,
        }
    }

    /// What a report says, for one that can only be looked at. It counts as recorded; the copy says what it counted
    /// as before.
    pub(crate) fn copy(&self, names: &[ErrorName]) -> Option<Details> {
        let said = self.0.as_deref()?;
        let fate = said.fate.take();
        let (links, in_chain) = match &said.cause {
            Cause::Error { error, type_name } => {
                let in_chain = reporter::shielded_anyway(|| auth::in_chain(&**error)).flatten();
                (chain::read(&**error, Some(type_name), names), in_chain)
            }
            Cause::Chain(links) => (links.clone(), None),
            Cause::Panic(_) | Cause::Status => (Vec::new(), None),
        };
        let cause = match &said.cause {
            Cause::Panic(panic) => Cause::Panic(panic.clone()),
            _ => Cause::Chain(links),
        };
        let mut copy = Details {
            id: said.id,
            fate,
            location: said.location.clone(),
            backtrace: said.backtrace.clone(),
            stack: said.stack.clone(),
            kind: said.kind,
            subject: said.subject.clone(),
            level: said.level,
            critical: said.critical,
            always: said.always,
            additions: said.additions.as_ref().map(|additions| Box::new(additions.copy())),
            around: said.around.clone(),
            answer: said.answer,
            ..Details::new(cause)
        };
        if in_chain.is_some() {
            copy.subject_mut().in_chain = in_chain;
        }
        Some(copy)
    }

    /// The same for somebody who keeps the report.
    pub(crate) fn take_copy(&mut self, names: &[ErrorName]) -> Option<Box<Details>> {
        let mut copy = Box::new(self.copy(names)?);
        if let Some(edit) = self.0.as_deref_mut().and_then(|said| said.additions.as_mut()?.edit.take()) {
            copy.added_mut().edit = Some(edit);
        }
        Some(copy)
    }

    /// The copy made no event: whoever meets the report next decides anew.
    pub(crate) fn hold_back(&self) {
        if let Some(details) = &self.0 {
            details.fate.hold_back();
        }
    }

    /// Gives back the last word on the event that a copy took along.
    pub(crate) fn edited_by(self, edit: Option<EditEvent>) -> Self {
        self.say(|details| {
            if edit.is_some() {
                details.added_mut().edit = edit;
            }
        })
    }

    pub(crate) fn of_panic(panic: Box<PanicInfo>) -> Self {
        Self(Some(Box::new(Details::new(Cause::Panic(panic)))))
    }

    /// Says where it happened, for an error that did not know.
    pub(crate) fn made_at(self, place: &'static Location<'static>) -> Self {
        self.say(|details| {
            details.location = Some(place.into());
            // It was that of another place.
            details.likeness = None;
        })
    }

    fn say(mut self, say: impl FnOnce(&mut Details)) -> Self {
        if let Some(details) = self.0.as_deref_mut() {
            say(details);
        }
        self
    }
}

/// Sends what happened in the running request or task, or in no one's.
fn send(details: Box<Details>, mechanism: Mechanism) {
    send_from(None, details, mechanism, || Some(hub::current_copy()));
}

/// The same for a panic's hook, which may run while the SDK's locks are held and so brings no hub.
pub(crate) fn send_panic(origin: Origin, details: Box<Details>, mechanism: Mechanism) {
    send_from(Some(origin), details, mechanism, || None);
}

fn send_from(
    origin: Option<Origin>,
    mut details: Box<Details>,
    mechanism: Mechanism,
    hub: impl FnOnce() -> Option<Arc<Hub>>,
) {
    let mut context = current();
    if context.reporter().is_none() {
        let Some(reporter) = reporter::global() else { return };
        context = Context::for_process(reporter, Origin::Process);
    }
    let Some(reporter) = context.reporter() else { return };
    auth::note(reporter, context.request(), &details);
    if details.is_single_login() {
        return settle(&context, &details);
    }
    let is_failure = details.level.is_none_or(|level| matches!(level, Level::Error | Level::Fatal));
    if is_failure || details.critical {
        context.tell(details.id, matches!(details.cause, Cause::Panic(_)));
    }
    context.absorb_calls(&mut details);
    let failure = Failure { details, status: None, context: &context, has_answer: origin.is_none() };
    submit(reporter, failure, |details| Record {
        details,
        timestamp: SystemTime::now(),
        mechanism,
        origin: origin.or(context.origin()).unwrap_or(Origin::Process),
        status: None,
        facts: context.facts(),
        body: context.body(),
        context: context.clone(),
        hub: hub(),
        stands_for: None,
    });
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_ref().map(|details| &details.cause) {
            Some(Cause::Error { error, .. }) => fmt::Display::fmt(error, f),
            Some(Cause::Chain(links)) => f.write_str(links.first().map_or("", |link| &link.message)),
            Some(Cause::Panic(panic)) => f.write_str(&panic.message),
            Some(Cause::Status) | None => f.write_str("failure"),
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = self.0.as_ref();
        f.debug_struct("Report")
            .field("cause", &details.map(|details| &details.cause))
            .field("status", &details.map(|details| details.answer))
            .field("id", &details.map(|details| details.id))
            .finish_non_exhaustive()
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if self.0.take().is_some_and(|details| !details.fate.is_decided())
            && let Some(reporter) = reporter::global()
        {
            reporter.counters.discarded.add(1);
        }
    }
}
