//! Chains in which a driver's error is hard to see, or hard to read.

use std::error::Error;
use std::fmt;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use axum::routing::get;
use faultwire::report::DatabaseClass;
use faultwire::{BoxError, Report, ReportLayer};
use http::{Request, Response};
use serde_json::json;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::{VALUE, assert_no_value_left};
use crate::support::{Reporting, Unprintable, exception, get as request};

/// It has no `source()`: what the server said stands in its own text only.
fn duplicate() -> diesel::result::Error {
    let message = format!("Duplicate entry '{VALUE}' for key 'users.email'");
    let kind = diesel::result::DatabaseErrorKind::UniqueViolation;
    diesel::result::Error::DatabaseError(kind, Box::new(message))
}

#[tokio::test]
async fn a_report_within_another_error_says_what_its_driver_did() {
    async fn job(error: impl Into<BoxError> + 'static) -> Result<(), Report> {
        Err(Report::from(error))
    }
    async fn plain() -> anyhow::Result<()> {
        Ok(job(duplicate()).await.map_err(Report::into_error)?)
    }
    async fn with_context() -> anyhow::Result<()> {
        let done = job(duplicate()).await.map_err(Report::into_error);
        anyhow::Context::context(done, "the import ended")
    }
    async fn boxed() -> Result<(), BoxError> {
        Err(Box::new(std::io::Error::other(job(sqlx::Error::PoolTimedOut).await.unwrap_err().into_error())))
    }

    let reporting = Reporting::start();
    let app = Router::new()
        .route("/plain", get(async || -> Result<(), Report> { Ok(plain().await?) }))
        .route("/context", get(async || -> Result<(), Report> { Ok(with_context().await?) }))
        .route("/boxed", get(async || -> Result<(), Report> { Ok(boxed().await?) }))
        .layer(ReportLayer::new());
    for (path, status) in [("/plain", 500), ("/context", 500), ("/boxed", 503)] {
        assert_eq!(app.clone().oneshot(request(path)).await.unwrap().status(), status, "{path}");
    }
    let events = reporting.events(3);
    let types: Vec<_> = events.iter().map(|event| &event["tags"]["error.type"]).collect();
    assert_eq!(types, ["unique_violation", "unique_violation", "pool_timeout"]);
    let said = "MySQL unique violation, constraint email, table users";
    assert_eq!(exception(&events[0])["value"], said);
    assert_eq!(exception(&events[1])["value"], "the import ended");
    assert_eq!(events[1]["exception"]["values"][0]["value"], said);
    assert_eq!(reporting.guard.stats().discarded, 0, "what is within another is dealt with");
    assert_no_value_left(&reporting);
}

#[tokio::test]
async fn what_a_report_within_another_error_said_is_no_breadcrumb_either() {
    let reporting = Reporting::start();
    let handler = async || -> Result<(), Report> {
        let error = anyhow::Error::from(Report::from(duplicate()).into_error());
        drop(Report::from(error).status(http::StatusCode::CONFLICT).into_response());
        Err(Report::new("the end"))
    };
    let app = Router::new().route("/", get(handler)).layer(ReportLayer::new());
    app.oneshot(request("/")).await.unwrap();
    reporting.event();
    assert_no_value_left(&reporting);
}

#[test]
fn why_redis_has_no_connection_is_told() {
    let reporting = Reporting::start();
    let refused =
        redis::Client::open("redis://127.0.0.1:1/").unwrap().get_connection().map(drop).unwrap_err();
    let why = std::io::Error::from_raw_os_error(111).to_string();
    Report::from(refused).send();
    let event = reporting.event();
    assert_eq!(exception(&event)["value"], format!("Redis connection failure: {why}"));
    let below = &event["exception"]["values"][0];
    assert_eq!((&below["type"], &below["value"]), (&json!("Error"), &json!(why)));
    assert_eq!(below["module"], "std::io::error");
}

#[test]
fn a_driver_in_a_shared_error_is_recognised() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot load")]
    struct Loading(#[source] std::sync::Arc<dyn Error + Send + Sync>);
    let reporting = Reporting::start();
    let report = Report::from(Loading(std::sync::Arc::new(duplicate())));
    assert_eq!(report.database_failure().unwrap().class(), DatabaseClass::UniqueViolation);
    report.send();
    reporting.event();
    assert_no_value_left(&reporting);
}

/// One whose chain cannot be walked.
#[derive(Debug, thiserror::Error)]
#[error("no cause")]
struct Pathless;

#[derive(Debug)]
struct Trap;

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a trap")
    }
}

impl Error for Trap {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        panic!("{Pathless}")
    }
}

#[tokio::test]
async fn an_error_that_cannot_be_read_costs_neither_the_response_nor_the_event() {
    let reporting = Reporting::start();
    let errors: [fn() -> BoxError; 3] = [
        || Box::new(sqlx::Error::Decode(Box::new(Unprintable))),
        || {
            Box::new(sea_orm::DbErr::Exec(sea_orm::RuntimeErr::SqlxError(
                sqlx::Error::Decode(Box::new(Unprintable)).into(),
            )))
        },
        || Box::new(Trap),
    ];
    for error in errors {
        let service = service_fn(move |_: Request<Body>| async move { Err::<Response<Body>, _>(error()) });
        let ended = ReportLayer::new().layer(service).oneshot(request("/")).await;
        assert!(ended.is_err(), "the service's own error goes on");
        Report::from(error()).send();
        Report::from_ref(&*error()).send();
    }
    let events = reporting.events(9);
    for event in &events[..6] {
        assert_eq!(event["tags"]["error.type"], "decode", "{event}");
    }
    assert!(events[6..].iter().all(|event| event["exception"]["values"].is_array()), "{events:#?}");
    assert_eq!(reporting.guard.stats().captured, 9, "no panic of theirs is an event");
}
