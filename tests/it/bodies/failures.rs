//! Every way of failing shows the body, as far as it was read, and without its secrets.

use std::sync::Arc;

use axum::body::Bytes;
use faultwire::WithContext as _;
use http::StatusCode;
use serde_json::json;
use tokio::sync::Barrier;
use tower::{Layer as _, service_fn};

use super::*;
use crate::support::{Reporting, exception, text};

const ORDER: &str = r#"{"article":"tea","card_number":"4111111111111111","nested":[{"password":"s3cret"}]}"#;

fn masked_order() -> Value {
    json!({"article": "tea", "card_number": "[Filtered]", "nested": [{"password": "[Filtered]"}]})
}

/// The one event of a `POST` of the order to this handler.
async fn event_of<H, T>(reporting: &Reporting, handler: H) -> Value
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    let router = Router::new().route("/orders", on_post(handler)).layer(ReportLayer::new());
    text(send(router, post(JSON, ORDER)).await).await.ok();
    reporting.event()
}

#[track_caller]
fn assert_shows_the_order(event: &Value) {
    assert_eq!(shown_json(event), masked_order());
    assert_eq!(note(event), COMPLETE);
    let event = event.to_string();
    assert!(!event.contains("s3cret") && !event.contains("4111111111111111"), "{event}");
}

#[tokio::test]
async fn a_report_shows_the_body() {
    let reporting = Reporting::start();
    let failing = async |_: Json<Value>| Err::<(), _>(Report::new("no stock"));
    assert_shows_the_order(&event_of(&reporting, failing).await);
}

#[tokio::test]
async fn a_report_that_is_sent_on_the_way_shows_the_body() {
    let reporting = Reporting::start();
    let sending = async |_: Bytes| {
        Report::new("no stock").send();
    };
    assert_shows_the_order(&event_of(&reporting, sending).await);
}

#[tokio::test]
async fn a_panic_shows_the_body() {
    let reporting = Reporting::start();
    let panicking = async |_: String| -> () { panic!("the till is jammed") };
    let event = event_of(&reporting, panicking).await;
    assert_eq!(exception(&event)["type"], "panic");
    assert_shows_the_order(&event);
}

#[tokio::test]
async fn a_panic_in_a_task_of_the_request_shows_the_body() {
    let reporting = Reporting::start();
    let spawning = async |_: Bytes| {
        let task = tokio::spawn(async { panic!("the till is jammed") }.with_context());
        assert!(task.await.unwrap_err().is_panic());
    };
    assert_shows_the_order(&event_of(&reporting, spawning).await);
}

#[tokio::test]
async fn a_bare_5xx_shows_the_body() {
    let reporting = Reporting::start();
    assert_shows_the_order(&event_of(&reporting, async |_: Bytes| StatusCode::BAD_GATEWAY).await);
}

#[tokio::test]
async fn an_event_of_the_sdk_shows_the_body() {
    let reporting = Reporting::start();
    let capturing = async |_: Bytes| {
        sentry::capture_message("no stock", sentry::Level::Error);
    };
    assert_shows_the_order(&event_of(&reporting, capturing).await);
}

#[tokio::test]
async fn a_response_that_breaks_off_shows_the_body_of_its_request() {
    let reporting = Reporting::start();
    let breaking = async |_: Bytes| {
        let frames = [Ok("first"), Err(std::io::Error::other("the disk went away"))];
        Body::from_stream(tokio_stream::iter(frames))
    };
    assert_shows_the_order(&event_of(&reporting, breaking).await);
}

#[tokio::test]
async fn the_error_of_a_service_shows_the_body() {
    let reporting = Reporting::start();
    let failing = service_fn(async |request: Request<Body>| {
        request.into_body().collect().await.unwrap();
        Err::<Response<Body>, _>(std::io::Error::other("the disk went away"))
    });
    ReportLayer::new().layer(failing).oneshot(post(JSON, ORDER)).await.unwrap_err();
    assert_shows_the_order(&reporting.event());
}

#[tokio::test]
async fn each_event_of_a_request_shows_the_body() {
    let reporting = Reporting::start();
    let failing = async |_: Bytes| {
        Report::new("slow supplier").send();
        Err::<(), _>(Report::new("no stock"))
    };
    let router = Router::new().route("/orders", on_post(failing)).layer(ReportLayer::new());
    send(router, post(JSON, ORDER)).await;
    reporting.events(2).iter().for_each(assert_shows_the_order);
}

#[tokio::test]
async fn an_event_on_the_way_shows_what_was_read_until_then() {
    let reporting = Reporting::start();
    let sending = async |mut body: Body| {
        body.frame().await.unwrap().unwrap();
        Report::new("no stock").send();
        body.collect().await.unwrap();
    };
    let router = Router::new().route("/orders", on_post(sending)).layer(ReportLayer::new());
    send(router, post(FORM, in_frames(["a=1&", "b=2&password=s3cret"]))).await;
    let event = reporting.event();
    assert!(shown(&event).starts_with("a=1"), "{}", shown(&event));
    assert_eq!(note(&event), (Some("partly_read"), [Some(4), Some(4), None]));
}

#[tokio::test]
async fn a_request_with_a_request_of_its_own_keeps_that_one() {
    let reporting = Reporting::start();
    let capturing = async |_: Bytes| {
        let outgoing = sentry::protocol::Request { method: Some("PUT".to_owned()), ..Default::default() };
        sentry::capture_event(sentry::protocol::Event { request: Some(outgoing), ..Default::default() });
    };
    let event = event_of(&reporting, capturing).await;
    assert_eq!(event["request"]["method"], "PUT");
    assert_no_body(&event);
}

#[tokio::test]
async fn what_fails_after_the_end_of_a_request_no_longer_shows_its_body() {
    let reporting = Reporting::start();
    // Once the request has ended, and once the task has reported.
    let meeting = Arc::new(Barrier::new(2));
    let in_task = Arc::clone(&meeting);
    let leaving = async move |_: Bytes| {
        let later = async move {
            in_task.wait().await;
            Report::new("no stock").send();
            in_task.wait().await;
        };
        tokio::spawn(later.with_context());
    };
    let router = Router::new().route("/orders", on_post(leaving)).layer(ReportLayer::new());
    send(router, post(JSON, ORDER)).await;
    meeting.wait().await;
    meeting.wait().await;
    assert_no_body(&reporting.event());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_at_the_same_time_never_see_each_others_bodies() {
    const AT_ONCE: usize = 16;
    let reporting = Reporting::start();
    let barrier = Arc::new(Barrier::new(AT_ONCE));
    let failing = async move |mut body: Body| {
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            read.extend(frame.unwrap().into_data().unwrap());
            barrier.wait().await;
        }
        let read = String::from_utf8(read).unwrap();
        Err::<(), _>(Report::new("no stock").tag("read", read))
    };
    let router = Router::new().route("/orders", on_post(failing)).layer(ReportLayer::new());
    // Twice, so that contexts are used again.
    for round in 0..2 {
        let requests = (0..AT_ONCE).map(|number| {
            let frames = [format!("round={round}&"), format!("number={number}&"), "end=1".to_owned()];
            tokio::spawn(send(router.clone(), post(FORM, in_frames(frames))))
        });
        for request in requests.collect::<Vec<_>>() {
            request.await.unwrap();
        }
    }
    for event in reporting.events(2 * AT_ONCE) {
        assert_eq!(shown(&event), event["tags"]["read"]);
        assert_eq!(note(&event), COMPLETE);
    }
}
