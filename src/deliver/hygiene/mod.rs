//! Brings an event into the shape that every server keeps whole.
//!
//! GlitchTip drops a field, the event, or a batch of a hundred others for one NUL byte in a tag or one
//! release that is too long; Bugsink checks Sentry's schema; Sentry cuts and replaces. None of them tells.
//! The bounds are those of Sentry's Relay unless a line says otherwise.

mod contexts;
mod fit;
mod sizes;
mod stacks;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

pub(super) use self::fit::{fit, shrunk};
use self::sizes::cut;
use self::stacks::{mend_stacks, without_symbol_hash};

use crate::record::truncated;

/// Mends what servers refuse or would change silently.
pub(super) fn mend(item: &mut Value) {
    strip_nul(item);
    let Value::Object(event) = item else { return };
    message(event);
    if let Some(Value::String(release)) = event.get_mut("release") {
        *release = mended_release(release);
    }
    if let Some(Value::String(environment)) = event.get_mut("environment") {
        *environment = mended_environment(environment);
    }
    if let Some(Value::String(dist)) = event.get_mut("dist") {
        *dist = dist.trim().replace(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)), "-");
        if dist.is_empty() {
            event.remove("dist");
        }
    }
    for field in ["transaction", "culprit"] {
        if let Some(Value::String(name)) = event.get_mut(field) {
            *name = without_symbol_hash(name).to_owned();
        }
    }
    // Check-ins have neither.
    if event.contains_key("timestamp") {
        event.insert("platform".to_owned(), "native".into());
        time(event);
        title(event);
    }
    event.remove("stacktrace");
    event.remove("template");
    tags(event);
    user(event);
    request(event);
    for exception in values_mut(event, "exception") {
        self::exception(exception);
    }
    for thread in values_mut(event, "threads") {
        mend_stacks(thread);
    }
    contexts::mend(event);
    sizes::cut_all(event);
}

/// A release that Sentry takes: up to 200 characters, no separators, none of its reserved names.
pub(crate) fn mended_release(release: &str) -> String {
    let mended = release.trim().replace(|c: char| "/\\".contains(c) || c.is_control(), "-");
    match truncated(&mended, 200) {
        reserved @ ("" | "." | "..") => format!("{reserved}_"),
        reserved if reserved.eq_ignore_ascii_case("latest") => format!("{reserved}_"),
        release => release.to_owned(),
    }
}

/// An environment that Sentry takes: up to 64 characters, no separators, not `none`.
pub(crate) fn mended_environment(environment: &str) -> String {
    let mended = environment.trim().replace(|c: char| "/\\".contains(c) || c.is_control(), "-");
    match truncated(&mended, 64) {
        reserved @ ("" | "." | "..") => format!("{reserved}_"),
        reserved if reserved.eq_ignore_ascii_case("none") => format!("{reserved}_"),
        environment => environment.to_owned(),
    }
}

/// GlitchTip loses the batch for a NUL in a tag, and PostgreSQL stores none at all.
fn strip_nul(item: &mut Value) {
    let mut pending = vec![item];
    while let Some(value) = pending.pop() {
        match value {
            Value::String(text) if text.contains('\0') => *text = text.replace('\0', ""),
            Value::Array(items) => pending.extend(items),
            Value::Object(fields) => {
                if fields.keys().any(|key| key.contains('\0')) {
                    *fields =
                        std::mem::take(fields).into_iter().map(|(k, v)| (k.replace('\0', ""), v)).collect();
                }
                pending.extend(fields.values_mut());
            }
            _ => {}
        }
    }
}

/// Sentry's schema has no top-level message, and GlitchTip formats `params` in Python, or loses the batch.
fn message(event: &mut Map<String, Value>) {
    let logentry = event.remove("logentry").unwrap_or_default();
    let text = match (logentry, event.remove("message")) {
        (Value::Object(mut entry), _) if entry.contains_key("formatted") => {
            entry.remove("formatted").unwrap_or_default()
        }
        (Value::Object(mut entry), _) => {
            let message = entry.remove("message").unwrap_or_default();
            match entry.remove("params") {
                Some(Value::Array(params)) => {
                    Value::String(filled_in(message.as_str().unwrap_or_default(), &params))
                }
                _ => message,
            }
        }
        (_, Some(message)) => message,
        (_, None) => return,
    };
    if let Value::String(text) = text {
        event.insert("logentry".to_owned(), json!({ "formatted": truncated(&text, 8_192) }));
    }
}

/// The message with its `%s` and `{}` replaced, one by one.
fn filled_in(message: &str, params: &[Value]) -> String {
    let mut out = message.to_owned();
    for param in params {
        let text = param.as_str().map_or_else(|| param.to_string(), str::to_owned);
        match out.find("%s").or_else(|| out.find("{}")) {
            Some(at) => out.replace_range(at..at.saturating_add(2), &text),
            None => {
                out.push(' ');
                out.push_str(&text);
            }
        }
    }
    out
}

/// Flat texts on one line, with keys of the characters that Relay takes, without the names it reserves.
fn tags(event: &mut Map<String, Value>) {
    let Some(Value::Object(tags)) = event.get_mut("tags") else { return };
    *tags = std::mem::take(tags)
        .into_iter()
        .filter_map(|(key, value)| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
            let key = truncated(key.trim(), 200).replace(|c| !allowed(c), "-");
            let key = if matches!(key.as_str(), "environment" | "release" | "user") {
                format!("app.{key}")
            } else {
                key
            };
            let value = value.as_str()?.trim().replace(['\n', '\r'], " ");
            let value = truncated(&value, 200).trim_end().to_owned();
            (!key.is_empty() && !value.is_empty()).then_some((key, Value::String(value)))
        })
        .collect();
}

/// Custom fields belong under `data` (GlitchTip), and nobody is to guess the address.
fn user(event: &mut Map<String, Value>) {
    let Some(Value::Object(user)) = event.get_mut("user") else { return };
    for (field, max) in [("id", 128), ("username", 128), ("email", 75)] {
        cut(user.get_mut(field), max);
    }
    if user.get("ip_address").and_then(Value::as_str) == Some("{{auto}}") {
        user.remove("ip_address");
    }
    let known = ["id", "username", "email", "ip_address"];
    let (kept, mut custom): (Map<_, _>, Map<_, _>) =
        std::mem::take(user).into_iter().partition(|(field, _)| known.contains(&field.as_str()));
    *user = kept;
    match custom.remove("data") {
        Some(Value::Object(data)) => custom.extend(data),
        Some(other) => drop(custom.insert("data".to_owned(), other)),
        None => {}
    }
    if !custom.is_empty() {
        user.insert("data".to_owned(), Value::Object(custom));
    }
}

fn request(event: &mut Map<String, Value>) {
    let Some(Value::Object(request)) = event.get_mut("request") else { return };
    if let Some(Value::String(query)) = request.get_mut("query_string") {
        *query = query.trim_start_matches('?').to_owned();
        if query.is_empty() {
            request.remove("query_string");
        }
    }
    // Relay takes `name=value` pairs only, and the scrubber leaves none of them.
    request.remove("cookies");
}

fn exception(exception: &mut Map<String, Value>) {
    cut(exception.get_mut("type"), 256);
    cut(exception.get_mut("value"), 8_192);
    cut(exception.get_mut("module"), 256);
    cut(exception.get_mut("mechanism").and_then(|mechanism| mechanism.get_mut("type")), 128);
    mend_stacks(exception);
}

/// Sentry and GlitchTip put the time of arrival in the place of what is older than 30 days or to come.
fn time(event: &mut Map<String, Value>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let taken = now - 29.0 * 24.0 * 60.0 * 60.0..=now + 50.0;
    if event.get("timestamp").and_then(Value::as_f64).is_some_and(|time| !taken.contains(&time)) {
        event.insert("timestamp".to_owned(), now.into());
    }
}

/// GlitchTip calls an event without exception and message `<untitled>`.
fn title(event: &mut Map<String, Value>) {
    let is_event = !event.contains_key("start_timestamp");
    if is_event && !event.contains_key("exception") && !event.contains_key("logentry") {
        event.insert("logentry".to_owned(), json!({ "formatted": "an event without a message" }));
    }
}

fn values_mut<'a>(
    event: &'a mut Map<String, Value>,
    field: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let values = event.get_mut(field).and_then(|field| field.get_mut("values")).and_then(Value::as_array_mut);
    values.into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(mut event: Value) -> Value {
        mend(&mut event);
        let once = event.clone();
        mend(&mut event);
        assert_eq!(event, once, "a second pass changes nothing");
        once
    }

    #[test]
    fn what_poisons_glitchtip_is_taken_out() {
        let event = mended(json!({
            "release": format!("shop\0/{}", "1".repeat(300)),
            "environment": "none",
            "tags": {"a\0 b": "x\ny", "user": "1", "empty": "", "": "x"},
            "message": "hi {}",
            "logentry": {"message": "50% off {}", "params": ["x"]},
        }));
        assert_eq!(event["release"].as_str().map(str::len), Some(200));
        assert_eq!(event["environment"], "none_");
        assert_eq!(event["tags"], json!({"a-b": "x y", "app.user": "1"}));
        assert_eq!(event["logentry"], json!({"formatted": "50% off x"}));
        assert_eq!(event.get("message"), None);
    }

    #[test]
    fn users_and_frames_keep_what_servers_keep() {
        let event = mended(json!({
            "user": {"id": "7", "plan": "pro", "ip_address": "{{auto}}"},
            "exception": {"values": [{"type": "E", "stacktrace": {"frames": [
                {"function": "shop::main::h0123456789abcdef", "vars": {"n": null, "t": true}},
            ]}}]},
        }));
        assert_eq!(event["user"], json!({"id": "7", "data": {"plan": "pro"}}));
        let frame = &event["exception"]["values"][0]["stacktrace"]["frames"][0];
        assert_eq!(frame, &json!({"function": "shop::main", "vars": {"n": "null", "t": "true"}}));
    }
}
