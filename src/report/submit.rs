//! From a failure to the sink: as a record of its own, or as one more of many.

use http::StatusCode;
use tracing::level_filters::LevelFilter;

use crate::context::{Context, Texts, is_listening};
use crate::record::{BoxError, Cause, Details, EventId, Link, RequestSnapshot};
use crate::report::chain;
use crate::reporter::{self, ErrorName, Reporter};
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
    let Failure { details, status, context, has_answer } = failure;
    let request = context.request();
    // What is answered ends its request.
    tell_apart(context, &details, status.is_some(), &reporter.settings.error_names);
    let offer = || Offer {
        key: key(&details, status, request),
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
                reporter.sink.keep(key, light(example, request.is_some()));
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

fn key(details: &Details, status: Option<StatusCode>, request: Option<&RequestSnapshot>) -> Key {
    if !matches!(details.cause, Cause::Status) {
        return details.storm_key(details.kind_or_default(request.is_some()));
    }
    let status = status.map_or(0, |status| status.as_u16());
    let mut key = KeyOf::new().number(u64::from(status));
    if let Some(request) = request {
        request.name_in_pieces(|piece| key.piece(piece));
    }
    key.end().finish()
}

/// What is logged of this failure is no failure of its own.
#[inline]
pub(crate) fn tell_apart(context: &Context, details: &Details, ends_here: bool, names: &[ErrorName]) {
    if context.compares(ends_here)
        && let Some(texts) = texts(details, names)
    {
        context.reported(texts);
    }
}

/// Whether this failure was reported or logged in the request before.
#[cfg_attr(not(any(feature = "axum", feature = "tonic")), expect(dead_code, reason = "no body is watched"))]
pub(crate) fn was_told(context: &Context, details: &Details, names: &[ErrorName]) -> bool {
    is_listening() && texts(details, names).is_some_and(|texts| context.was_told(&texts))
}

/// What the failure says.
#[cold]
fn texts(details: &Details, names: &[ErrorName]) -> Option<Texts> {
    let of_links = |links: &[Link]| Texts::new(links.iter().map(|link| &*link.message));
    match &details.cause {
        Cause::Error { error, .. } => reporter::shielded(|| of_links(&chain::links(&**error, None, names))),
        Cause::Chain(links) => Some(of_links(links)),
        Cause::Panic(panic) => Some(Texts::new([&*panic.message])),
        Cause::Status => None,
    }
}

/// Reads the error, so that what it holds is free again.
fn read(mut details: Box<Details>, names: &[ErrorName]) -> Box<Details> {
    if let Cause::Error { error, type_name } = &details.cause {
        let type_name = *type_name;
        let links = reporter::shielded(|| chain::links(&**error, Some(type_name), names));
        let unreadable = || vec![Link { type_name: type_name.into(), message: String::new() }];
        let read = Cause::Chain(links.unwrap_or_else(unreadable));
        if let Cause::Error { error, .. } = std::mem::replace(&mut details.cause, read) {
            drop_error(error);
        }
    }
    details
}

/// The record, without what would be too much to keep.
fn light(mut record: Record, in_request: bool) -> Record {
    if record.weight() > MAX_EXAMPLE {
        let details = &mut record.details;
        details.kind = Some(details.kind_or_default(in_request));
        details.data = Vec::new();
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
    reporter::shielded(|| match same_as {
        Some(same_as) => {
            tracing::info!(target: "faultwire", event_id = %id, %same_as, "counted, not sent: one of many");
        }
        None => tracing::info!(target: "faultwire", event_id = %id, "counted, not sent: one of too many"),
    });
}
