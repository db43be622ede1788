//! Services that are not axum's handlers: their errors, and bodies of other types.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use faultwire::{Report, ReportLayer};
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use super::order_error;
use crate::support::{Reporting, exception, get};

#[tokio::test]
async fn a_service_that_fails_is_one_event_and_the_error_is_passed_on() {
    let reporting = Reporting::start();
    let failing =
        service_fn(async |_: Request<Body>| Err::<Response<Body>, faultwire::BoxError>(order_error().into()));
    let error = ReportLayer::new().layer(failing).oneshot(get("/orders/42")).await.unwrap_err();
    assert_eq!(error.to_string(), "order 42 could not be loaded");
    let event = reporting.event();
    assert_eq!(event["exception"]["values"].as_array().unwrap().len(), 2, "the chain is there");
    assert_eq!(exception(&event)["mechanism"], json!({"type": "service", "handled": false}));
    assert_eq!(event["transaction"], "GET /orders/{id}", "with ids replaced");
    assert_eq!(event["tags"]["route.source"], "path");
}

#[tokio::test]
async fn an_error_that_is_only_display_and_a_report_as_a_services_error_are_events() {
    #[derive(Debug)]
    struct Odd;
    impl std::fmt::Display for Odd {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("odd")
        }
    }
    let reporting = Reporting::start();
    let odd = service_fn(async |_: Request<Body>| Err::<Response<Body>, _>(Odd));
    ReportLayer::new().layer(odd).oneshot(get("/a")).await.unwrap_err();
    let report = service_fn(async |_: Request<Body>| {
        Err::<Response<Body>, _>(Report::new(order_error()).tag("stock", "low"))
    });
    let error = ReportLayer::new().layer(report).oneshot(get("/b")).await.unwrap_err();
    let id = error.id();
    drop(error);
    let events = reporting.events(2);
    assert_eq!(
        (&exception(&events[0])["type"], &exception(&events[0])["value"]),
        (&json!("Odd"), &json!("odd"))
    );
    assert_eq!(
        (&events[1]["event_id"], &events[1]["tags"]["stock"]),
        (&json!(id.to_string()), &json!("low"))
    );
    assert_eq!(reporting.guard.stats().discarded, 0);
}

#[tokio::test]
async fn a_plain_tower_service_needs_no_axum() {
    let reporting = Reporting::start();
    let service =
        ReportLayer::new().layer(service_fn(async |request: Request<()>| -> Result<_, Infallible> {
            assert_ne!(request.uri().path(), "/panic/7", "asked for");
            Ok(Response::builder().status(500).body(Full::new(Bytes::from("mine"))).unwrap())
        }));
    let request = |path| Request::post(path).body(()).unwrap();
    let answered = service.clone().oneshot(request("/orders/7")).await.unwrap();
    let body = http_body_util::BodyExt::collect(answered.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, "mine", "the body is the application's");
    assert_eq!(service.oneshot(request("/panic/7")).await.unwrap().status(), 500);
    let events = reporting.events(2);
    assert_eq!(
        (&events[0]["transaction"], &events[1]["transaction"]),
        (&json!("POST /orders/{id}"), &json!("POST /panic/{id}"))
    );
}
