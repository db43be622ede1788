//! What an application sees of it: answers, what is said of a call, issues and storms.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use faultwire::config::{Bodies, Storm};
use faultwire::report::{AuthFailure, Fault, ThirdPartyClass as Class, ThirdPartyPhase as Phase};
use faultwire::{Report, ReportLayer};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{SECRET, assert_no_secret_left, provider};
use crate::support::{Reporting, exception, get as request};

fn refused() -> std::io::Error {
    std::io::ErrorKind::ConnectionRefused.into()
}

fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
    of.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
}

fn fingerprint(event: &Value) -> Vec<&str> {
    event["fingerprint"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_service_is_answered_502_a_slow_one_504_and_a_busy_one_as_it_asks() {
    let reporting = Reporting::start();
    let at = format!("http://{}", provider::start().await);
    let client = provider::client().timeout(Duration::from_secs(1)).build().unwrap();
    let call = async |mode: &str| client.get(format!("{at}/{mode}")).send().await;
    let answered = async |mode: &str| {
        let response = call(mode).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Report::third_party("provider", response.error_for_status().unwrap_err())
            .upstream_response(status, &headers)
    };
    let broken = || Report::third_party("provider", refused());
    for (report, status, retry) in [
        (Report::from(call("hangs").await.unwrap_err()), 504, None),
        (Report::from(call("ends").await.unwrap_err()), 502, None),
        (answered("broken").await, 502, None),
        (answered("slow").await, 504, None),
        (answered("busy").await, 503, Some("17")),
        (answered("away").await, 503, Some("120")),
        (answered("closed").await, 502, None),
        (answered("missing").await, 502, None),
        (answered("busy").await.status(StatusCode::TOO_MANY_REQUESTS), 429, None),
        (Report::third_party("provider", "no idea"), 500, None),
        (Report::from(client.get("nowhere").send().await.unwrap_err()), 500, None),
        (broken(), 502, None),
        (broken().status(StatusCode::IM_A_TEAPOT).attempt(2), 418, None),
        (
            Report::auth(AuthFailure::ProviderDown.because(call("ends").await.unwrap_err())).attempt(2),
            503,
            None,
        ),
    ] {
        let what = format!("{report:?}");
        let response = report.into_response();
        assert_eq!(response.status(), status, "{what}");
        let header = response.headers().get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(header, retry, "{what}");
    }
    drop(reporting);
}

#[test]
fn what_is_said_of_a_call_is_on_the_event_by_the_names_of_opentelemetry() {
    let reporting = Reporting::start();
    let url =
        format!("https://ada:{SECRET}@api.stripe.com/v1/charges/ch_3MmlLrLk?api_key={SECRET}&expand=card");
    let body = format!(r#"{{"error":{{"code":"card_declined","type":"card_error","token":"{SECRET}"}}}}"#);
    let response = headers(&[
        ("request-id", "req_Kx7"),
        ("retry-after", "30"),
        ("content-type", "application/json"),
        ("set-cookie", SECRET),
        ("authorization", SECRET),
    ]);
    Report::third_party("stripe", refused())
        .upstream_request(Method::POST, url)
        .upstream_response(StatusCode::PAYMENT_REQUIRED, &response)
        .upstream_body(body)
        .elapsed(Duration::from_millis(1500))
        .attempt(3)
        .send();
    let event = reporting.event();
    assert_no_secret_left(&reporting);
    let tags = &event["tags"];
    for (name, value) in [
        ("error.category", "third_party"),
        ("peer.service", "stripe"),
        ("server.address", "api.stripe.com"),
        ("url.template", "/v1/charges/{id}{?expand}"),
        ("error.type", "rejected"),
        ("error.fault", "code"),
        ("error.retryable", "false"),
        ("upstream.phase", "status"),
        ("upstream.status_code", "402"),
        ("upstream.error_code", "card_declined"),
        ("upstream.request_id", "req_Kx7"),
    ] {
        assert_eq!(tags[name], value, "{name}");
    }
    let context = &event["contexts"]["third_party"];
    for (name, value) in [
        ("http.request.method", json!("POST")),
        ("http.response.status_code", json!(402)),
        ("http.response.header.retry-after", json!(30)),
        ("http.response.header.request-id", json!("req_Kx7")),
        ("http.client.request.duration", json!(1.5)),
        ("http.request.resend_count", json!(2)),
        ("url.scheme", json!("https")),
        ("upstream.error_type", json!("card_error")),
        ("client", json!("std")),
    ] {
        assert_eq!(context[name], value, "{name}");
    }
    let body = context["http.response.body"].as_str().unwrap();
    assert!(body.contains("card_declined") && body.contains("[Filtered]"), "{body}");
    assert_eq!(fingerprint(&event), ["third_party", "stripe", "rejected", "402"]);
    drop(reporting);

    let reporting = Reporting::with(|config| config.bodies(Bodies::Off));
    Report::third_party("stripe", "declined").upstream_body(br#"{"code":"declined"}"#).send();
    let event = reporting.event();
    assert_eq!(event["tags"]["upstream.error_code"], "declined");
    assert_eq!(event["contexts"]["third_party"]["http.response.body"], Value::Null, "bodies are off");
}

#[test]
fn a_long_body_is_cut_and_what_is_half_of_a_secret_is_masked() {
    let reporting = Reporting::start();
    let body = format!("{{\"padding\":\"{}\",\"password\":\"{SECRET}\"}}", "x".repeat(8150));
    Report::third_party("stripe", "declined").upstream_body(&body).send();
    let shown =
        reporting.event()["contexts"]["third_party"]["http.response.body"].as_str().unwrap().to_owned();
    assert!(shown.len() <= 512, "{} bytes", shown.len());
    assert_no_secret_left(&reporting);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_service_and_class_is_one_issue_whatever_the_route_and_the_ids_and_another_is_another() {
    let reporting = Reporting::start();
    let at = format!("http://{}", provider::start().await);
    let client = provider::client().build().unwrap();
    let mut app = Router::new();
    for route in ["/a", "/b/{id}", "/c"] {
        let (client, at) = (client.clone(), at.clone());
        let handler = async move || -> Result<(), Report> {
            let id = rand_id();
            client.get(format!("{at}/broken/{id}?page={id}")).send().await?.error_for_status()?;
            Ok(())
        };
        app = app.route(route, get(handler));
    }
    let app = app.layer(ReportLayer::new());
    for route in ["/a", "/b/7", "/c"] {
        let response = app.clone().oneshot(request(route)).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    }
    let host = at.trim_start_matches("http://").to_owned();
    for event in reporting.events(3) {
        assert_eq!(fingerprint(&event), ["third_party", &*host, "server_error"]);
        assert_eq!(event["tags"]["url.template"], "/broken/{id}{?page}");
        assert_eq!(event["tags"]["error.category"], "third_party");
    }
    drop(reporting);

    // A thousand of them are one storm: one passes, and one stands for the others.
    let limit = Storm::Limit { failures: 1, window: Duration::from_secs(3600) };
    let reporting = Reporting::with(|config| config.storm(limit));
    for number in 0..1000_u32 {
        let url = format!(
            "https://api.stripe.com/v1/customers/cus_{number:08x}/cards/{number}?ending_before={number}"
        );
        Report::third_party(
            "stripe",
            std::io::Error::new(std::io::ErrorKind::ConnectionReset, format!("to {url}")),
        )
        .upstream_request(Method::GET, url)
        .send();
    }
    for service in ["github", "twilio", "billing"] {
        Report::third_party(service, refused()).send();
    }
    Report::third_party("stripe", std::io::Error::from(std::io::ErrorKind::TimedOut)).send();
    let events = reporting.events(6);
    let issues: BTreeSet<_> = events.iter().map(|event| event["fingerprint"].to_string()).collect();
    assert_eq!(issues.len(), 5, "{issues:?}");
    assert_eq!(events.iter().filter(|event| event["tags"]["suppressed"] == "999").count(), 1);
}

fn rand_id() -> String {
    Report::new("a source of ids").id().to_string()
}

#[test]
fn what_nobody_recognises_is_grouped_by_what_it_says_and_by_the_service() {
    let reporting = Reporting::start();
    Report::third_party("stripe", "signature 7 does not match").send();
    Report::third_party("github", "signature 8 does not match").send();
    let events = reporting.events(2);
    let prints: Vec<_> = events.iter().map(fingerprint).collect();
    assert_eq!(prints[0][2], "signature <n> does not match");
    assert_eq!((prints[0].last(), prints[1].last()), (Some(&"stripe"), Some(&"github")));
    assert_eq!(exception(&events[0])["value"], "signature 7 does not match");
}

#[test]
fn code_can_decide_by_what_failed() {
    let report = Report::third_party("stripe", refused())
        .upstream_request(Method::GET, "https://api.stripe.com/v1/charges/7")
        .upstream_response(StatusCode::TOO_MANY_REQUESTS, &headers(&[("retry-after", "9")]));
    let failure = report.third_party_failure().unwrap();
    assert_eq!(
        (failure.phase(), failure.class(), failure.fault()),
        (Phase::Status, Class::RateLimited, Fault::Infrastructure)
    );
    assert_eq!(
        (failure.retry_after(), failure.status()),
        (Some(Duration::from_secs(9)), Some(StatusCode::TOO_MANY_REQUESTS))
    );
    assert_eq!(
        failure.to_string(),
        "stripe answered 429 Too Many Requests (GET https://api.stripe.com/v1/charges/{id})"
    );
    assert!(failure.is_retryable());
    assert!(Report::new("x").third_party_failure().is_none());
    // What is said last counts.
    let report = Report::third_party("clickhouse", refused()).statement("SELECT 1");
    assert!(report.third_party_failure().is_none());
    drop(report);
}
