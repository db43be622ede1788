//! More than one runtime, and more than one `init`, at the same time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use axum::Router;
use axum::extract::Path;
use axum::routing::get as on_get;
use faultwire::sentry;
use faultwire::{Config, Report, ReportLayer, User, current};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use crate::delivery::{PATIENCE, eventually};
use crate::fake::FakeServer;
use crate::support::{Reporting, get, turn};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

/// How many requests hang: of one that was never polled the layer never hears.
static HANGING: AtomicU64 = AtomicU64::new(0);

/// Fails, and says where it runs; or hangs.
fn shop(name: &'static str) -> Router {
    let speak = move || {
        current().user(User::id(name)).tag("runtime", name);
        sentry::configure_scope(|scope| scope.set_tag("sdk", name));
    };
    let fails = async move || {
        speak();
        tokio::task::yield_now().await;
        faultwire::spawn(async { tokio::task::yield_now().await }).await.unwrap();
        Report::new("no stock")
    };
    let hangs = async move || {
        speak();
        HANGING.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
    };
    Router::new().route("/fails", on_get(fails)).route("/hangs", on_get(hangs)).layer(ReportLayer::new())
}

#[test]
fn a_runtime_that_ends_takes_nothing_of_another_with_it() {
    const HANG: u64 = 50;
    const AFTER: usize = 50;
    let reporting = Reporting::start();
    let (ends, stays) = (runtime(), runtime());
    let has_ended = AtomicBool::new(false);
    for _ in 0..HANG {
        ends.spawn(shop("ends").oneshot(get("/hangs")));
        ends.block_on(ends.spawn(shop("ends").oneshot(get("/fails")))).unwrap().unwrap();
    }
    eventually("all of them hang", || HANGING.load(Ordering::SeqCst) == HANG);
    let failed = thread::scope(|scope| {
        let failing = scope.spawn(|| {
            let (mut failed, mut after) = (0, 0);
            while after < AFTER {
                after += usize::from(has_ended.load(Ordering::SeqCst));
                stays.block_on(stays.spawn(shop("stays").oneshot(get("/fails")))).unwrap().unwrap();
                failed += 1;
            }
            failed
        });
        drop(ends);
        has_ended.store(true, Ordering::SeqCst);
        failing.join().unwrap()
    });
    eventually("all are given up", || reporting.guard.stats().cancelled == HANG);
    let events = reporting.events(failed + HANG as usize);
    for event in &events {
        let name = &event["user"]["id"];
        assert_eq!([&event["tags"]["runtime"], &event["tags"]["sdk"]], [name, name]);
    }
    assert_eq!(events.iter().filter(|event| event["user"]["id"] == "stays").count(), failed);
}

#[test]
fn an_init_in_the_middle_of_requests_loses_none() {
    const REQUESTS: usize = 400;
    let _turn = turn();
    let servers = [FakeServer::start(), FakeServer::start(), FakeServer::start()];
    let config = |server: &FakeServer| {
        Config::new()
            .dsn(server.dsn())
            .storm(faultwire::config::Storm::Off)
            .stack_traces(faultwire::config::StackTraces::Off)
    };
    let handler = async |Path(n): Path<usize>| {
        current().tag("n", n);
        sentry::configure_scope(|scope| scope.set_tag("sdk", n));
        tokio::task::yield_now().await;
        Report::new("no stock")
    };
    let app: Router = Router::new().route("/{n}", on_get(handler)).layer(ReportLayer::new());
    let mut guards = vec![config(&servers[0]).init().unwrap()];
    let runtime = runtime();
    let running: Vec<_> =
        (0..REQUESTS).map(|n| runtime.spawn(app.clone().oneshot(get(&format!("/{n}"))))).collect();
    for server in &servers[1..] {
        guards.push(config(server).init().unwrap());
    }
    for request in running {
        assert_eq!(runtime.block_on(request).unwrap().unwrap().status(), 500);
    }
    assert!(guards.iter().all(|guard| guard.flush(PATIENCE)));
    let events: Vec<_> = servers.iter().flat_map(FakeServer::events).collect();
    let mut seen: Vec<usize> = Vec::new();
    for event in &events {
        assert_eq!(event["tags"]["n"], event["tags"]["sdk"]);
        seen.push(event["tags"]["n"].as_str().unwrap().parse().unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..REQUESTS).collect::<Vec<_>>());
}
