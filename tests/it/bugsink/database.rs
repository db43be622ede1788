//! What databases fail with, as issues of a real server: one for one problem, and for one outage.

use std::collections::BTreeSet;

use axum::Router;
use axum::routing::get;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use faultwire::{Report, ReportLayer};
use sqlx::{Connection as _, PgConnection};
use tower::ServiceExt as _;

use super::{PATIENCE, Reporting};
use crate::support::get as request;

#[derive(Debug, thiserror::Error)]
enum ShopError {
    #[error("customer {0} cannot be saved: {1}")]
    Save(u32, #[source] DieselError),
    #[error("order {0} cannot be loaded")]
    Load(u32, #[source] sqlx::Error),
}

fn duplicate(value: &str, key: &str) -> DieselError {
    let message = format!("Duplicate entry '{value}' for key '{key}'");
    DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, Box::new(message))
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn a_thousand_variants_of_one_failure_are_one_issue() {
    // A project takes 150 events in five minutes.
    let mut fingerprints = BTreeSet::new();
    for project in 0..8_u32 {
        let reporting = Reporting::start();
        for number in (project * 125)..(project * 125 + 125) {
            let value = format!(
                "{} o'brien {number} {:x}",
                ["ada", "grace's", "Zoë"][number as usize % 3],
                number * 7919
            );
            Report::from(ShopError::Save(number, duplicate(&value, "users.email"))).send();
        }
        assert!(reporting.guard.flush(PATIENCE), "{:?}", reporting.guard.stats());
        assert_eq!(reporting.project.stored_events_by_issue(), [125]);
        for exchange in reporting.tap.exchanges() {
            fingerprints.insert(exchange.payload["fingerprint"].to_string());
            assert!(!exchange.payload.to_string().contains("brien"), "{}", exchange.payload);
        }
    }
    assert_eq!(fingerprints.len(), 1, "the same issue in every project: {fingerprints:?}");
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn twenty_different_failures_are_twenty_issues() {
    let reporting = Reporting::start();
    let kinds = [
        DatabaseErrorKind::ForeignKeyViolation,
        DatabaseErrorKind::NotNullViolation,
        DatabaseErrorKind::CheckViolation,
        DatabaseErrorKind::ExclusionViolation,
        DatabaseErrorKind::SerializationFailure,
    ];
    for key in ["a", "b", "c", "d", "e"] {
        Report::from(ShopError::Save(1, duplicate("ada", &format!("users.by_{key}")))).send();
    }
    for kind in kinds {
        Report::from(DieselError::DatabaseError(kind, Box::new("ada".to_owned()))).send();
    }
    for table in ["users", "orders", "carts", "items"] {
        let message = Box::new(format!("no such table: {table}"));
        Report::from(DieselError::DatabaseError(DatabaseErrorKind::Unknown, message)).send();
    }
    Report::from(DieselError::NotFound).send();
    Report::from(sqlx::Error::RowNotFound).send();
    Report::from(sqlx::Error::PoolTimedOut).send();
    Report::from(sqlx::Error::PoolClosed).send();
    Report::from(ShopError::Load(1, sqlx::Error::ColumnNotFound("total".to_owned()))).send();
    Report::from(ShopError::Load(2, sqlx::Error::RowNotFound)).send();
    assert!(reporting.guard.flush(PATIENCE));
    assert_eq!(reporting.project.stored_events_by_issue(), [1; 20]);
}

#[tokio::test]
#[ignore = "needs Bugsink: run tests/run.sh"]
async fn one_outage_that_ten_routes_see_is_one_issue() {
    let reporting = Reporting::start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let connect = async move || PgConnection::connect(&format!("postgres://ada@{closed}/shop")).await;
    let mut app = Router::new();
    for number in 0..10_u32 {
        let handler = async move || -> Result<(), Report> {
            match number % 3 {
                0 => drop(connect().await?),
                1 => drop(connect().await.map_err(|error| ShopError::Load(number, error))?),
                _ => drop(connect().await.map_err(|error| Report::database(error).statement("SELECT 1"))?),
            }
            Ok(())
        };
        app = app.route(&format!("/route{}", char::from(b'a' + number as u8)), get(handler));
    }
    let app = app.layer(ReportLayer::new());
    for route in 'a'..='j' {
        let response = app.clone().oneshot(request(&format!("/route{route}"))).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (503, &"5".parse().unwrap())
        );
    }
    let issues = reporting.issues(10);
    assert_eq!(issues.len(), 1, "{:?}", issues.iter().map(|issue| &issue.title).collect::<Vec<_>>());
    let routes: BTreeSet<_> = issues[0].events.iter().map(|event| event["transaction"].to_string()).collect();
    assert_eq!(routes.len(), 10, "each event names its route");
}
