//! `JobLayer` around workers of apalis.

use apalis::layers::WorkerBuilderExt;
use apalis::layers::retry::RetryPolicy;
use apalis_core::backend::TaskSink;
use apalis_core::backend::memory::MemoryStorage;
use apalis_core::error::{AbortError, BoxDynError};
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::task::{Task, attempt::Attempt};
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use faultwire::job::{Job, JobLayer};
use serde_json::json;

use super::{InvoiceError, crumbs, tag};
use crate::support::{Reporting, exception};

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Invoice {
    number: u32,
    password: String,
}

fn task(number: u32) -> Task<Invoice> {
    let invoice = Invoice { number, password: "hunter2".to_owned() };
    TaskBuilder::new(invoice).task_id(TaskId::from_int(u64::from(number))).max_attempts(3).build()
}

/// Number 1 is sent, 2 never is, 3 is at the second attempt, 4 makes no sense; 9 and 10 end the worker.
async fn send(invoice: Invoice, attempt: Attempt, worker: WorkerContext) -> Result<(), BoxDynError> {
    match (invoice.number, attempt.current()) {
        (1, _) | (3, 2) => Ok(()),
        (4, _) => Err(AbortError::new(InvoiceError(4)).into()),
        (9, _) => {
            // Whatever is tried again has to be done before.
            while runs() < 7 {
                tokio::task::yield_now().await;
            }
            Ok(worker.stop()?)
        }
        (10, _) => Ok(worker.stop()?),
        (number, _) => Err(InvoiceError(number).into()),
    }
}

/// How many runs ended.
fn runs() -> u64 {
    let jobs = faultwire::stats().jobs;
    jobs.succeeded.saturating_add(jobs.failed)
}

#[tokio::test]
async fn tasks_are_jobs_with_what_apalis_knows_of_them() {
    let reporting = Reporting::start();
    let mut storage = MemoryStorage::new();
    for number in [1, 2, 3, 4, 9] {
        storage.push_task(task(number)).await.unwrap();
    }
    // What is added later is closer to the task: each attempt is a run.
    let worker = WorkerBuilder::new("mail-worker")
        .backend(storage)
        .retry(RetryPolicy::retries(2))
        .layer(JobLayer::apalis())
        .build(send);
    worker.run().await.unwrap();
    let events = reporting.events(2);
    let (dead, aborted) = match tag(&events[0], "messaging.message.id") {
        "2" => (&events[0], &events[1]),
        _ => (&events[1], &events[0]),
    };
    assert_eq!((tag(dead, "job.name"), tag(dead, "job.attempt")), ("Invoice", "3 of 3"));
    assert_eq!(tag(dead, "messaging.destination.name"), "mail-worker");
    assert_eq!((&dead["level"], crumbs(dead).len()), (&json!("fatal"), 2));
    assert_eq!(exception(dead)["value"], "invoice 2 cannot be sent");
    assert_eq!((tag(aborted, "job.outcome"), tag(aborted, "job.attempt")), ("aborted", "1 of 3"));
    assert_eq!((&aborted["level"], &exception(aborted)["type"]), (&json!("fatal"), &json!("AbortError")));
    let jobs = reporting.guard.stats().jobs;
    assert_eq!((jobs.succeeded, jobs.failed, jobs.held_back, jobs.dead), (3, 5, 3, 2));
}

#[tokio::test]
async fn around_the_retries_it_sees_one_run_and_no_dead_letter_is_missed() {
    let reporting = Reporting::start();
    let mut storage = MemoryStorage::new();
    for number in [2, 3] {
        storage.push_task(task(number)).await.unwrap();
    }
    let worker = WorkerBuilder::new("mail-worker")
        .backend(storage)
        .layer(JobLayer::apalis())
        .retry(RetryPolicy::retries(2))
        .build(send);
    tokio::select! {
        ended = worker.run() => ended.unwrap(),
        () = async {
            while runs() < 2 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    let event = reporting.event();
    assert_eq!((tag(&event, "job.attempt"), tag(&event, "messaging.message.id")), ("3 of 3", "2"));
    assert_eq!((&event["level"], crumbs(&event).len()), (&json!("fatal"), 0));
    let jobs = reporting.guard.stats().jobs;
    assert_eq!((jobs.succeeded, jobs.failed, jobs.dead), (1, 1, 1));
}

#[tokio::test]
async fn a_description_of_ones_own_shows_arguments_and_the_metadata_carry_the_trace() {
    let reporting = Reporting::start();
    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    let mut metadata = apalis_core::task::metadata::MetadataStore::new();
    metadata.insert("sentry-trace", format!("{trace_id}-b7ad6b7169203331")).unwrap();
    let invoice = Invoice { number: 2, password: "hunter2".to_owned() };
    let mut storage = MemoryStorage::new();
    storage.push_task(TaskBuilder::new(invoice).with_metadata(metadata).build()).await.unwrap();
    storage.push_task(task(10)).await.unwrap();
    let describe = |task: &Task<Invoice>| Job::from(task).args(&task.args);
    let worker =
        WorkerBuilder::new("mail-worker").backend(storage).layer(JobLayer::new(describe)).build(send);
    worker.run().await.unwrap();
    let event = reporting.event();
    let expected = json!({"number": 2, "password": "[Filtered]"});
    assert_eq!(event["contexts"]["job"]["args"], expected);
    assert_eq!(event["contexts"]["trace"]["trace_id"], trace_id);
}
