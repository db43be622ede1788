//! A worker on a plain loop: retries, a job that dies, one that overruns, a schedule with check-ins and a heartbeat.
//!
//! Run with `cargo run --example worker`. Each event is a line; with `FAULTWIRE_INBOX=127.0.0.1:8970` all of it is shown
//! there until the program is ended, and with `SENTRY_DSN` it is sent, check-ins too. `HEARTBEAT_URL` is called after
//! the nightly job.
#![expect(clippy::print_stdout, reason = "the result is what this program is for")]

use std::collections::VecDeque;
use std::time::Duration;

use faultwire::job::{Job, Schedule};
use faultwire::{Report, job};

const ATTEMPTS: u32 = 3;

/// What stands in the queue.
#[derive(Debug, serde::Serialize)]
struct Invoice {
    number: u64,
    customer: &'static str,
    /// Masked wherever it is shown.
    api_key: &'static str,
    #[serde(skip)]
    attempt: u32,
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the mail server is busy")]
    Busy,
    #[error("{0} is no customer of ours")]
    Unknown(&'static str),
}

async fn send(invoice: &Invoice) -> Result<(), Report> {
    faultwire::current().tag("customer", invoice.customer).breadcrumb("printed");
    match (invoice.customer, invoice.attempt) {
        ("grace", 1) => Err(SendError::Busy.into()),
        ("mallory", _) => Ok(Err(SendError::Unknown(invoice.customer))?),
        _ => Ok(()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guard = faultwire::init()?;

    let customers = ["ada", "grace", "mallory"];
    let invoice =
        |(number, customer)| Invoice { number, customer, api_key: "sk-not-for-everybody", attempt: 1 };
    let mut queue: VecDeque<_> = (4711..).zip(customers).map(invoice).collect();
    while let Some(mut invoice) = queue.pop_front() {
        let job = job("send_invoice").id(invoice.number).queue("invoices").args(&invoice);
        match job.attempt(invoice.attempt).of(ATTEMPTS).run(send(&invoice)).await {
            Ok(()) => println!("{} is sent at attempt {}", invoice.number, invoice.attempt),
            Err(report) if invoice.attempt < ATTEMPTS => {
                println!("{} failed and is tried again: {report}", invoice.number);
                invoice.attempt = invoice.attempt.saturating_add(1);
                queue.push_back(invoice);
            }
            Err(report) => println!("{} is dead: {report} (event {})", invoice.number, report.id()),
        }
    }

    // What a scheduler would call every night.
    let nightly = Schedule::crontab("0 3 * * *")?.max_runtime(Duration::from_secs(30 * 60));
    with_heartbeat(job("clean_up").monitor("clean-up", nightly))
        .run(clean_up())
        .await
        .map_err(Report::into_error)?;

    // It takes longer than it should, which is seen while it runs.
    let slow = job("export").overruns_after(Duration::from_millis(50));
    slow.run(export()).await.map_err(Report::into_error)?;

    let _ = guard.flush(Duration::from_secs(5));
    let jobs = guard.stats().jobs;
    println!("{} runs went well, {} failed, {} jobs are dead", jobs.succeeded, jobs.failed, jobs.dead);
    if std::env::var_os("FAULTWIRE_INBOX").is_some() {
        tokio::signal::ctrl_c().await?;
    }
    guard.shutdown_async(Duration::from_secs(5)).await;
    Ok(())
}

async fn clean_up() -> Result<(), std::io::Error> {
    Ok(())
}

async fn export() -> Result<(), Report> {
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(())
}

fn with_heartbeat(job: Job) -> Job {
    match std::env::var("HEARTBEAT_URL") {
        Ok(url) => job.heartbeat(url),
        Err(_) => job,
    }
}
