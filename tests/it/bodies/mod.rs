//! Request bodies: which are shown with a failure, how much of them, and that nobody notices the tee.
#![expect(clippy::arithmetic_side_effects, reason = "sizes of tests are small")]

mod failures;
mod kinds;
mod memory;
mod passing;
mod wire;

use axum::body::Body;
use axum::routing::post as on_post;
use axum::{Json, Router};
use faultwire::{Report, ReportLayer};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn post(content_type: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/orders").header("host", "shop.example.com");
    request.header("content-type", content_type).body(body.into()).unwrap()
}

/// Handlers that fail: after all of the body, after its first frame, or without a look at it.
fn shop() -> Router {
    Router::new()
        .route("/orders", on_post(read_and_fail))
        .route("/first", on_post(read_a_frame_and_fail))
        .route("/unread", on_post(async |_: Body| Err::<(), _>(Report::new("no stock"))))
        .layer(ReportLayer::new())
}

async fn read_and_fail(mut body: Body) -> Result<(), Report> {
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Err(Report::new("no stock"))
}

async fn read_a_frame_and_fail(mut body: Body) -> Result<(), Report> {
    body.frame().await.unwrap()?;
    Err(Report::new("no stock"))
}

async fn send(router: Router, request: Request<Body>) -> Response<Body> {
    router.oneshot(request).await.unwrap()
}

/// A body of unknown length that comes in these frames.
fn in_frames<F: AsRef<[u8]>>(frames: impl IntoIterator<Item = F>) -> Body {
    let frames: Vec<_> =
        frames.into_iter().map(|frame| Ok::<_, std::io::Error>(frame.as_ref().to_vec())).collect();
    Body::from_stream(tokio_stream::iter(frames))
}

/// What the event shows of the body.
#[track_caller]
fn shown(event: &Value) -> &str {
    event["request"]["data"].as_str().unwrap_or_else(|| panic!("no body in {:#}", event["request"]))
}

/// The same, of a JSON body.
#[track_caller]
fn shown_json(event: &Value) -> Value {
    serde_json::from_str(shown(event)).unwrap()
}

/// The tag and the numbers (kept, read, announced) that say what is missing.
fn note(event: &Value) -> (Option<&str>, [Option<u64>; 3]) {
    let context = &event["contexts"]["faultwire.body"];
    let numbers = ["kept", "read", "announced"].map(|name| context[name].as_u64());
    (event["tags"]["faultwire.body"].as_str(), numbers)
}

const COMPLETE: (Option<&str>, [Option<u64>; 3]) = (None, [None; 3]);

#[track_caller]
fn assert_no_body(event: &Value) {
    assert_eq!(event["request"].get("data"), None);
    assert_eq!(note(event), COMPLETE);
}
