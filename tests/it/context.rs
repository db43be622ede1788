//! The context: it sticks to its request, wherever the request goes, and to no other.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::middleware::{Next, from_fn};
use axum::routing::get as on_get;
use axum::{Router, extract::Query};
use faultwire::report::Breadcrumb;
use faultwire::{Report, ReportLayer, User, WithContext};
use http::StatusCode;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Reporting, exception, get};

#[derive(serde::Deserialize)]
struct Who {
    user: String,
}

/// Sets the user deep down, across an await that really waits.
async fn deep(user: String) {
    tokio::time::sleep(Duration::from_micros(50)).await;
    faultwire::current().user(User::id(user)).breadcrumb("deep down");
    tokio::task::yield_now().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_requests_never_see_each_others_context() {
    const REQUESTS: usize = 400;
    let reporting = Reporting::start();
    let handler = async |Path(id): Path<String>, Query(who): Query<Who>| -> Result<(), Report> {
        sentry::configure_scope(|scope| scope.set_tag("sdk", &id));
        faultwire::current().tag("ours", &id);
        deep(who.user).await;
        Err(Report::new("none in stock"))
    };
    let app: Router = Router::new().route("/orders/{id}", on_get(handler)).layer(ReportLayer::new());
    let mut running = tokio::task::JoinSet::new();
    for id in 0..REQUESTS {
        running.spawn(app.clone().oneshot(get(&format!("/orders/{id}?user={id}"))));
    }
    running.join_all().await;
    let mut traces: Vec<String> = Vec::new();
    for event in reporting.events(REQUESTS) {
        let id = event["user"]["id"].as_str().unwrap();
        let seen = [&event["tags"]["sdk"], &event["tags"]["ours"]].map(|tag| tag.as_str().unwrap());
        assert_eq!(seen, [id, id]);
        assert!(event["request"]["url"].as_str().unwrap().ends_with(&format!("/orders/{id}")));
        assert_eq!(event["breadcrumbs"]["values"].as_array().unwrap().len(), 1);
        traces.push(event["contexts"]["trace"]["trace_id"].as_str().unwrap().to_owned());
    }
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), REQUESTS, "each request has a trace of its own");
}

#[tokio::test]
async fn a_user_set_in_middleware_further_in_reaches_the_event() {
    let reporting = Reporting::start();
    let sign_in = async |request: Request, next: Next| {
        faultwire::current().user(User::id("7").username("ada"));
        next.run(request).await
    };
    let app: Router = Router::new()
        .route("/", on_get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(from_fn(sign_in))
        .layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    assert_eq!(reporting.event()["user"], json!({"id": "7", "username": "ada"}));
}

#[tokio::test]
async fn a_spawned_task_that_fails_after_the_response_has_its_request() {
    let reporting = Reporting::start();
    let handler = async || {
        faultwire::current().user(User::id("7"));
        let mail = async {
            tokio::task::yield_now().await;
            Report::new("the mail could not be sent").send();
            panic!("and the task dies");
        };
        tokio::spawn(mail.with_context());
        StatusCode::ACCEPTED
    };
    let app: Router = Router::new().route("/orders/{id}", on_get(handler)).layer(ReportLayer::new());
    assert_eq!(app.oneshot(get("/orders/1")).await.unwrap().status(), 202);
    reporting.server.wait_events(0);
    while reporting.guard.stats().captured < 2 {
        tokio::task::yield_now().await;
    }
    let events = reporting.events(2);
    for event in &events {
        assert_eq!((&event["transaction"], &event["user"]["id"]), (&json!("GET /orders/{id}"), &json!("7")));
    }
    assert_eq!(events[0]["tags"]["error.origin"], "request");
    assert_eq!(events[1]["tags"]["error.origin"], "task");
    assert_eq!(exception(&events[1])["value"], "and the task dies");
    assert_eq!(events[0]["contexts"]["trace"]["trace_id"], events[1]["contexts"]["trace"]["trace_id"]);
}

#[tokio::test]
async fn what_is_said_after_an_event_does_not_reach_back() {
    let reporting = Reporting::start();
    let handler = async || {
        faultwire::current().tag("when", "before");
        Report::new("handled").send();
        faultwire::current().tag("when", "after");
        sentry::configure_scope(|scope| scope.set_tag("sdk", "after"));
        StatusCode::OK
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    let event = reporting.event();
    assert_eq!((&event["tags"]["when"], &event["tags"]["sdk"]), (&json!("before"), &Value::Null));
}

#[tokio::test]
async fn contexts_are_bounded() {
    let reporting = Reporting::start();
    let handler = async || -> Result<(), Report> {
        let context = faultwire::current();
        for n in 0..1_000 {
            context.tag(format!("tag{n}"), n).data(format!("data{n}"), &n).breadcrumb("x".repeat(1_000));
        }
        context.data("huge", &"y".repeat(100_000));
        Err(Report::new("full"))
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    let event = reporting.event();
    assert!(event["extra"].as_object().unwrap().len() <= 64);
    assert!(event["tags"].as_object().unwrap().len() <= 64 + 8);
    let crumbs = event["breadcrumbs"]["values"].as_array().unwrap().len();
    assert!((50..=64).contains(&crumbs), "64 KiB of them: {crumbs}");
}

#[tokio::test]
async fn the_last_hundred_breadcrumbs_are_kept_and_a_large_one_drives_out_none() {
    let reporting = Reporting::start();
    let handler = async || -> Result<(), Report> {
        let context = faultwire::current();
        for n in 0..150 {
            context.breadcrumb(format!("step {n}"));
        }
        let large = (0..5).fold(Breadcrumb::new("large"), |breadcrumb, n| {
            breadcrumb.data(format!("field{n}"), &"y".repeat(15_000))
        });
        context.breadcrumb(large);
        Err(Report::new("full"))
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    let event = reporting.event();
    let crumbs = event["breadcrumbs"]["values"].as_array().unwrap();
    let said = |crumb: &Value| crumb["message"].as_str().unwrap().to_owned();
    let expected = (51..150).map(|n| format!("step {n}")).chain(["large".to_owned()]);
    assert_eq!(crumbs.iter().map(said).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let left_out = &crumbs[99]["data"]["faultwire.left_out"];
    assert!(left_out.as_str().unwrap().starts_with("values of about 75"), "{left_out}");
}

#[tokio::test]
async fn outside_of_a_request_nothing_happens() {
    let reporting = Reporting::start();
    faultwire::current().user(User::id("nobody")).tag("a", "b").data("c", &1).breadcrumb("d");
    Report::new("alone").send();
    let event = reporting.event();
    assert_eq!((&event["user"], &event["tags"]["a"]), (&Value::Null, &Value::Null));
    assert_eq!(event["tags"]["error.origin"], "process");
}

#[tokio::test]
async fn what_middleware_outside_says_to_the_sdk_stays_outside() {
    // What is said on the thread of the SDK's main hub is said to all.
    std::thread::spawn(|| drop(sentry::Hub::main())).join().unwrap();
    let reporting = Reporting::start();
    let outside = async |request: Request, next: Next| {
        sentry::configure_scope(|scope| scope.set_tag("leak", request.uri().path()));
        next.run(request).await
    };
    let app: Router = Router::new()
        .route("/{id}", on_get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(ReportLayer::new())
        .layer(from_fn(outside));
    for path in ["/1", "/2"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap();
    }
    sentry::configure_scope(|scope| scope.remove_tag("leak"));
    for event in reporting.events(2) {
        assert_eq!(event["tags"].get("leak"), None);
    }
}

/// Destroyed after the SDK's hub of the thread, which comes to know of that one later.
fn keep_until_the_thread_ends(make: impl FnOnce() -> Box<dyn std::any::Any> + Send + 'static) {
    use std::cell::RefCell;

    thread_local! {
        static KEPT: RefCell<Option<Box<dyn std::any::Any>>> = const { RefCell::new(None) };
    }
    let thread = std::thread::spawn(|| {
        KEPT.set(None);
        KEPT.set(Some(make()));
    });
    thread.join().unwrap();
}

#[test]
fn a_task_that_its_thread_keeps_until_it_ends_does_not_end_the_process() {
    crate::init::alone(
        "context::a_task_that_its_thread_keeps_until_it_ends_does_not_end_the_process",
        || {
            let _reporting = Reporting::start();
            keep_until_the_thread_ends(|| Box::new(Box::pin(std::future::pending::<()>().with_context())));
        },
    );
}

#[test]
fn a_body_that_its_thread_keeps_until_it_ends_does_not_end_the_process() {
    crate::init::alone(
        "context::a_body_that_its_thread_keeps_until_it_ends_does_not_end_the_process",
        || {
            let _reporting = Reporting::start();
            keep_until_the_thread_ends(|| {
                let goes_on = async || {
                    Body::from_stream(tokio_stream::pending::<Result<&str, std::convert::Infallible>>())
                };
                let app: Router = Router::new().route("/", on_get(goes_on)).layer(ReportLayer::new());
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                Box::new(runtime.block_on(app.oneshot(get("/"))).unwrap().into_body())
            });
        },
    );
}

#[tokio::test]
async fn a_future_in_the_context_of_another_request_sees_nothing_of_this_one() {
    let reporting = Reporting::start();
    let first = std::sync::Arc::new(std::sync::Mutex::new(None));
    let kept = std::sync::Arc::clone(&first);
    let begins = async move || {
        sentry::configure_scope(|scope| scope.set_tag("sdk", "first"));
        *kept.lock().unwrap() = Some(faultwire::current().tag("ours", "first").clone());
    };
    let goes_on = async move || {
        sentry::configure_scope(|scope| {
            scope.set_tag("sdk", "second");
            scope.set_user(Some(sentry::User { id: Some("second".into()), ..Default::default() }));
        });
        let first = first.lock().unwrap().take().unwrap();
        first.scope(async { Report::new("not written").send() }).await;
    };
    let app: Router = Router::new()
        .route("/first", on_get(begins))
        .route("/second", on_get(goes_on))
        .layer(ReportLayer::new());
    for path in ["/first", "/second"] {
        app.clone().oneshot(get(path)).await.unwrap();
    }
    let event = reporting.event();
    assert_eq!((&event["transaction"], &event["tags"]["ours"]), (&json!("GET /first"), &json!("first")));
    assert_ne!((&event["tags"]["sdk"], &event["user"]["id"]), (&json!("second"), &json!("second")));
}

#[test]
fn the_sdk_speaks_in_a_future_in_a_requests_context_also_where_it_was_used_before_init() {
    let name = "context::the_sdk_speaks_in_a_future_in_a_requests_context_also_where_it_was_used_before_init";
    crate::init::alone(name, || {
        let (give, given) = std::sync::mpsc::channel::<faultwire::Context>();
        let (says, ready) = std::sync::mpsc::channel();
        drop(sentry::Hub::current());
        let thread = std::thread::spawn(move || {
            drop(sentry::Hub::current());
            says.send(()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let goes_on = async { sentry::capture_message("connected", sentry::Level::Error) };
            runtime.block_on(given.recv().unwrap().scope(goes_on));
        });
        ready.recv().unwrap();
        let reporting = Reporting::start();
        let begins = async move || give.send(faultwire::current().clone()).unwrap();
        let app: Router = Router::new().route("/", on_get(begins)).layer(ReportLayer::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(app.oneshot(get("/"))).unwrap();
        thread.join().unwrap();
        assert_eq!(reporting.event()["transaction"], "GET /");
    });
}
