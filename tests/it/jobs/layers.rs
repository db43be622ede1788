//! `JobLayer` around any tower service.

use std::convert::Infallible;

use faultwire::job::{Job, JobLayer};
use faultwire::{BoxError, Report, job};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use super::{InvoiceError, crumbs, tag};
use crate::support::{Reporting, exception};

#[derive(Clone)]
struct Message {
    id: u32,
    attempt: u32,
    says: &'static str,
}

fn describe(message: &Message) -> Job {
    job("import").queue("imports").id(message.id).attempt(message.attempt).of(2)
}

fn message(id: u32, attempt: u32, says: &'static str) -> Message {
    Message { id, attempt, says }
}

async fn handle(message: Message) -> Result<u32, BoxError> {
    tokio::task::yield_now().await;
    faultwire::current().tag("says", message.says);
    match message.says {
        "fail" => Err(InvoiceError(message.id).into()),
        "panic" => panic!("in a handler"),
        "hang" => std::future::pending().await,
        _ => Ok(message.id),
    }
}

#[tokio::test]
async fn each_call_is_a_run_and_what_passes_stays_as_it_is() {
    let reporting = Reporting::start();
    let mut worker = ServiceBuilder::new().layer(JobLayer::new(describe)).service(service_fn(handle));
    assert_eq!(worker.ready().await.unwrap().call(message(1, 1, "work")).await.unwrap(), 1);
    for attempt in 1..=2 {
        let error = worker.ready().await.unwrap().call(message(2, attempt, "fail")).await.unwrap_err();
        assert!(error.is::<InvoiceError>(), "the error is the service's own");
    }
    drop(worker.ready().await.unwrap().call(message(3, 1, "hang")));
    let panics = tokio::spawn(worker.ready().await.unwrap().call(message(4, 2, "panic")));
    assert!(panics.await.unwrap_err().is_panic(), "it goes on");
    let events = reporting.events(2);
    assert_eq!([0, 1].map(|n| tag(&events[n], "job.outcome")), ["failed", "panicked"]);
    assert_eq!([0, 1].map(|n| tag(&events[n], "says")), ["fail", "panic"]);
    assert_eq!(tag(&events[0], "messaging.destination.name"), "imports");
    assert_eq!(crumbs(&events[0]), ["attempt 1 of 2 failed: Error: invoice 2 cannot be sent"]);
    assert_eq!(exception(&events[0])["value"], "invoice 2 cannot be sent");
    let jobs = reporting.guard.stats().jobs;
    assert_eq!((jobs.succeeded, jobs.failed, jobs.cancelled, jobs.dead), (1, 3, 1, 2));
}

#[tokio::test]
async fn a_description_that_panics_costs_the_description() {
    let reporting = Reporting::start();
    let describe = |message: &Message| -> Job { panic!("no description of {}", message.id) };
    let worker = JobLayer::new(describe).layer(service_fn(handle));
    worker.oneshot(message(1, 1, "fail")).await.unwrap_err();
    assert_eq!(tag(&reporting.event(), "job.name"), "job");
}

#[tokio::test]
async fn a_call_that_panics_before_there_is_a_future_is_a_panic_too() {
    let reporting = Reporting::start();
    let call =
        |message: Message| -> std::future::Ready<Result<(), Infallible>> { panic!("{}", message.says) };
    let mut worker = JobLayer::new(describe).layer(service_fn(call));
    let call = std::panic::AssertUnwindSafe(|| drop(worker.call(message(1, 2, "at once"))));
    std::panic::catch_unwind(call).unwrap_err();
    assert_eq!(exception(&reporting.event())["value"], "at once");
}

#[tokio::test]
async fn the_error_of_a_service_may_be_a_report() {
    let reporting = Reporting::start();
    let handle = async |message: Message| Err::<(), _>(Report::new(InvoiceError(message.id)).tag("a", "b"));
    let worker = JobLayer::new(describe).layer(service_fn(handle));
    drop(worker.oneshot(message(7, 2, "")).await);
    let event = reporting.event();
    assert_eq!((tag(&event, "a"), tag(&event, "job.attempt")), ("b", "2 of 2"));
    assert_eq!(reporting.guard.stats().discarded, 0);
}

#[tokio::test]
async fn without_reporting_the_layer_steps_aside() {
    let _turn = crate::support::turn();
    let describe = |_: &Message| -> Job { panic!("nobody asks") };
    let worker = JobLayer::new(describe).layer(service_fn(handle));
    assert_eq!(worker.oneshot(message(1, 1, "work")).await.unwrap(), 1);
}
