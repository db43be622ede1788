//! What a job logs: breadcrumbs of its failure, and failures of their own where they are others.

use std::error::Error;

use faultwire::job::JobLayer;
use faultwire::{Report, job};
use serde_json::json;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::{InvoiceError, crumbs, tag};
use crate::logs::listening;
use crate::support::{Reporting, exception};

async fn run(name: &str, attempt: u32) -> Result<(), Report> {
    let failing = async {
        tracing::info!(printer = 3, "printing");
        tokio::task::yield_now().await;
        let error = InvoiceError(7);
        match name {
            "logged with the error" => tracing::error!(error = &error as &dyn Error, "no luck today"),
            "logged as a text" => tracing::error!("no luck today: {error}"),
            "logged, and a panic with it" => {
                tracing::error!("{error}");
                panic!("{error}");
            }
            "not logged" => {}
            _ => panic!("{name}: no such situation"),
        }
        Err(error)
    };
    job("send_invoice").id(attempt.to_string()).attempt(attempt).of(3).run(failing).await
}

#[tokio::test]
async fn a_line_is_a_breadcrumb_of_the_job_and_its_error_is_one_event_with_its_failure() {
    for (name, lines) in [
        ("not logged", vec!["printing"]),
        ("logged with the error", vec!["printing", "no luck today"]),
        ("logged as a text", vec!["printing", "no luck today: invoice 7 cannot be sent"]),
        ("logged, and a panic with it", vec!["printing", "invoice 7 cannot be sent"]),
    ] {
        let reporting = Reporting::start();
        let _listening = listening();
        assert!(run(name, 3).await.is_err());
        let event = reporting.event();
        assert_eq!(crumbs(&event), lines, "{name}");
        assert_eq!(event["breadcrumbs"]["values"][0]["data"], json!({"printer": 3}), "{name}");
        assert_eq!(exception(&event)["mechanism"]["type"], "job", "{name}");
        assert_eq!((tag(&event, "job.name"), tag(&event, "error.origin")), ("send_invoice", "job"), "{name}");
    }
}

#[tokio::test]
async fn an_attempt_that_is_no_event_is_none_as_a_line_of_the_log_either() {
    let reporting = Reporting::start();
    let _listening = listening();
    for attempt in [1, 2] {
        assert!(run("logged with the error", attempt).await.is_err());
        assert!(run("logged as a text", attempt).await.is_err());
    }
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.jobs.held_back), (0, 4));
}

#[tokio::test]
async fn what_else_it_logs_is_an_event_of_the_job() {
    let reporting = Reporting::start();
    let _listening = listening();
    let run = job("send_invoice").run(async {
        tracing::error!("the logo is missing");
        Err::<(), _>(InvoiceError(7))
    });
    assert!(run.await.is_err());
    let succeeds = job("send_invoice").run(async {
        tracing::error!("the paper is low");
        Ok::<_, InvoiceError>(())
    });
    succeeds.await.unwrap();
    let mut events = reporting.events(3);
    events.sort_by_key(|event| exception(event)["value"].to_string());
    let said: Vec<_> = events.iter().map(|event| exception(event)["value"].as_str().unwrap()).collect();
    assert_eq!(said, ["invoice 7 cannot be sent", "the logo is missing", "the paper is low"]);
    for event in &events {
        assert_eq!((tag(event, "job.name"), tag(event, "error.origin")), ("send_invoice", "job"));
    }
    let trace = |at: usize| &events[at]["contexts"]["trace"]["trace_id"];
    assert!(trace(0) == trace(1) && trace(1) != trace(2), "each run has its own");
}

#[tokio::test]
async fn so_it_is_where_the_job_is_a_call_of_a_service() {
    let reporting = Reporting::start();
    let _listening = listening();
    let service = service_fn(async |id: u32| {
        let message = format!("Duplicate entry 'WislawaSzymborska{id}' for key 'invoices.id'");
        let kind = diesel::result::DatabaseErrorKind::UniqueViolation;
        let error = diesel::result::Error::DatabaseError(kind, Box::new(message));
        tracing::error!("the invoice cannot be kept: {error}");
        Err::<(), _>(error)
    });
    let service = JobLayer::new(|id: &u32| job("keep_invoice").id(id.to_string())).layer(service);
    assert!(service.oneshot(7).await.is_err());
    let event = reporting.event();
    assert_eq!((tag(&event, "job.name"), tag(&event, "error.type")), ("keep_invoice", "unique_violation"));
    assert_eq!(crumbs(&event).len(), 1);
    assert!(!event.to_string().contains("Szymborska"), "{event}");
}
