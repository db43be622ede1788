//! The id of a request: the client's if it is a good one, and the same on events and in the answer.

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use faultwire::sentry::{self, Level};
use faultwire::{Report, ReportLayer};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{Reporting, get, text};

fn shop() -> Router {
    Router::new()
        .route("/report", on_get(async || Report::new("no stock")))
        .route(
            "/unavailable",
            on_get(async || Report::new("no stock").status(StatusCode::BAD_GATEWAY).public("soon")),
        )
        .route("/panic", on_get(async || -> () { panic!("the till is jammed") }))
        .route(
            "/page",
            on_get(async || {
                sentry::capture_message("by the SDK", Level::Error);
                let id = faultwire::current().request_id().unwrap();
                Report::new("no stock")
                    .attach((StatusCode::INTERNAL_SERVER_ERROR, json!({"request_id": id}).to_string()))
            }),
        )
        .layer(ReportLayer::new())
}

fn with(id: &[u8], path: &str) -> Request<Body> {
    let mut request = get(path);
    request.headers_mut().insert("x-request-id", http::HeaderValue::from_bytes(id).unwrap());
    request
}

/// The answer's id, which its events have, too.
async fn id_of(reporting: &Reporting, seen: &mut usize, request: Request<Body>) -> (String, Value) {
    let response = shop().oneshot(request).await.unwrap();
    let problem: Value = serde_json::from_str(&text(response).await.unwrap()).unwrap();
    let id = problem["request_id"].as_str().expect("an id").to_owned();
    let events = reporting.all_events();
    assert!(events.len() > *seen);
    for event in &events[*seen..] {
        assert_eq!(event["tags"]["request_id"], *id, "{event}");
    }
    *seen = events.len();
    (id, events.last().unwrap().clone())
}

const PATHS: [&str; 4] = ["/report", "/unavailable", "/panic", "/page"];

#[tokio::test]
async fn a_good_one_is_taken_over() {
    let (reporting, mut seen) = (Reporting::start(), 0);
    for path in PATHS {
        let id = "Root=1-67891233-abcdef0123";
        assert_eq!(id_of(&reporting, &mut seen, with(id.as_bytes(), path)).await.0, id);
    }
}

#[tokio::test]
async fn without_one_or_with_a_bad_one_it_is_the_trace() {
    let (reporting, mut seen) = (Reporting::start(), 0);
    let mut ids = Vec::new();
    for path in PATHS {
        let long = "x".repeat(129);
        for bad in [&b""[..], b"a\",\"admin\":\"", b"<script>", b"\xff", b"a b", long.as_bytes()] {
            ids.push(id_of(&reporting, &mut seen, with(bad, path)).await);
        }
        ids.push(id_of(&reporting, &mut seen, get(path)).await);
    }
    for (id, event) in &ids {
        assert_eq!(event["contexts"]["trace"]["trace_id"], **id);
        assert!(id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
    }
    let mut all: Vec<_> = ids.iter().map(|(id, _)| id).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), ids.len(), "each has its own");
}

#[tokio::test]
async fn a_trace_that_came_in_is_the_id() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let (reporting, mut seen) = (Reporting::start(), 0);
    let mut request = get("/report");
    let traceparent = format!("00-{TRACE}-b7ad6b7169203331-01");
    request.headers_mut().insert("traceparent", traceparent.parse().unwrap());
    assert_eq!(id_of(&reporting, &mut seen, request).await.0, TRACE);
}

#[tokio::test]
async fn a_tag_of_the_applications_own_wins() {
    let reporting = Reporting::start();
    let handler = async || Report::new("no stock").tag("request_id", "mine");
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(with(b"theirs", "/")).await.unwrap();
    assert_eq!(reporting.event()["tags"]["request_id"], "mine");
}

#[tokio::test]
async fn outside_of_a_request_there_is_none() {
    let reporting = Reporting::start();
    assert_eq!(faultwire::current().request_id(), None);
    Report::new("alone").send();
    drop(faultwire::job("sweep").run(async { Err::<(), _>(Report::new("no broom")) }).await);
    assert!(reporting.events(2).iter().all(|event| event["tags"].get("request_id").is_none()));
    let response = Report::new("no stock").into_http::<Body>();
    let problem: Value = serde_json::from_str(&text(response).await.unwrap()).unwrap();
    assert_eq!(problem.get("request_id"), None);
}
