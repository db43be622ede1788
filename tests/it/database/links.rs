//! Chains in which a driver's error is hard to see, or hard to read.

use std::error::Error;
use std::fmt;

use axum::body::Body;
use faultwire::{BoxError, Report, ReportLayer};
use http::{Request, Response};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::support::{Reporting, get as request};

/// An error that cannot be printed.
#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("printed")
    }
}

impl Error for Broken {}

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
        || Box::new(sqlx::Error::Decode(Box::new(Broken))),
        || {
            Box::new(sea_orm::DbErr::Exec(sea_orm::RuntimeErr::SqlxError(
                sqlx::Error::Decode(Box::new(Broken)).into(),
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
