//! What becomes of a job's failure where it is handed on, and of what its end breaks.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use faultwire::{Report, ReportLayer, job};
use serde_json::Value;
use tower::ServiceExt as _;

use super::End::Fails;
use super::{InvoiceError, crumbs, level, run, tag};
use crate::support::{Reporting, event_id, exception, get as request};

#[tokio::test]
async fn an_attempt_that_was_held_back_is_an_event_where_a_request_ends_with_it() {
    let reporting = Reporting::start();
    let handler = async || -> Result<(), Report> {
        let report = run(job("send_invoice").id(1).attempt(1).of(3), Fails).await.unwrap_err();
        Err(report.with_event(|event| event.logger = Some("mine".to_owned())))
    };
    let app = Router::new().route("/send", get(handler)).layer(ReportLayer::new());
    let response = app.oneshot(request("/send")).await.unwrap();
    assert_eq!(response.status(), 500);
    let event = reporting.event();
    assert_eq!(event["event_id"].as_str(), Some(&*event_id(&response)));
    assert_eq!((event["transaction"].as_str(), event["logger"].as_str()), (Some("GET /send"), Some("mine")));
    let stats = reporting.guard.stats();
    assert_eq!((stats.jobs.held_back, stats.discarded), (1, 0));
}

#[tokio::test]
async fn the_job_around_one_that_was_held_back_decides_by_its_own_policy() {
    let reporting = Reporting::start();
    for attempt in 1..=2 {
        let inner = async move {
            let step = async { Err::<(), _>(InvoiceError(attempt)) };
            // The last word on the event stays with the report.
            let report = job("step").id(7).attempt(1).of(9).run(step).await.unwrap_err();
            Err::<(), _>(report.with_event(|event| event.logger = Some("mine".to_owned())))
        };
        assert!(job("all").id(1).attempt(attempt).of(2).run(inner).await.is_err());
    }
    let event = reporting.event();
    assert_eq!(
        (tag(&event, "job.name"), tag(&event, "job.attempt"), level(&event)),
        ("all", "2 of 2", "fatal")
    );
    assert_eq!(event["logger"], "mine");
    assert_eq!(crumbs(&event), ["attempt 1 of 2 failed: InvoiceError: invoice 1 cannot be sent"]);
    let jobs = reporting.guard.stats().jobs;
    assert_eq!((jobs.failed, jobs.held_back, jobs.dead), (4, 3, 1));
}

#[tokio::test]
async fn what_a_job_reported_is_no_second_event_of_the_job_around_it() {
    let reporting = Reporting::start();
    let inner = async { run(job("step").attempt(3).of(3), Fails).await };
    assert!(job("all").attempt(2).of(2).run(inner).await.is_err());
    assert_eq!(tag(&reporting.event(), "job.name"), "step");
}

#[tokio::test]
async fn what_was_reported_is_no_second_event_with_words_around_it() {
    let reporting = Reporting::start();
    let handler = async || -> Result<(), Report> {
        let sent = run(job("send_invoice").attempt(3).of(3), Fails).await.map_err(Report::into_error);
        Ok(anyhow::Context::context(sent, "the nightly run ended early")?)
    };
    let app = Router::new().route("/send", get(handler)).layer(ReportLayer::new());
    let response = app.oneshot(request("/send")).await.unwrap();
    let event = reporting.event();
    assert_eq!(
        (tag(&event, "job.name"), event["event_id"].as_str()),
        ("send_invoice", Some(&*event_id(&response)))
    );
    assert_eq!(reporting.guard.stats().discarded, 0);
}

#[tokio::test]
async fn a_report_keeps_its_place_through_errors_and_boxes() {
    let reporting = Reporting::start();
    let line = line!() + 1;
    let made = || Report::new("no stock");
    drop(job("one").run(async { Err::<(), _>(made().into_error()) }).await);
    let boxed = async { Err::<(), Box<dyn std::error::Error + Send + Sync>>(made().into_error().into()) };
    drop(job("two").run(boxed).await);
    let place = |event: &Value| exception(event)["stacktrace"]["frames"][0]["lineno"].as_u64();
    for event in reporting.events(2) {
        assert_eq!(place(&event), Some(u64::from(line)), "{event}");
    }
}

/// Panics when it is dropped, in the context in which it was made.
struct Breaks(&'static AtomicUsize);

impl Drop for Breaks {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        faultwire::current().tag("dropped", "inside");
        panic!("the printer jams")
    }
}

#[tokio::test]
async fn a_panic_of_a_destructor_is_an_event_of_its_own_in_the_context_of_its_job() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    let reporting = Reporting::start();
    let succeeds = {
        let breaks = Breaks(&DROPPED);
        std::future::poll_fn(move |_| {
            let _ = &breaks;
            std::task::Poll::Ready(Ok::<_, InvoiceError>(()))
        })
    };
    assert!(job("ends").run(succeeds).await.is_ok());
    let breaks = Breaks(&DROPPED);
    let mut hangs = Box::pin(job("hangs").run(async move {
        let _breaks = breaks;
        std::future::pending::<Result<(), InvoiceError>>().await
    }));
    tokio::select! { biased; _ = &mut hangs => panic!("it hangs"), () = std::future::ready(()) => {} }
    drop(hangs);
    assert_eq!(DROPPED.load(Ordering::Relaxed), 2);
    let mut names = Vec::new();
    for event in reporting.events(2) {
        assert_eq!((tag(&event, "dropped"), tag(&event, "job.outcome")), ("inside", "panicked"));
        assert_eq!(exception(&event)["value"], "the printer jams");
        names.push(tag(&event, "job.name").to_owned());
    }
    names.sort_unstable();
    assert_eq!(names, ["ends", "hangs"]);
    let jobs = reporting.guard.stats().jobs;
    assert_eq!((jobs.succeeded, jobs.failed, jobs.cancelled), (1, 0, 1));
}

#[tokio::test]
async fn half_a_secret_of_an_earlier_attempt_stays_here() {
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Long(String);

    // Wherever the text is cut, before, in and behind the password.
    for padding in 980..1_024 {
        let reporting = Reporting::start();
        for attempt in 1..=2 {
            let text = format!("{} postgres://ada:hunter2@db.internal/shop", "x".repeat(padding));
            let fails = async { Err::<(), _>(Long(text)) };
            drop(job("send").id(padding).attempt(attempt).of(2).run(fails).await);
        }
        let event = reporting.event();
        assert_eq!(crumbs(&event).len(), 1);
        assert!(!event.to_string().contains("hunter"), "{padding}");
    }
}
