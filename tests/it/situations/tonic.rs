//! Methods of gRPC: HTTP says 200, and the headers or the trailers how it ended.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use faultwire::{BoxError, Report, ReportLayer, User};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio_stream::iter;
use tonic::{Code, Status};
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

use super::{Row, check};

const GET: &str = "/shop.Orders/Get";

/// A method, called as tonic's router calls it. A call that nobody says the end of is `Unknown` to its client.
fn row<F>(name: &'static str, code: Code, method: F) -> Row
where
    F: AsyncFnOnce() -> Result<Response<tonic::body::Body>, Status> + 'static,
{
    let call = async move |request: Request<Body>| {
        let mut method = Some(method);
        let service = service_fn(move |_: Request<tonic::body::Body>| {
            faultwire::current().user(User::id("7")).breadcrumb("signed in");
            let method = method.take();
            async move {
                let answered = method.expect("called once")().await;
                Ok::<_, Infallible>(answered.unwrap_or_else(Status::into_http))
            }
        });
        let service = ServiceBuilder::new().layer(ReportLayer::new()).service(service);
        let response = service.oneshot(request.map(tonic::body::Body::new)).await.unwrap();
        let (parts, body) = response.into_parts();
        // In a task of its own, as a server does.
        let body = tokio::spawn(body.collect()).await.ok().and_then(Result::ok);
        let trailers = body.and_then(|body| body.trailers().cloned()).unwrap_or_default();
        let said = parts.headers.get("grpc-status").or(trailers.get("grpc-status"));
        let said = said.map_or(Code::Unknown, |said| Code::from_bytes(said.as_bytes()));
        assert_eq!(said, code, "{name}");
        Some(Response::from_parts(parts, Body::empty()))
    };
    Row::new(name, GET, call).request(as_call)
}

fn as_call(request: &mut Request<Body>) {
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(header::CONTENT_TYPE, "application/grpc".parse().unwrap());
}

/// A response with a message, and trailers at its end.
fn trailing(status: &'static str, message: &'static str) -> Response<tonic::body::Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    trailers.insert("grpc-message", message.parse().unwrap());
    let frames = [Frame::data(bytes::Bytes::from_static(b"\0\0\0\0\0")), Frame::trailers(trailers)];
    Response::new(tonic::body::Body::new(StreamBody::new(iter(frames.map(Ok::<_, Status>)))))
}

async fn order() -> Result<String, Report> {
    Ok(std::fs::read_to_string("/nowhere/orders/1")?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods() {
    check(vec![
        row("a message", Code::Ok, async || Ok(trailing("0", ""))),
        row("INTERNAL", Code::Internal, async || Err(Status::internal("no stock"))).event(
            "response",
            GET,
            "INTERNAL: no stock",
        ),
        row("UNKNOWN", Code::Unknown, async || Err(Status::unknown("what?"))).event(
            "response",
            GET,
            "UNKNOWN: what?",
        ),
        row("UNAVAILABLE", Code::Unavailable, async || Err(Status::unavailable("later"))).event(
            "response",
            GET,
            "UNAVAILABLE: later",
        ),
        row("DATA_LOSS", Code::DataLoss, async || Err(Status::data_loss("gone"))).event(
            "response",
            GET,
            "DATA_LOSS: gone",
        ),
        row("DEADLINE_EXCEEDED", Code::DeadlineExceeded, async || Err(Status::deadline_exceeded("slow")))
            .event("response", GET, "DEADLINE_EXCEEDED: slow"),
        row("NOT_FOUND", Code::NotFound, async || Err(Status::not_found("no order 1"))),
        row("INVALID_ARGUMENT", Code::InvalidArgument, async || Err(Status::invalid_argument("id"))),
        row("UNAUTHENTICATED", Code::Unauthenticated, async || Err(Status::unauthenticated("token"))),
        row("UNIMPLEMENTED", Code::Unimplemented, async || Err(Status::unimplemented("Put"))),
        row("`?` on a report", Code::Internal, async || {
            order().await?;
            Ok(trailing("0", ""))
        })
        .event("report", GET, "No such file"),
        row("a report that answers below 500", Code::NotFound, async || {
            Err(order().await.unwrap_err().status(StatusCode::NOT_FOUND).into())
        }),
        row("a report of a task that knows no context", Code::Unavailable, async || {
            let status =
                async { Status::from(Report::new("no stock").status(StatusCode::SERVICE_UNAVAILABLE)) };
            Err(tokio::spawn(status).await.unwrap())
        })
        .event("report", GET, "no stock"),
        row("trailers that say INTERNAL", Code::Internal, async || Ok(trailing("13", "half%20of%20it")))
            .event("response", GET, "INTERNAL: half of it"),
        row("trailers that say NOT_FOUND", Code::NotFound, async || Ok(trailing("5", "none"))),
        row("a panic", Code::Internal, async || panic!("the till is jammed")).event("panic", GET, "jammed"),
        row("a report that was sent, and INTERNAL", Code::Internal, async || {
            Report::new("no stock").send();
            Err(Status::internal("sorry"))
        })
        .event_before("report", GET, "no stock"),
        row("a task that reports", Code::Ok, async || {
            faultwire::spawn(async { Report::new("no mail").send() }).await.unwrap();
            Ok(trailing("0", ""))
        })
        .event("report", GET, "no mail"),
        row("a task that panics, awaited with `?`", Code::Internal, async || {
            faultwire::spawn(async { panic!("the press is jammed") }).await.map_err(Report::new)?;
            Ok(trailing("0", ""))
        })
        .event_before("panic", GET, "press is jammed"),
        row("a stream that panics", Code::Unknown, async || {
            let frames = iter([1, 2].into_iter().map(|n| match n {
                1 => Ok::<_, Status>(Frame::data(bytes::Bytes::from_static(b"\0\0\0\0\0"))),
                _ => panic!("torn"),
            }));
            Ok(Response::new(tonic::body::Body::new(StreamBody::new(frames))))
        })
        .event("panic", GET, "torn"),
        row("a stream that breaks", Code::Unknown, async || {
            let message = Ok(Frame::data(bytes::Bytes::from_static(b"\0\0\0\0\0")));
            let frames = iter([message, Err(Status::internal("half of it"))]);
            Ok(Response::new(tonic::body::Body::new(StreamBody::new(frames))))
        })
        .event("body", GET, "half of it"),
        Row::new("a timeout of tower", GET, async |request| {
            let hangs = service_fn(async |_: Request<Body>| -> Result<Response<Body>, BoxError> {
                faultwire::current().user(User::id("7")).breadcrumb("signed in");
                std::future::pending().await
            });
            let watched = ServiceBuilder::new().layer(ReportLayer::new());
            let service = watched.timeout(Duration::from_millis(5)).service(hangs);
            assert!(service.oneshot(request).await.is_err());
            None
        })
        .request(as_call)
        .unanswered()
        .event("service", GET, "timed out"),
        Row::new("a client that leaves", GET, async |request| {
            let hangs = service_fn(async |_: Request<Body>| -> Result<Response<Body>, Infallible> {
                std::future::pending().await
            });
            let running = ServiceBuilder::new().layer(ReportLayer::new()).service(hangs).oneshot(request);
            assert!(tokio::time::timeout(Duration::from_millis(5), running).await.is_err());
            None
        })
        .request(as_call)
        .unanswered(),
    ])
    .await;
}
