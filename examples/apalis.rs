//! A queue of apalis: each attempt of a task is a run of a job, and what dies is one event.
//!
//! Run with `cargo run --example apalis`. Each event is a line; with `FAULTWIRE_INBOX=127.0.0.1:8970` all of it is shown
//! there until the program is ended, and with `SENTRY_DSN` it is sent.
#![expect(clippy::print_stdout, reason = "the result is what this program is for")]

use apalis::layers::WorkerBuilderExt;
use apalis::layers::retry::RetryPolicy;
use apalis_core::backend::TaskSink;
use apalis_core::backend::memory::MemoryStorage;
use apalis_core::error::{AbortError, BoxDynError};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::builder::WorkerBuilder;
use faultwire::job::{Job, JobLayer};

/// Tries after the first.
const RETRIES: usize = 2;

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Invoice {
    customer: String,
    /// Masked wherever it is shown.
    api_key: String,
}

#[derive(Debug, thiserror::Error)]
#[error("the mail server is busy")]
struct Busy;

async fn send(invoice: Invoice) -> Result<(), BoxDynError> {
    faultwire::current().tag("customer", &invoice.customer);
    match &*invoice.customer {
        "grace" => Err(Busy.into()),
        "mallory" => Err(AbortError::new("no customer of ours").into()),
        _ => Ok(()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guard = faultwire::init()?;

    let mut storage = MemoryStorage::new();
    for (number, customer) in (4711..).zip(["ada", "grace", "mallory"]) {
        let invoice = Invoice { customer: customer.to_owned(), api_key: "sk-not-for-everybody".to_owned() };
        let task = TaskBuilder::new(invoice).task_id(TaskId::from_int(number)).max_attempts(RETRIES + 1);
        storage.push_task(task.build()).await?;
    }

    // What is added later is closer to the task: each attempt is a run. `JobLayer::apalis()` is the same without the
    // arguments.
    let describe = |task: &Task<Invoice>| Job::from(task).args(&task.args);
    let worker = WorkerBuilder::new("invoices")
        .backend(storage)
        .retry(RetryPolicy::retries(RETRIES))
        .layer(JobLayer::new(describe))
        .build(send);

    // Two of the three die: one at its third attempt, one at once.
    let until_done = async {
        while faultwire::stats().jobs.dead < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = worker.run() => ended?,
        () = until_done => {}
    }
    let jobs = faultwire::stats().jobs;
    println!("{} runs went well, {} failed, {} tasks are dead", jobs.succeeded, jobs.failed, jobs.dead);
    if std::env::var_os("FAULTWIRE_INBOX").is_some() {
        tokio::signal::ctrl_c().await?;
    }
    guard.shutdown_async(std::time::Duration::from_secs(5)).await;
    Ok(())
}
