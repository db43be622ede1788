//! What an event shows of the job in which it happened.

use std::time::{Duration, SystemTime};

use sentry::protocol::{Context as SdkContext, Event};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::record::{JobArgs, JobFacts, MAX_ARGS, truncated};
use crate::scrub::scrub_body;

/// The name of the context.
const NAME: &str = "job";

/// Names the event after its job, and shows which run it was. What is there already stays.
pub(super) fn show(event: &mut Event<'static>, job: &JobFacts, now: SystemTime) {
    event.transaction.get_or_insert_with(|| job.name.clone().into_owned());
    let tags = [
        ("job.name", Some(job.name.clone().into_owned())),
        ("job.attempt", job.attempt_text()),
        ("messaging.destination.name", job.queue.clone()),
        ("messaging.message.id", job.id.clone()),
    ];
    for (name, value) in tags {
        if let Some(value) = value {
            event.tags.entry(name.to_owned()).or_insert(value);
        }
    }
    let seconds = |time: Duration| Value::from(time.as_secs_f64());
    let time = |at: SystemTime| Value::from(OffsetDateTime::from(at).format(&Rfc3339).unwrap_or_default());
    let ran_for = now.duration_since(job.began).ok();
    let shown = [
        ("name", Some(Value::from(&*job.name))),
        ("queue", job.queue.as_deref().map(Value::from)),
        ("id", job.id.as_deref().map(Value::from)),
        ("attempt", job.attempt().map(Value::from)),
        ("max_attempts", job.max_attempts.map(Value::from)),
        ("waited_seconds", job.latency.map(seconds)),
        ("began", Some(time(job.began))),
        ("ran_seconds", ran_for.map(seconds)),
        ("timeout_seconds", job.timeout.map(seconds)),
        ("next_retry", job.next_retry.map(time)),
        ("args", job.args.as_ref().map(args)),
    ];
    let shown: Map<_, _> =
        shown.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let shown = SdkContext::Other(shown.into_iter().collect());
    event.contexts.entry(NAME.to_owned()).or_insert(shown);
}

/// Scrubbed like a body of JSON; one that is cut stays a text.
fn args(args: &JobArgs) -> Value {
    let text = scrub_body(Some("application/json"), &args.json, args.is_cut);
    match serde_json::from_str(&text) {
        Ok(value) if !args.is_cut => value,
        _ => Value::from(truncated(&text, MAX_ARGS)),
    }
}
