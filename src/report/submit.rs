//! From a failure to the sink: as a record of its own, or as one more of many.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::StatusCode;
use sentry::Hub;
use tracing::level_filters::LevelFilter;

use crate::context::{Context, hub};
use crate::record::{
    BoxError, Cause, Details, EventId, FailedCall, FailureInfo, Kind, Link, Mechanism, Origin,
    ThirdPartyClass, ThirdPartyPhase,
};
use crate::report::chain;
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
    if details.recorded.load(Ordering::Relaxed) {
        return;
    }
    if let Some(reporter) = context.reporter() {
        reporter.counters.discarded.add(1);
    }
    if let Cause::Error { error, .. } = &details.cause {
        let text = match &details.subject {
            None => chain::text_of(error),
            Some(_) => chain::message_of(&**error),
        };
        context.breadcrumb(text);
    }
}

fn key(details: &Details, status: Option<StatusCode>, context: &Context) -> Key {
    if !matches!(details.cause, Cause::Status) {
        let kind = details.kind_or_default(context.surface());
        let key = details.storm_key(kind);
        // As in the fingerprint.
        return match context.job().filter(|_| kind == Kind::Job && details.fingerprint.is_none()) {
            Some(job) => key.and(&job.name),
            None => key,
        };
    }
    let status = status.map_or(0, |status| status.as_u16());
    let mut key = KeyOf::new().number(u64::from(status));
    if let Some(request) = context.request() {
        request.name_in_pieces(|piece| key.piece(piece));
    }
    key.end().finish()
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
fn light(mut record: Record, surface: Kind) -> Record {
    if record.weight() > MAX_EXAMPLE {
        let details = &mut record.details;
        details.kind = Some(details.kind_or_default(surface));
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
