//! One example for each rule: a good envelope, broken in one place, breaks exactly that rule.

use serde_json::{Value, json};

use super::super::envelope::Envelope;
use super::super::rules;
use super::super::time;
use super::{envelope, framed, good_event, good_header};

/// What the rules say about an envelope that arrived.
fn violations(envelope: &[u8]) -> Vec<String> {
    match Envelope::parse(envelope) {
        Ok(envelope) => [rules::header(&envelope), rules::items(&envelope)].concat(),
        Err(why) => vec![why],
    }
}

#[track_caller]
fn assert_only(envelope: &[u8], expected: &str) {
    let found = violations(envelope);
    assert!(
        found.len() == 1 && found[0].contains(expected),
        "expected only {expected:?}, but found {found:#?}"
    );
}

/// Sets the field at a JSON pointer, or takes it away if the new value is [`REMOVED`].
fn set(value: &mut Value, pointer: &str, new: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) if new == json!(REMOVED) => drop(fields.remove(name)),
        Some(Value::Object(fields)) => drop(fields.insert(name.to_owned(), new)),
        Some(Value::Array(values)) => values[name.parse::<usize>().expect("an index")] = new,
        _ => panic!("nothing at {parent}"),
    }
}

fn changed(mut value: Value, pointer: &str, new: Value) -> Value {
    set(&mut value, pointer, new);
    value
}

const REMOVED: &str = "<removed>";
const EXCEPTION: &str = "/exception/values/0";
const FRAME: &str = "/exception/values/0/stacktrace/frames/0";
const CRUMB: &str = "/breadcrumbs/values/0";

/// Where a good event is changed, into what, and the beginning of the violation that this must give.
#[rustfmt::skip]
fn bad_events() -> Vec<(String, Value, &'static str)> {
    let below = |parent: &str, name: &str| format!("{parent}/{name}");
    let top = |name: &str| format!("/{name}");
    let hash = "pay::h0123456789abcdef";
    vec![
        (top("platform"), json!("rust"), "must have a `platform`"),
        (top("platform"), json!("other"), "must have a `platform`"),
        (top("platform"), json!(REMOVED), "must have a `platform`"),
        (top("timestamp"), json!(time::now() - 31.0 * 86_400.0), "must have a `timestamp`"),
        (top("timestamp"), json!(time::now() + 90.0), "must have a `timestamp`"),
        (top("timestamp"), json!("yesterday"), "must have a `timestamp`"),
        (top("message"), json!("failed"), "must have `logentry.formatted` and no `message`"),
        (top("stacktrace"), json!({ "frames": [] }), "must have only fields of Sentry's protocol"),
        (top("release"), json!("feature/x"), "`release` must be a text without slashes"),
        (top("release"), json!("Latest"), "`release` must be a text without slashes"),
        (top("release"), json!({}), "`release` must be a text without slashes"),
        (top("environment"), json!("none"), "`environment` must be a text without slash"),
        (top("environment"), json!("a/b"), "`environment` must be a text without slash"),
        (top("dist"), json!("a b"), "`dist` must consist of"),
        (top("level"), json!("warn"), "`level` must be debug"),
        (top("level"), json!(true), "`level` must be debug"),
        (top("logger"), json!({}), "`logger` must be a text"),
        (top("tags"), json!([["a", "b"]]), "`tags` must be an object"),
        (below("/tags", "a"), json!(""), "`tags.a` must be a non-empty text"),
        (below("/tags", "a"), Value::Null, "`tags.a` must be a non-empty text"),
        (below("/tags", "a"), json!({}), "`tags.a` must be a non-empty text"),
        (below("/tags", "a"), json!("two\nlines"), "`tags.a` must be a non-empty text"),
        (below("/tags", "a b"), json!("x"), "`tags` must have keys of ASCII"),
        (below("/tags", ""), json!("x"), "`tags` must have keys of ASCII"),
        (below("/tags", "user"), json!("x"), "`tags` must not be named environment"),
        (top("fingerprint"), json!("payment"), "`fingerprint` must be a list"),
        (top("fingerprint"), json!([true]), "`fingerprint` must be a list"),
        (top("fingerprint"), json!(["{{default}}"]), "`fingerprint[0]` must be written"),
        (top("logentry"), json!("failed"), "`logentry` must be an object with `formatted`"),
        (below("/logentry", "params"), json!(["x"]), "`logentry` must be an object with `formatted`"),
        (top("culprit"), json!(hash), "`culprit` must not end"),
        (top("transaction"), json!(hash), "`transaction` must be a text"),
        (below("/sdk", "version"), json!(REMOVED), "`sdk` must have name and version"),
        (below("/sdk", "settings"), json!({}), "`sdk` must have no `settings`"),
        (top("extra"), json!([]), "`extra` must be an object"),
        (top("modules"), json!({ "axum": 8 }), "`modules` must be an object of texts"),
        (top("debug_meta"), json!([]), "`debug_meta` must be an object"),
        (top("exception"), json!({ "type": "T" }), "`exception` must be a list"),
        (top("exception"), json!({ "values": [] }), "`exception` must be a list"),
        (below("/exception/values", "0"), json!({ "module": "m" }), "`exception[0]` must have a type or a value"),
        (below(EXCEPTION, "value"), json!({}), "`exception[0].value` must be the message"),
        (below(EXCEPTION, "type"), json!(hash), "`exception[0].type` must be a type's name"),
        (below(EXCEPTION, "thread_id"), json!(true), "`exception[0].thread_id` must be a number"),
        (below(EXCEPTION, "mechanism"), json!({ "handled": true }), "`exception[0].mechanism` must be an object with `type`"),
        (below(EXCEPTION, "mechanism"), json!({ "type": "t", "own": 1 }), "`exception[0].mechanism` must have only"),
        (below(EXCEPTION, "stacktrace"), json!({}), "`exception[0].stacktrace` must have `frames`"),
        (below(EXCEPTION, "stacktrace"), json!({ "frames": vec![json!({}); 251] }), "`exception[0].stacktrace` must have `frames`"),
        (below(EXCEPTION, "stacktrace"), json!({ "frames": vec![json!({ "vars": {} }); 51] }), "must have variables on at most 50"),
        (below(EXCEPTION, "stacktrace/frames/0"), Value::Null, "`exception[0].stacktrace.frames[0]` must be an object"),
        (below(FRAME, "own"), json!(1), "`exception[0].stacktrace.frames[0]` must have only"),
        (below(FRAME, "lineno"), json!("42"), "`exception[0].stacktrace.frames[0]` must have integers"),
        (below(FRAME, "colno"), json!(1.5), "`exception[0].stacktrace.frames[0]` must have integers"),
        (below(FRAME, "vars"), json!({ "a": 1 }), "`exception[0].stacktrace.frames[0].vars` must be an object of texts"),
        (below(FRAME, "vars"), json!({ "a": null }), "`exception[0].stacktrace.frames[0].vars` must be an object of texts"),
        (below(FRAME, "function"), json!(hash), "`exception[0].stacktrace.frames[0].function` must be a function's name"),
        (below(FRAME, "filename"), json!("http://[oops"), "`exception[0].stacktrace.frames[0].filename` must be a path"),
        (below(EXCEPTION, "raw_stacktrace"), json!({ "frames": [] }), "`exception[0]` must have no `raw_stacktrace`"),
        (below(EXCEPTION, "stacktrace/frames_omitted"), json!([1, 2]), "`exception[0].stacktrace` must have no `frames_omitted`"),
        ("/threads/values/0/stacktrace/frames/0/lineno".to_owned(), json!("1"), "`threads[0].stacktrace.frames[0]` must have integers"),
        (top("breadcrumbs"), json!("none"), "`breadcrumbs` must be a list"),
        (below(CRUMB, "own"), json!(1), "`breadcrumbs[0]` must have only"),
        (below(CRUMB, "timestamp"), json!("12:00"), "`breadcrumbs[0].timestamp` must be RFC 3339"),
        (below(CRUMB, "timestamp"), json!(1e18), "`breadcrumbs[0].timestamp` must be RFC 3339"),
        (below(CRUMB, "data"), json!([]), "`breadcrumbs[0].data` must be an object"),
        (below(CRUMB, "message"), json!(1), "`breadcrumbs[0].message` must be a breadcrumb's text"),
        (below(CRUMB, "level"), json!("critical"), "`breadcrumbs[0].level` must be one of"),
        (below("/request", "own"), json!(1), "`request` must have only"),
        (below("/request", "headers"), json!({ "a": ["b"] }), "`request.headers` must be an object of texts"),
        (below("/request", "query_string"), json!("?a=b"), "`request.query_string` must be a text"),
        (below("/request", "query_string"), json!({ "a": ["b"] }), "`request.query_string` must be a text"),
        (below("/request", "cookies"), json!({ "a": true }), "`request.cookies` must be an object of texts"),
        (below("/request", "cookies"), json!("a=[Filtered]"), "`request.cookies` must be an object of texts"),
        (below("/request", "env"), json!([]), "`request.env` must be an object"),
        (below("/request", "body_size"), json!("13"), "`request.body_size` must be an integer"),
        (below("/user", "name"), json!("Ann"), "`user` must have only id"),
        (below("/user", "id"), json!(true), "`user` must have texts"),
        (below("/user", "ip_address"), json!("{{auto}}"), "`user.ip_address` must be an IP"),
        (below("/user", "data"), json!([]), "`user.data` must be an object"),
        (top("contexts"), json!([]), "`contexts` must be an object"),
        (below("/contexts", "payment"), json!("bank"), "`contexts.payment` must be an object"),
        (below("/contexts", "response"), json!({ "status_code": 500, "body_size": 3 }), "`contexts` must put into"),
        (below("/contexts", "rust"), json!({ "type": "runtime", "channel": "stable" }), "`contexts` must put into"),
        (below("/contexts/trace", "span_id"), json!("0"), "`contexts.trace` must have a trace_id"),
        (below("/contexts/trace", "parent_span_id"), json!("0"), "`contexts.trace` must have a trace_id"),
        (top("release"), json!("a\0b"), "`release` must have no NUL"),
        (below("/extra/order", "a\0b"), json!(1), "`extra.order` must have no NUL"),
        (top("event_id"), json!("another"), "must have the same `event_id`"),
        (below("/tags", &"k".repeat(201)), json!("v"), "must have at most 200 characters"),
    ]
}

#[test]
fn a_good_event_breaks_no_rule() {
    assert_eq!(violations(&envelope(&good_event())), Vec::<String>::new());
}

#[test]
fn a_bad_field_breaks_its_rule_only() {
    for (pointer, new, expected) in bad_events() {
        assert_only(&envelope(&changed(good_event(), &pointer, new)), expected);
    }
}

#[test]
fn an_event_says_something() {
    let mut event = changed(good_event(), "/exception", json!(REMOVED));
    assert_eq!(violations(&envelope(&event)), Vec::<String>::new());
    set(&mut event, "/logentry", json!(REMOVED));
    assert_only(&envelope(&event), "must have an exception or a logentry");
}

#[test]
fn every_length_is_kept_exactly() {
    for &(path, limit) in rules::LENGTHS {
        let pointer = pointer(path);
        let text = |length| {
            let text = "x".repeat(length);
            let whole = ["request.headers", "breadcrumbs[].data", "contexts.*"].contains(&path)
                || path.ends_with("vars");
            if whole { json!({ "a": text }) } else { json!(text) }
        };
        let at_limit = changed(good_event(), &pointer, text(limit));
        assert_eq!(violations(&envelope(&at_limit)), Vec::<String>::new(), "{path} at its limit");
        let beyond = changed(good_event(), &pointer, text(limit + 1));
        assert_only(&envelope(&beyond), &format!("must have at most {limit} characters"));
    }
}

#[test]
fn every_depth_is_kept_exactly() {
    let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!({ "k": inner }));
    for &(path, limit) in rules::DEPTHS {
        let pointer = pointer(path);
        let at_limit = changed(good_event(), &pointer, nested(limit));
        assert_eq!(violations(&envelope(&at_limit)), Vec::<String>::new(), "{path} at its limit");
        let beyond = changed(good_event(), &pointer, nested(limit + 1));
        assert_only(&envelope(&beyond), &format!("must have at most {limit} levels"));
    }
}

/// Where in the good event a path of the limits leads.
fn pointer(path: &str) -> String {
    let lists = path.replace("stacktrace.frames[]", "stacktrace.frames.0").replace("[]", ".values.0");
    format!("/{}", lists.replace('*', "payment").replace('.', "/"))
}

#[test]
fn a_lone_surrogate_is_not_json() {
    let event = good_event().to_string().replace("card refused", r"card \ud800 refused");
    assert!(violations(&framed(&good_header(), "event", &event))[0].contains("lone surrogates"));
}

#[test]
fn headers_of_envelopes_and_items() {
    let event = good_event().to_string();
    for (pointer, new, expected) in [
        ("/sent_at", json!("today"), "must name `sent_at`"),
        ("/sdk", json!({ "name": "faultwire" }), "must name `sdk`"),
        ("/dsn", json!("http://key:secret@localhost/1"), "`dsn` must be a DSN without its secret"),
        ("/event_id", json!(REMOVED), "must have the same `event_id`"),
    ] {
        assert_only(&framed(&changed(good_header(), pointer, new), "event", &event), expected);
    }
    assert_only(b"[]\n", "the envelope's header must be JSON: not an object");
    let header = good_header();
    let length = event.len();
    assert_only(format!("{header}\n{{\"type\":\"event\"}}\n{event}\n\n").as_bytes(), "no empty line");
    for (item, expected) in [
        ("nonsense".to_owned(), "an item's header must be JSON"),
        (r#"{"type":"event","length":"all"}"#.to_owned(), "`length` must be a number"),
        (r#"{"type":"feedback"}"#.to_owned(), "must name a known `type`"),
        (r#"{"length":2}"#.to_owned(), "an item's length must be right: its payload goes on"),
        (format!(r#"{{"type":"event","length":{}}}"#, length + 2), "an item's length must be right: only"),
    ] {
        assert_only(format!("{header}\n{item}\n{event}\n").as_bytes(), expected);
    }
    let twice = [envelope(&good_event()), b"{\"type\":\"session\"}\n{}\n".to_vec()].concat();
    assert_only(&twice, "an envelope must hold one item, not 2");
}

#[test]
fn other_items_have_their_own_rules() {
    let transaction = changed(good_event(), "/contexts", json!({}));
    assert_only(
        &framed(&good_header(), "transaction", &transaction.to_string()),
        "the transaction must have a `contexts.trace`",
    );
    let schedule = json!({ "schedule": { "type": "interval", "value": 5, "unit": "minute" } });
    let good = json!({
        "monitor_slug": "nightly", "check_in_id": "0af7651916cd43dd8448eb211c80319c", "status": "ok",
        "duration": 0.5, "monitor_config": schedule,
    });
    for (pointer, bad, expected) in [
        ("/monitor_slug", json!("s".repeat(51)), "`monitor_slug` must be a slug"),
        ("/monitor_slug", json!("Nightly run"), "`monitor_slug` must be a slug"),
        ("/check_in_id", json!("7"), "must have a `check_in_id`"),
        ("/status", json!("fine"), "must have a known `status`"),
        ("/duration", json!("5 s"), "must be seconds"),
        ("/monitor_config/schedule/unit", json!("second"), "must have a `schedule`"),
        ("/monitor_config/schedule", json!({ "type": "crontab" }), "must have a `schedule`"),
        ("/monitor_config/max_runtime", json!(0.5), "must count in whole minutes"),
    ] {
        let check_in = changed(good.clone(), pointer, bad).to_string();
        assert_only(&framed(&good_header(), "check_in", &check_in), expected);
    }
    let report = json!({ "reason": "x".repeat(5000) }).to_string();
    assert_only(
        &framed(&good_header(), "client_report", &report),
        "the client_report must have at most 4096 bytes",
    );
}

#[test]
fn timestamps_in_rfc_3339() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", Some(0.0)),
        ("2000-02-29T12:00:00.5Z", Some(951_825_600.5)),
        ("2000-03-01T00:30:00+01:00", Some(951_867_000.0)),
        ("2000-13-01T00:00:00Z", None),
        ("2000-01-01T00:00:00", None),
        ("2000-01-01 00:00:00Z", None),
    ] {
        assert_eq!(time::of_rfc3339(text), seconds, "{text}");
    }
}

/// Fails for a rule that was added without an example here.
#[test]
fn every_row_has_an_example() {
    let tested_elsewhere = [
        "name `sent_at` in RFC 3339",
        "name `sdk` with name and version",
        "be a DSN without its secret",
        "name a known `type`",
        "be a number of bytes",
        "be a slug of at most 50 characters",
        "have a `check_in_id`, a UUID",
        "have a known `status`",
        "be seconds",
        "have a `schedule` by crontab or interval",
        "count in whole minutes and runs",
        "have a `contexts.trace` with a trace_id",
        "have an exception or a logentry",
    ];
    let broken = bad_events()
        .into_iter()
        .flat_map(|(pointer, new, _)| violations(&envelope(&changed(good_event(), &pointer, new))))
        .collect::<Vec<_>>();
    for rule in rules::rows().filter(|rule| !tested_elsewhere.contains(&rule.must)) {
        assert!(broken.iter().any(|broken| broken.contains(rule.must)), "no example breaks: {}", rule.must);
    }
}
