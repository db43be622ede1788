//! Middleware outside of the layer, which answers in its place, and other error reporting beside it.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::error_handling::{HandleError, HandleErrorLayer};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use axum::{BoxError, Router};
use faultwire::{Report, ReportLayer};
use http::header;
use http_body_util::BodyExt as _;
use sentry_tower::{NewSentryLayer, SentryHttpLayer};
use tokio_stream::StreamExt as _;
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::axum::{ORDER, fails, hangs, json, order, panics, row, sign_in};
use super::{Row, check};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn middleware_that_answers_in_its_place() {
    let soon = Duration::from_millis(5);
    let says = |status| HandleErrorLayer::new(async move |_: BoxError| status);
    let timeout = || ServiceBuilder::new().layer(says(StatusCode::GATEWAY_TIMEOUT)).timeout(soon);
    let shed =
        ServiceBuilder::new().layer(says(StatusCode::SERVICE_UNAVAILABLE)).load_shed().concurrency_limit(0);
    let told_of = || {
        let routes = Router::new().route("/orders/{id}", get(hangs)).layer(from_fn(sign_in));
        routes.layer(ReportLayer::new().report_cancelled())
    };
    let fails_too = service_fn(async |_: Request| Err::<Response, BoxError>("no stock".into()));
    let page = async |_: BoxError| (StatusCode::BAD_GATEWAY, "we are back soon");
    check(vec![
        row("tower's timeout", order(hangs).layer(timeout())).answered_by_others(504),
        row("tower's timeout, of which somebody wants to know", told_of().layer(timeout()))
            .answered_by_others(504)
            .event("cancelled", ORDER, "given up"),
        row(
            "tower-http's timeout",
            order(hangs).layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, soon)),
        )
        .answered_by_others(408),
        row("load that is shed", order(async || Ok::<_, Report>(fails()?)).layer(shed))
            .answered_by_others(503),
        json(
            row(
                "tower-http's body limit",
                order(async || Ok::<_, Report>(fails()?)).layer(RequestBodyLimitLayer::new(4)),
            ),
            "123456",
        )
        .request(|request| drop(request.headers_mut().insert(header::CONTENT_LENGTH, 6.into())))
        .answered_by_others(413),
        row(
            "a service's `Err`, for which HandleError answers",
            Router::new()
                .route_service("/orders/{id}", HandleError::new(ReportLayer::new().layer(fails_too), page)),
        )
        .answered_by_others(502)
        .event("service", ORDER, "no stock")
        .without_context(),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentrys_own_layers_beside_it() {
    let theirs = || {
        ServiceBuilder::new().layer(NewSentryLayer::<Request>::new_from_top()).layer(SentryHttpLayer::new())
    };
    let reports = || get(async || Ok::<_, Report>(fails()?));
    let inside = |handler| {
        let routes = Router::new().route("/orders/{id}", handler).layer(from_fn(sign_in));
        routes.layer(theirs()).layer(ReportLayer::new())
    };
    check(vec![
        row("outside of it", order(async || Ok::<_, Report>(fails()?)).layer(theirs()))
            .answers(500)
            .event("report", ORDER, "no stock"),
        row("outside of it, a panic", order(panics).layer(theirs()))
            .answers(500)
            .event("panic", ORDER, "jammed"),
        row("inside of it", inside(reports())).answers(500).event("report", ORDER, "no stock"),
        row("inside of it, a panic", inside(get(panics))).answers(500).event("panic", ORDER, "jammed"),
        row("inside of it, a bare 500", inside(get(async || StatusCode::INTERNAL_SERVER_ERROR)))
            .answers(500)
            .event("response", ORDER, "500"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_server_sent_events() {
    let leaves = async |request: Request| {
        let goes_on = async || {
            let first = tokio_stream::once(Ok::<_, Infallible>(Event::default().data("1")));
            Sse::new(first.chain(tokio_stream::pending()))
        };
        let (parts, mut body) = order(goes_on).oneshot(request).await.unwrap().into_parts();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
        drop(body);
        Some(Response::from_parts(parts, Body::empty()))
    };
    let fails_and_leaves = async |request: Request| {
        let goes_on = async || {
            let first = tokio_stream::once(Ok::<_, Infallible>(Event::default().data("1")));
            let reports = tokio_stream::once(2).map(|n| {
                Report::new("no news").send();
                Ok(Event::default().data(n.to_string()))
            });
            Sse::new(first.chain(reports).chain(tokio_stream::pending()))
        };
        let (parts, mut body) = order(goes_on).oneshot(request).await.unwrap().into_parts();
        for _ in 0..2 {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        Some(Response::from_parts(parts, Body::empty()))
    };
    check(vec![
        Row::new("one that leaves", "/orders/1", leaves),
        Row::new("one that leaves after a failure in the stream", "/orders/1", fails_and_leaves)
            .event("report", ORDER, "no news"),
    ])
    .await;
}
