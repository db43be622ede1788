//! Panics under the layer: the client gets an answer, the connection stays, one event tells.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::get as on_get;
use faultwire::ReportLayer;
use http::{Request, Response, StatusCode};
use serde_json::json;
use tokio_stream::StreamExt as _;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::shop;
use crate::support::{Reporting, event_id, exception, frames, get, text};

#[tokio::test]
async fn a_panic_becomes_a_500_and_one_unhandled_event_with_its_request() {
    let reporting = Reporting::start();
    let response = shop().oneshot(get("/panic")).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let event = reporting.event();
    assert_eq!(event["event_id"].as_str(), Some(&*event_id(&response)));
    assert_eq!(exception(&event)["type"], "panic");
    assert_eq!(exception(&event)["value"], "the till is jammed");
    assert_eq!(exception(&event)["mechanism"], json!({"type": "panic", "handled": false}));
    assert_eq!(frames(&event).last().unwrap()["filename"], "tests/it/layer/mod.rs");
    assert_eq!(event["transaction"], "GET /panic");
    assert_eq!(event["request"]["method"], "GET");
    assert_eq!(event["tags"]["error.category"], "panic");
    assert_eq!(event["level"], "fatal");
    assert!(!text(response).await.unwrap().contains("till"), "the client is not told why");
}

#[tokio::test]
async fn a_panic_before_the_first_poll_is_one_event_too() {
    let reporting = Reporting::start();
    let service = ReportLayer::new().layer(service_fn(panic_at_once));
    let response = service.oneshot(get("/orders/42")).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(exception(&reporting.event())["value"], "at once");
}

fn panic_at_once(_: Request<Body>) -> std::future::Ready<Result<Response<Body>, Infallible>> {
    panic!("at once")
}

#[tokio::test]
async fn a_panic_whose_answer_nobody_waits_for_is_an_event_all_the_same() {
    let reporting = Reporting::start();
    drop(ReportLayer::new().layer(service_fn(panic_at_once)).call(get("/orders/1")));
    let event = reporting.event();
    assert_eq!(exception(&event)["type"], "panic");
    assert_eq!(event["request"]["url"], "http://shop.example.com/orders/1");
    assert_eq!(reporting.guard.stats().cancelled, 1);
}

#[tokio::test]
async fn a_response_whose_body_panics_when_it_is_looked_at_was_not_given_up() {
    struct Unsized;
    impl http_body::Body for Unsized {
        type Data = bytes::Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Infallible>>> {
            Poll::Ready(None)
        }
        fn size_hint(&self) -> http_body::SizeHint {
            panic!("nobody knows")
        }
    }
    let reporting = Reporting::start();
    let answers = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::new(Unsized))));
    let service = ReportLayer::new().report_cancelled().layer(answers);
    assert!(tokio::spawn(service.oneshot(get("/"))).await.unwrap_err().is_panic());
    assert_eq!(exception(&reporting.event())["value"], "nobody knows");
    assert_eq!(reporting.guard.stats().cancelled, 0);
}

#[tokio::test]
async fn the_connection_survives_a_panic() {
    let reporting = Reporting::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, shop()).into_future());
    let connection = tokio::net::TcpStream::connect(addr).await.unwrap();
    let mut connection = tokio::io::BufReader::new(connection);
    for status in ["500", "500", "200"] {
        use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
        let path = if status == "200" { "/ok" } else { "/panic" };
        let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n");
        connection.get_mut().write_all(request.as_bytes()).await.unwrap();
        let (mut line, mut length) = (String::new(), 0);
        connection.read_line(&mut line).await.unwrap();
        assert!(line.contains(status), "{line}");
        while line != "\r\n" {
            line.clear();
            connection.read_line(&mut line).await.unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        connection.read_exact(&mut vec![0; length]).await.unwrap();
    }
    server.abort();
    reporting.events(2);
}

#[tokio::test]
async fn a_panic_that_other_middleware_caught_is_the_cause_of_its_500() {
    /// Answers 500 for a panic, as `CatchPanicLayer` does.
    #[derive(Clone)]
    struct Catching<S>(S);
    impl<S> Service<Request<Body>> for Catching<S>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S::Future: Send + 'static,
    {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.0.poll_ready(cx)
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            let mut inner = Box::pin(self.0.call(request));
            Box::pin(std::future::poll_fn(move |cx| {
                let poll = || inner.as_mut().poll(cx);
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll))
                    .unwrap_or_else(|_| Poll::Ready(Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response())))
            }))
        }
    }
    let reporting = Reporting::start();
    let app: Router = Router::new()
        .route("/panic", on_get(async || -> () { panic!("caught further in") }))
        .layer(tower::layer::layer_fn(Catching))
        .layer(ReportLayer::new());
    app.oneshot(get("/panic")).await.unwrap();
    let event = reporting.event();
    assert_eq!(exception(&event)["value"], "caught further in");
    assert_eq!(exception(&event)["mechanism"]["handled"], false);
}

#[tokio::test]
async fn a_panic_with_an_unknown_body_type_is_recorded_and_goes_on() {
    let reporting = Reporting::start();
    let panicking =
        service_fn(async |_: Request<()>| -> Result<Response<()>, Infallible> { panic!("no body for this") });
    let service = ReportLayer::new().layer(panicking);
    let unwound = tokio::spawn(service.oneshot(Request::new(()))).await.unwrap_err();
    assert!(unwound.is_panic());
    assert_eq!(exception(&reporting.event())["value"], "no body for this");
}

#[tokio::test]
async fn a_panic_under_grpc_is_status_13() {
    let reporting = Reporting::start();
    let panicking = service_fn(
        async |_: Request<tonic::body::Body>| -> Result<Response<tonic::body::Body>, Infallible> {
            panic!("no stock")
        },
    );
    let call = Request::post("/shop.Orders/Get")
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::empty())
        .unwrap();
    let response = ReportLayer::new().layer(panicking).oneshot(call).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["grpc-status"], "13");
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let event = reporting.event();
    assert_eq!(event["transaction"], "/shop.Orders/Get");
    assert_eq!(event["tags"].get("route.source"), None);
}

#[tokio::test]
async fn a_panic_that_nobody_asked_about_is_not_blamed_on_the_next_request() {
    let reporting = Reporting::start();
    // A body that catches a panic of its own while it is polled, outside of any handler.
    let body = async || {
        Body::from_stream(tokio_stream::iter([()]).map(|()| {
            let caught = std::panic::catch_unwind(|| panic!("dealt with"));
            Ok::<_, Infallible>(if caught.is_err() { "fine" } else { "" })
        }))
    };
    let app: Router = Router::new()
        .route("/stream", on_get(body))
        .route("/status", on_get(async || StatusCode::BAD_GATEWAY))
        .layer(ReportLayer::new());
    assert_eq!(text(app.clone().oneshot(get("/stream")).await.unwrap()).await.unwrap(), "fine");
    app.oneshot(get("/status")).await.unwrap();
    assert_eq!(exception(&reporting.event())["type"], "502 Bad Gateway");
}

#[tokio::test]
async fn a_panic_that_a_body_caught_is_why_its_call_ended_as_it_did() {
    let reporting = Reporting::start();
    let streams = service_fn(async |_: Request<Body>| {
        let frames = tokio_stream::iter([0, 1]).map(|part| {
            if part == 0 {
                return Ok::<_, Infallible>(http_body::Frame::data(axum::body::Bytes::from("first")));
            }
            let caught = std::panic::catch_unwind(|| panic!("the paper is jammed"));
            assert!(caught.is_err());
            let trailers = [("grpc-status", "13")].map(|(name, value)| {
                (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
            });
            Ok(http_body::Frame::trailers(trailers.into_iter().collect()))
        });
        Ok::<_, Infallible>(Response::new(Body::new(http_body_util::StreamBody::new(frames))))
    });
    let call = Request::post("/shop.Orders/List")
        .header("content-type", "application/grpc")
        .body(Body::empty())
        .unwrap();
    let answer = ReportLayer::new().layer(streams).oneshot(call).await.unwrap();
    assert_eq!(text(answer).await.unwrap(), "first");
    assert_eq!(exception(&reporting.event())["value"], "the paper is jammed");
}
