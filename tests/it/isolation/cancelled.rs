//! Requests that are given up: they leave nothing behind, and are told of only where somebody asked for it.

use std::convert::Infallible;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use axum::Router;
use axum::body::Body;
use axum::middleware::{Next, from_fn};
use axum::routing::get as on_get;
use faultwire::{Report, ReportLayer, User};
use http::{Request, StatusCode};
use tokio_stream::StreamExt as _;
use tower::{Service as _, ServiceExt as _};

use crate::support::{Reporting, exception, get};

const REQUESTS: u64 = 10_000;

async fn hangs() -> Result<(), Report> {
    faultwire::current().user(User::id("7")).tag("plan", "pro").breadcrumb("signed in");
    sentry::configure_scope(|scope| scope.set_tag("sdk", "yes"));
    std::future::pending().await
}

fn shop(layer: ReportLayer) -> Router {
    Router::new().route("/orders/{id}", on_get(hangs)).route("/ok", on_get(async || "ok")).layer(layer)
}

/// Begins a request, and gives it up.
fn give_up(app: &mut Router, request: Request<Body>) {
    let mut running = Box::pin(app.call(request));
    let polled = running.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending));
}

#[test]
fn ten_thousand_leave_nothing_and_are_counted() {
    let reporting = Reporting::start();
    let mut app = shop(ReportLayer::new());
    // What is made once.
    give_up(&mut app, get("/orders/1"));
    let taken = measure(|| {
        for _ in 1..REQUESTS {
            give_up(&mut app, get("/orders/1"));
        }
    });
    assert_eq!((taken.count_current, taken.bytes_current), (0, 0));
    assert!(taken.bytes_max < 64 * 1024, "{taken:?}");
    reporting.events(0);
    let stats = reporting.guard.stats();
    assert_eq!((stats.requests, stats.cancelled), (REQUESTS, REQUESTS));
}

#[tokio::test]
async fn what_ends_is_not_cancelled() {
    let reporting = Reporting::start();
    let mut app = shop(ReportLayer::new().report_cancelled());
    assert_eq!(app.as_service().oneshot(get("/ok")).await.unwrap().status(), 200);
    // Of one that nobody polls the layer never hears.
    drop(app.call(get("/ok")));
    reporting.events(0);
    let stats = reporting.guard.stats();
    assert_eq!((stats.requests, stats.cancelled), (1, 0));
}

#[test]
fn who_asks_is_told_with_all_that_is_known() {
    let reporting = Reporting::start();
    let mut app = shop(ReportLayer::new().report_cancelled());
    give_up(&mut app, get("/orders/1"));
    let event = reporting.event();
    assert_eq!((&event["transaction"], &event["level"]), (&"GET /orders/{id}".into(), &"warning".into()));
    assert_eq!((&event["user"]["id"], &event["tags"]["plan"]), (&"7".into(), &"pro".into()));
    assert_eq!((&event["tags"]["sdk"], &event["tags"]["error.origin"]), (&"yes".into(), &"request".into()));
    assert_eq!(event["breadcrumbs"]["values"][0]["message"], "signed in");
    assert_eq!(exception(&event)["type"], "RequestCancelled");
    assert_eq!(exception(&event)["mechanism"]["type"], "cancelled");
    assert!(event["contexts"]["response"].is_null(), "nobody was answered");
    assert_eq!(reporting.guard.stats().cancelled, 1);
}

#[test]
fn each_route_is_an_issue_of_its_own() {
    let reporting = Reporting::start();
    let app = Router::new().route("/a", on_get(hangs)).route("/b/{id}", on_get(hangs));
    let mut app: Router = app.layer(ReportLayer::new().report_cancelled());
    for path in ["/a", "/b/1", "/b/2"] {
        give_up(&mut app, get(path));
    }
    let prints: Vec<_> = reporting.events(3).into_iter().map(|event| event["fingerprint"].clone()).collect();
    assert_ne!(prints[0], prints[1]);
    assert_eq!(prints[1], prints[2]);
}

#[test]
fn ignore_is_asked_with_499_and_what_was_reported_before_is_why() {
    let reporting = Reporting::start();
    let layer = ReportLayer::new().report_cancelled();
    let mut quiet = shop(layer.clone().ignore(|_, status| status.as_u16() == 499));
    give_up(&mut quiet, get("/orders/1"));
    let fails = async || {
        Report::new("no stock").send();
        std::future::pending::<StatusCode>().await
    };
    let mut failing: Router = Router::new().route("/", on_get(fails)).layer(layer);
    give_up(&mut failing, get("/"));
    assert_eq!(exception(&reporting.event())["value"], "no stock");
    assert_eq!(reporting.guard.stats().cancelled, 2);
}

#[test]
fn what_had_failed_before_is_told_though_nobody_sees_its_answer() {
    let reporting = Reporting::start();
    let late = async |request: Request<Body>, next: Next| {
        let _answer = next.run(request).await;
        std::future::pending::<StatusCode>().await
    };
    let mut app: Router = Router::new()
        .route("/fails", on_get(async || Report::new("no stock")))
        .route("/refuses", on_get(async || Report::new("no such order").status(StatusCode::NOT_FOUND)))
        .layer(from_fn(late))
        .layer(ReportLayer::new());
    give_up(&mut app, get("/fails"));
    give_up(&mut app, get("/refuses"));
    let event = reporting.event();
    assert_eq!(exception(&event)["value"], "no stock");
    assert_eq!(event["transaction"], "GET /fails");
    let stats = reporting.guard.stats();
    assert_eq!((stats.cancelled, stats.discarded), (2, 1), "the 404 is none");
}

/// Reports when it goes.
struct Destroyed;

impl Drop for Destroyed {
    fn drop(&mut self) {
        faultwire::current().tag("from", "a destructor");
        Report::new("not committed").send();
    }
}

#[test]
fn what_a_request_destroys_it_destroys_in_its_own_context() {
    let reporting = Reporting::start();
    let handler = async || {
        let _guard = Destroyed;
        hangs().await
    };
    let mut app: Router = Router::new().route("/orders/{id}", on_get(handler)).layer(ReportLayer::new());
    give_up(&mut app, get("/orders/1"));
    let event = reporting.event();
    assert_eq!((&event["transaction"], &event["user"]["id"]), (&"GET /orders/{id}".into(), &"7".into()));
    assert_eq!((&event["tags"]["from"], &event["tags"]["sdk"]), (&"a destructor".into(), &"yes".into()));
}

#[tokio::test]
async fn so_do_its_tasks_and_its_body() {
    let reporting = Reporting::start();
    let spawns = async || {
        faultwire::current().user(User::id("7"));
        let guard = Destroyed;
        let task = faultwire::spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    };
    let streams = async || {
        faultwire::current().user(User::id("7"));
        let guard = Destroyed;
        Body::from_stream(
            tokio_stream::once(Ok::<_, Infallible>("first")).chain(tokio_stream::pending()).map(
                move |frame| {
                    let _guard = &guard;
                    frame
                },
            ),
        )
    };
    let app: Router = Router::new()
        .route("/spawns/{id}", on_get(spawns))
        .route("/streams/{id}", on_get(streams))
        .layer(ReportLayer::new());
    for route in ["spawns", "streams"] {
        drop(app.clone().oneshot(get(&format!("/{route}/1"))).await.unwrap());
    }
    for (event, route) in reporting.events(2).iter().zip(["spawns", "streams"]) {
        assert_eq!(event["transaction"], format!("GET /{route}/{{id}}"));
        assert_eq!((&event["tags"]["from"], &event["user"]["id"]), (&"a destructor".into(), &"7".into()));
    }
}
