//! The layer for the log: which lines become events and breadcrumbs, and what they say.

mod beside;
mod once;
mod silence;

use std::io;

use axum::Router;
use axum::routing::get as on_get;
use faultwire::logs::Logs;
use faultwire::{Report, ReportLayer};
use serde_json::{Value, json};
use tower::ServiceExt;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::prelude::*;

use crate::support::{Reporting, exception, frames, get};

#[derive(Debug, thiserror::Error)]
#[error("order {id} could not be loaded")]
pub(super) struct OrderError {
    pub(super) id: u64,
    pub(super) source: io::Error,
}

pub(super) fn order_error() -> OrderError {
    OrderError { id: 42, source: io::Error::other("the disk went away") }
}

/// What this thread logs is seen, until the guard is dropped.
pub(super) fn listening() -> DefaultGuard {
    tracing_subscriber::registry().with(faultwire::tracing_layer()).set_default()
}

fn crumbs(event: &Value) -> Vec<&str> {
    let crumbs = event["breadcrumbs"]["values"].as_array().map(Vec::as_slice).unwrap_or_default();
    crumbs.iter().filter_map(|crumb| crumb["message"].as_str()).collect()
}

#[test]
fn an_error_that_is_logged_is_an_event_with_its_chain() {
    let reporting = Reporting::start();
    let _listening = listening();
    let error = order_error();
    let line = line!() + 1;
    tracing::error!(
        error = &error as &dyn std::error::Error,
        order = 42,
        tags.shop = "berlin",
        "no luck today"
    );
    let event = reporting.event();
    let values = event["exception"]["values"].as_array().unwrap();
    let texts: Vec<_> = values.iter().map(|value| value["value"].as_str().unwrap()).collect();
    assert_eq!(texts, ["the disk went away", "order 42 could not be loaded"]);
    assert_eq!(exception(&event)["mechanism"], json!({"type": "log", "handled": true}));
    assert_eq!((&event["tags"]["shop"], &event["tags"]["error.origin"]), (&json!("berlin"), &json!("log")));
    assert_eq!(event["tags"]["error.category"], "other");
    assert_eq!(event["tags"]["logger"], module_path!());
    assert_eq!(
        (&event["extra"]["order"], &event["extra"]["log.message"]),
        (&json!(42), &json!("no luck today"))
    );
    let frame = frames(&event).last().unwrap();
    assert_eq!((frame["filename"].as_str().unwrap(), &frame["lineno"]), (file!(), &json!(line)));
    assert_eq!(event.get("level"), None, "an error, as it is where nothing else is said");
}

#[test]
fn an_error_of_which_only_the_text_is_logged_is_the_cause_of_the_message() {
    let reporting = Reporting::start();
    let _listening = listening();
    tracing::error!(error = %order_error(), "no luck today");
    let event = reporting.event();
    let values = event["exception"]["values"].as_array().unwrap();
    let texts: Vec<_> = values.iter().map(|value| value["value"].as_str().unwrap()).collect();
    assert_eq!(texts, ["order 42 could not be loaded", "no luck today"]);
    assert_eq!((&exception(&event)["type"], &exception(&event)["module"]), (&json!("logs"), &json!("it")));
}

#[test]
fn two_lines_that_differ_in_a_number_are_one_issue_and_other_lines_are_not() {
    let reporting = Reporting::start();
    let _listening = listening();
    for order in [7, 8] {
        tracing::error!("order {order} is lost");
    }
    tracing::error!("the till is jammed");
    let events = reporting.events(3);
    assert_eq!(events[0]["fingerprint"], events[1]["fingerprint"]);
    assert_ne!(events[0]["fingerprint"], events[2]["fingerprint"]);
}

#[tokio::test]
async fn other_lines_are_breadcrumbs_of_the_request_that_fails() {
    let reporting = Reporting::start();
    let _listening = listening();
    let handler = async || -> Result<(), Report> {
        tracing::debug!("too little to say");
        tracing::info!(cart = 3, password = "hunter2", "cart loaded");
        tokio::task::yield_now().await;
        tracing::warn!(target: "shop::stock", error = %order_error(), "stock is low");
        Err(Report::new("sold out"))
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.clone().oneshot(get("/")).await.unwrap();
    tracing::info!("outside of any request");
    let event = reporting.event();
    assert_eq!(crumbs(&event), ["cart loaded", "stock is low"]);
    let crumb = &event["breadcrumbs"]["values"][0];
    assert_eq!((crumb.get("level"), &crumb["category"]), (None, &json!(module_path!())), "info");
    assert_eq!(crumb["data"], json!({"cart": 3, "password": "[Filtered]"}));
    let crumb = &event["breadcrumbs"]["values"][1];
    assert_eq!((&crumb["level"], &crumb["category"]), (&json!("warning"), &json!("shop::stock")));
    assert_eq!(crumb["data"]["error"], "order 42 could not be loaded");
}

#[tokio::test]
async fn the_fields_of_spans_go_along_the_innermost_first() {
    let reporting = Reporting::start();
    let _listening = listening();
    let handler = async || -> Result<(), Report> {
        faultwire::current().data("said", &"by hand");
        let outer = tracing::info_span!(
            "cart",
            cart = 3,
            item = "none",
            said = "by a span",
            late = tracing::field::Empty
        );
        let _outer = outer.enter();
        let inner = tracing::info_span!("item", item = 9, tags.shop = "berlin", token = "s3cret").entered();
        let detail = tracing::debug_span!("detail", detail = "left out").entered();
        outer.record("late", "yes");
        let report = Report::new("sold out");
        tracing::error!(item = 10, "the shelf is empty");
        drop((detail, inner));
        Err(report)
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    let events = reporting.events(2);
    for (event, item) in [(&events[0], 10), (&events[1], 9)] {
        let extra = &event["extra"];
        assert_eq!(
            (&extra["cart"], &extra["item"], &extra["late"]),
            (&json!(3), &json!(item), &json!("yes"))
        );
        assert_eq!((&extra["token"], &extra["detail"]), (&json!("[Filtered]"), &Value::Null));
        assert_eq!(extra["said"], "by hand", "the context wins over spans");
        assert_eq!(event["tags"]["shop"], "berlin");
    }
}

#[tokio::test]
async fn levels_and_targets_can_be_chosen() {
    let reporting = Reporting::start();
    let logs = Logs::new()
        .events(LevelFilter::WARN)
        .breadcrumbs(LevelFilter::DEBUG)
        .filter("debug,shop::noise=off,shop::quiet=error".parse().unwrap());
    let _listening = tracing_subscriber::registry().with(logs.layer()).set_default();
    let handler = async || {
        tracing::debug!("a detail");
        tracing::trace!("too much");
        tracing::error!(target: "shop::noise", "noise");
        tracing::warn!(target: "shop::quiet::deep", "quiet");
        tracing::warn!("stock is low");
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    let event = reporting.event();
    assert_eq!((&event["level"], crumbs(&event)), (&json!("warning"), vec!["a detail"]));
    assert_eq!(exception(&event)["value"], "stock is low");
}

#[test]
fn secrets_in_lines_are_masked() {
    let reporting = Reporting::start();
    let _listening = listening();
    let _span = tracing::info_span!("login", authorization = "Bearer abcdefghijklmnop").entered();
    tracing::error!(
        password = "hunter2",
        url = "postgres://app:hunter2@db/shop",
        "login of ada@example.com failed, password=hunter2"
    );
    let event = reporting.event().to_string();
    for secret in ["hunter2", "ada@example.com", "abcdefghijklmnop"] {
        assert!(!event.contains(secret), "{secret}: {event}");
    }
}

#[test]
fn lines_of_the_log_crate_say_where_they_are_from() {
    let reporting = Reporting::start();
    let _listening = listening();
    // Another test may have set it.
    let _ = tracing_log::LogTracer::init();
    let line = line!() + 1;
    log::error!(target: "shop::old", "an old library failed");
    log::error!(target: "faultwire", "one of ours, if we used it");
    let event = reporting.event();
    assert_eq!((&event["tags"]["logger"], &event["extra"]), (&json!("shop::old"), &Value::Null));
    let frame = frames(&event).last().unwrap();
    assert_eq!((frame["filename"].as_str().unwrap(), &frame["lineno"]), (file!(), &json!(line)));
}

#[test]
fn a_storm_of_lines_is_counted() {
    let reporting = Reporting::with(|config| config.storm(faultwire::config::Storm::default()));
    let _listening = listening();
    for order in 0..1_000 {
        tracing::error!("order {order} is lost");
    }
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.suppressed), (1_000, 970));
}

#[test]
fn without_reporting_nothing_is_read() {
    let _turn = crate::support::turn();
    let _listening = listening();
    struct Unread;
    impl std::fmt::Debug for Unread {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("it is read")
        }
    }
    let _span = tracing::info_span!("span", field = ?Unread).entered();
    tracing::info!(field = ?Unread, "line");
    tracing::error!(field = ?Unread, "line");
}
