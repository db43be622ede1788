//! Threads that were there, and used the SDK, before `init`.

use std::sync::{Arc, Barrier};
use std::thread;

use axum::Router;
use axum::routing::get as on_get;
use faultwire::sentry::{self, Hub, Level};
use faultwire::{Report, ReportLayer};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

use crate::init::alone;
use crate::support::{Reporting, get};

const WORKERS: usize = 4;
const ROUNDS: usize = 5;

/// Runs `work` once on each worker thread at the same time.
fn on_all_workers<F>(runtime: &Runtime, work: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(WORKERS));
    let tasks: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (barrier, work) = (Arc::clone(&barrier), work());
            runtime.spawn(async move {
                // Holds its worker until all others are held too.
                barrier.wait();
                work.await;
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
}

#[test]
fn requests_on_threads_that_used_the_sdk_before_init_are_reported() {
    alone("init::late::requests_on_threads_that_used_the_sdk_before_init_are_reported", || {
        let runtime = Builder::new_multi_thread().worker_threads(WORKERS).build().unwrap();
        on_all_workers(&runtime, || async { drop(Hub::current()) });
        thread::spawn(|| drop(Hub::main())).join().unwrap();

        let reporting = Reporting::start();
        let order = async || -> Result<(), Report> {
            sentry::capture_message("by the SDK", Level::Error);
            Err(Report::new("by a report"))
        };
        let app: Router = Router::new().route("/orders/{id}", on_get(order)).layer(ReportLayer::new());
        for _ in 0..ROUNDS {
            on_all_workers(&runtime, || {
                let app = app.clone();
                async move { assert_eq!(app.oneshot(get("/orders/1")).await.unwrap().status(), 500) }
            });
        }
        let events = reporting.events(2 * WORKERS * ROUNDS);
        let by_sdk = events.iter().filter(|event| event["logentry"]["formatted"] == "by the SDK");
        assert_eq!(by_sdk.count(), WORKERS * ROUNDS);
        assert!(events.iter().all(|event| event["transaction"] == "GET /orders/{id}"));
    });
}

#[test]
fn init_in_one_thread_reports_for_all() {
    let turn = crate::support::turn();
    let server = crate::fake::FakeServer::start();
    let dsn = server.dsn();
    let guard = thread::spawn(move || faultwire::Config::new().dsn(dsn).init().unwrap()).join().unwrap();
    let send = || Report::new("elsewhere").send();
    let ids = [send(), thread::spawn(send).join().unwrap()].map(|id| id.to_string());
    assert!(guard.flush(crate::delivery::PATIENCE));
    let events = server.expect_only(2);
    assert!(ids.iter().all(|id| events.iter().any(|event| event["event_id"] == **id)));
    drop((guard, turn));
}

#[test]
fn init_reads_the_environment_of_the_process() {
    const NAME: &str = "init::late::init_reads_the_environment_of_the_process";
    if std::env::var_os("SENTRY_DSN").is_some() {
        let guard = faultwire::init().unwrap();
        Report::new("from a process of its own").send();
        assert_eq!(guard.shutdown(crate::delivery::PATIENCE).lost, 0);
        return;
    }
    let server = crate::fake::FakeServer::start();
    let (passed, output) =
        crate::init::run(NAME, &[("SENTRY_DSN", &server.dsn()), ("SENTRY_ENVIRONMENT", "staging")]);
    assert!(passed, "{output}");
    assert_eq!(server.expect_only(1)[0]["environment"], "staging");
}
