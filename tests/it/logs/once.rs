//! One failure, one event: what is logged and returned, in either order and in other words.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::get as on_get;
use faultwire::{Report, ReportLayer, WithContext};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::{Service, ServiceExt};

use super::{OrderError, crumbs, listening, order_error};
use crate::support::{Reporting, Unprintable, event_id, exception, get};

/// An application's own error type, as many have one: it logs when it becomes a response.
struct AppError(OrderError);

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let response = Report::new(self.0).into_response();
        tracing::error!("request failed: order 42 could not be loaded");
        response
    }
}

#[tracing::instrument(err)]
async fn load() -> Result<(), OrderError> {
    read().await.map_err(|source| OrderError { id: 42, source })
}

#[tracing::instrument(err)]
async fn read() -> Result<(), io::Error> {
    Err(io::Error::other("the disk went away"))
}

async fn situation(name: &str) -> Response {
    let error = order_error();
    match name {
        "logged with the error, then returned" => {
            tracing::error!(error = &error as &dyn Error, "no luck today");
            Report::new(error).into_response()
        }
        "logged as a text, then returned" => {
            tracing::error!("{error}");
            Report::new(error).into_response()
        }
        "logged with Debug and its cause, then returned" => {
            tracing::error!(?error, "loading failed: {}", error.source);
            Report::new(error).into_response()
        }
        "its cause is logged, then it is returned" => {
            tracing::error!(error = %error.source);
            Report::new(error).into_response()
        }
        "logged on every level of the way" => load().await.map_err(Report::new).into_response(),
        "returned, then logged" => {
            let response = Report::new(order_error()).into_response();
            tracing::error!("{error}");
            response
        }
        "the error type logs it" => AppError(error).into_response(),
        "sent, then logged" => {
            Report::new(order_error()).send();
            tracing::error!("{error}");
            StatusCode::OK.into_response()
        }
        "logged, then sent" => {
            tracing::error!("{error}");
            Report::new(error).send();
            StatusCode::OK.into_response()
        }
        "logged, and the request goes on" => {
            tracing::error!("{error}");
            StatusCode::OK.into_response()
        }
        "logged three times, and the request goes on" => {
            tracing::error!("{error}");
            tracing::error!(error = &error as &dyn Error, "no luck today");
            tracing::error!("giving up: {error}");
            StatusCode::OK.into_response()
        }
        "logged, and a bare 500" => {
            tracing::error!("{error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        "logged, and a panic with it" => {
            tracing::error!("{error}");
            panic!("{error}");
        }
        "tower_http says that it failed" => {
            let response = Report::new(error).into_response();
            let classification = "Status code: 500 Internal Server Error";
            tracing::error!(target: "tower_http::trace::on_failure", classification, "response failed");
            response
        }
        _ => panic!("{name}: no such situation"),
    }
}

#[tokio::test]
async fn a_failure_that_is_told_twice_is_one_event() {
    // The line is a breadcrumb of the event, unless it is the event itself or came after it.
    let situations = [
        ("logged with the error, then returned", "report", 1),
        ("logged as a text, then returned", "report", 1),
        ("logged with Debug and its cause, then returned", "report", 1),
        ("its cause is logged, then it is returned", "report", 1),
        ("logged on every level of the way", "report", 2),
        ("returned, then logged", "report", 1),
        ("the error type logs it", "report", 1),
        ("sent, then logged", "report", 0),
        ("logged, then sent", "report", 1),
        ("logged, and the request goes on", "log", 0),
        ("logged three times, and the request goes on", "log", 1),
        ("logged, and a bare 500", "log", 1),
        ("logged, and a panic with it", "panic", 1),
        ("tower_http says that it failed", "report", 1),
    ];
    for (name, mechanism, lines) in situations {
        let reporting = Reporting::start();
        let _listening = listening();
        let handler = async move || situation(name).await;
        let app: Router = Router::new().route("/orders/{id}", on_get(handler)).layer(ReportLayer::new());
        let response = app.oneshot(get("/orders/42")).await.unwrap();
        let event = reporting.event();
        assert_eq!(exception(&event)["mechanism"]["type"], mechanism, "{name}");
        assert_eq!(exception(&event)["value"], "order 42 could not be loaded", "{name}");
        assert_eq!(crumbs(&event).len(), lines, "{name}: {:?}", crumbs(&event));
        assert_eq!(event["transaction"], "GET /orders/{id}", "{name}");
        assert_eq!(event["tags"]["error.origin"], "request", "{name}");
        if response.status() == 500 {
            assert_eq!(event["event_id"], event_id(&response), "{name}");
            assert_eq!(event["tags"]["http.response.status_code"], "500", "{name}");
        }
        assert_eq!(reporting.guard.stats().discarded, 0, "{name}");
    }
}

#[tokio::test]
async fn two_failures_in_one_request_are_two_events() {
    let reporting = Reporting::start();
    let _listening = listening();
    let handler = async || -> Result<(), Report> {
        tracing::error!("the cache is gone");
        faultwire::current().tag("when", "later");
        Err(Report::new(order_error()))
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    let events = reporting.events(2);
    assert_eq!(exception(&events[0])["value"], "the cache is gone");
    assert_eq!(events[0]["tags"].get("when"), None, "what was known when it was logged");
    assert_eq!(crumbs(&events[1]), ["the cache is gone"]);
    assert_eq!(events[0]["contexts"]["trace"]["trace_id"], events[1]["contexts"]["trace"]["trace_id"]);
}

#[tokio::test]
async fn what_is_held_back_is_bounded_and_nothing_of_it_is_lost() {
    const LETTERS: &str = "abcdefghijklmnopqrst";
    let reporting = Reporting::start();
    let _listening = listening();
    let handler = async || {
        for letter in LETTERS.chars() {
            tracing::error!("shelf {letter} is empty");
        }
        // All but the last eight are on their way.
        while faultwire::stats().captured < 12 {
            tokio::task::yield_now().await;
        }
        assert_eq!(faultwire::stats().captured, 12);
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    reporting.events(LETTERS.len());
}

#[tokio::test]
async fn a_task_that_outlives_its_request_is_not_waited_for() {
    let reporting = Reporting::start();
    let _listening = listening();
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let (done, end) = tokio::sync::oneshot::channel::<()>();
    let app: Router = Router::new()
        .route(
            "/",
            on_get({
                let once = std::sync::Mutex::new(Some((gone, done)));
                let once = std::sync::Arc::new(once);
                async move || {
                    let (gone, done) = once.lock().unwrap().take().unwrap();
                    let task = async move {
                        gone.await.unwrap();
                        tracing::error!("the mail could not be sent");
                        done.send(()).unwrap();
                        std::future::pending::<()>().await;
                    };
                    tokio::spawn(task.with_context());
                }
            }),
        )
        .layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    reporting.events(0);
    go.send(()).unwrap();
    end.await.unwrap();
    let event = reporting.event();
    assert_eq!((&event["transaction"], &event["tags"]["error.origin"]), (&json!("GET /"), &json!("request")));
}

#[tokio::test]
async fn what_is_logged_is_sent_before_a_body_that_goes_on_for_hours_ends() {
    let reporting = Reporting::start();
    let _listening = listening();
    let (line, lines) = tokio::sync::mpsc::channel::<Result<&str, io::Error>>(1);
    let lines = std::sync::Arc::new(std::sync::Mutex::new(Some(lines)));
    let handler = async move || {
        tracing::error!("the cache is gone");
        let lines = lines.lock().unwrap().take().unwrap();
        let parts = tokio_stream::StreamExt::map(ReceiverStream(lines), |line| {
            line.inspect(|_| tracing::error!("the mail could not be sent"))
                .inspect_err(|error| tracing::error!("gone: {error}"))
        });
        Body::from_stream(parts)
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    let body = app.oneshot(get("/")).await.unwrap().into_body();
    assert_eq!(exception(&reporting.event())["value"], "the cache is gone");
    let mut body = std::pin::pin!(body);
    line.send(Ok("first")).await.unwrap();
    http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
    assert_eq!(exception(&reporting.events(2)[1])["value"], "the mail could not be sent");
    line.send(Err(io::Error::other("the disk went away"))).await.unwrap();
    http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap_err();
    assert_eq!(
        exception(&reporting.events(3)[2])["value"],
        "gone: the disk went away",
        "logged, then failed with"
    );
}

struct ReceiverStream(tokio::sync::mpsc::Receiver<Result<&'static str, io::Error>>);

impl tokio_stream::Stream for ReceiverStream {
    type Item = Result<&'static str, io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

#[tokio::test]
async fn what_a_cancelled_request_logged_is_sent() {
    let reporting = Reporting::start();
    let _listening = listening();
    let handler = async || {
        tracing::error!("the cache is gone");
        std::future::pending::<()>().await;
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    let cancelled = tokio::time::timeout(Duration::from_millis(20), app.oneshot(get("/")));
    assert!(cancelled.await.is_err());
    assert_eq!(exception(&reporting.event())["value"], "the cache is gone");
}

#[tokio::test]
async fn the_err_of_a_service_that_was_logged_is_one_event() {
    #[derive(Clone)]
    struct Fails;
    impl Service<Request<Body>> for Fails {
        type Response = http::Response<Body>;
        type Error = io::Error;
        type Future = std::future::Ready<Result<Self::Response, io::Error>>;

        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), io::Error>> {
            Ok(()).into()
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            tracing::error!("upstream: the disk went away");
            std::future::ready(Err(io::Error::other("the disk went away")))
        }
    }
    let reporting = Reporting::start();
    let _listening = listening();
    tower::ServiceBuilder::new()
        .layer(ReportLayer::new())
        .service(Fails)
        .oneshot(get("/"))
        .await
        .unwrap_err();
    assert_eq!(crumbs(&reporting.event()), ["upstream: the disk went away"]);
}

#[tokio::test]
async fn requests_that_use_a_context_again_know_nothing_of_what_was_logged_before() {
    let reporting = Reporting::start();
    let _listening = listening();
    let handler = async || -> Result<(), Infallible> {
        tracing::error!("the cache is gone");
        Ok(())
    };
    let app: Router = Router::new()
        .route("/", on_get(handler))
        .route("/bare", on_get(async || StatusCode::BAD_GATEWAY))
        .layer(ReportLayer::new());
    for path in ["/", "/", "/bare"] {
        app.clone().oneshot(get(path)).await.unwrap();
        assert!(reporting.guard.flush(Duration::from_secs(10)));
    }
    let events = reporting.events(3);
    let texts: Vec<_> = events.iter().map(|event| exception(event)["type"].as_str().unwrap()).collect();
    assert_eq!(texts, ["once", "once", "502 Bad Gateway"]);
}

#[tokio::test]
async fn what_is_ignored_is_not_an_event_because_it_was_logged() {
    let reporting = Reporting::start();
    let _listening = listening();
    let app: Router = Router::new()
        .route("/report", on_get(async || situation("logged as a text, then returned").await))
        .route("/bare", on_get(async || situation("logged, and a bare 500").await))
        .route("/fine", on_get(async || situation("logged, and the request goes on").await))
        .layer(ReportLayer::new().ignore(|_, status| status == 500));
    for path in ["/report", "/bare", "/fine"] {
        app.clone().oneshot(get(path)).await.unwrap();
    }
    assert_eq!(reporting.event()["transaction"], "GET /fine");
}

#[test]
fn outside_of_a_request_every_line_is_an_event() {
    let reporting = Reporting::start();
    let _listening = listening();
    tracing::error!("{}", order_error());
    Report::new(order_error()).send();
    let events = reporting.events(2);
    let origins: Vec<&Value> = events.iter().map(|event| &event["tags"]["error.origin"]).collect();
    assert_eq!(origins, ["log", "process"]);
}

#[tokio::test]
async fn an_error_that_panics_when_it_is_logged_is_an_event_all_the_same() {
    let reporting = Reporting::start();
    let _listening = listening();
    tracing::error!(error = &Unprintable as &dyn Error, order = 7, "no luck today");
    let event = reporting.event();
    assert_eq!(exception(&event)["value"], "<panicked while it was printed>");
    assert_eq!(event["extra"]["order"], 7);
}

#[tokio::test]
async fn a_report_that_is_logged_as_an_error_and_returned_is_its_one_event() {
    let reporting = Reporting::start();
    let _listening = listening();
    let handler = async || -> Result<(), Report> {
        let error = Report::new("no stock of pears").into_error();
        tracing::error!(error = &error as &dyn Error, "giving up");
        Err(error)?
    };
    let app = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    let response = app.oneshot(get("/")).await.unwrap();
    let event = reporting.event();
    assert_eq!(event["event_id"].as_str(), Some(&*event_id(&response)));
    assert_eq!(exception(&event)["mechanism"]["type"], "report");
}
