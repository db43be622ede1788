//! A check-in as Sentry's protocol has it: how a monitored job is doing.

use ::sentry::ClientOptions;
use serde_json::{Map, Value, json};

use crate::record::{CheckIn, Schedule, minutes};

/// What is sent. The SDK's own type has no room for release and trace.
pub(super) fn payload(check_in: &CheckIn, options: &ClientOptions) -> Value {
    let CheckIn { id, monitor, status, duration, trace } = check_in;
    let mut payload = Map::new();
    let fixed = [
        ("check_in_id", Value::from(id.to_string())),
        ("monitor_slug", Value::from(&*monitor.slug)),
        ("status", Value::from(status.as_str())),
    ];
    let known = [
        ("environment", options.environment.as_deref().map(Value::from)),
        ("release", options.release.as_deref().map(Value::from)),
        ("duration", duration.map(|duration| Value::from(duration.as_secs_f64()))),
        ("monitor_config", monitor.schedule.as_ref().map(config)),
        ("contexts", trace.map(|(trace, span)| json!({ "trace": { "trace_id": trace, "span_id": span } }))),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
    payload.extend(fixed.into_iter().chain(known).map(|(name, value)| (name.to_owned(), value)));
    Value::Object(payload)
}

/// The monitor, which the server makes or changes by it.
fn config(schedule: &Schedule) -> Value {
    let plan = schedule.plan();
    let known = [
        ("schedule", serde_json::to_value(&plan.when).ok()),
        ("checkin_margin", plan.margin.map(Value::from)),
        ("max_runtime", plan.max_runtime.map(|max| Value::from(minutes(max)))),
        ("timezone", plan.time_zone.as_deref().map(Value::from)),
        ("failure_issue_threshold", plan.failure_threshold.map(Value::from)),
        ("recovery_threshold", plan.recovery_threshold.map(Value::from)),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(known.collect())
}
