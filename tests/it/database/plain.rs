//! What an application sees of it: a plain `?`, answers, groups, what else may carry a driver's text.

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use axum::routing::get;
use faultwire::config::Storm;
use faultwire::report::{DatabaseClass, Fault};
use faultwire::{Kind, Report, ReportLayer};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::{NUMBER, VALUE, assert_no_value_left};
use crate::support::{Reporting, exception, get as request, text};

/// A unique violation whose message and parameter hold `VALUE`, as drivers of MySQL return it.
fn duplicate() -> diesel::result::Error {
    let message = format!("Duplicate entry '{VALUE}' for key 'users.email'");
    let kind = diesel::result::DatabaseErrorKind::UniqueViolation;
    diesel::result::Error::DatabaseError(kind, Box::new(message))
}

fn no_table() -> diesel::result::Error {
    let kind = diesel::result::DatabaseErrorKind::Unknown;
    diesel::result::Error::DatabaseError(kind, Box::new("no such table: orders".to_owned()))
}

fn fingerprint(event: &Value) -> Vec<&str> {
    event["fingerprint"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect()
}

async fn answer(route: axum::routing::MethodRouter) -> Response<Body> {
    let app = Router::new().route("/users/{id}", route).layer(ReportLayer::new());
    app.oneshot(request("/users/7")).await.unwrap()
}

#[tokio::test]
async fn a_question_mark_is_enough_for_kind_class_and_code() {
    let reporting = Reporting::start();
    let response = answer(get(async || -> Result<(), Report> {
        let mut db = SqliteConnection::connect("sqlite::memory:").await?;
        db.execute("CREATE TABLE users (email text UNIQUE); INSERT INTO users VALUES ('WislawaSzymborska')")
            .await?;
        sqlx::query("INSERT INTO users VALUES (?)").bind(VALUE).execute(&mut db).await?;
        Ok(())
    }))
    .await;
    assert_eq!(
        (response.status(), response.headers().get("retry-after")),
        (StatusCode::INTERNAL_SERVER_ERROR, None)
    );
    let event = reporting.event();
    assert_eq!(event["tags"]["error.category"], "database");
    assert_eq!(event["tags"]["error.type"], "unique_violation");
    assert_eq!(event["tags"]["db.response.status_code"], "2067");
    assert_eq!(event["transaction"], "GET /users/{id}");
    let said = "SQLite unique violation (2067), table users, column email";
    assert_eq!((&exception(&event)["type"], &exception(&event)["value"]), (&json!("Error"), &json!(said)));
    let expected =
        ["database", "sqlx_core::error::Error", "SQLite unique violation (<n>), table users, column email"];
    assert_eq!(fingerprint(&event)[..3], expected);
    assert_eq!(fingerprint(&event)[3], "tests/it/database/plain.rs");
    assert_no_value_left(&reporting);
}

#[tokio::test]
async fn what_can_be_had_later_is_answered_503_with_retry_after_and_everything_else_500() {
    let reporting = Reporting::start();
    let lost = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
    let timed_out = || sqlx::Error::PoolTimedOut;
    for (report, status, retry) in [
        (Report::from(timed_out()), 503, Some("5")),
        (Report::from(lost()), 503, Some("5")),
        (
            Report::database(std::io::Error::other("x")).database_class("r2d2", DatabaseClass::PoolTimeout),
            503,
            Some("5"),
        ),
        (Report::from(timed_out()).status(StatusCode::BAD_GATEWAY), 502, None),
        (Report::from(sqlx::Error::RowNotFound), 500, None),
        (Report::from(duplicate()), 500, None),
        (Report::database(std::io::Error::other("x")), 500, None),
        (Report::new("x").status(StatusCode::SERVICE_UNAVAILABLE), 503, None),
    ] {
        let what = format!("{report:?}");
        let response = report.into_response();
        assert_eq!(response.status(), status, "{what}");
        let header = response.headers().get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(header, retry, "{what}");
        let problem: Value = serde_json::from_str(&text(response).await.unwrap()).unwrap();
        assert_eq!(problem["status"], status, "{what}");
    }
    drop(reporting);
}

#[tokio::test]
async fn a_conflict_is_one_only_where_the_route_says_so_and_leaves_no_value_in_the_breadcrumbs() {
    let reporting = Reporting::start();
    let response =
        answer(get(async || -> Result<(), Report> { Err(Report::database(duplicate()).conflict()) })).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert!(!text(response).await.unwrap().contains(VALUE));
    assert_eq!(Report::database(no_table()).conflict().into_response().status(), 500);

    // What is answered below 500 is a breadcrumb of what fails next in the same request.
    let inner = ReportLayer::new().layer(service_fn(async |_: Request<Body>| {
        let conflict = Report::database(duplicate()).conflict().into_response();
        drop(conflict);
        Err::<Response<Body>, _>(duplicate())
    }));
    assert!(inner.oneshot(request("/")).await.is_err());
    let event = reporting.event();
    assert_eq!(exception(&event)["value"], "MySQL unique violation, constraint email, table users");
    assert_eq!(event["tags"]["error.category"], "database", "the service's error is a driver's");
    assert_no_value_left(&reporting);
}

#[test]
fn a_driver_is_recognised_behind_anyhow_boxes_and_contexts() {
    let reporting = Reporting::start();
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(duplicate());
    let reports = [
        Report::from(duplicate()),
        Report::from(boxed),
        Report::from(anyhow::Error::from(duplicate())),
        Report::from(anyhow::Error::from(duplicate()).context("cannot register")),
        Report::from(anyhow::Error::from(sqlx::Error::PoolTimedOut)),
        Report::from(eyre::Report::from(duplicate()).wrap_err("cannot register")),
        Report::from(std::io::Error::other(duplicate())),
    ];
    for report in reports {
        assert!(report.database_failure().is_some(), "{report:?}");
        report.send();
    }
    for event in reporting.events(7) {
        assert_eq!(event["tags"]["error.category"], "database", "{event}");
    }
    assert_no_value_left(&reporting);
}

#[test]
fn a_panic_of_unwrap_shows_the_kind_and_the_code_of_a_drivers_error_and_no_row() {
    let reporting = Reporting::start();
    let insert = || Err::<(), _>(duplicate());
    let unwrapped = std::panic::catch_unwind(|| insert().unwrap());
    assert!(unwrapped.is_err());
    let value = exception(&reporting.event())["value"].as_str().unwrap().to_owned();
    assert_eq!(value, "called `Result::unwrap()` on an `Err` value: DatabaseError(UniqueViolation…");
    assert_no_value_left(&reporting);
}

#[test]
fn the_statement_is_shown_without_literals_with_its_summary_and_the_state_of_the_pool() {
    let reporting = Reporting::start();
    let statement =
        format!("SELECT id FROM users WHERE email = '{VALUE}' AND id IN (1, {NUMBER}) -- {VALUE}");
    Report::database(no_table()).statement(statement).pool(10, 0, 57).send();
    let event = reporting.event();
    assert_eq!(event["tags"]["db.query.summary"], "SELECT users");
    let context = &event["contexts"]["database"];
    assert_eq!(context["db.query.text"], "SELECT id FROM users WHERE email = ? AND id IN (?)");
    assert_eq!(context["pool"], json!({"size": 10, "idle": 0, "waiting": 57}));
    assert_eq!(context["driver"], "diesel");
    assert_no_value_left(&reporting);
}

#[test]
fn what_the_application_says_wins_over_what_the_driver_does() {
    let reporting = Reporting::start();
    Report::from(duplicate()).kind(Kind::Auth).tag("db.system.name", "mariadb").fingerprint(["mine"]).send();
    let event = reporting.event();
    assert_eq!(event["tags"]["error.category"], "auth");
    assert_eq!(event["tags"]["db.system.name"], "mariadb");
    assert_eq!(fingerprint(&event), ["mine"]);
}

#[tokio::test]
async fn one_outage_is_one_issue_and_one_storm_whatever_the_route_and_the_type() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot load {what}")]
    struct Loading {
        what: &'static str,
        source: sqlx::Error,
    }

    let reporting = Reporting::start();
    let routes = ["/a", "/b/{id}", "/c"];
    let mut app = Router::new();
    for (number, route) in routes.into_iter().enumerate() {
        let handler = async move || -> Result<(), Report> {
            match number {
                0 => Err(Report::database(sqlx::Error::PoolTimedOut)),
                1 => Err(Report::from(Loading { what: "a user", source: sqlx::Error::PoolTimedOut })),
                _ => Err(sqlx::Error::PoolTimedOut)?,
            }
        };
        app = app.route(route, get(handler));
    }
    let app = app.layer(ReportLayer::new());
    for route in ["/a", "/b/1", "/c"] {
        app.clone().oneshot(request(route)).await.unwrap();
    }
    let events = reporting.events(3);
    for event in &events {
        assert_eq!(fingerprint(event), ["database", "sqlx", "pool_timeout"]);
    }
    assert_eq!(events[1]["transaction"], "GET /b/{id}", "the route is still told");
    drop(reporting);

    // One of them passes, and the two others are counted with it.
    let limit = Storm::Limit { failures: 1, window: std::time::Duration::from_secs(3600) };
    let reporting = Reporting::with(|config| config.storm(limit));
    for route in ["/a", "/b/1", "/c"] {
        app.clone().oneshot(request(route)).await.unwrap();
    }
    let events = reporting.events(2);
    assert_eq!(events[1]["tags"]["suppressed"], "2", "the second stands for two");
}

#[test]
fn failures_of_code_are_as_many_issues_as_there_are_constraints_and_one_however_many_values() {
    let reporting = Reporting::start();
    for number in 0..20 {
        let message =
            format!("Duplicate entry 'o'brien {number}' for key 'users.key_{}'", ["a", "b"][number % 2]);
        let kind = diesel::result::DatabaseErrorKind::UniqueViolation;
        Report::from(diesel::result::Error::DatabaseError(kind, Box::new(message))).send();
    }
    let events = reporting.events(20);
    let mut fingerprints: Vec<_> = events.iter().map(|event| event["fingerprint"].to_string()).collect();
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 2, "{fingerprints:?}");
}

#[test]
fn code_can_decide_by_what_failed() {
    let report = Report::from(duplicate());
    let failure = report.database_failure().unwrap();
    assert_eq!((failure.class(), failure.fault()), (DatabaseClass::UniqueViolation, Fault::ClientData));
    assert_eq!(
        (failure.system(), failure.constraint(), failure.table()),
        (Some("mysql"), Some("email"), Some("users"))
    );
    assert!(!failure.is_retryable() && failure.code().is_none() && failure.column().is_none());
    assert!(Report::new("x").database_failure().is_none());
    drop(report);
}
