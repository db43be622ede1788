//! Lines of the log that carry a database's error: the same event as a report of it, and as little of the row.

use std::error::Error;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use faultwire::{Report, ReportLayer};
use http::StatusCode;
use tokio_stream::StreamExt as _;
use tower::ServiceExt as _;

use super::{VALUE, assert_no_value_left};
use crate::logs::listening;
use crate::support::{Reporting, exception, get as request, text};

#[derive(Debug, thiserror::Error)]
#[error("the user could not be kept: {0}")]
struct KeepError(#[source] DieselError);

fn duplicate() -> DieselError {
    let message = format!("Duplicate entry '{VALUE}' for key 'users.email'");
    DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, Box::new(message))
}

async fn situation(name: &str) -> Response {
    let error = KeepError(duplicate());
    match name {
        "logged with the error" => {
            tracing::error!(error = &error as &dyn Error, "sign-up failed");
            StatusCode::OK.into_response()
        }
        "logged with the error, then returned" => {
            tracing::error!(error = &error as &dyn Error, "sign-up failed");
            Report::from(error).into_response()
        }
        "logged as a text, then returned" => {
            tracing::error!(%error, "sign-up failed");
            Report::from(error).into_response()
        }
        "its cause is logged as a text, then it is returned" => {
            tracing::error!("sign-up failed: {}", error.0);
            Report::from(error).into_response()
        }
        "sent, then logged as a text" => {
            let text = error.to_string();
            Report::from(error).send();
            tracing::error!("sign-up failed: {text}");
            StatusCode::OK.into_response()
        }
        "logged, and a bare 500" => {
            tracing::error!(error = &error as &dyn Error, "sign-up failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        _ => panic!("{name}: no such situation"),
    }
}

#[tokio::test]
async fn a_line_with_a_databases_error_is_classified_and_is_one_with_its_report() {
    for (name, mechanism) in [
        ("logged with the error", "log"),
        ("logged with the error, then returned", "report"),
        ("logged as a text, then returned", "report"),
        ("its cause is logged as a text, then it is returned", "report"),
        ("sent, then logged as a text", "report"),
        ("logged, and a bare 500", "log"),
    ] {
        let reporting = Reporting::start();
        let _listening = listening();
        let handler = async move || situation(name).await;
        let app = Router::new().route("/users", get(handler)).layer(ReportLayer::new());
        app.oneshot(request("/users")).await.unwrap();
        let event = reporting.event();
        assert_no_value_left(&reporting);
        assert_eq!(exception(&event)["mechanism"]["type"], mechanism, "{name}");
        assert_eq!(event["tags"]["error.category"], "database", "{name}");
        assert_eq!(event["tags"]["error.type"], "unique_violation", "{name}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_by_it_is_no_second_event() {
    for with_error in [true, false] {
        let reporting = Reporting::start();
        let _listening = listening();
        let rows = async move || {
            let rows = tokio_stream::iter([Ok("first"), Err(())]);
            Body::from_stream(rows.map(move |row| {
                row.map_err(|()| {
                    let error = KeepError(duplicate());
                    match with_error {
                        true => tracing::error!(error = &error as &dyn Error, "the export failed"),
                        false => tracing::error!("the export failed: {error}"),
                    }
                    error
                })
            }))
        };
        let app = Router::new().route("/export", get(rows)).layer(ReportLayer::new());
        text(app.oneshot(request("/export")).await.unwrap()).await.unwrap_err();
        let event = reporting.event();
        assert_no_value_left(&reporting);
        assert_eq!(exception(&event)["mechanism"]["type"], "log");
    }
}

#[test]
fn outside_of_a_request_the_line_is_classified_too() {
    let reporting = Reporting::start();
    let _listening = listening();
    tracing::error!(error = &duplicate() as &dyn Error, "sign-up failed");
    let event = reporting.event();
    assert_no_value_left(&reporting);
    assert_eq!(
        (&event["tags"]["error.category"], &event["extra"]["log.message"]),
        (&"database".into(), &"sign-up failed".into())
    );
    assert_eq!(event["tags"]["error.origin"], "log");
}
