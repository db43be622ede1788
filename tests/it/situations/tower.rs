//! Services of tower without a router: the path is the name, and an `Err` goes on to whoever called.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use faultwire::{BoxError, Report, ReportLayer, User};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tower::{Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};

use super::{Row, check};

const ORDER: &str = "GET /orders/{id}";

/// The layer, and in it who it is and the service.
fn row<S, E>(name: &'static str, service: S) -> Row
where
    S: Service<Request<Body>, Response = Response<Body>, Error = E> + 'static,
    E: fmt::Display + 'static,
{
    Row::new(name, "/orders/1", async |request| {
        let signed_in = |request| {
            faultwire::current().user(User::id("7")).breadcrumb("signed in");
            request
        };
        let service = ServiceBuilder::new().layer(ReportLayer::new()).map_request(signed_in).service(service);
        let (parts, body) = service.oneshot(request).await.ok()?.into_parts();
        let _whole_or_broken = body.collect().await;
        Some(Response::from_parts(parts, Body::empty()))
    })
}

fn answer(status: u16) -> Result<Response<Body>, Infallible> {
    Ok(Response::builder().status(status).body(Body::empty()).unwrap())
}

fn fails<E: From<std::io::Error>>() -> Result<Response<Body>, E> {
    Err(std::io::Error::other("no stock").into())
}

/// Fails in the ways that a service has beside its future.
#[derive(Clone)]
struct Odd {
    never_ready: bool,
}

impl Service<Request<Body>> for Odd {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(if self.never_ready { Err("not ready".into()) } else { Ok(()) })
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert_ne!(request.uri().path(), "/orders/1", "asked for");
        ready(Err("another path".into()))
    }
}

async fn hangs(_: Request<Body>) -> Result<Response<Body>, BoxError> {
    std::future::pending().await
}

async fn panics(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    panic!("the till is jammed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services() {
    #[derive(Debug)]
    struct OnlyDisplay;
    impl fmt::Display for OnlyDisplay {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("it failed")
        }
    }
    let builder = || ServiceBuilder::new();
    let report = async |_| Err::<Response<Body>, _>(Report::new("no stock"));
    let parked = async |_| -> Result<_, BoxError> {
        let page = Response::builder().status(502).body(Body::empty())?;
        Ok(Report::new("no stock").attach_to(page))
    };
    check(vec![
        row("a service that answers", service_fn(async |_| answer(200))),
        row("404", service_fn(async |_| answer(404))).answers(404),
        row("500", service_fn(async |_| answer(500))).answers(500).event("response", ORDER, "500"),
        row("a report as a response", service_fn(parked)).answers(502).event("report", ORDER, "no stock"),
        row("an `Err`", service_fn(async |_| fails::<std::io::Error>()))
            .unanswered()
            .event("service", ORDER, "no stock"),
        row("an `Err` in a box", service_fn(async |_| fails::<BoxError>()))
            .unanswered()
            .event("service", ORDER, "no stock"),
        row("an `Err` that is only `Display`", service_fn(async |_| Err::<Response<Body>, _>(OnlyDisplay)))
            .unanswered()
            .event("service", ORDER, "OnlyDisplay: it failed"),
        row("a report as an `Err`", service_fn(report)).unanswered().event("service", ORDER, "no stock"),
        row("a panic in the future", service_fn(panics)).answers(500).event("panic", ORDER, "jammed"),
        row("a panic in `call`", Odd { never_ready: false }).answers(500).event("panic", ORDER, "asked for"),
        // Before a request is there, there is nothing to report of: its caller is told.
        row("`poll_ready` fails", Odd { never_ready: true }).unanswered(),
        row("a timeout", builder().timeout(Duration::from_millis(1)).service(service_fn(hangs)))
            .unanswered()
            .event("service", ORDER, "timed out"),
        row("load that is shed", builder().load_shed().concurrency_limit(0).service(service_fn(hangs)))
            .unanswered()
            .event("service", ORDER, "overloaded"),
        row("behind a buffer", builder().buffer(1).service(service_fn(async |_| fails::<BoxError>())))
            .unanswered()
            .event("service", ORDER, "no stock"),
        row(
            "an `Err` that middleware makes a response of",
            service_fn(async |request| {
                let answered =
                    service_fn(async |_: Request<Body>| fails::<BoxError>()).oneshot(request).await;
                let report = |error| Report::new(error).status(StatusCode::BAD_GATEWAY).into_http();
                Ok::<_, Infallible>(answered.unwrap_or_else(report))
            }),
        )
        .answers(502)
        .event("report", ORDER, "no stock"),
        row("the layer twice", ReportLayer::new().layer(service_fn(async |_| fails::<BoxError>())))
            .unanswered()
            .event("service", ORDER, "no stock"),
        Row::new("a caller that leaves", "/orders/1", async |request| {
            let running = ReportLayer::new().layer(service_fn(hangs)).oneshot(request);
            assert!(tokio::time::timeout(Duration::from_millis(5), running).await.is_err());
            None
        })
        .unanswered(),
    ])
    .await;
}
