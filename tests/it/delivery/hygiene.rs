//! Events as bad as the SDK can hold arrive, and break none of the rules that the fake server knows.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use faultwire::sentry::protocol::{
    AppContext, Breadcrumb, Context, DeviceContext, Event, Exception, Frame, LogEntry, Mechanism, OsContext,
    Request, RuntimeContext, Stacktrace, Thread, TraceContext, User,
};
use faultwire::{Report, sentry};
use serde_json::{Value, json};

use crate::delivery::PATIENCE;
use crate::support::Reporting;

/// Sends an event that was changed so, and returns what arrived of it.
#[track_caller]
fn arrives(spoil: impl FnOnce(&mut Event<'static>) + Send + Sync + 'static) -> Value {
    let reporting = Reporting::start();
    let id = Report::new("spoilt").with_event(spoil).send().to_string();
    assert!(reporting.guard.flush(PATIENCE));
    assert_eq!(reporting.server.take_violations(), [""; 0]);
    let event = reporting.event();
    assert_eq!(event["event_id"], *id);
    event
}

/// `levels` objects in each other.
fn nested(levels: usize) -> Value {
    (0..levels).fold(json!("deep"), |inner, _| json!({ "in": inner }))
}

#[test]
fn nul_characters_and_line_breaks() {
    let event = arrives(|event| {
        event.tags.insert("a\0b c".to_owned(), "x\0y\nz\r\nend".to_owned());
        event.tags.insert("\u{2028}".to_owned(), "\u{2028}line\u{85}s\u{b}\u{c}".to_owned());
        event.tags.insert("empty".to_owned(), String::new());
        event.tags.insert("blank".to_owned(), " \n ".to_owned());
        event.tags.insert(String::new(), "nameless".to_owned());
        event.tags.insert("release".to_owned(), "1".to_owned());
        event.tags.insert("user".to_owned(), "1".to_owned());
        event.tags.insert("long".to_owned(), "é".repeat(500));
        event.tags.insert("k".repeat(500), "long key".to_owned());
        event.release = Some("shop\0@1/2\n3\u{b}4\u{c}5".into());
        event.environment = Some("te\0st/\u{c}1\r".into());
        event.dist = Some("a b/ä\0".into());
        event.user = Some(User { id: Some("4\u{0}2".to_owned()), ..User::default() });
        event.logger = Some("a\0b".repeat(100));
        event.transaction = Some("shop::main::h0123456789abcdef".to_owned());
        event.culprit = Some("shop::main::h0123456789abcdef".to_owned());
        event.server_name = Some("host\0".into());
    });
    assert_eq!(event["tags"]["ab-c"], "xy z  end");
    assert_eq!(event["user"]["id"], "42");
}

#[test]
fn releases_and_environments_that_servers_refuse() {
    for name in ["..", "latest", "none", "None", "", " ", "\u{b}", "/"] {
        arrives(move |event| {
            event.release = Some(name.into());
            event.environment = Some(name.into());
            event.dist = Some(name.into());
        });
    }
}

#[test]
fn long_texts_everywhere() {
    let long = "ü".repeat(100_000);
    let event = arrives(move |event| {
        event.logentry = Some(LogEntry { message: long.clone(), params: vec![json!(1), json!("%s")] });
        event.message = Some(long.clone());
        event.transaction = Some(format!("GET /{long}"));
        event.user = Some(User {
            id: Some(long.clone()),
            email: Some(long.clone()),
            username: Some(long.clone()),
            other: BTreeMap::from([("plan".to_owned(), json!(long.clone()))]),
            ..User::default()
        });
        event.fingerprint = vec![long.clone().into()].into();
        event.exception.values.push(Exception {
            ty: long.clone(),
            value: Some(long.clone()),
            module: Some(long.clone()),
            mechanism: Some(Mechanism { ty: long.clone(), ..Mechanism::default() }),
            ..Exception::default()
        });
        event.request = Some(Request {
            url: format!("http://shop.example.com/{}", "x".repeat(10_000)).parse().ok(),
            method: Some("M".repeat(100)),
            query_string: Some(format!("?page=2&q={}", "x".repeat(10_000))),
            data: Some(long.clone()),
            headers: BTreeMap::from([("accept".to_owned(), long.clone()), ("te".to_owned(), long)]),
            env: BTreeMap::from([("LANG".to_owned(), "x".repeat(10_000))]),
            ..Request::default()
        });
    });
    assert!(
        event["logentry"]["formatted"].as_str().is_some_and(|text| text.len() > 4_000),
        "as much as fits"
    );
    assert!(event["request"]["url"].as_str().is_some_and(|url| url.starts_with("http://shop.example.com/")));
}

#[test]
fn many_large_breadcrumbs_and_a_large_extra() {
    let event = arrives(|event| {
        event.breadcrumbs.values = (0..300)
            .map(|n| Breadcrumb {
                ty: "t".repeat(200),
                category: Some("c".repeat(200)),
                message: Some(format!("{n} {}", "x".repeat(10_000))),
                data: BTreeMap::from([
                    ("a".to_owned(), json!("y".repeat(2_000))),
                    ("b".to_owned(), json!(["z".repeat(2_000), nested(10)])),
                ]),
                ..Breadcrumb::default()
            })
            .collect();
        event.extra.insert("huge".to_owned(), json!("x".repeat(2_000_000)));
        event.extra.insert("list".to_owned(), json!(vec!["x".repeat(1_000); 1_000]));
        event.extra.insert("deep".to_owned(), nested(60));
    });
    assert_eq!(event["exception"]["values"][0]["value"], "spoilt", "what matters most is kept");
}

/// A frame that breaks every rule of frames.
fn odd_frame(n: usize) -> Frame {
    Frame {
        function: Some(format!("shop::{}::h0123456789abcdef", "f".repeat(600))),
        filename: Some("https://[not a url".to_owned()),
        lineno: Some(n as u64),
        vars: BTreeMap::from([
            ("flag".to_owned(), json!(true)),
            ("none".to_owned(), Value::Null),
            ("list".to_owned(), json!([1, "two", {"three": 3}])),
            ("nul".to_owned(), json!("a\0b")),
            ("long".to_owned(), json!("x".repeat(3_000))),
        ]),
        ..Frame::default()
    }
}

fn odd_stack(frames: usize) -> Option<Stacktrace> {
    Some(Stacktrace { frames: (0..frames).map(odd_frame).collect(), ..Stacktrace::default() })
}

#[test]
fn frames_with_odd_variables_and_too_many_of_them() {
    let event = arrives(|event| event.exception.values[0].stacktrace = odd_stack(300));
    let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
    assert_eq!(frames.len(), 250);
    assert_eq!(frames.last().unwrap()["lineno"], 299, "the innermost frames are kept");
    let with_variables = frames.iter().filter_map(|frame| frame["vars"]["flag"].as_str());
    assert!(with_variables.clone().count() > 0 && with_variables.into_iter().all(|flag| flag == "true"));
}

#[test]
fn stacks_of_threads_and_other_places() {
    arrives(|event| {
        event.exception.values[0].raw_stacktrace = odd_stack(3);
        event.threads.values.push(Thread {
            name: Some("main\0".to_owned()),
            stacktrace: odd_stack(3),
            raw_stacktrace: odd_stack(3),
            ..Thread::default()
        });
        event.stacktrace = odd_stack(3);
    });
}

#[test]
fn an_event_whose_exceptions_alone_are_too_large_loses_what_is_least_missed() {
    let event = arrives(|event| {
        event.exception.values[0].stacktrace = odd_stack(250);
        let exception = event.exception.values[0].clone();
        event.exception.values.extend(std::iter::repeat_n(exception, 8));
    });
    let outermost = event["exception"]["values"].as_array().unwrap().last().unwrap();
    assert_eq!(outermost["value"], "spoilt");
}

#[test]
fn contexts_with_fields_and_names_that_no_server_knows() {
    let event = arrives(|event| {
        let other = || BTreeMap::from([("made up".to_owned(), json!("x".repeat(10_000)))]);
        let mut context = |name: &str, context: Context| event.contexts.insert(name.to_owned(), context);
        context(
            "device",
            DeviceContext { name: Some("a".to_owned()), other: other(), ..Default::default() }.into(),
        );
        context(
            "os",
            OsContext { name: Some("Linux".to_owned()), other: other(), ..Default::default() }.into(),
        );
        context(
            "runtime",
            RuntimeContext { name: Some("rustc".to_owned()), other: other(), ..Default::default() }.into(),
        );
        context(
            "app",
            AppContext { app_name: Some("shop".to_owned()), other: other(), ..Default::default() }.into(),
        );
        context("shop", Context::Other(BTreeMap::from([("deep".to_owned(), nested(20))])));
        context("session", Context::Other(BTreeMap::from([("id".to_owned(), json!("s3cret"))])));
        context(
            "trace",
            TraceContext {
                op: Some("http.server".to_owned()),
                description: Some("GET /orders".to_owned()),
                data: BTreeMap::from([("http.route".to_owned(), json!("/orders"))]),
                ..TraceContext::default()
            }
            .into(),
        );
    });
    assert_eq!(event["contexts"]["os"]["name"], "Linux");
    assert!(event["contexts"]["trace"]["trace_id"].is_string());
}

#[test]
fn requests_with_cookies_bodies_and_questions() {
    for (cookies, query) in
        [("", ""), ("session=s3cret; theme=dark", "?"), ("flag", "??a=1"), ("a=1; flag", "a")]
    {
        let event = arrives(move |event| {
            event.request = Some(Request {
                cookies: Some(cookies.to_owned()),
                query_string: Some(query.to_owned()),
                data: Some("password=s3cret\0".to_owned()),
                ..Request::default()
            });
            event.user = Some(User {
                other: BTreeMap::from([("data".to_owned(), json!("text")), ("vip".to_owned(), json!(true))]),
                ..User::default()
            });
        });
        assert!(!event.to_string().contains("s3cret"), "{event}");
        assert_eq!(event["user"]["data"]["vip"], true);
    }
}

#[test]
fn a_strange_time_and_an_unknown_platform() {
    let day = Duration::from_secs(24 * 60 * 60);
    for timestamp in [SystemTime::UNIX_EPOCH, SystemTime::now() + 365 * day, SystemTime::now() - 60 * day] {
        arrives(move |event| {
            event.timestamp = timestamp;
            event.platform = "rust".into();
            event.modules = BTreeMap::from([("serde\0".to_owned(), "1".to_owned())]);
        });
    }
}

#[test]
fn an_event_that_says_nothing_has_a_title() {
    let reporting = Reporting::start();
    sentry::capture_event(Event::default());
    let title = reporting.event()["logentry"]["formatted"].clone();
    assert!(title.as_str().is_some_and(|title| !title.is_empty()), "{title}");
}

#[test]
fn the_messages_of_the_sdk_are_one_text() {
    for (message, params, shown) in [
        ("50% off for %s", vec![json!("ada")], "50% off for ada"),
        ("%d of {}", vec![json!(1), json!({"a": 2})], "%d of 1 {\"a\":2}"),
        ("no place", vec![json!(null)], "no place null"),
    ] {
        let reporting = Reporting::start();
        sentry::capture_event(Event {
            logentry: Some(LogEntry { message: message.to_owned(), params }),
            ..Event::default()
        });
        assert_eq!(reporting.event()["logentry"], json!({"formatted": shown}));
    }
}
