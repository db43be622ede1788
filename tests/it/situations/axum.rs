//! Routers of axum: extractors, middleware on every side of the layer, streams, tasks, clients that leave.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::error_handling::HandleErrorLayer;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{DefaultBodyLimit, Extension, Form, FromRequestParts, Json, Path, Query, Request};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn, map_response};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodFilter, get, on, post};
use axum::{BoxError, Router};
use faultwire::{Report, ReportLayer, User, WithContext as _};
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_stream::iter;
use tower::{ServiceBuilder, ServiceExt as _};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::{Row, check};

pub(super) const ORDER: &str = "GET /orders/{id}";

pub(super) async fn sign_in(request: Request, next: Next) -> Response {
    faultwire::current().user(User::id("7")).breadcrumb("signed in");
    next.run(request).await
}

/// With the layer where it belongs.
pub(super) fn watched(router: Router) -> Router {
    router.layer(from_fn(sign_in)).layer(ReportLayer::new())
}

pub(super) fn order<T: 'static>(handler: impl Handler<T, ()>) -> Router {
    watched(Router::new().route("/orders/{id}", on(MethodFilter::GET.or(MethodFilter::POST), handler)))
}

pub(super) fn row(name: &'static str, app: Router) -> Row {
    at("/orders/1", name, app)
}

/// The whole answer is read, as a client does, in a task of its own, as a server does.
pub(super) fn at(path: &str, name: &'static str, app: Router) -> Row {
    Row::new(name, path, async |request| {
        let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
        let _whole_or_broken = tokio::spawn(body.collect()).await;
        Some(Response::from_parts(parts, Body::empty()))
    })
}

pub(super) fn json(row: Row, body: &'static str) -> Row {
    row.request(|request| {
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        *request.body_mut() = Body::from(body);
    })
}

pub(super) fn fails() -> Result<(), std::io::Error> {
    Err(std::io::Error::other("no stock"))
}

pub(super) async fn hangs() {
    std::future::pending::<()>().await;
}

pub(super) async fn panics() {
    panic!("the till is jammed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_and_extractors() {
    struct Broken;
    impl<S: Sync> FromRequestParts<S> for Broken {
        type Rejection = Infallible;
        async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
            panic!("no session")
        }
    }
    struct Guarded;
    impl<S: Sync> FromRequestParts<S> for Guarded {
        type Rejection = Report;
        async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Report> {
            Ok(fails().map(|()| Self)?)
        }
    }
    struct OwnError;
    impl IntoResponse for OwnError {
        fn into_response(self) -> Response {
            Report::new("own error").attach((StatusCode::BAD_GATEWAY, "we are back soon"))
        }
    }
    let report = |status: u16| {
        move || async move { Err::<(), _>(Report::new("no stock").status(StatusCode::from_u16(status).unwrap())) }
    };
    check(vec![
        row("`?` on an error", order(async || Ok::<_, Report>(fails()?)))
            .answers(500)
            .event("report", ORDER, "no stock"),
        row("a report with a status", order(report(503))).answers(503).event("report", ORDER, "no stock"),
        row("a report below 500", order(report(404))).answers(404),
        row("one that is always sent", order(async || Report::new("gone").status(StatusCode::GONE).always()))
            .answers(410)
            .event("report", ORDER, "gone"),
        row("a critical one", order(async || Report::new("fraud").status(StatusCode::FORBIDDEN).critical()))
            .answers(403)
            .event("report", ORDER, "fraud"),
        row("a bare 500", order(async || StatusCode::INTERNAL_SERVER_ERROR))
            .answers(500)
            .event("response", ORDER, "500"),
        row("a 502 with a page", order(async || (StatusCode::BAD_GATEWAY, "soon")))
            .answers(502)
            .event("response", ORDER, "502"),
        row("an error of the application's own", order(async || OwnError)).answers(502).event(
            "report",
            ORDER,
            "own error",
        ),
        row("a bare 404", order(async || StatusCode::NOT_FOUND)).answers(404),
        row("a redirect", order(async || Redirect::to("/"))).answers(303),
        row("a panic", order(panics)).answers(500).event("panic", ORDER, "jammed"),
        row(
            "a panic after an await",
            order(async || {
                tokio::task::yield_now().await;
                panics().await;
            }),
        )
        .answers(500)
        .event("panic", ORDER, "jammed"),
        row("a panic in an extractor", order(async |_: Broken| ())).answers(500).event(
            "panic",
            ORDER,
            "no session",
        ),
        row("an extractor that fails with a report", order(async |_: Guarded| ()))
            .answers(500)
            .event("report", ORDER, "no stock"),
        row("an extension that is missing", order(async |_: Extension<u8>| ()))
            .answers(500)
            .event("response", ORDER, "500"),
        at("/orders/x", "a path that does not parse", order(async |_: Path<u64>| ())).answers(400),
        at("/orders/1?page=x", "a query that does not parse", order(async |_: Query<Vec<(u8, u8)>>| ()))
            .answers(400),
        json(row("JSON that is cut off", order(async |_: Json<Value>| ())), "{\"a\":").answers(400),
        json(row("JSON of another shape", order(async |_: Json<Vec<u8>>| ())), "{}").answers(422),
        json(row("another content type", order(async |_: Form<Value>| ())), "{}").answers(415),
        json(
            row("a body over the limit", order(async |_: Bytes| ()).layer(DefaultBodyLimit::max(4))),
            "123456",
        )
        .answers(413),
        row("a report that is dropped", order(async || drop(Report::new("handled")))),
        row(
            "a report in the place of another",
            order(async || {
                Err::<(), Report>(Report::new("cause"))
                    .map_err(|cause| Report::new(format!("while packing: {cause}")))
            }),
        )
        .answers(500)
        .event("report", ORDER, "while packing: cause"),
        row("HEAD", order(async || Ok::<_, Report>(fails()?)))
            .request(|request| *request.method_mut() = Method::HEAD)
            .answers(500)
            .event("report", "HEAD /orders/{id}", "no stock"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn middleware_and_routers() {
    let report = async |error: BoxError| Report::new(error).status(StatusCode::GATEWAY_TIMEOUT);
    let timeout =
        || ServiceBuilder::new().layer(HandleErrorLayer::new(report)).timeout(Duration::from_millis(1));
    let busy = async |_: BoxError| StatusCode::SERVICE_UNAVAILABLE;
    let shed = ServiceBuilder::new().layer(HandleErrorLayer::new(busy)).load_shed().concurrency_limit(0);
    let rebuild = async |response: Response| (response.status(), "rebuilt").into_response();
    let failing = || Router::new().route("/orders/{id}", get(async || Ok::<_, Report>(fails()?)));
    let refuses = async |_: Request, _: Next| Err::<Response, _>(Report::new("no session"));
    let http_timeout = |status| TimeoutLayer::with_status_code(status, Duration::from_millis(1));
    check(vec![
        row(
            "tower's timeout, told by a report",
            watched(Router::new().route("/orders/{id}", get(hangs)).layer(timeout())),
        )
        .answers(504)
        .event("report", ORDER, "timed out"),
        row(
            "tower-http's timeout, 408",
            watched(
                Router::new()
                    .route("/orders/{id}", get(hangs))
                    .layer(http_timeout(StatusCode::REQUEST_TIMEOUT)),
            ),
        )
        .answers(408),
        row(
            "tower-http's timeout, 504",
            watched(
                Router::new()
                    .route("/orders/{id}", get(hangs))
                    .layer(http_timeout(StatusCode::GATEWAY_TIMEOUT)),
            ),
        )
        .answers(504)
        .event("response", ORDER, "504"),
        row("load that is shed", watched(failing().layer(shed))).answers(503).event("response", ORDER, "503"),
        json(
            row(
                "tower-http's body limit",
                watched(
                    Router::new()
                        .route("/orders/{id}", post(async |_: Bytes| ()))
                        .layer(RequestBodyLimitLayer::new(4)),
                ),
            ),
            "123456",
        )
        .request(|request| drop(request.headers_mut().insert(header::CONTENT_LENGTH, 6.into())))
        .answers(413),
        row(
            "CatchPanicLayer inside",
            watched(Router::new().route("/orders/{id}", get(panics)).layer(CatchPanicLayer::new())),
        )
        .answers(500)
        .event("panic", ORDER, "jammed"),
        row("CatchPanicLayer outside", order(panics).layer(CatchPanicLayer::new()))
            .answers(500)
            .event("panic", ORDER, "jammed"),
        row("middleware that fails", watched(failing().layer(from_fn(refuses)))).answers(500).event(
            "report",
            ORDER,
            "no session",
        ),
        row("middleware that builds the response anew", watched(failing().layer(map_response(rebuild))))
            .answers(500)
            .event("report", ORDER, "no stock"),
        at("/api/orders/1", "a nested router", watched(Router::new().nest("/api", failing())))
            .answers(500)
            .event("report", "GET /api/orders/{id}", "no stock"),
        row("a merged router", watched(Router::new().route("/", get(async || "")).merge(failing())))
            .answers(500)
            .event("report", ORDER, "no stock"),
        row("`route_layer`", failing().route_layer(from_fn(sign_in)).route_layer(ReportLayer::new()))
            .answers(500)
            .event("report", ORDER, "no stock"),
        Row::new("around the router", "/orders/1", async move |request| {
            let around =
                ServiceBuilder::new().layer(ReportLayer::new()).service(failing().layer(from_fn(sign_in)));
            Some(around.oneshot(request).await.unwrap())
        })
        .answers(500)
        .event("report", ORDER, "no stock"),
        row("the layer twice", watched(failing()).layer(ReportLayer::new()))
            .answers(500)
            .event("report", ORDER, "no stock"),
        row(
            "the layer inside of what says who it is",
            failing().layer(ReportLayer::new()).layer(from_fn(sign_in)),
        )
        .answers(500)
        .event("report", ORDER, "no stock")
        .without_context(),
        at("/nowhere", "no route", watched(failing())).answers(404),
        at(
            "/nowhere",
            "a fallback that fails",
            watched(failing().fallback(async || Ok::<_, Report>(fails()?))),
        )
        .answers(500)
        .event("report", "GET <unmatched>", "no stock"),
        row("another method", watched(failing()))
            .request(|request| *request.method_mut() = Method::PUT)
            .answers(405),
        row("what is no WebSocket", order(async |_: WebSocketUpgrade| ())).answers(400),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_tasks_and_clients_that_leave() {
    let broken = || iter([Ok("first"), Err(std::io::Error::other("the disk went away"))]);
    let in_task = |panics_too: bool| async move {
        Report::new("no mail").send();
        assert!(!panics_too, "and the task dies");
    };
    check(vec![
        row("a stream that breaks", order(async move || Body::from_stream(broken()))).event(
            "body",
            ORDER,
            "the disk went away",
        ),
        row(
            "server-sent events that break",
            order(async move || {
                Sse::new(iter([Ok(Event::default().data("1")), Err(std::io::Error::other("no more news"))]))
            }),
        )
        .event("body", ORDER, "no more news"),
        row(
            "a 500 whose stream breaks, too",
            order(async move || (StatusCode::INTERNAL_SERVER_ERROR, Body::from_stream(broken()))),
        )
        .answers(500)
        .event("response", ORDER, "500"),
        row(
            "a stream that panics",
            order(async || {
                Body::from_stream(iter(
                    [1, 2]
                        .into_iter()
                        .map(|n| if n == 1 { Ok::<_, Infallible>("first") } else { panic!("torn") }),
                ))
            }),
        )
        .event("panic", ORDER, "torn"),
        row("sent and gone on", order(async || Report::new("no cache").send().to_string()))
            .event("report", ORDER, "no cache"),
        row(
            "sent, and answered with a bare 500",
            order(async || {
                Report::new("no cache").send();
                StatusCode::INTERNAL_SERVER_ERROR
            }),
        )
        .answers(500)
        .event_before("report", ORDER, "no cache"),
        row(
            "a warning, and a bare 500",
            order(async || {
                Report::new("slow").level(faultwire::report::Level::Warning).send();
                StatusCode::INTERNAL_SERVER_ERROR
            }),
        )
        .answers(500)
        .event("report", ORDER, "slow")
        .event("response", ORDER, "500"),
        row(
            "sent, and failed with another",
            order(async || -> Result<(), Report> {
                Report::new("no cache").send();
                Ok(fails()?)
            }),
        )
        .answers(500)
        .event("report", ORDER, "no cache")
        .event("report", ORDER, "no stock"),
        row(
            "a task that panics, awaited with `?`",
            order(async || Ok::<_, Report>(faultwire::spawn(panics()).await?)),
        )
        .answers(500)
        .event_before("panic", ORDER, "jammed"),
        row(
            "a blocking task that panics",
            order(async || {
                let jammed = || -> () { panic!("the press is jammed") };
                Ok::<_, Report>(faultwire::spawn_blocking(jammed).await?)
            }),
        )
        .answers(500)
        .event_before("panic", ORDER, "press is jammed"),
        row(
            "a task that panics, answered with a bare 500",
            order(async || match tokio::spawn(panics().with_context()).await {
                Ok(()) => StatusCode::OK,
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
            }),
        )
        .answers(500)
        .event_before("panic", ORDER, "jammed"),
        row("a task that reports", order(async move || faultwire::spawn(in_task(false)).await.unwrap()))
            .event("report", ORDER, "no mail"),
        row(
            "a task that reports and panics",
            order(async move || drop(faultwire::spawn(in_task(true)).await)),
        )
        .event("report", ORDER, "no mail")
        .event("panic", ORDER, "dies"),
        row(
            "two tasks of a set that fail",
            order(async || {
                let mut tasks = JoinSet::new();
                for name in ["left", "right"] {
                    tasks.spawn(async move { Report::new(name).send() }.with_context());
                    tasks.join_next().await;
                }
            }),
        )
        .event("report", ORDER, "left")
        .event("report", ORDER, "right"),
        row(
            "a thread that panics",
            order(async || {
                drop(std::thread::spawn(faultwire::in_context(|| panic!("the worker fell"))).join());
            }),
        )
        .event("panic", ORDER, "the worker fell"),
        row(
            "the loser of a `select!`",
            order(async || {
                tokio::select! {
                    biased;
                    () = std::future::ready(()) => {}
                    _ = async { Err::<(), _>(Report::new("too late")) } => {}
                }
            }),
        ),
        Row::new("a client that leaves", "/orders/1", async |request| {
            let running = order(hangs).oneshot(request);
            assert!(tokio::time::timeout(Duration::from_millis(5), running).await.is_err());
            None
        })
        .unanswered(),
        Row::new("a client that leaves in the middle of the answer", "/orders/1", async move |request| {
            let endless = async || Body::from_stream(iter(std::iter::repeat(Ok::<_, Infallible>("and on"))));
            let response = order(endless).oneshot(request).await.unwrap();
            let (parts, mut body) = response.into_parts();
            body.frame().await.unwrap().unwrap();
            drop(body);
            Some(Response::from_parts(parts, Body::empty()))
        }),
        // Of a client that leaves in the middle of it, only a connection can tell: see `layer::connections`.
        json(
            row(
                "a body that breaks off, and no client that leaves",
                order(async |body: Body| {
                    to_bytes(body, 1024).await?;
                    Ok::<_, Report>(())
                }),
            ),
            "",
        )
        .request(move |request| *request.body_mut() = Body::from_stream(broken()))
        .answers(500)
        .event("report", "POST /orders/{id}", "the disk went away"),
    ])
    .await;
}
