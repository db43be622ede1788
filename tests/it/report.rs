//! Reports: how they are made, what the client sees of them, and what becomes of each.

use std::error::Error;

use axum::response::{Html, IntoResponse};
use axum::routing::get as on_get;
use axum::{Json, Router};
use faultwire::report::{Breadcrumb, Level};
use faultwire::{Kind, Report, ReportLayer, User};
use http::StatusCode;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Reporting, event_id, exception, get, text};

fn refused() -> std::io::Error {
    std::io::ErrorKind::ConnectionRefused.into()
}

#[derive(Debug, thiserror::Error)]
#[error("cart {0} is gone")]
struct CartError(u64, #[source] std::io::Error);

/// The chain of an event, outermost first, as `Type: value`.
fn chain(event: &Value) -> Vec<String> {
    let values = event["exception"]["values"].as_array().unwrap();
    let shown = |e: &Value| format!("{}: {}", e["type"].as_str().unwrap(), e["value"].as_str().unwrap());
    values.iter().rev().map(shown).collect()
}

#[test]
fn question_mark_takes_every_kind_of_error_with_its_chain_and_place() {
    fn std_error() -> Result<(), Report> {
        Err(CartError(7, refused()))?;
        Ok(())
    }
    fn boxed() -> Result<(), Report> {
        Err(Box::<dyn Error + Send + Sync>::from(CartError(7, refused())))?;
        Ok(())
    }
    fn with_anyhow() -> Result<(), Report> {
        Err(anyhow::Error::new(CartError(7, refused())).context("no checkout"))?;
        Ok(())
    }
    fn with_eyre() -> Result<(), Report> {
        Err(eyre::Report::new(CartError(7, refused())).wrap_err("no checkout"))?;
        Ok(())
    }
    fn a_text() -> Result<(), Report> {
        Err("out of stock")?;
        Ok(())
    }
    let reporting = Reporting::with(|config| config.error_name::<CartError>("shop::CartError"));
    for make in [std_error, boxed, with_anyhow, with_eyre, a_text] {
        make().unwrap_err().send();
    }
    let events = reporting.events(5);
    let (cart, io) = ("CartError: cart 7 is gone", "Error: connection refused");
    let expected: [&[&str]; 5] = [
        &[cart, io],
        &[cart, io],
        &["Error: no checkout", cart, io],
        &["Error: no checkout", cart, io],
        &["Error: out of stock"],
    ];
    for (event, expected) in events.iter().zip(expected) {
        assert_eq!(chain(event), expected);
        let frames = exception(event)["stacktrace"]["frames"].as_array().unwrap();
        assert!(
            frames.iter().any(|frame| frame["filename"].as_str().unwrap().ends_with("tests/it/report.rs"))
        );
        assert_eq!(event["tags"]["error.category"], "other");
        assert_eq!(event["tags"]["error.origin"], "process");
    }
}

#[test]
fn an_error_that_somebody_else_keeps_is_read_through_a_reference() {
    let reporting = Reporting::start();
    let error = CartError(7, refused());
    Report::from_ref(&error).send();
    assert_eq!(chain(&reporting.event()), ["Error: cart 7 is gone", "Error: connection refused"]);
}

#[tokio::test]
async fn a_response_tells_the_client_what_it_may_know() {
    let reporting = Reporting::start();
    let handler = async || -> Result<(), Report> {
        let report = Report::new(CartError(7, refused())).status(StatusCode::SERVICE_UNAVAILABLE);
        Err(report.public("Try again, password=hunter2 was not the reason."))
    };
    let app: Router = Router::new().route("/cart", on_get(handler)).layer(ReportLayer::new());
    let response = app.oneshot(get("/cart")).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let id = event_id(&response);
    let body: Value = serde_json::from_str(&text(response).await.unwrap()).unwrap();
    assert_eq!(
        body,
        json!({
            "type": "about:blank",
            "title": "Service Unavailable",
            "status": 503,
            "detail": "Try again, password=[Filtered] was not the reason.",
            "event_id": id,
            "request_id": body["request_id"],
        })
    );
    let event = reporting.event();
    assert_eq!((&event["event_id"], &event["tags"]["request_id"]), (&json!(id), &body["request_id"]));
}

#[tokio::test]
async fn your_own_response_keeps_its_body_and_gets_the_id() {
    let reporting = Reporting::start();
    let page = async || Report::new(refused()).attach((StatusCode::BAD_GATEWAY, Html("<h1>soon</h1>")));
    let app: Router = Router::new().route("/page", on_get(page)).layer(ReportLayer::new());
    let response = app.oneshot(get("/page")).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
        (502, "text/html; charset=utf-8")
    );
    assert_eq!(reporting.event()["event_id"].as_str(), Some(&*event_id(&response)));
    assert_eq!(text(response).await.unwrap(), "<h1>soon</h1>");
}

#[tokio::test]
async fn below_500_a_report_is_counted_unless_it_asks_to_be_sent() {
    let reporting = Reporting::start();
    let teapot = |report: Report| report.status(StatusCode::IM_A_TEAPOT);
    let app: Router = Router::new()
        .route("/counted", on_get(async move || teapot(Report::new("counted"))))
        .route("/always", on_get(async move || teapot(Report::new("always").always())))
        .route("/critical", on_get(async move || teapot(Report::new("critical").critical())))
        .layer(ReportLayer::new());
    for path in ["/counted", "/always", "/critical"] {
        assert_eq!(app.clone().oneshot(get(path)).await.unwrap().status(), 418);
    }
    let events = reporting.events(2);
    assert_eq!(chain(&events[0]), ["Error: always"]);
    assert_eq!(chain(&events[1]), ["Error: critical"]);
    assert_eq!(
        (&events[1]["level"], &events[1]["tags"]["error.critical"]),
        (&json!("fatal"), &json!("true"))
    );
    assert_eq!(reporting.guard.stats().discarded, 1);
}

#[test]
fn a_report_that_is_dropped_is_counted() {
    let reporting = Reporting::start();
    drop(Report::new("dropped"));
    drop(Report::new("unseen").into_response());
    assert_eq!(reporting.guard.stats().discarded, 2);
    reporting.events(0);
}

#[tokio::test]
async fn what_a_report_says_wins_over_the_context_and_the_context_over_the_sdk() {
    let reporting = Reporting::start();
    let handler = async || -> Result<(), Report> {
        sentry::configure_scope(|scope| {
            scope.set_tag("a", "sdk");
            scope.set_tag("b", "sdk");
            scope.set_tag("c", "sdk");
            scope.set_level(Some(sentry::Level::Debug));
            scope.set_user(Some(sentry::User { id: Some("sdk".into()), ..Default::default() }));
        });
        faultwire::current().tag("a", "context").tag("b", "context").user(User::id("context"));
        faultwire::current().data("cart", &json!({"items": 3}));
        let report = Report::new(refused()).kind(Kind::Database).level(Level::Warning).tag("a", "report");
        Err(report.user(User::id("report").email("ada@example.com")).fingerprint(["one", "two"]))
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    let event = reporting.event();
    let tags = ["a", "b", "c", "error.category"].map(|tag| event["tags"][tag].as_str().unwrap());
    assert_eq!(tags, ["report", "context", "sdk", "database"]);
    assert_eq!(event["user"], json!({"id": "report", "email": "ada@example.com"}));
    assert_eq!(event["level"], "warning");
    assert_eq!(event["fingerprint"], json!(["one", "two"]));
    assert_eq!(event["extra"]["cart"], json!({"items": 3}));
}

#[test]
fn the_last_word_is_with_event_and_a_panic_in_it_costs_nothing() {
    let reporting = Reporting::start();
    let tagged = |event: &mut sentry::protocol::Event<'static>| {
        event.tags.insert("last".into(), "word".into());
    };
    Report::new(refused()).with_event(tagged).send();
    Report::new(refused()).with_event(|_| panic!("a bug of the application")).send();
    let events = reporting.events(2);
    assert_eq!(events[0]["tags"]["last"], "word");
    assert_eq!(chain(&events[1]), ["Error: connection refused"]);
}

#[test]
fn the_same_failure_has_one_fingerprint_whatever_the_ids() {
    let reporting = Reporting::start();
    for id in 0..10 {
        Report::new(CartError(id, refused())).send();
    }
    Report::new(refused()).send();
    let mut prints: Vec<_> =
        reporting.events(11).into_iter().map(|event| event["fingerprint"].clone()).collect();
    assert_eq!(
        prints[0],
        json!(["other", "it::report::CartError", "cart <n> is gone", "tests/it/report.rs"])
    );
    prints.dedup();
    assert_eq!(prints.len(), 2);
}

#[test]
fn an_anyhow_backtrace_is_the_stack_of_the_event() {
    let reporting = Reporting::start();
    let error = anyhow::anyhow!("no stock");
    let caught = error.backtrace().status() == std::backtrace::BacktraceStatus::Captured;
    Report::from(error).send();
    let frames = exception(&reporting.event())["stacktrace"]["frames"].as_array().unwrap().clone();
    // Whether anyhow catches one is up to RUST_BACKTRACE; tests/run.sh runs this both ways.
    if caught {
        assert!(frames.len() > 3, "{frames:?}");
        assert!(frames.iter().any(|f| f["function"].as_str().is_some_and(|f| f.contains("it::report"))));
    } else {
        assert_eq!(frames.len(), 1, "{frames:?}");
    }
}

#[tokio::test]
async fn a_breadcrumb_of_each_shape_is_kept_in_order() {
    let reporting = Reporting::start();
    let handler = async || -> Result<Json<()>, Report> {
        faultwire::current().breadcrumb("first");
        sentry::add_breadcrumb(sentry::Breadcrumb {
            message: Some("of the SDK".into()),
            ..Default::default()
        });
        faultwire::current().breadcrumb(Breadcrumb::new("last").category("payment").data("cents", &1999));
        Err(refused().into())
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    let crumbs = reporting.event()["breadcrumbs"]["values"].as_array().unwrap().clone();
    let messages: Vec<_> = crumbs.iter().map(|crumb| crumb["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["first", "of the SDK", "last"]);
    assert_eq!((&crumbs[2]["category"], &crumbs[2]["data"]), (&json!("payment"), &json!({"cents": 1999})));
}
