//! Requests as transactions, and the trace in the pages that they render.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use faultwire::{Report, ReportLayer};
use http::StatusCode;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::delivery::PATIENCE;
use crate::support::{Reporting, get};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn shop() -> Router {
    let token = async || {
        faultwire::current().tag("plan", "pro");
        "ok"
    };
    Router::new()
        .route("/reset/{token}/{id}", on_get(token))
        .route("/fails", on_get(async || Err::<(), _>(Report::new("sold out"))))
        .route("/panics", on_get(async || -> () { panic!("the till is jammed") }))
        .route("/hangs", on_get(std::future::pending::<()>))
        .route("/missing", on_get(async || StatusCode::NOT_FOUND))
        .layer(ReportLayer::new())
}

/// The items of a type that arrived.
fn items(reporting: &Reporting, kind: &str) -> Vec<Value> {
    assert!(reporting.guard.flush(PATIENCE), "{:?}", reporting.guard.stats());
    let mark = format!("\"type\":\"{kind}\"");
    let requests = reporting.server.requests();
    let texts = requests.iter().map(crate::fake::RequestSeen::text);
    let of_kind = texts.filter(|text| text.lines().nth(1).is_some_and(|header| header.contains(&mark)));
    of_kind.map(|text| serde_json::from_str(text.lines().nth(2).unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn a_request_is_a_transaction_with_its_route_and_without_its_secrets() {
    let reporting = Reporting::with(|config| config.traces_sample_rate(1.0));
    let mut request = get("/reset/s3cret/7?token=s3cret&page=2");
    request.headers_mut().insert("authorization", "Bearer s3cret".parse().unwrap());
    request.headers_mut().insert("traceparent", format!("00-{TRACE}-{SPAN}-00").parse().unwrap());
    shop().oneshot(request).await.unwrap();
    let transactions = items(&reporting, "transaction");
    let [transaction] = &transactions[..] else { panic!("{transactions:?}") };
    assert_eq!(transaction["transaction"], "GET /reset/{token}/{id}");
    let trace = &transaction["contexts"]["trace"];
    assert_eq!((&trace["op"], &trace["status"]), (&json!("http.server"), &json!("ok")));
    assert_eq!((&trace["trace_id"], &trace["parent_span_id"]), (&json!(TRACE), &json!(SPAN)));
    assert_eq!(
        (&transaction["release"], &transaction["environment"]),
        (&json!("shop@1.2.3"), &json!("test"))
    );
    assert_eq!(transaction["tags"], json!({"plan": "pro", "http.response.status_code": "200"}));
    assert!(transaction["timestamp"].is_string() || transaction["timestamp"].is_number(), "{transaction}");
    let text = transaction.to_string();
    assert!(text.contains("page=2") && !text.contains("s3cret"), "{text}");
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.sent, stats.dropped.total()), (1, 1, 0));
}

#[tokio::test]
async fn it_says_how_the_request_ended() {
    for (path, status) in
        [("/fails", "internal_error"), ("/panics", "internal_error"), ("/missing", "not_found")]
    {
        let reporting = Reporting::with(|config| config.traces_sample_rate(1.0));
        shop().oneshot(get(path)).await.unwrap();
        let transactions = items(&reporting, "transaction");
        let [transaction] = &transactions[..] else { panic!("{path}: {transactions:?}") };
        assert_eq!(transaction["contexts"]["trace"]["status"], status, "{path}");
        for event in items(&reporting, "event") {
            let ids = |item: &Value| {
                let trace = &item["contexts"]["trace"];
                (trace["trace_id"].clone(), trace["span_id"].clone())
            };
            assert_eq!(ids(&event), ids(transaction), "{path}: the event hangs on the transaction");
        }
    }
    let reporting = Reporting::with(|config| config.traces_sample_rate(1.0));
    tokio::time::timeout(Duration::from_millis(20), shop().oneshot(get("/hangs"))).await.unwrap_err();
    assert_eq!(items(&reporting, "transaction")[0]["contexts"]["trace"]["status"], "cancelled");
}

#[tokio::test]
async fn the_body_of_a_response_is_part_of_it() {
    let reporting = Reporting::with(|config| config.traces_sample_rate(1.0));
    let stream = async || {
        let parts = tokio_stream::iter([Ok::<_, std::io::Error>("first"), Ok("second")]);
        Body::from_stream(parts)
    };
    let app: Router = Router::new().route("/", on_get(stream)).layer(ReportLayer::new());
    let response = app.oneshot(get("/")).await.unwrap();
    assert!(items(&reporting, "transaction").is_empty(), "it is not over");
    crate::support::text(response).await.unwrap();
    assert_eq!(items(&reporting, "transaction").len(), 1);
}

#[tokio::test]
async fn by_default_there_is_none_whatever_the_request_asks_for() {
    for (rate, trust, flag, expected) in [
        (0.0, false, "01", 0),
        (0.0, true, "01", 0),
        (1e-9, false, "01", 0),
        (1e-9, true, "01", 1),
        (1.0, true, "00", 0),
        (1.0, false, "00", 1),
    ] {
        let reporting = Reporting::with(|config| match rate {
            0.0 => config.trust_sampled(trust),
            _ => config.traces_sample_rate(rate).trust_sampled(trust),
        });
        let mut request = get("/missing");
        request.headers_mut().insert("traceparent", format!("00-{TRACE}-{SPAN}-{flag}").parse().unwrap());
        shop().oneshot(request).await.unwrap();
        let transactions = items(&reporting, "transaction");
        assert_eq!(transactions.len(), expected, "rate {rate}, trusted {trust}, flag {flag}");
    }
}

#[tokio::test]
async fn about_the_share_of_the_rate_is_taken() {
    const REQUESTS: usize = 400;
    let reporting = Reporting::with(|config| config.traces_sample_rate(0.5));
    let app = shop();
    for _ in 0..REQUESTS {
        app.clone().oneshot(get("/missing")).await.unwrap();
    }
    let taken = items(&reporting, "transaction").len();
    // Six standard deviations.
    assert!((140..=260).contains(&taken), "{taken}");
}

#[tokio::test]
async fn a_rendered_page_says_which_trace_it_belongs_to() {
    let reporting = Reporting::start();
    let page = async || -> Result<(), Report> {
        let meta = faultwire::current().trace_meta();
        faultwire::current().data("meta", &meta);
        Err(Report::new("sold out"))
    };
    let app: Router = Router::new().route("/", on_get(page)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    let event = reporting.event();
    let trace = &event["contexts"]["trace"];
    let ids = [&trace["trace_id"], &trace["span_id"]].map(|id| id.as_str().unwrap()).join("-");
    let meta = event["extra"]["meta"].as_str().unwrap();
    assert!(
        meta.starts_with(&format!("<meta name=\"sentry-trace\" content=\"{ids}\"><meta name=\"baggage\"")),
        "{meta}"
    );
    assert_eq!(faultwire::current().trace_meta(), "");
}
