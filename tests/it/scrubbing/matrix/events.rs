//! Everything that the application and the SDK put on an event.

use std::thread;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use faultwire::report::Breadcrumb;
use faultwire::sentry::protocol::{
    Breadcrumb as SdkBreadcrumb, Context, Event, Exception, Frame, Map, Stacktrace, Thread, User, Value,
};
use faultwire::sentry::{self, Level, TransactionContext};
use faultwire::{EventId, Report};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::bodies::NAMES;
use super::{Cell, Row};
use crate::scrubbing::canary::{ALL, Canary, DIGITS, TOKEN, WORD};
use crate::scrubbing::plant::KEPT;

/// The environment of the process that fills the matrix. Each value tells what it is only by its variable's name.
pub(super) const ENVIRONMENT: [(&str, &str); 3] = [
    ("SHOP_DB_PASSWORD", "zqvorplex+umbrith/\"9\" krellaz"),
    ("WAREHOUSE_URL", "postgres://app:brithumbo-42@db/warehouse"),
    ("PAYMENT_API_KEY", "muddlo.ffract.7788"),
];
const KNOWN: [Canary; 3] = [
    Canary { value: ENVIRONMENT[0].1, marks: &["zqvorplex", "umbrith", "krellaz"] },
    Canary { value: "brithumbo-42", marks: &["brithumbo"] },
    Canary { value: ENVIRONMENT[2].1, marks: &["muddlo", "ffract"] },
];

const CARD: Canary = Canary { value: "4111 1111 1111 1111", marks: &["4111 1111", "1111 1111 1111"] };
const MAIL: Canary = Canary { value: "zqvorplex@umbrith.example", marks: &["zqvorplex", "umbrith"] };
const JWT: Canary = Canary {
    value: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ6cXZvcnBsZXgifQ.Zq7Vorplex9Kt2Wmq4",
    marks: &["eyJzdWIiOiJ6cXZvcn", "Zq7Vorp", "lex9Kt2"],
};
/// Amazon's example.
const AWS: Canary = Canary { value: concat!("AKIA", "IOSFODNN7EXAMPLE"), marks: &["IOSFODNN7"] };

/// Messages in which a secret shows itself.
pub(in crate::scrubbing) const MESSAGES: [(&str, Canary); 8] = [
    ("login failed: password={}, user 7", WORD),
    ("401 for Bearer {} at the gateway", TOKEN),
    ("cannot connect to postgres://u:{}@db/x", WORD),
    ("token {} expired", JWT),
    ("card {} was declined", CARD),
    ("no mail for {} today", MAIL),
    ("duplicate key value violates \"users_email\": Key (email)=({}) already exists.", MAIL),
    ("AWS said no to {} in eu-west-1", AWS),
];

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("error messages", messages(|text| sent(Report::new(text).send()))),
        Row::new("messages of causes", messages(|text| sent(Report::new(Outer(Inner(text))).send()))),
        Row::new("panic messages", messages(panic_with)),
        Row::new("messages of the SDK", messages(|text| say(&text))),
        Row::new("messages of breadcrumbs", messages(in_breadcrumb)),
        Row::new("values of tags", messages(|text| sent(Report::new(KEPT).tag("detail", text).send()))),
        Row::new("values of data", messages(|text| sent(Report::new(KEPT).data("detail", &[text]).send()))),
        Row::new(
            "names of transactions",
            messages(|text| with_event(|event| event.transaction = Some(text))),
        ),
        Row::new("names of threads", messages(in_thread_name)),
        Row::new("loggers, culprits, releases, servers", messages(in_names)),
        Row::new("fingerprints", messages(|text| sent(Report::new(KEPT).fingerprint([text]).send()))),
        Row::new("stack frames", messages(in_frame)),
        Row::new("tags by name", names(|name, value| sent(Report::new(KEPT).tag(name, value).send()))),
        Row::new("data by name", names(|name, value| sent(Report::new(KEPT).data(name, &value).send()))),
        Row::new(
            "data by name, nested",
            names(|name, value| {
                Report::new(KEPT).data("outer", &json!({"a": [{name: value}]})).send();
            }),
        ),
        Row::new(
            "extra of the SDK by name",
            names(|name, value| {
                with_event(|event| drop(event.extra.insert(name, value.into())));
            }),
        ),
        Row::new(
            "breadcrumbs' data by name",
            names(|name, value| {
                let crumb = Breadcrumb::new("clicked").data(name, &value);
                in_request(move || _ = faultwire::current().breadcrumb(crumb));
            }),
        ),
        Row::new(
            "contexts by name",
            names(|name, value| {
                let inner = Map::from_iter([("inner".to_owned(), json!({name: value}))]);
                with_event(|event| drop(event.contexts.insert("shop".to_owned(), Context::Other(inner))));
            }),
        ),
        Row::new(
            "contexts called like secrets",
            names(|name, value| {
                let inner = Map::from_iter([("inner".to_owned(), Value::from(value))]);
                with_event(|event| drop(event.contexts.insert(name, Context::Other(inner))));
            }),
        ),
        Row::new(
            "further fields of users",
            names(|name, value| {
                let other = Map::from_iter([(name, Value::from(value))]);
                with_event(|event| event.user = Some(User { other, ..User::default() }));
            }),
        ),
        Row::new(
            "variables of frames by name",
            names(|name, value| {
                with_event(|event| {
                    let vars = Map::from_iter([(name, Value::from(value))]);
                    event.stacktrace = Some(frames(Frame { vars, ..frame() }));
                });
            }),
        ),
        Row {
            configure: |config| config.client_options(|options| options.traces_sample_rate(1.0)),
            ..Row::new("spans' data by name", names(in_span))
        },
        Row {
            configure: |config| config.client_options(|options| options.traces_sample_rate(1.0)),
            ..Row::new("descriptions of spans", messages(|text| in_span(text.clone(), text)))
        },
        Row {
            configure: |config| config.client_options(|options| options.before_send(spoilt)),
            ..Row::new(
                "what before_send adds last",
                vec![
                    Cell::new("report", WORD, || sent(Report::new(KEPT).send())),
                    Cell::new("SDK", WORD, || say(KEPT)),
                    Cell::new("panic", WORD, || panic_with(KEPT.to_owned())),
                ],
            )
        },
        Row::new(
            "what with_event adds last",
            vec![Cell::new("report", WORD, || {
                Report::new(KEPT).with_event(|event| *event = spoilt(std::mem::take(event)).unwrap()).send();
            })],
        ),
        Row::new("secrets of the environment, in every encoding", known()),
        Row {
            configure: |config| config.secret(DIGITS.value).secret(WORD.value),
            ..Row::new("secrets that were told, wherever they are", told())
        },
        Row::new("what is cut off in the middle of a secret", cut()),
    ]
}

fn messages(report: fn(String)) -> Vec<Cell> {
    let cell = |(text, canary): &(&'static str, Canary)| {
        let message = format!("{KEPT} {}", text.replace("{}", canary.value));
        Cell::new(*text, *canary, move || report(message))
    };
    MESSAGES.iter().map(cell).collect()
}

fn names(report: fn(String, String)) -> Vec<Cell> {
    let cell = |(number, name): (usize, &'static str)| {
        let canary = ALL[number % ALL.len()];
        Cell::new(name, canary, move || report(name.to_owned(), canary.value.to_owned()))
    };
    NAMES.into_iter().enumerate().map(cell).collect()
}

#[derive(Debug, thiserror::Error)]
#[error("the order was not placed")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Inner(String);

fn sent(_: EventId) {}

fn say(text: &str) {
    sentry::capture_message(text, Level::Error);
}

fn panic_with(text: String) {
    thread::spawn(move || panic!("{text}")).join().unwrap_err();
}

/// An event of the SDK, changed on its way.
fn with_event(change: impl FnOnce(&mut Event<'static>)) {
    let mut event = Event { message: Some(KEPT.to_owned()), ..Event::default() };
    change(&mut event);
    sentry::capture_event(event);
}

/// Does something while a request runs that fails afterwards.
fn in_request(act: impl FnOnce() + Send + Sync + 'static) {
    use tower::ServiceExt as _;
    let act = std::sync::Mutex::new(Some(act));
    let fail = async move || {
        if let Some(act) = act.lock().unwrap().take() {
            act();
        }
        Err::<(), Report>(Report::new(KEPT))
    };
    let fail = std::sync::Arc::new(fail);
    let app: axum::Router = axum::Router::new()
        .route("/", axum::routing::get(async move || fail().await))
        .layer(faultwire::ReportLayer::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(app.oneshot(crate::support::get("/"))).unwrap().status(), 500);
}

fn in_breadcrumb(text: String) {
    in_request(move || {
        sentry::add_breadcrumb(SdkBreadcrumb { message: Some(text.clone()), ..SdkBreadcrumb::default() });
        faultwire::current().breadcrumb(text);
    });
}

fn in_thread_name(text: String) {
    let name = text.clone();
    with_event(|event| event.threads.values.push(Thread { name: Some(name), ..Thread::default() }));
}

fn in_names(text: String) {
    with_event(|event| {
        event.logger = Some(text.clone());
        event.culprit = Some(text.clone());
        event.release = Some(text.clone().into());
        event.server_name = Some(text.clone().into());
        event.environment = Some(text.into());
    });
}

fn frame() -> Frame {
    Frame { function: Some("place".to_owned()), lineno: Some(7), ..Frame::default() }
}

fn frames(frame: Frame) -> Stacktrace {
    Stacktrace { frames: vec![frame], ..Stacktrace::default() }
}

fn in_frame(text: String) {
    with_event(|event| {
        let frame = Frame {
            pre_context: vec![text.clone()],
            context_line: Some(text.clone()),
            function: Some(text.clone()),
            ..frame()
        };
        event.exception.values.push(Exception {
            ty: text.clone(),
            value: Some(text),
            stacktrace: Some(frames(frame)),
            ..Exception::default()
        });
    });
}

fn in_span(name: String, value: String) {
    let transaction = sentry::start_transaction(TransactionContext::new(KEPT, "http.server"));
    transaction.set_data(&name, value.clone().into());
    transaction.set_tag(&name, value.clone());
    // A name of a secret is no secret, a message may be one.
    let span = transaction.start_child("db.query", &name);
    span.set_data(&name, value.clone().into());
    span.set_tag(&name, &value);
    span.finish();
    transaction.finish();
    sentry::Hub::current().client().unwrap().flush(None);
}

/// What a hook may do to an event in the worst case.
#[expect(clippy::unnecessary_wraps, reason = "the type of the SDK's hook")]
fn spoilt(mut event: Event<'static>) -> Option<Event<'static>> {
    let secret = WORD.value;
    event.extra.insert("password".to_owned(), secret.into());
    event.extra.insert("request".to_owned(), json!({"headers": {"x-api-key": secret}, "note": KEPT}));
    event.tags.insert("url".to_owned(), format!("postgres://app:{secret}@db/shop"));
    event.message = Some(format!("{KEPT} token={secret}"));
    event.transaction = Some(format!("/reset?token={secret}"));
    for exception in &mut event.exception.values {
        exception.value = Some(format!("{KEPT} {{\"password\":\"{secret}\"}}"));
    }
    let mut request = event.request.unwrap_or_default();
    request.data = Some(format!("note={KEPT}&password={secret}"));
    request.cookies = Some(format!("session={secret}"));
    request.query_string = Some(format!("code={secret}"));
    request.headers.insert("authorization".to_owned(), secret.to_owned());
    request.env.insert("DB_PASSWORD".to_owned(), secret.to_owned());
    event.request = Some(request);
    Some(event)
}

type Encode = fn(&str) -> String;

/// Each secret of the environment, in each encoding, where nothing else tells that it is one.
fn known() -> Vec<Cell> {
    let encodings: [(&str, Encode); 10] = [
        ("as it is", str::to_owned),
        ("url-encoded", |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()),
        ("as in a form", |text| url::form_urlencoded::byte_serialize(text.as_bytes()).collect()),
        ("in JSON", |text| json!(text).to_string()),
        ("in JSON in JSON", |text| json!(json!(text).to_string()).to_string()),
        ("as Debug", |text| format!("{text:?}")),
        ("base64", |text| BASE64_STANDARD.encode(text)),
        ("base64, a byte later", |text| BASE64_STANDARD.encode(format!("u{text}:"))),
        ("base64, two bytes later", |text| BASE64_URL_SAFE_NO_PAD.encode(format!("us{text}:x"))),
        ("in XML", |text| text.replace('"', "&quot;")),
    ];
    let mut cells = Vec::new();
    for canary in KNOWN {
        for (how, encode) in encodings {
            let written = encode(canary.value);
            cells.push(Cell::new(how, canary, move || {
                Report::new(format!("it said {written} to {KEPT}"))
                    .tag("shop", &written)
                    .data("list", &json!([{"a": written}]))
                    .send();
            }));
        }
    }
    cells
}

/// Where only the value tells: names, numbers, paths, parts of other things.
fn told() -> Vec<Cell> {
    let number: u64 = DIGITS.value.parse().unwrap();
    vec![
        Cell::new("a number", DIGITS, move || sent(Report::new(KEPT).data("n", &[number]).send())),
        Cell::new("a key", WORD, || sent(Report::new(KEPT).data("map", &json!({WORD.value: 1})).send())),
        Cell::new("a tag's name", WORD, || sent(Report::new(KEPT).tag(WORD.value, "x").send())),
        Cell::new("a path", WORD, || {
            with_event(|event| {
                let path = format!("/srv/{}/main.rs", WORD.value);
                event.stacktrace = Some(frames(Frame { abs_path: Some(path), ..frame() }));
            });
        }),
        Cell::new("a module", WORD, || {
            with_event(|event| drop(event.modules.insert(WORD.value.to_owned(), WORD.value.to_owned())));
        }),
        Cell::new("a user's name", WORD, || {
            with_event(|event| {
                event.user = Some(User { username: Some(WORD.value.to_owned()), ..User::default() });
            });
        }),
        Cell::new("a part of a word", WORD, || sent(Report::new(format!("{KEPT} x{}y", WORD.value)).send())),
    ]
}

type SayIn = fn(String);

/// Texts that are longer than what is kept of them, so that the end falls into the secret.
fn cut() -> Vec<Cell> {
    let mut cells = Vec::new();
    for limit in [200, 1_024, 4_096, 8_192, 16_384] {
        for back in [4, 12, 18] {
            let url = format!("postgres://app:{}@db/shop", WORD.value);
            // The limit falls behind `back` bytes of the secret.
            let fill = limit - "postgres://app:".len() - back - KEPT.len() - 1;
            let text =
                format!("{KEPT} {}{url}", "x ".repeat(fill / 2) + if fill % 2 == 1 { "y" } else { "" });
            let places: [(&str, SayIn); 5] = [
                ("message", |text| sent(Report::new(text).send())),
                ("tag", |text| sent(Report::new(KEPT).tag("long", text).send())),
                ("data", |text| sent(Report::new(KEPT).data("long", &text).send())),
                ("breadcrumb", in_breadcrumb),
                ("panic", panic_with),
            ];
            for (place, report) in places {
                let text = text.clone();
                cells.push(Cell::new(format!("{place} at {limit}"), WORD, move || report(text)));
            }
        }
    }
    cells
}
