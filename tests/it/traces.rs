//! Requests as transactions, and the trace in the pages that they render.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get as on_get, post};
use faultwire::{Report, ReportLayer, UpstreamLayer, job};
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt, service_fn};

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
pub(crate) fn items(reporting: &Reporting, kind: &str) -> Vec<Value> {
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

/// A failing request that calls another service and queues a job: the headers that it gave to both.
async fn asks_others(came_with: &[(&'static str, &str)]) -> [Vec<(String, String)>; 2] {
    let client =
        UpstreamLayer::new().trace(["orders.internal"]).layer(service_fn(async |request: Request<()>| {
            Ok::<_, std::io::Error>(Response::new(request.headers().clone()))
        }));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let handler = async move || -> Result<(), Report> {
        let call = Request::get("https://orders.internal/x").body(()).unwrap();
        let sent: HeaderMap = client.oneshot(call).await.unwrap().into_body();
        let pairs = sent.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        tell.send([pairs.collect(), faultwire::current().trace_headers()]).unwrap();
        Err(Report::new("sold out").data("meta", &faultwire::current().trace_meta()))
    };
    let mut request = get("/");
    for (name, value) in came_with {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(request).await.unwrap();
    told.recv().await.unwrap()
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

#[tokio::test]
async fn what_a_request_asks_of_others_hangs_on_its_transaction_and_says_whether_it_is_kept() {
    for (rate, came_with, kept) in [
        (1.0, None, Some(true)),
        (1e-9, None, Some(false)),
        (0.0, None, None),
        (1.0, Some("00"), Some(true)),
        (1e-9, Some("01"), Some(false)),
        // Where nobody decides here, what was decided before goes on.
        (0.0, Some("01"), Some(true)),
        (0.0, Some("02"), Some(false)),
    ] {
        let what = format!("rate {rate}, flags {came_with:?}");
        let reporting = Reporting::with(|config| config.traces_sample_rate(rate));
        let came = came_with.map(|flags| format!("00-{TRACE}-{SPAN}-{flags}"));
        let came = came.iter().map(|came| ("traceparent", &**came));
        let [call, queued] = asks_others(&came.collect::<Vec<_>>()).await;
        let run = job("send_invoice").trace(queued.clone()).run(async {
            let onwards = faultwire::current().trace_headers();
            Err::<(), _>(Report::new("failed").data("onwards", &onwards))
        });
        assert!(run.await.is_err());

        let transactions = items(&reporting, "transaction");
        assert_eq!(transactions.len(), usize::from(rate > 0.0 && kept == Some(true)), "{what}");
        let events = items(&reporting, "event");
        let [failed, in_job] = &events[..] else { panic!("{what}: {events:?}") };
        let trace = &failed["contexts"]["trace"];
        for transaction in &transactions {
            assert_eq!(transaction["contexts"]["trace"]["span_id"], trace["span_id"], "{what}");
        }
        let [trace_id, span_id] = ["trace_id", "span_id"].map(|id| trace[id].as_str().unwrap());
        let flag = kept.map_or(String::new(), |kept| format!("-{}", u8::from(kept)));
        for headers in [&call, &queued] {
            assert_eq!(value(headers, "sentry-trace"), format!("{trace_id}-{span_id}{flag}"), "{what}");
            let baggage = value(headers, "baggage");
            let sampled = baggage.split(',').find_map(|member| member.strip_prefix("sentry-sampled="));
            assert_eq!(sampled.map(|sampled| sampled == "true"), kept, "{what}: {baggage}");
        }
        // The last bit is ours, the others are not.
        let flags = came_with.map(|came| {
            if came == "02" {
                "02"
            } else if kept == Some(true) {
                "01"
            } else {
                "00"
            }
        });
        let expected = flags.map(|flags| format!("00-{trace_id}-{span_id}-{flags}"));
        assert_eq!(value(&call, "traceparent"), expected.unwrap_or_default(), "{what}");

        let of_job = &in_job["contexts"]["trace"];
        assert_eq!(
            (&of_job["trace_id"], &of_job["parent_span_id"]),
            (&json!(trace_id), &json!(span_id)),
            "{what}"
        );
        let onwards = format!("{trace_id}-{}{flag}", of_job["span_id"].as_str().unwrap());
        assert_eq!(in_job["extra"]["onwards"][0][1], onwards, "{what}");
    }
}

#[tokio::test]
async fn what_of_a_requests_baggage_is_for_sdks_goes_on_as_it_came_and_nothing_else_of_it() {
    let ids = format!("{TRACE}-{SPAN}-1");
    let traceparent = format!("00-{TRACE}-{SPAN}-01");
    let baggage = "sentry-release=frontend@1,sentry-sample_rate=0.25,other=x";
    let ours = "sentry-release=frontend@1,sentry-sample_rate=0.25";
    let own = "sentry-trace_id=";
    let long = format!("other=x{},{ours}", "x".repeat(1_500));
    for (what, came_with, expected) in [
        ("a trace by Sentry", vec![("sentry-trace", &*ids), ("baggage", baggage)], ours),
        ("a trace by W3C", vec![("baggage", baggage), ("traceparent", &*traceparent)], ours),
        ("behind others' members", vec![("sentry-trace", &*ids), ("baggage", &*long)], ours),
        ("in two headers", vec![("sentry-trace", &*ids), ("baggage", "other=x"), ("baggage", ours)], ours),
        ("others' members only", vec![("sentry-trace", &*ids), ("baggage", "other=x")], own),
        ("without its trace", vec![("baggage", baggage)], own),
        ("with one that is none", vec![("sentry-trace", "x"), ("baggage", baggage)], own),
    ] {
        let reporting = Reporting::start();
        let given = asks_others(&came_with).await;
        let event = reporting.event();
        for headers in &given {
            let baggage = value(headers, "baggage");
            if expected == own {
                assert!(baggage.starts_with(own), "{what}: {baggage}");
            } else {
                assert_eq!(baggage, expected, "{what}");
            }
        }
        let meta = event["extra"]["meta"].as_str().unwrap();
        assert!(meta.contains(&format!("name=\"baggage\" content=\"{expected}")), "{what}: {meta}");
        assert_eq!(event["request"]["headers"]["baggage"], "[Filtered]", "{what}");
        assert!(!event.to_string().contains("other=x"), "{what}: {event}");
    }
}

#[tokio::test]
async fn a_call_of_grpc_ends_as_its_status_says() {
    for (code, status, in_trailers) in [
        ("0", "ok", false),
        ("5", "not_found", false),
        ("13", "internal_error", false),
        ("13", "internal_error", true),
    ] {
        let reporting = Reporting::with(|config| config.traces_sample_rate(1.0));
        let end = async move || {
            let mut end = HeaderMap::new();
            end.insert("grpc-status", code.parse().unwrap());
            let (body, headers) = if in_trailers {
                let frames = tokio_stream::iter([Ok::<_, std::io::Error>(
                    http_body::Frame::<bytes::Bytes>::trailers(end),
                )]);
                (Body::new(http_body_util::StreamBody::new(frames)), HeaderMap::new())
            } else {
                (Body::empty(), end)
            };
            (headers, [("content-type", "application/grpc")], body)
        };
        let app: Router = Router::new().route("/shop.Orders/Get", post(end)).layer(ReportLayer::new());
        let response =
            app.oneshot(Request::post("/shop.Orders/Get").body(Body::empty()).unwrap()).await.unwrap();
        crate::support::text(response).await.unwrap();
        let transactions = items(&reporting, "transaction");
        assert_eq!(transactions[0]["contexts"]["trace"]["status"], status, "{code}");
        assert_eq!(transactions[0]["tags"]["http.response.status_code"], "200", "{code}");
        assert_eq!(items(&reporting, "event").len(), usize::from(code == "13"), "{code}");
    }
}
