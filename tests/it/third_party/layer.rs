//! `UpstreamLayer`: what calls leave, which are reported, who is told the trace.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use faultwire::upstream::ReportCalls;
use faultwire::{Report, ReportLayer, UpstreamLayer, WithContext as _};
use http::{HeaderMap, Request, Response};
use http_body_util::Empty;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde_json::Value;
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::{SECRET, assert_no_secret_left, provider};
use crate::support::{Reporting, get as request};

fn client(layer: UpstreamLayer) -> ClientWithMiddleware {
    ClientBuilder::new(provider::client().timeout(Duration::from_secs(1)).build().unwrap())
        .with(layer)
        .build()
}

/// Runs a request in which the handler makes these calls; it fails by the last one if that fails and `fails` says so.
async fn calls(client: ClientWithMiddleware, urls: Vec<String>, fails: bool) -> Response<Body> {
    let handler = async move || -> Result<(), Report> {
        for url in urls {
            let answered = client.get(url).header("authorization", SECRET).send().await;
            let answered = answered.and_then(|answer| Ok(answer.error_for_status()?));
            if fails {
                answered?;
            }
        }
        Ok(())
    };
    let app = Router::new().route("/pay", get(handler)).layer(ReportLayer::new());
    app.oneshot(request("/pay")).await.unwrap()
}

fn crumbs(event: &Value) -> Vec<(&str, &str)> {
    let crumbs = event["breadcrumbs"].as_array().or_else(|| event["breadcrumbs"]["values"].as_array());
    let crumbs = crumbs.unwrap().iter().filter(|crumb| crumb["category"] == "upstream");
    crumbs
        .map(|crumb| (crumb["message"].as_str().unwrap(), crumb["level"].as_str().unwrap_or("info")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_is_a_breadcrumb_also_one_that_failed_or_was_given_up() {
    let reporting = Reporting::start();
    let at = provider::start().await;
    let (nobody, _held) = provider::nobody();
    let client = client(UpstreamLayer::new().report(ReportCalls::Off));
    let handler = async move || -> Result<(), Report> {
        for url in [
            format!("http://ada:{SECRET}@{at}/fine/42?api_key={SECRET}&page=2"),
            format!("http://{at}/missing/cus_4f3a2b1c9d"),
            format!("http://{nobody}/charges/7"),
        ] {
            let _ = client.get(url).send().await;
        }
        let waited = client.post(format!("http://{at}/hangs/7")).send();
        let _ = tokio::time::timeout(Duration::from_millis(20), waited).await;
        Err(Report::new("no stock"))
    };
    let app = Router::new().route("/pay", get(handler)).layer(ReportLayer::new());
    app.oneshot(request("/pay")).await.unwrap();
    let event = reporting.event();
    assert_no_secret_left(&reporting);
    let left = [
        (format!("GET http://{at}/fine/{{id}}{{?page}}: 200"), "info"),
        (format!("GET http://{at}/missing/{{id}}: 404"), "warning"),
        (format!("GET http://{nobody}/charges/{{id}}: connection"), "error"),
        (format!("POST http://{at}/hangs/{{id}}: cancelled"), "warning"),
    ];
    let left: Vec<_> = left.iter().map(|(message, level)| (message.as_str(), *level)).collect();
    assert_eq!(crumbs(&event), left);
    assert_eq!(event["tags"]["error.category"], "route", "the request failed by something else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_request_fails_by_is_one_event_that_knows_what_both_know() {
    let at = provider::start().await;
    let (nobody, _held) = provider::nobody();
    for (url, status, class) in [
        (format!("http://{at}/broken/42?api_key={SECRET}"), 502, "server_error"),
        (format!("http://{nobody}/charges/42"), 502, "connection"),
        (format!("http://{at}/hangs/42"), 504, "timeout"),
    ] {
        let reporting = Reporting::start();
        let response = calls(client(UpstreamLayer::new().service("bank")), vec![url], true).await;
        assert_eq!(response.status(), status);
        let event = reporting.event();
        assert_no_secret_left(&reporting);
        assert_eq!(event["event_id"].as_str().unwrap(), response.headers()["x-event-id"].to_str().unwrap());
        assert_eq!(event["transaction"], "GET /pay");
        assert_eq!(event["tags"]["error.type"], class);
        assert_eq!(event["fingerprint"][1], "bank", "as the layer calls it");
        let context = &event["contexts"]["third_party"];
        assert_eq!(context["http.request.method"], "GET", "the layer saw the request");
        assert!(context["http.client.request.duration"].as_f64().unwrap() < 10.0);
        if class == "server_error" {
            assert_eq!(context["http.response.header.request-id"], "req_500", "and the response");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_request_got_over_is_an_event_of_its_own_and_tries_are_one() {
    let reporting = Reporting::start();
    let at = provider::start().await;
    let tries =
        ["broken/1", "broken/2", "broken/3", "missing/4", "fine/5"].map(|mode| format!("http://{at}/{mode}"));
    let response = calls(client(UpstreamLayer::new()), tries.to_vec(), false).await;
    assert_eq!(response.status(), 200);
    let event = reporting.event();
    assert_eq!(event["tags"]["error.type"], "server_error");
    assert_eq!(event["transaction"], "GET /pay");
    assert_eq!(event["contexts"]["third_party"]["http.request.resend_count"], 2, "three tries");
    assert_eq!(event["exception"]["values"][0]["mechanism"]["type"], "upstream");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_failure_after_a_failed_call_is_another_event() {
    let reporting = Reporting::start();
    let at = provider::start().await;
    let client = client(UpstreamLayer::new());
    let handler = async move || -> Result<(), Report> {
        let _ = client.get(format!("http://{at}/broken/1")).send().await;
        Err(Report::new("the fallback has no price"))
    };
    let app = Router::new().route("/pay", get(handler)).layer(ReportLayer::new());
    app.oneshot(request("/pay")).await.unwrap();
    let kinds: Vec<_> =
        reporting.events(2).iter().map(|event| event["tags"]["error.category"].to_string()).collect();
    assert!(
        kinds.contains(&"\"route\"".to_owned()) && kinds.contains(&"\"third_party\"".to_owned()),
        "{kinds:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_request_is_cancelled_panics_or_leaves_a_task_behind() {
    let reporting = Reporting::start();
    let at = provider::start().await;
    let one = client(UpstreamLayer::new());
    let (client, two) = (one.clone(), one.clone());
    let (answered, answer) = tokio::sync::oneshot::channel();
    let answered = Arc::new(Mutex::new(Some(answered)));
    let app = Router::new()
        .route(
            "/cancelled",
            get(async move || {
                let _ = client.get(format!("http://{at}/broken/1")).send().await;
                answered.lock().unwrap().take().unwrap().send(()).unwrap();
                std::future::pending::<()>().await;
            }),
        )
        .route(
            "/task",
            get(async move || {
                let task = async move {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    let _ = two.get(format!("http://{at}/away/1")).send().await;
                };
                tokio::spawn(task.with_context());
            }),
        )
        .route(
            "/panic",
            get(async move || -> &'static str {
                let _ = one.get(format!("http://{at}/slow/1")).send().await;
                std::panic::panic_any("jammed")
            }),
        )
        .layer(ReportLayer::new());
    tokio::select! {
        ended = app.clone().oneshot(request("/cancelled")) => panic!("{ended:?}"),
        answered = answer => answered.unwrap(),
    }
    app.clone().oneshot(request("/task")).await.unwrap();
    app.oneshot(request("/panic")).await.unwrap();
    reporting.server.wait_events(4);
    let mut seen: Vec<_> = reporting
        .events(4)
        .iter()
        .map(|event| {
            format!(
                "{} {}",
                event["transaction"].as_str().unwrap(),
                event["tags"]["error.type"].as_str().unwrap_or("panic")
            )
        })
        .collect();
    seen.sort();
    assert_eq!(
        seen,
        ["GET /cancelled server_error", "GET /panic panic", "GET /panic timeout", "GET /task unavailable"]
    );
    assert_eq!(reporting.guard.stats().discarded, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_follow_the_policy() {
    let at = provider::start().await;
    let urls = |mode: &str| vec![format!("http://{at}/{mode}/1")];
    let threshold = ReportCalls::Threshold { failures: 3, window: Duration::from_secs(3600) };
    for (policy, events) in
        [(ReportCalls::Off, 0), (ReportCalls::ServerErrorsAndTransport, 5), (threshold, 1)]
    {
        let reporting = Reporting::start();
        let client = client(UpstreamLayer::new().report(policy));
        for mode in ["broken", "missing", "broken", "busy", "broken", "ends", "broken", "fine"] {
            calls(client.clone(), urls(mode), false).await;
        }
        let events = reporting.events(events);
        if policy == threshold {
            assert_eq!(events[0]["contexts"]["third_party"]["failures"], 3);
        }
        drop(events);
        drop(reporting);
        // What the request fails by is reported, whatever the policy.
        let reporting = Reporting::start();
        calls(client, urls("broken"), true).await;
        assert_eq!(reporting.event()["tags"]["error.type"], "server_error");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_of_a_request_a_failed_call_is_an_event_at_once() {
    let reporting = Reporting::start();
    let at = provider::start().await;
    let client: legacy::Client<_, Empty<Bytes>> = legacy::Client::builder(TokioExecutor::new()).build_http();
    let client = UpstreamLayer::new().layer(client);
    for mode in ["broken", "ends"] {
        let request =
            Request::get(format!("http://{at}/{mode}/42?token={SECRET}")).body(Empty::new()).unwrap();
        let _ = client.clone().oneshot(request).await;
    }
    let events = reporting.events(2);
    assert_no_secret_left(&reporting);
    let said = events[0]["exception"]["values"][0]["value"].as_str().unwrap();
    assert_eq!(said, format!("{at} answered 500 Internal Server Error (GET http://{at}/broken/{{id}})"));
    assert_eq!(
        (&events[1]["tags"]["error.type"], &events[1]["tags"]["upstream.phase"]),
        (&"connection".into(), &"request".into())
    );
    assert_eq!(events[1]["tags"]["error.origin"], "process");
}

type Recorder = BoxCloneSyncService<Request<()>, Response<()>, std::io::Error>;

/// A client that keeps the headers that it is given.
fn recorder() -> (Arc<Mutex<Vec<HeaderMap>>>, Recorder) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let service = service_fn(move |request: Request<()>| {
        kept.lock().unwrap().push(request.headers().clone());
        async { Ok(Response::new(())) }
    });
    (seen, BoxCloneSyncService::new(service))
}

#[tokio::test]
async fn only_hosts_on_the_list_are_told_the_trace() {
    let reporting = Reporting::start();
    let (seen, service) = recorder();
    let client = UpstreamLayer::new().trace(["orders.internal", "*.shop.internal"]).layer(service);
    let called = client.clone();
    let handler = async move || {
        for host in
            ["orders.internal", "a.shop.internal", "api.stripe.com", "evil.orders.internal", "shop.internal"]
        {
            called
                .clone()
                .oneshot(Request::get(format!("https://{host}/x")).body(()).unwrap())
                .await
                .unwrap();
        }
        let own = Request::get("https://orders.internal/x").header("sentry-trace", "mine").body(()).unwrap();
        called.clone().oneshot(own).await.unwrap();
    };
    let app = Router::new().route("/pay", get(handler)).layer(ReportLayer::new());
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let with = Request::get("/pay").header("traceparent", traceparent).body(Body::empty()).unwrap();
    app.clone().oneshot(with).await.unwrap();
    let headers = std::mem::take(&mut *seen.lock().unwrap());
    for headers in &headers[..2] {
        assert!(headers["sentry-trace"].to_str().unwrap().starts_with(trace));
        assert_eq!(
            headers["baggage"],
            format!(
                "sentry-trace_id={trace},sentry-sampled=true,sentry-environment=test,sentry-release=shop%401.2.3,\
                 sentry-public_key={}",
                crate::fake::KEY
            )
        );
        let parent = headers["traceparent"].to_str().unwrap();
        assert!(parent.starts_with(&format!("00-{trace}-")) && parent.ends_with("-01"), "{parent}");
        assert!(!parent.contains("00f067aa0ba902b7"), "we are the parent");
    }
    for headers in &headers[2..5] {
        assert!(headers.is_empty(), "{headers:?}");
    }
    assert_eq!((headers[5].len(), &headers[5]["sentry-trace"]), (1, &"mine".parse().unwrap()));
    // Without one from outside the trace is our own, and whether it is kept nobody said.
    app.oneshot(request("/pay")).await.unwrap();
    assert!(!seen.lock().unwrap()[0].contains_key("traceparent"));
    drop(reporting);
}

#[tokio::test]
async fn calls_of_the_error_server_are_let_through_and_leave_nothing() {
    let reporting = Reporting::start();
    let at = reporting.server.dsn();
    let at = at.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let (seen, service) = recorder();
    let failing = service_fn(async |_: Request<()>| Err::<Response<()>, _>(std::io::Error::other("down")));
    let layer = UpstreamLayer::new().trace([at.split(':').next().unwrap()]);
    let (client, failing) = (layer.layer(service), layer.layer(failing));
    let own = || Request::get(format!("http://{at}/api/1/envelope/")).body(()).unwrap();
    client.oneshot(own()).await.unwrap();
    assert!(failing.clone().oneshot(own()).await.is_err());
    assert!(seen.lock().unwrap()[0].is_empty(), "no header");
    assert_eq!(reporting.guard.stats().captured, 0, "no event");
    assert!(failing.oneshot(Request::get("http://127.0.0.1:1/x").body(()).unwrap()).await.is_err());
    assert_eq!(reporting.event()["tags"]["server.address"], "127.0.0.1", "another port is another server");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_job_a_failed_call_is_the_attempt_that_failed_by_it() {
    let reporting = Reporting::start();
    let at = provider::start().await;
    let client = client(UpstreamLayer::new());
    for (attempt, mode) in [(1, "broken/1"), (2, "broken/2"), (3, "fine/3")] {
        let url = format!("http://{at}/{mode}");
        let client = client.clone();
        let call = async move {
            client.get(url).send().await?.error_for_status()?;
            Ok::<_, Report>(())
        };
        let done = faultwire::job("charge").id(7).attempt(attempt).of(5).run(call).await;
        assert_eq!(done.is_ok(), attempt == 3);
    }
    let got_over = async move {
        let _ = client.get(format!("http://{at}/broken/4")).send().await;
        Ok::<_, Report>(())
    };
    assert!(faultwire::job("look").run(got_over).await.is_ok());
    let event = reporting.event();
    assert_eq!(event["tags"]["job.name"], "look", "what an attempt fails by is held back with it");
    assert_eq!(event["exception"]["values"][0]["mechanism"]["type"], "upstream");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_names_no_host_takes_the_last_call_only() {
    let reporting = Reporting::start();
    let at = provider::start().await;
    let (nobody, _held) = provider::nobody();
    let client = client(UpstreamLayer::new());
    let handler = async move || -> Result<(), Report> {
        let _ = client.get(format!("http://{nobody}/place")).send().await;
        let _ = client.get(format!("http://{at}/broken/1")).send().await;
        Err(Report::third_party("stripe", "no charge"))
    };
    let app = Router::new().route("/pay", get(handler)).layer(ReportLayer::new());
    app.oneshot(request("/pay")).await.unwrap();
    let said = |event: &Value| {
        let host = &event["contexts"]["third_party"]["server.address"];
        format!("{}: {}", host.as_str().unwrap_or_default(), event["tags"]["error.type"].as_str().unwrap())
    };
    let mut told: Vec<_> = reporting.events(2).iter().map(said).collect();
    told.sort_unstable();
    assert_eq!(told, ["127.0.0.1: server_error", "127.0.0.77: connection"]);
}
