//! One failing request, one event: which failures the layer sees, and what the event says.

mod connections;
mod panics;
mod rejections;
mod request_ids;
mod routes;
mod services;
mod sockets;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::get as on_get;
use axum::{Json, Router};
use faultwire::{Report, ReportLayer};
use http::{Request, Response, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use crate::support::{Reporting, event_id, exception, get, text};

#[derive(Debug, thiserror::Error)]
#[error("order {id} could not be loaded")]
struct OrderError<T: std::fmt::Debug> {
    id: u64,
    kind: T,
    source: std::io::Error,
}

fn order_error() -> OrderError<u8> {
    OrderError { id: 42, kind: 1, source: std::io::ErrorKind::ConnectionRefused.into() }
}

fn shop() -> Router {
    Router::new()
        .route("/ok", on_get(async || "ok"))
        .route("/orders/{id}", on_get(async || Err::<(), Report>(order_error().into())))
        .route(
            "/status/{code}",
            on_get(async |path: axum::extract::Path<u16>| StatusCode::from_u16(path.0).unwrap()),
        )
        .route("/panic", on_get(async || -> () { panic!("the till is jammed") }))
        .route("/stream", on_get(stream))
        .layer(ReportLayer::new())
}

async fn stream() -> Body {
    faultwire::current().tag("half", "sent");
    Body::from_stream(tokio_stream::iter([Ok("first"), Err(std::io::Error::other("the disk went away"))]))
}

#[tokio::test]
async fn a_report_is_one_event_with_everything_known_about_it() {
    let reporting = Reporting::start();
    let request = Request::get("/orders/42?page=2&token=s3cret")
        .header("host", "shop.example.com")
        .header("user-agent", "curl/8")
        .header("authorization", "Bearer s3cret")
        .header("referer", "https://shop.example.com/cart?token=s3cret")
        .header("origin", "https://shop.example.com")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .body(Body::empty())
        .unwrap();
    let response = shop().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 500);

    let event = reporting.event();
    assert_eq!(event["event_id"].as_str(), Some(&*event_id(&response)));
    assert_eq!(event["transaction"], "GET /orders/{id}");
    assert_eq!(event["platform"], "native");
    assert_eq!((&event["release"], &event["environment"]), (&json!("shop@1.2.3"), &json!("test")));
    assert!(event["server_name"].as_str().is_some_and(|name| !name.is_empty()));
    assert_eq!(
        event["request"],
        json!({
            "method": "GET",
            "url": "http://shop.example.com/orders/42",
            "query_string": "page=2&token=[Filtered]",
            "headers": {
                "host": "shop.example.com",
                "user-agent": "curl/8",
                "authorization": "[Filtered]",
                "referer": "https://shop.example.com/cart",
                "origin": "shop.example.com",
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            },
        })
    );
    assert_eq!(event["contexts"]["response"]["status_code"], 500);
    assert_eq!(event["contexts"]["trace"]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(event["contexts"]["trace"]["parent_span_id"], "b7ad6b7169203331");
    assert_eq!(event["tags"]["error.category"], "route");
    assert_eq!(event["tags"]["error.origin"], "request");
    assert_eq!(event["tags"]["http.response.status_code"], "500");

    let chain = event["exception"]["values"].as_array().unwrap();
    let shown: Vec<_> =
        chain.iter().map(|e| (e["type"].as_str().unwrap(), e["value"].as_str().unwrap())).collect();
    assert_eq!(shown, [("Error", "connection refused"), ("OrderError", "order 42 could not be loaded")]);
    assert_eq!(chain[0]["module"], "std::io::error");
    assert_eq!(chain[1]["module"], "it::layer", "without generics");
    assert_eq!(chain[1]["mechanism"], json!({"type": "report", "handled": true}));
    let frame = &chain[1]["stacktrace"]["frames"][0];
    assert_eq!(
        (frame["filename"].as_str(), frame["in_app"].as_bool()),
        (Some("tests/it/layer/mod.rs"), Some(true))
    );
    assert!(frame["lineno"].as_u64().is_some_and(|line| line > 0));
}

#[tokio::test]
async fn a_bare_5xx_is_one_event_that_names_the_route_and_the_remedy() {
    let reporting = Reporting::start();
    let response = shop().oneshot(get("/status/503")).await.unwrap();
    let event = reporting.event();
    assert_eq!(event["event_id"].as_str(), Some(&*event_id(&response)));
    assert_eq!(exception(&event)["type"], "503 Service Unavailable");
    let value = exception(&event)["value"].as_str().unwrap();
    assert!(value.contains("GET /status/{code}") && value.contains("Report::attach"), "{value}");
    assert_eq!(text(response).await.unwrap(), "", "the body is the application's");
}

#[tokio::test]
async fn responses_below_500_make_no_event() {
    let reporting = Reporting::start();
    for (path, status) in [("/ok", 200), ("/status/302", 302), ("/status/404", 404), ("/nothing", 404)] {
        let response = shop().oneshot(get(path)).await.unwrap();
        assert_eq!(response.status(), status);
        assert!(!response.headers().contains_key("x-event-id"));
    }
    reporting.events(0);
}

#[tokio::test]
async fn a_body_that_fails_after_the_headers_is_one_event_with_the_context() {
    let reporting = Reporting::start();
    let response = shop().oneshot(get("/stream")).await.unwrap();
    assert_eq!(response.status(), 200);
    let error = text(response).await.unwrap_err();
    assert_eq!(error.to_string(), "the disk went away", "the error is passed on");
    let event = reporting.event();
    assert_eq!(exception(&event)["value"], "the disk went away");
    assert_eq!(exception(&event)["mechanism"], json!({"type": "body", "handled": false}));
    assert_eq!(event["transaction"], "GET /stream");
    assert_eq!(event["contexts"]["response"]["status_code"], 200);
    assert_eq!(event["tags"]["half"], "sent");
}

#[tokio::test]
async fn a_500_whose_body_fails_too_is_one_event() {
    let reporting = Reporting::start();
    let app: Router = Router::new()
        .route("/stream", on_get(async || (StatusCode::INTERNAL_SERVER_ERROR, stream().await)))
        .layer(ReportLayer::new());
    text(app.oneshot(get("/stream")).await.unwrap()).await.unwrap_err();
    assert_eq!(exception(&reporting.event())["type"], "500 Internal Server Error");
}

#[tokio::test]
async fn a_body_that_ends_well_makes_no_event() {
    let reporting = Reporting::start();
    let body = async || Body::from_stream(tokio_stream::iter([Ok::<_, Infallible>("a"), Ok("b")]));
    let app: Router = Router::new().route("/stream", on_get(body)).layer(ReportLayer::new());
    assert_eq!(text(app.oneshot(get("/stream")).await.unwrap()).await.unwrap(), "ab");
    reporting.events(0);
}

#[tokio::test]
async fn a_cancelled_request_makes_no_event() {
    let reporting = Reporting::start();
    let slow = async || -> Result<(), Report> { std::future::pending().await };
    let app: Router = Router::new().route("/slow", on_get(slow)).layer(ReportLayer::new());
    let gave_up = tokio::time::timeout(Duration::from_millis(5), app.oneshot(get("/slow"))).await;
    assert!(gave_up.is_err());
    reporting.events(0);
}

#[tokio::test]
async fn middleware_that_rebuilds_the_response_loses_nothing() {
    let reporting = Reporting::start();
    let rebuild = axum::middleware::map_response(async |response: Response<Body>| {
        (response.status(), Json(json!({"sorry": true}))).into_response()
    });
    let app: Router = Router::new()
        .route("/orders/{id}", on_get(async || Err::<(), Report>(order_error().into())))
        .layer(rebuild)
        .layer(ReportLayer::new());
    let response = app.oneshot(get("/orders/1")).await.unwrap();
    let event = reporting.event();
    assert_eq!(exception(&event)["type"], "OrderError");
    assert_eq!(event["event_id"].as_str(), Some(&*event_id(&response)), "the id is put back");
}

#[tokio::test]
async fn a_report_made_where_no_context_is_in_reach_travels_with_the_response() {
    let reporting = Reporting::start();
    let elsewhere = async || {
        let made = tokio::spawn(async { Report::new(order_error()).into_response() });
        made.await.unwrap()
    };
    let app: Router = Router::new().route("/orders/{id}", on_get(elsewhere)).layer(ReportLayer::new());
    app.oneshot(get("/orders/1")).await.unwrap();
    assert_eq!(exception(&reporting.event())["type"], "OrderError");
}

#[tokio::test]
async fn without_init_the_layer_changes_nothing() {
    let _turn = crate::support::turn();
    let response = shop().oneshot(get("/status/500")).await.unwrap();
    assert!(!response.headers().contains_key("x-event-id"));
    let response = shop().oneshot(get("/orders/1")).await.unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json",
        "a report is a response all the same"
    );
    let panicked = tokio::spawn(shop().oneshot(get("/panic"))).await.unwrap_err();
    assert!(panicked.is_panic());
}
