//! What the application captures through the SDK, however odd, breaks no rule of Sentry's schema: it is stored.

use faultwire::sentry::protocol::Event;
use faultwire::sentry::{self, Level, TransactionContext};
use serde_json::{Value, json};

use super::{PATIENCE, Reporting};

/// As an application builds it, by hand.
fn capture(event: Value) -> String {
    let event: Event<'static> = serde_json::from_value(event).unwrap();
    sentry::capture_event(event).simple().to_string()
}

/// An event with this text wherever the SDK takes a text.
fn full_of(text: &str) -> Value {
    let map = json!({text: text, "list": [text, {text: null}], "number": 1});
    let frame = json!({
        "function": text, "symbol": text, "module": text, "package": text, "filename": text, "abs_path": text,
        "lineno": 7, "colno": 1, "pre_context": [text], "context_line": text, "post_context": [text],
        "in_app": true, "vars": map, "instruction_addr": "0x1000",
    });
    let stacktrace = json!({"frames": [frame], "frames_omitted": [1, 2], "registers": {"rip": "0x10"}});
    json!({
        "fingerprint": [text, "{{ default }}"], "culprit": text, "transaction": text, "logentry": {"message": text, "params": [text, 1, null]},
        "logger": text, "modules": {"serde": text}, "server_name": text, "release": text, "dist": text, "environment": text,
        "level": "fatal", "platform": "rust",
        "user": {"id": text, "email": text, "username": text, "ip_address": "{{auto}}", "plan": map, "data": [text], "geo": {"planet": text}},
        "request": {
            "url": "https://shop.example.com/", "method": text, "data": text, "query_string": text, "cookies": format!("id={text}"),
            "headers": {"X-Text": text, "content-type": text}, "env": {"TEXT": text},
        },
        "contexts": {
            "ours": {"type": "unknown", "text": text, "deep": {"er": [map]}},
            "os": {"type": "os", "name": text, "version": text}, "runtime": {"type": "runtime", "name": text},
        },
        "breadcrumbs": {"values": [
            {"type": text, "category": text, "level": "info", "message": text, "data": map, "timestamp": 1_700_000_000.5},
        ]},
        "exception": {"values": [
            {
                "type": text, "value": text, "module": text, "stacktrace": stacktrace, "raw_stacktrace": stacktrace, "thread_id": 1,
                "mechanism": {"type": text, "description": text, "handled": false, "data": map, "meta": {"errno": {"number": 2, "name": text}}},
            },
        ]},
        "threads": {"values": [{"id": 1, "name": text, "crashed": true, "current": true, "stacktrace": stacktrace, "raw_stacktrace": stacktrace}]},
        "stacktrace": stacktrace, "template": {"filename": text, "lineno": 3, "context_line": text},
        "debug_meta": {
            "sdk_info": {"sdk_name": text, "version_major": 1, "version_minor": 2, "version_patchlevel": 3},
            "images": [{"type": "proguard", "uuid": "494f3aea-88fa-4296-9644-fa8ef5d139b6"}],
        },
        "tags": {text: text, "environment": text, "plan": text},
        "extra": map,
    })
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn texts_that_servers_choke_on_are_stored_in_every_field_that_takes_a_text() {
    let long = "long ".repeat(4_000);
    let texts = [
        "plain",
        "",
        " ",
        "\0",
        "a\0b",
        "line\nline\r\n\ttab",
        "../latest",
        "none",
        "\u{1b}[31mred\u{1b}[0m",
        "\u{7f}\u{80}\u{feff}\u{202e}",
        "Größe 漢字 🦀🏳️‍🌈",
        "\\u0000 \\ud800 %s {} {0} %(x)s {{ default }}",
        "\u{10ffff}\u{fffd}\u{fffe}",
        "'; DROP TABLE events; --",
        "<script>alert(1)</script>",
        &long,
    ];
    let reporting = Reporting::start();
    let sent: Vec<_> = texts.iter().map(|text| capture(full_of(text))).collect();
    let issues = reporting.issues(texts.len());
    let mut stored: Vec<_> = issues
        .iter()
        .flat_map(|issue| &issue.events)
        .map(|event| event["event_id"].as_str().unwrap())
        .collect();
    let mut sent: Vec<_> = sent.iter().map(String::as_str).collect();
    stored.sort_unstable();
    sent.sort_unstable();
    assert_eq!(stored, sent);
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn a_message_and_the_emptiest_event_are_stored_and_a_transaction_is_dropped_without_harm() {
    let reporting = Reporting::with(|config, dsn| {
        config.dsn(dsn).client_options(|options| options.traces_sample_rate(1.0))
    });
    sentry::start_transaction(TransactionContext::new("nightly import", "job")).finish();
    assert!(reporting.guard.flush(PATIENCE));
    let message = sentry::capture_message("the stock is low", Level::Warning);
    let empty = capture(json!({}));
    let issues = reporting.issues(2);

    let transactions: Vec<_> =
        reporting.tap.exchanges().into_iter().filter(|exchange| exchange.kind == "transaction").collect();
    assert_eq!(transactions.len(), 1, "it was sent, Bugsink said 200 and dropped it");
    let limits = "x-sentry-rate-limits: 86400:transaction;span:organization";
    assert!(transactions[0].answer.contains(limits), "{}", transactions[0].answer);
    let event = |id: &str| {
        let mut events = issues.iter().flat_map(|issue| &issue.events);
        events.find(|event| event["event_id"] == id).expect("stored").clone()
    };
    let message = event(&message.simple().to_string());
    assert_eq!(
        (&message["logentry"]["formatted"], &message["level"]),
        (&json!("the stock is low"), &json!("warning"))
    );
    assert_eq!(event(&empty)["release"], "shop@1.2.3");
    assert_eq!(reporting.guard.stats().dropped.total(), 0);
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn numbers_and_depths_at_the_edge_and_the_largest_events_are_stored() {
    let deep = (0..200).fold(json!("bottom"), |inner, level| match level % 2 {
        0 => json!([inner]),
        _ => json!({"level": inner}),
    });
    let extras = |n: usize| -> Value {
        (0..n)
            .map(|n| (format!("part {n}"), "x".repeat(16_000).into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let edges = json!([
        u64::MAX,
        i64::MIN,
        f64::MAX,
        f64::MIN_POSITIVE,
        -0.0,
        1e-7,
        123_456_789.123_456_78,
        null,
        true
    ]);
    let frames: Vec<_> = (0..400).map(|n| json!({"function": format!("shop::f{n}"), "lineno": n})).collect();
    let events = [
        json!({"extra": {"edges": edges, "deep": deep}, "contexts": {"ours": {"type": "unknown", "edges": edges, "deep": deep}}}),
        json!({"exception": {"values": [{"type": "Deep", "value": "recursion", "stacktrace": {"frames": frames}}]}}),
        json!({"exception": {"values": (0..60).map(|n| json!({"type": "Link", "value": n.to_string()})).collect::<Vec<_>>()}}),
        json!({"exception": {"values": [{"type": "Odd", "value": "line", "stacktrace": {"frames": [{"lineno": u64::MAX, "colno": 0}]}}]}}),
        json!({"message": "nearly a mebibyte", "extra": extras(60)}),
        json!({"message": "three mebibytes", "extra": extras(200)}),
        json!({"message": "many tags", "tags": (0..300).map(|n| (format!("tag{n}"), "x".into())).collect::<serde_json::Map<_, _>>()}),
        json!({"message": "long ago", "timestamp": 0}),
    ];
    let reporting = Reporting::start();
    let largest = capture(events[4].clone());
    for event in events.iter().filter(|event| **event != events[4]) {
        capture(event.clone());
    }
    let issues = reporting.issues(events.len());
    let mut stored = issues.iter().flat_map(|issue| &issue.events);
    let largest = stored.find(|event| event["event_id"] == largest).unwrap();
    assert!(largest.to_string().len() > 900_000, "nothing was left out");
}
