//! What a run of a job tells: its events, and the breadcrumb that stands for an attempt that is none.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use sentry::Hub;

use crate::context::Context;
use crate::record::{Breadcrumb, Cause, Details, JobFacts, Level, Link, Mechanism, Origin, truncated};
use crate::report::submit::{Failure, submit};
use crate::report::{chain, database};
use crate::scrub::scrub_text;
use crate::sink::Record;

/// So much of an earlier attempt's message is remembered.
const MAX_MESSAGE: usize = 1024;

/// An attempt that is no event, as part of the one that will be.
pub(super) fn as_breadcrumb(job: &JobFacts, details: Details) -> Breadcrumb {
    let (type_name, message) = match details.cause {
        Cause::Chain(links) => match links.into_iter().next() {
            Some(Link { type_name, message }) => (type_name, message),
            None => (Cow::Borrowed("Error"), String::new()),
        },
        Cause::Error { error, type_name } => (Cow::Borrowed(type_name), chain::message_of(&*error)),
        Cause::Panic(panic) => (Cow::Borrowed("panic"), database::hide::debugged(panic.message)),
        Cause::Status => (Cow::Borrowed("Error"), String::new()),
    };
    let (_, name) = chain::split_path(&type_name);
    let attempt = job.attempt_text().unwrap_or_default();
    // Half a secret is none that anybody would find.
    let message = scrub_text(&message).unwrap_or(message);
    let message = format!("attempt {attempt} failed: {name}: {}", truncated(&message, MAX_MESSAGE));
    Breadcrumb::new(message).category("job").level(Level::Error).data("event_id", &details.id.to_string())
}

/// Something that is worth a look, and is no failure.
pub(super) fn submit_warning(
    context: &Context,
    hub: &Arc<Hub>,
    type_name: &'static str,
    message: String,
    outcome: &'static str,
) {
    let link = Link { type_name: Cow::Borrowed(type_name), message };
    let mut details = Box::new(Details::new(Cause::Chain(vec![link])));
    details.level = Some(Level::Warning);
    submit_failure(context, hub, details, Mechanism { name: "job", handled: true }, outcome);
}

pub(super) fn submit_failure(
    context: &Context,
    hub: &Arc<Hub>,
    mut details: Box<Details>,
    mechanism: Mechanism,
    outcome: &'static str,
) {
    let Some(reporter) = context.reporter() else { return };
    details.added_mut().tags.push((Cow::Borrowed("job.outcome"), outcome.to_owned()));
    let failure = Failure { details, status: None, context, has_answer: true };
    submit(reporter, failure, |details| Record {
        details,
        timestamp: SystemTime::now(),
        mechanism,
        origin: Origin::Job,
        status: None,
        facts: context.facts(),
        body: None,
        context: context.clone(),
        hub: Some(Arc::clone(hub)),
        stands_for: None,
    });
}
