//! Rules that say which failures are critical.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get as on_get;
use faultwire::{Kind, Report, ReportLayer, job};
use http::StatusCode;
use tower::ServiceExt;

use super::End::Fails;
use super::{InvoiceError, run, tag};
use crate::support::{Reporting, get};

async fn boom() {
    panic!("the disk is full")
}

#[tokio::test]
async fn a_rule_sees_errors_panics_statuses_and_jobs() {
    let reporting = Reporting::with(|config| {
        config
            .critical(|failure| failure.error().is_some_and(|error| error.is::<InvoiceError>()))
            .critical(|failure| failure.is_panic() && failure.message() == "the disk is full")
            .critical(|failure| failure.status() == Some(StatusCode::BAD_GATEWAY))
            .critical(|failure| failure.kind() == Kind::Database && failure.database().is_some())
            .critical(|failure| failure.route().as_deref() == Some("GET /paid/{id}"))
            .critical(|failure| failure.job() == Some("close_month"))
            .critical(|failure| failure.tag("money") == Some("yes"))
            .critical(|failure| failure.type_name().ends_with("ParseIntError"))
    });
    let app: Router = Router::new()
        .route("/invoice", on_get(async || Report::new(InvoiceError(7))))
        .route("/panic", on_get(boom))
        .route("/gateway", on_get(async || StatusCode::BAD_GATEWAY))
        .route("/database", on_get(async || Report::new(sqlx::Error::PoolTimedOut)))
        .route("/paid/{id}", on_get(async || Report::new("not paid")))
        .route("/tag", on_get(async || Report::new("a text").tag("money", "yes")))
        .route("/type", on_get(async || Report::new("x".parse::<u8>().unwrap_err())))
        .route("/no", on_get(async || Report::new("nothing much")))
        .route("/no-status", on_get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(ReportLayer::new());
    let critical = ["/invoice", "/panic", "/gateway", "/database", "/paid/7", "/tag", "/type"];
    for path in critical.into_iter().chain(["/no", "/no-status"]) {
        app.clone().oneshot(get(path)).await.unwrap();
    }
    std::thread::spawn(|| panic!("the disk is full")).join().unwrap_err();
    drop(run(job("close_month").attempt(1), Fails).await);
    for event in reporting.events(11) {
        let expected = !event["transaction"].as_str().unwrap_or_default().starts_with("GET /no");
        assert_eq!(tag(&event, "error.critical") == "true", expected, "{}", event["transaction"]);
        assert_eq!(event["level"] == "fatal", expected, "{}", event["transaction"]);
    }
}

#[tokio::test]
async fn a_rule_that_panics_says_no_and_harms_nobody() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let reporting = Reporting::with(|config| {
        config.critical(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            panic!("in a rule")
        })
    });
    let app: Router = Router::new()
        .route("/report", on_get(async || Report::new("a text")))
        .route("/panic", on_get(boom))
        .layer(ReportLayer::new());
    for path in ["/report", "/panic"] {
        let response = app.clone().oneshot(get(path)).await.unwrap();
        assert_eq!(response.status(), 500);
    }
    std::thread::spawn(|| panic!("outside")).join().unwrap_err();
    let events = reporting.events(3);
    assert!(events.iter().all(|event| tag(event, "error.critical").is_empty()));
    assert_eq!(asked.load(Ordering::Relaxed), 3, "once for each");
}

#[tokio::test]
async fn a_rule_may_report_and_log_and_set_context() {
    let reporting = Reporting::with(|config| {
        config.critical(|failure| {
            faultwire::current().tag("seen", "yes");
            tracing::error!("in a rule");
            Report::new("from the rule").send();
            failure.message() == "outer"
        })
    });
    Report::new("outer").send();
    let events = reporting.events(2);
    let critical: Vec<_> = events.iter().map(|event| tag(event, "error.critical")).collect();
    assert_eq!(critical.iter().filter(|critical| **critical == "true").count(), 1, "{critical:?}");
}
