//! The application's code on the way: hooks, event processors, errors that print themselves badly.

use std::error::Error;
use std::fmt;
use std::sync::mpsc;
use std::thread;

use axum::Router;
use axum::routing::get as on_get;
use faultwire::sentry::protocol::Event;
use faultwire::sentry::{self, Level};
use faultwire::{Report, ReportLayer};
use serde_json::json;
use tower::ServiceExt;
use tracing_subscriber::prelude::*;

use crate::delivery::{PATIENCE, fail};
use crate::fake::Answer;
use crate::support::{Reporting, exception, get};

type Hooked = Option<Event<'static>>;

fn with_hook(hook: fn(Event<'static>) -> Hooked) -> Reporting {
    Reporting::with(move |config| config.client_options(move |options| options.before_send(hook)))
}

#[test]
fn before_send_changes_reports_and_events_of_the_sdk() {
    let reporting = with_hook(|mut event| {
        event.tags.insert("checked".to_owned(), "yes".to_owned());
        Some(event)
    });
    fail("by a report");
    sentry::capture_message("by the SDK", Level::Error);
    for event in reporting.events(2) {
        assert_eq!(event["tags"]["checked"], "yes");
    }
}

#[test]
fn what_before_send_drops_is_counted() {
    let reporting = with_hook(|event| {
        let dropped =
            event.exception.values.iter().any(|exception| exception.value.as_deref() == Some("drop me"));
        (!dropped).then_some(event)
    });
    fail("drop me");
    let id = fail("keep me");
    assert_eq!(reporting.event()["event_id"], *id);
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.sent, stats.dropped.by_hook, stats.dropped.total()), (2, 1, 1, 1));
}

#[test]
fn a_panic_in_before_send_costs_what_it_would_have_added_and_not_the_event() {
    let reporting = with_hook(|_| panic!("a bug in a hook"));
    let report = Report::new("by a report").tag("plan", "pro").send().to_string();
    let event = reporting.event();
    assert_eq!((&event["event_id"], &event["tags"]["plan"]), (&json!(report), &json!("pro")));
    assert_eq!((&event["release"], &event["environment"]), (&json!("shop@1.2.3"), &json!("test")));
    assert_eq!(reporting.guard.stats().dropped.total(), 0);
}

#[test]
fn a_panic_in_before_send_does_not_reach_the_code_that_calls_the_sdk() {
    let reporting = with_hook(|_| panic!("a bug in a hook"));
    let captured = thread::spawn(|| sentry::capture_message("by the SDK", Level::Error)).join();
    let id = captured.expect("no panic for the application").simple().to_string();
    assert!(reporting.guard.flush(PATIENCE));
    // The panic itself may be an event, too.
    assert!(reporting.server.events().iter().any(|event| event["event_id"] == *id));
}

#[test]
fn secrets_that_the_application_adds_last_are_masked_too() {
    fn spoil(event: &mut Event<'static>) {
        event.extra.insert("password".to_owned(), "hunter2".into());
        event.extra.insert("request".to_owned(), json!({"headers": {"x-api-key": "hunter2"}}));
        event.tags.insert("url".to_owned(), "postgres://app:hunter2@db/shop".to_owned());
        for exception in &mut event.exception.values {
            exception.value = Some("refused: token=hunter2".to_owned());
        }
    }
    let reporting = with_hook(|mut event| {
        spoil(&mut event);
        event.message = event.message.map(|message| format!("{message} token=hunter2"));
        Some(event)
    });
    fail("by before_send");
    Report::new("by with_event").with_event(spoil).send();
    sentry::capture_message("by the SDK", Level::Error);
    let events = reporting.events(3);
    for request in reporting.server.requests() {
        assert!(!request.text().contains("hunter2"), "{}", request.text());
    }
    for event in &events {
        assert_eq!(event["extra"]["password"], "[Filtered]");
        assert_eq!(event["tags"]["url"], "postgres://app:[Filtered]@db/shop");
    }
    assert!(events.iter().any(|event| event["logentry"]["formatted"] == "by the SDK token=[Filtered]"));
    assert!(events.iter().any(|event| exception(event)["value"] == "refused: token=[Filtered]"));
}

#[test]
fn a_secret_that_is_cut_in_half_is_masked_all_the_same() {
    // Sentry keeps 8192 bytes of a message: this one ends between the password and what shows that it is one.
    let url = "postgres://app:hunter2";
    let text = format!("{}{url}@db/shop", "x ".repeat((8_192 - url.len()) / 2));
    let reporting = Reporting::start();
    fail(text.clone());
    sentry::capture_message(&text, Level::Error);
    let panicked = text.clone();
    thread::spawn(move || panic!("{panicked}")).join().unwrap_err();
    Report::new("by with_event")
        .with_event(move |event| {
            event.extra.insert("long".to_owned(), format!("{text}{text}").into());
        })
        .send();
    reporting.events(4);
    for request in reporting.server.requests() {
        assert!(!request.text().contains("hunter"), "{}", request.text());
    }
}

#[tokio::test]
async fn an_event_processor_that_panics_costs_nothing() {
    async fn order() -> Result<(), Report> {
        sentry::configure_scope(|scope| {
            scope.add_event_processor(|_| panic!("a bug in a processor"));
        });
        faultwire::current().tag("plan", "pro");
        Err(Report::new("no stock"))
    }
    let reporting = Reporting::start();
    let app: Router = Router::new().route("/orders/{id}", on_get(order)).layer(ReportLayer::new());
    assert_eq!(app.oneshot(get("/orders/1")).await.unwrap().status(), 500);
    let event = reporting.event();
    assert_eq!((&event["tags"]["plan"], &event["transaction"]), (&json!("pro"), &json!("GET /orders/{id}")));
    assert_eq!(reporting.guard.stats().dropped.total(), 0);
}

#[test]
fn with_event_that_panics_costs_nothing() {
    let reporting = Reporting::start();
    Report::new("no stock").tag("plan", "pro").with_event(|_| panic!("a bug")).send();
    assert_eq!(reporting.event()["tags"]["plan"], "pro");
}

#[derive(Debug)]
struct PanicsInDisplay;

impl fmt::Display for PanicsInDisplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half a ")?;
        panic!("a bug in Display")
    }
}

impl Error for PanicsInDisplay {}

#[derive(Debug, thiserror::Error)]
#[error("the order is gone")]
struct Gone(#[from] PanicsInDisplay);

#[test]
fn an_error_whose_display_panics_is_an_event_all_the_same() {
    let reporting = Reporting::start();
    let id = Report::new(Gone(PanicsInDisplay)).send().to_string();
    let event = reporting.event();
    assert_eq!(event["event_id"], *id);
    assert_eq!(
        (&exception(&event)["type"], &exception(&event)["value"]),
        (&json!("Gone"), &json!("the order is gone"))
    );
    assert_eq!(event["exception"]["values"].as_array().unwrap().len(), 2, "the link that panicked is there");
    assert_eq!(reporting.guard.stats().dropped.total(), 0);
}

#[test]
fn an_error_whose_display_panics_does_not_hurt_the_code_that_reports_it() {
    let reporting = Reporting::start();
    let id = thread::spawn(|| Report::from_ref(&Gone(PanicsInDisplay)).send().to_string()).join();
    let id = id.expect("no panic for the application");
    assert!(reporting.guard.flush(PATIENCE));
    assert!(reporting.server.wait_events(1).iter().any(|event| event["event_id"] == *id));
}

/// Touches the SDK's hub and our context for every log event, as a layer for breadcrumbs does. Outside of a
/// request, too: there our context logs a line itself.
struct Breadcrumbs;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Breadcrumbs {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        sentry::add_breadcrumb(sentry::Breadcrumb {
            message: Some("logged".to_owned()),
            ..Default::default()
        });
        faultwire::current().breadcrumb("logged");
    }
}

#[derive(Debug)]
struct LogsInDisplay;

impl fmt::Display for LogsInDisplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::error!("printing");
        f.write_str("printed")
    }
}

impl Error for LogsInDisplay {}

#[test]
fn an_error_whose_display_logs_and_a_hook_that_logs_do_not_deadlock() {
    crate::init::alone(
        "delivery::hooks::an_error_whose_display_logs_and_a_hook_that_logs_do_not_deadlock",
        || {
            let subscriber = tracing_subscriber::registry().with(Breadcrumbs);
            tracing::subscriber::set_global_default(subscriber).unwrap();
            let reporting = with_hook(|event| {
                tracing::error!("in a hook");
                Some(event)
            });
            let (done, finished) = mpsc::channel();
            thread::spawn(move || {
                async fn order() -> Result<(), Report> {
                    Report::from_ref(&LogsInDisplay).send();
                    sentry::capture_message("by the SDK", Level::Error);
                    Err(LogsInDisplay.into())
                }
                let app: Router =
                    Router::new().route("/orders/{id}", on_get(order)).layer(ReportLayer::new());
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let status = runtime.block_on(app.oneshot(get("/orders/1"))).unwrap().status();
                done.send(status).unwrap();
            });
            assert_eq!(finished.recv_timeout(PATIENCE).expect("a deadlock"), 500);
            reporting.events(3);
        },
    );
}

/// Sets something in the context for every line of the log, as layers do that copy fields.
struct Tagging;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Tagging {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        faultwire::current().tag("logged", "yes");
    }
}

#[test]
fn a_log_that_uses_the_context_is_never_called_under_its_lock() {
    crate::init::alone("delivery::hooks::a_log_that_uses_the_context_is_never_called_under_its_lock", || {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Tagging)).unwrap();
        let reporting = Reporting::start();
        let (done, finished) = mpsc::channel();
        thread::spawn(move || {
            async fn full() -> Result<(), Report> {
                for n in 0..100 {
                    faultwire::current().tag(format!("tag{n}"), n);
                }
                Err(Report::new("there is no room"))
            }
            let app: Router = Router::new().route("/", on_get(full)).layer(ReportLayer::new());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            done.send(runtime.block_on(app.oneshot(get("/"))).unwrap().status()).unwrap();
        });
        assert_eq!(finished.recv_timeout(PATIENCE).expect("a deadlock"), 500);
        assert_eq!(reporting.event()["tags"]["faultwire.no_room"], "36", "what was left out is said");
    });
}

/// Panics on every line of ours that our threads write.
struct PanicsOnOurs;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for PanicsOnOurs {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let ours = thread::current().name().is_some_and(|name| name.starts_with("faultwire"));
        assert!(!(ours && event.metadata().target() == "faultwire"), "a bug in the application's log");
    }
}

#[test]
fn a_log_that_panics_on_our_threads_costs_no_event_and_no_thread() {
    crate::init::alone(
        "delivery::hooks::a_log_that_panics_on_our_threads_costs_no_event_and_no_thread",
        || {
            let subscriber = tracing_subscriber::registry().with(PanicsOnOurs);
            tracing::subscriber::set_global_default(subscriber).unwrap();
            let reporting = Reporting::with(|config| config.debug(true));
            // More than there are threads, each with lines for captured, not delivered and sent.
            reporting.server.answer_next([500; 4].map(Answer::Status));
            for n in 0..20 {
                fail(format!("event {n}"));
            }
            reporting.events(20);
            let stats = reporting.guard.stats();
            assert_eq!((stats.sent, stats.dropped.total()), (20, 0));
            assert_eq!(stats.captured, 20, "a panic on our threads is no event");
        },
    );
}
