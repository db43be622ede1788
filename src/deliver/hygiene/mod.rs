//! Brings an event into the shape that every server keeps whole.
//!
//! GlitchTip drops a field, the event, or a batch of a hundred others for one NUL byte in a tag or one
//! release that is too long; Bugsink checks Sentry's schema; Sentry cuts and replaces. None of them tells.
//! The bounds are those of Sentry's Relay unless a line says otherwise.

mod contexts;
mod fit;
mod sizes;
mod stacks;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) use self::fit::{payload, shrunk};
use self::sizes::cut;
use self::stacks::{mend_stacks, without_symbol_hash};

use crate::deliver::json::{Fields, Json};
use crate::record::truncated;

/// Mends what servers refuse or would change silently. What needs no mending stays as it is, to the byte.
pub(super) fn mend(item: &mut Json<'_>) {
    strip_nul(item);
    let Json::Object(event) = item else { return };
    message(event);
    if let Some(Json::Text(release)) = event.get_mut("release") {
        *release = mended_release(release).into();
    }
    if let Some(Json::Text(environment)) = event.get_mut("environment") {
        *environment = mended_environment(environment).into();
    }
    if let Some(Json::Text(dist)) = event.get_mut("dist") {
        let other = |c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c));
        *dist = dist.trim().replace(other, "-").into();
        if dist.is_empty() {
            event.remove("dist");
        }
    }
    for field in ["transaction", "culprit"] {
        if let Some(Json::Text(name)) = event.get_mut(field) {
            shorten(name, without_symbol_hash);
        }
    }
    // Check-ins have neither.
    if event.contains("timestamp") {
        event.insert("platform", Json::text("native"));
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
fn strip_nul(item: &mut Json<'_>) {
    let mut pending = vec![item];
    while let Some(value) = pending.pop() {
        match value {
            Json::Text(text) if text.contains('\0') => *text = text.replace('\0', "").into(),
            Json::Array(items) => pending.extend(items),
            Json::Object(fields) => {
                if fields.iter().any(|(key, _)| key.contains('\0')) {
                    fields.change(|key, _| {
                        *key = key.replace('\0', "").into();
                        true
                    });
                }
                pending.extend(fields.values_mut());
            }
            _ => {}
        }
    }
}

/// Sentry's schema has no top-level message, and GlitchTip formats `params` in Python, or loses the batch.
fn message(event: &mut Fields<'_>) {
    let message = event.remove("message");
    let text = match event.get_mut("logentry") {
        Some(Json::Object(entry)) => match entry.remove("formatted") {
            Some(formatted) => formatted,
            None => {
                let message = entry.remove("message").unwrap_or_default();
                match entry.remove("params") {
                    Some(Json::Array(params)) => {
                        Json::text(filled_in(message.as_str().unwrap_or_default(), &params))
                    }
                    _ => message,
                }
            }
        },
        _ => match message {
            Some(message) => message,
            None => return drop(event.remove("logentry")),
        },
    };
    match text {
        Json::Text(mut text) => {
            shorten(&mut text, |text| truncated(text, 8_192));
            event.insert("logentry", Json::Object(Fields::from([("formatted", Json::Text(text))])));
        }
        _ => drop(event.remove("logentry")),
    }
}

/// The message with its `%s` and `{}` replaced, one by one.
fn filled_in(message: &str, params: &[Json<'_>]) -> String {
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
fn tags(event: &mut Fields<'_>) {
    let Some(Json::Object(tags)) = event.get_mut("tags") else { return };
    tags.change(|key, value| {
        shorten(key, |key| truncated(key.trim(), 200));
        let is_other = |c: char| !(c.is_ascii_alphanumeric() || "_.:-".contains(c));
        if key.contains(is_other) {
            *key = key.replace(is_other, "-").into();
        }
        if matches!(&**key, "environment" | "release" | "user") {
            *key = format!("app.{key}").into();
        }
        let Json::Text(value) = value else { return false };
        shorten(value, str::trim);
        if value.contains(['\n', '\r']) {
            *value = value.replace(['\n', '\r'], " ").into();
        }
        shorten(value, |value| truncated(value, 200).trim_end());
        !key.is_empty() && !value.is_empty()
    });
}

/// Custom fields belong under `data` (GlitchTip), and nobody is to guess the address.
fn user(event: &mut Fields<'_>) {
    let Some(Json::Object(user)) = event.get_mut("user") else { return };
    for (field, max) in [("id", 128), ("username", 128), ("email", 75)] {
        cut(user.get_mut(field), max);
    }
    // `{{auto}}` among them.
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    if user.get("ip_address").is_some_and(|address| !address.as_str().is_some_and(is_address)) {
        user.remove("ip_address");
    }
    let is_kept = |field: &str| ["id", "username", "email", "ip_address", "data"].contains(&field);
    let mut custom = user.split_off(is_kept);
    match user.get_mut("data") {
        Some(Json::Object(data)) if !custom.is_empty() => {
            custom.extend(std::mem::take(data));
            *data = custom;
        }
        Some(Json::Object(data)) if data.is_empty() => drop(user.remove("data")),
        Some(Json::Object(_)) => {}
        Some(other) => {
            custom.insert("data", std::mem::take(other));
            *other = Json::Object(custom);
        }
        None if !custom.is_empty() => user.insert("data", Json::Object(custom)),
        None => {}
    }
}

fn request(event: &mut Fields<'_>) {
    let Some(Json::Object(request)) = event.get_mut("request") else { return };
    if let Some(Json::Text(query)) = request.get_mut("query_string") {
        shorten(query, |query| query.trim_start_matches('?'));
        if query.is_empty() {
            request.remove("query_string");
        }
    }
    // Relay takes it for the user's address.
    if let Some(Json::Object(variables)) = request.get_mut("env") {
        variables.remove("REMOTE_ADDR");
    }
    // Relay takes `name=value` pairs only, and the scrubber leaves none of them.
    request.remove("cookies");
}

fn exception(exception: &mut Fields<'_>) {
    cut(exception.get_mut("type"), 256);
    cut(exception.get_mut("value"), 8_192);
    cut(exception.get_mut("module"), 256);
    cut(exception.get_mut("mechanism").and_then(|mechanism| mechanism.get_mut("type")), 128);
    mend_stacks(exception);
}

/// Sentry and GlitchTip put the time of arrival in the place of what is older than 30 days or to come.
fn time(event: &mut Fields<'_>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let taken = now - 29.0 * 24.0 * 60.0 * 60.0..=now + 50.0;
    if event.get("timestamp").and_then(Json::as_f64).is_some_and(|time| !taken.contains(&time)) {
        event.insert("timestamp", Json::number(now));
    }
}

/// GlitchTip calls an event without exception and message `<untitled>`.
fn title(event: &mut Fields<'_>) {
    let is_event = !event.contains("start_timestamp");
    if is_event && !event.contains("exception") && !event.contains("logentry") {
        let text = Json::text("an event without a message");
        event.insert("logentry", Json::Object(Fields::from([("formatted", text)])));
    }
}

/// A part of the text in its place; without copying where it borrows.
fn shorten(text: &mut Cow<'_, str>, part: impl FnOnce(&str) -> &str) {
    match text {
        Cow::Borrowed(text) => *text = part(text),
        Cow::Owned(text) => {
            let part = part(text);
            if part.len() < text.len() {
                *text = part.to_owned();
            }
        }
    }
}

fn values_mut<'e, 'a>(
    event: &'e mut Fields<'a>,
    field: &str,
) -> impl Iterator<Item = &'e mut Fields<'a>> + use<'e, 'a> {
    let values = event.get_mut(field).and_then(|field| field.get_mut("values")).and_then(Json::as_array_mut);
    values.into_iter().flatten().filter_map(Json::as_object_mut)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn mended(event: Value) -> Value {
        let mut event = Json::from(event);
        mend(&mut event);
        let once = event.clone();
        mend(&mut event);
        assert_eq!(event, once, "a second pass changes nothing");
        once.to_value()
    }

    /// So that what passes the gate is not looked at a second time.
    #[test]
    fn what_every_server_keeps_stays_as_it_was_to_the_byte() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let event = r#"{"event_id":"6a018c947fe243ae8716ae4f40d86000","fingerprint":["route","shop::OrderError"],
            "transaction":"POST /orders/{id}","platform":"native","timestamp":NOW.822578,"server_name":"vm",
            "release":"shop@1.2.3","environment":"production","user":{"id":"4711","data":{"plan":"pro"}},
            "request":{"url":"http://shop.example.com/orders/42","data":"{\"order\":42}\n","query_string":"expand=items"},
            "contexts":{"rust":{"type":"runtime","name":"rustc","raw_description":"rustc 1.95.0 (stable)"},
            "trace":{"span_id":"1d93e2061d67cff0","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}},
            "breadcrumbs":{"values":[{"timestamp":NOW.8225715,"message":"the order was stored"}]},
            "exception":{"values":[{"type":"OrderError","value":"no stock","stacktrace":{"frames":[
            {"function":"shop::main","filename":"src/main.rs","lineno":101,"in_app":true}]},
            "mechanism":{"type":"report","handled":true}}]},"tags":{"region":"eu-central-1"},"extra":{"n":1.10e2}}"#;
        let event: String = event.lines().map(str::trim_start).collect();
        let event = event.replace("NOW", &now.to_string());
        let mut read = crate::deliver::json::read(event.as_bytes()).unwrap();
        mend(&mut read);
        assert_eq!(read.to_string(), event);
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
    fn no_server_is_left_to_guess_an_address() {
        for (given, kept) in [
            (json!("{{auto}}"), None),
            (json!(" {{auto}} "), None),
            (json!(""), None),
            (json!(null), None),
            (json!(["198.51.100.7"]), None),
            (json!("198.51.100.7"), Some("198.51.100.7")),
            (json!("2001:db8::7"), Some("2001:db8::7")),
        ] {
            let event = mended(json!({
                "user": {"ip_address": given},
                "request": {"env": {"REMOTE_ADDR": "198.51.100.9", "SERVER_NAME": "web-1"}},
            }));
            assert_eq!(event["user"].get("ip_address").and_then(Value::as_str), kept, "{given}");
            assert_eq!(event["request"]["env"], json!({"SERVER_NAME": "web-1"}));
        }
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
