//! From a failure to the sink: as a record of its own, or as one more of many.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use sentry::Hub;
use tracing::level_filters::LevelFilter;

use crate::context::{Context, Texts, hub, is_listening};
use crate::record::{
    BoxError, Cause, Details, EventId, FailedCall, FailureInfo, Kind, Mechanism, Origin, ThirdPartyClass,
    ThirdPartyPhase,
};
use crate::report::{Report, auth, chain, foreign};
use crate::reporter::{self, ErrorName, Reporter, Settings};
use crate::sink::Record;
use crate::storm::{Key, KeyOf, Offer, Verdict};

/// The example of a summary may wait for a minute. One that weighs more is kept without its context.
const MAX_EXAMPLE: usize = 32 * 1024;

/// What there is to know of a failure before a record is made of it.
pub(crate) struct Failure<'a> {
    pub(crate) details: Box<Details>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) context: &'a Context,
    /// Whether somebody was told the id, so that the log has to know it.
    pub(crate) has_answer: bool,
}

/// Hands in a failure. `record` takes what there is to know beside it, and is called only if it is needed.
pub(crate) fn submit(reporter: &Reporter, failure: Failure<'_>, record: impl FnOnce(Box<Details>) -> Record) {
    let Failure { mut details, status, context, has_answer } = failure;
    let request = context.request();
    // A panic's hook runs no code of the application: our own thread asks for it.
    if !matches!(details.cause, Cause::Panic(_)) {
        apply_rules(&mut details, context, status, &reporter.settings);
    }
    // What is answered ends its request.
    tell_apart(context, &details, status.is_some());
    let offer = || Offer {
        key: key(&details, status, context),
        id: details.id,
        urgent: details.critical || matches!(details.cause, Cause::Panic(_)),
        request,
    };
    let id = details.id;
    match reporter.sink.admission.admit(id, offer) {
        Some((Verdict::Passes, _)) => reporter.sink.accept(record(details)),
        Some((Verdict::Counted { same_as, keep }, key)) => {
            if keep {
                let example = record(read(details, &reporter.settings.error_names));
                reporter.sink.keep(key, light(example, context.surface()));
            } else {
                discard(details);
            }
            if has_answer && LevelFilter::current() >= LevelFilter::INFO {
                tell(id, same_as);
            }
        }
        None => discard(details),
    }
}

/// Makes a failure critical for which one of the application's rules says so.
pub(crate) fn apply_rules(
    details: &mut Details,
    context: &Context,
    status: Option<StatusCode>,
    settings: &Settings,
) {
    if details.critical || settings.critical.is_empty() {
        return;
    }
    auth::label(details);
    let info = FailureInfo::new(details, context, status);
    let is_critical = reporter::shielded(|| settings.critical.iter().any(|rule| rule(&info)));
    if is_critical.is_none() {
        reporter::shielded(|| {
            tracing::warn!(target: "faultwire", "a rule for critical failures panicked");
        });
    }
    details.critical = is_critical.unwrap_or(false);
}

/// Hands in a failed call of another service, which the caller may have got over.
pub(crate) fn submit_call(context: &Context, call: FailedCall, hub: impl FnOnce() -> Option<Arc<Hub>>) {
    let Some(reporter) = context.reporter() else { return };
    let FailedCall { mut details, timestamp } = call;
    details.about_third_party(|failure| {
        // Whatever its error says, it was no response.
        if failure.class == ThirdPartyClass::Other {
            (failure.phase, failure.class) = (ThirdPartyPhase::Request, ThirdPartyClass::Connection);
        }
    });
    let failure = Failure { details, status: None, context, has_answer: false };
    submit(reporter, failure, |details| Record {
        details,
        timestamp,
        mechanism: Mechanism { name: "upstream", handled: true },
        origin: context.origin().unwrap_or(Origin::Process),
        status: None,
        facts: context.facts(),
        body: context.body(),
        context: context.clone(),
        hub: hub(),
        stands_for: None,
    });
}

/// A report that is only counted: the request goes on, and what fails later shows it.
pub(crate) fn settle(context: &Context, details: &Details) {
    if details.fate.is_decided() {
        return;
    }
    if let Some(reporter) = context.reporter() {
        reporter.counters.discarded.add(1);
        if details.is_single_login() {
            // A line that says the same is none that is sent, either.
            tell_apart(context, details, true);
        }
    }
    if let Cause::Error { error, .. } = &details.cause {
        let text = match &details.subject {
            None => chain::own_text(error),
            Some(_) => reporter::shielded(|| chain::message_of(&**error)).unwrap_or_default(),
        };
        context.breadcrumb(text);
    }
}

fn key(details: &Details, status: Option<StatusCode>, context: &Context) -> Key {
    if !matches!(details.cause, Cause::Status) {
        let kind = details.kind_or_default(context.surface());
        let key = details.storm_key(kind);
        // As in the fingerprint.
        return match context.job() {
            Some(job) if kind == Kind::Job && details.added().fingerprint.is_none() => key.and(&job.name),
            _ => key,
        };
    }
    let status = status.map_or(0, |status| status.as_u16());
    let mut key = KeyOf::new().number(u64::from(status));
    if let Some(request) = context.request() {
        request.name_in_pieces(|piece| key.piece(piece));
    }
    key.end().finish()
}

/// What is logged of this failure is no failure of its own.
#[inline]
pub(crate) fn tell_apart(context: &Context, details: &Details, ends_here: bool) {
    if context.compares(ends_here)
        && let Some(texts) = texts(details)
    {
        context.reported(texts);
    }
}

/// The same of an error that somebody else keeps, at the end of what failed by it.
#[inline]
pub(crate) fn tell_apart_kept<E: fmt::Display + 'static>(context: &Context, error: &E) {
    if context.compares(true)
        && let Some(texts) = reporter::shielded(|| Texts::of(&foreign::texts_of(error)))
    {
        context.reported(texts);
    }
}

impl Report {
    /// The same of this report, before it is read: a copy of it says less.
    pub(crate) fn tell_apart(&self, context: &Context) {
        if let Some(details) = &self.0 {
            tell_apart(context, details, true);
        }
    }
}

/// Whether this failure was reported or logged in the request before. `own`: what says its error in its own words.
#[cfg_attr(not(any(feature = "axum", feature = "tonic")), expect(dead_code, reason = "no body is watched"))]
pub(crate) fn was_told(context: &Context, details: &Details, own: impl FnOnce() -> Vec<String>) -> bool {
    let Cause::Chain(links) = &details.cause else { return false };
    if !is_listening() {
        return false;
    }
    let own = reporter::shielded(own).unwrap_or_default();
    let shown = links.iter().map(|link| &*link.message);
    context.was_told(&Texts::new(own.iter().map(String::as_str).chain(shown)))
}

/// What the failure says, in its own words: nothing of them leaves.
#[cold]
fn texts(details: &Details) -> Option<Texts> {
    match &details.cause {
        Cause::Error { error, .. } => reporter::shielded(|| Texts::of(&chain::texts(&**error))),
        Cause::Chain(links) => Some(Texts::new(links.iter().map(|link| &*link.message))),
        Cause::Panic(panic) => Some(Texts::new([&*panic.message])),
        Cause::Status => None,
    }
}

/// Reads the error, so that what it holds is free again.
fn read(mut details: Box<Details>, names: &[ErrorName]) -> Box<Details> {
    auth::label(&mut details);
    if let Cause::Error { error, type_name } = &details.cause {
        let read = Cause::Chain(chain::read(&**error, Some(type_name), names));
        if let Cause::Error { error, .. } = std::mem::replace(&mut details.cause, read) {
            drop_error(error);
        }
    }
    details
}

/// The record, without what would be too much to keep.
fn light(mut record: Record, surface: Kind) -> Record {
    if record.weight() > MAX_EXAMPLE {
        let details = &mut record.details;
        details.kind = Some(details.kind_or_default(surface));
        if let Some(added) = &mut details.additions {
            added.data = Vec::new();
        }
        record.context = Context::default();
        record.facts = None;
        record.hub = None;
    }
    record
}

/// Destructors are the application's code too.
fn discard(details: Box<Details>) {
    reporter::shielded(|| drop(details));
}

fn drop_error(error: BoxError) {
    reporter::shielded(|| drop(error));
}

/// Leaves a line, so that an id that somebody was told leads to an event.
#[cold]
fn tell(id: EventId, same_as: Option<EventId>) {
    if hub::is_held() {
        return;
    }
    reporter::shielded(|| match same_as {
        Some(same_as) => {
            tracing::info!(target: "faultwire", event_id = %id, %same_as, "counted, not sent: one of many");
        }
        None => tracing::info!(target: "faultwire", event_id = %id, "counted, not sent: one of too many"),
    });
}
