//! The hubs of requests that follow each other on one thread, whose places are used again: nothing that was done to one
//! is in the next.

use std::sync::Arc;

use axum::Router;
use axum::routing::get as on_get;
use faultwire::sentry::{self, Hub};
use faultwire::{Report, ReportLayer};
use tower::ServiceExt as _;

use crate::support::{Reporting, get};

async fn fails() -> Report {
    Report::new("no stock")
}

async fn served(app: &Router, path: &str) {
    drop(app.clone().oneshot(get(path)).await.unwrap());
}

#[tokio::test]
async fn each_request_starts_with_the_main_scope_as_it_is_then() {
    let reporting = Reporting::start();
    let app = Router::new()
        .route("/ok", on_get(async || sentry::configure_scope(|scope| scope.set_tag("step", "of a request"))))
        .route("/fails", on_get(fails))
        .layer(ReportLayer::new());
    let steps = ["first", "second", "third"];
    for step in steps {
        Hub::main().configure_scope(|scope| scope.set_tag("step", step));
        served(&app, "/ok").await;
        served(&app, "/fails").await;
        // This one goes on where the one before it succeeded.
        served(&app, "/ok").await;
    }
    Hub::main().configure_scope(|scope| scope.remove_tag("step"));
    served(&app, "/ok").await;
    served(&app, "/fails").await;
    let seen: Vec<_> = reporting.events(4).iter().map(|event| event["tags"].get("step").cloned()).collect();
    let expected = steps.into_iter().map(|step| Some(step.into())).chain([None]);
    assert_eq!(seen, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_scope_holds_ends_with_its_request() {
    let reporting = Reporting::start();
    let held = Arc::new(());
    let holds = {
        let held = Arc::clone(&held);
        async move || {
            let held = Arc::clone(&held);
            sentry::configure_scope(|scope| {
                scope.add_event_processor(move |event| {
                    let _held = &held;
                    Some(event)
                });
            });
        }
    };
    let app = Router::new().route("/ok", on_get(holds)).layer(ReportLayer::new());
    // The route has one, too.
    let before = Arc::strong_count(&held);
    for _ in 0..10 {
        served(&app, "/ok").await;
        assert_eq!(Arc::strong_count(&held), before);
    }
    reporting.events(0);
}

#[tokio::test]
async fn a_client_that_a_request_binds_stays_there() {
    let reporting = Reporting::start();
    let unbinds = async || Hub::current().bind_client(None);
    let captures = async || {
        sentry::capture_message("through the SDK", sentry::Level::Info);
    };
    let asks = async || format!("{:?}", Hub::current().last_event_id());
    let app = Router::new()
        .route("/unbinds", on_get(unbinds))
        .route("/captures", on_get(captures))
        .route("/asks", on_get(asks))
        .layer(ReportLayer::new());
    for _ in 0..3 {
        served(&app, "/unbinds").await;
        served(&app, "/captures").await;
        let asked = app.clone().oneshot(get("/asks")).await.unwrap();
        let asked = axum::body::to_bytes(asked.into_body(), 64).await.unwrap();
        assert_eq!(&*asked, b"None", "the id of another request's event");
    }
    for event in reporting.events(3) {
        assert_eq!(event["logentry"]["formatted"], "through the SDK", "{event}");
    }
}
