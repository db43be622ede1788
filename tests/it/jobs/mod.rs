//! Background jobs: each failure is the event that the policy says, told from others by how the run ended.

mod apalis;
mod api;
mod check_ins;
mod critical;
mod ends;
mod handed_on;
mod heartbeats;
mod isolation;
mod layers;
mod logged;
mod traces;

use std::future::pending;
use std::time::Duration;

use faultwire::Report;
use faultwire::job::{Job, JobFuture};
use serde_json::Value;

/// Long enough to be seen, and no time for a test.
const A_MOMENT: Duration = Duration::from_millis(20);
/// No test takes as long.
const AN_HOUR: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, thiserror::Error)]
#[error("invoice {0} cannot be sent")]
struct InvoiceError(u32);

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Succeeds,
    Fails,
    Panics,
    /// Never, unless somebody ends it.
    Hangs,
}

async fn run(job: Job, end: End) -> Result<(), Report> {
    future(job, end).await
}

/// Begins it and gives it up.
async fn cancel(job: Job) {
    let mut hangs = Box::pin(future(job, End::Hangs));
    tokio::select! {
        biased;
        _ = &mut hangs => panic!("it hangs"),
        () = tokio::task::yield_now() => {}
    }
}

fn future(job: Job, end: End) -> JobFuture<impl Future<Output = Result<(), InvoiceError>>> {
    job.run(async move {
        tokio::task::yield_now().await;
        match end {
            End::Succeeds => Ok(()),
            End::Fails => Err(InvoiceError(7)),
            End::Panics => panic!("the printer is on fire"),
            End::Hangs => pending().await,
        }
    })
}

fn tag<'a>(event: &'a Value, name: &str) -> &'a str {
    event["tags"][name].as_str().unwrap_or_default()
}

/// The SDK leaves out what is the default.
fn level(event: &Value) -> &str {
    event["level"].as_str().unwrap_or("error")
}

fn crumbs(event: &Value) -> Vec<&str> {
    let crumbs = event["breadcrumbs"]["values"].as_array().map(Vec::as_slice).unwrap_or_default();
    crumbs.iter().map(|crumb| crumb["message"].as_str().unwrap()).collect()
}
