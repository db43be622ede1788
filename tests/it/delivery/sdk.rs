//! The SDK's side door: what the application captures by itself goes the same way, with the same context.

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use faultwire::sentry::protocol::{Attachment, Event, Request as SdkRequest};
use faultwire::sentry::{self, Level, TransactionContext};
use faultwire::{Report, ReportLayer, User};
use http::Request;
use serde_json::json;
use tower::ServiceExt;

use crate::support::Reporting;

#[test]
fn a_message_and_an_event_arrive_alone_and_their_attachment_is_counted() {
    let reporting = Reporting::start();
    let message = sentry::capture_message("the stock is low", Level::Warning);
    let attached = sentry::with_scope(
        |scope| {
            scope.add_attachment(Attachment {
                buffer: b"password=hunter2".to_vec(),
                filename: "dump.txt".to_owned(),
                content_type: None,
                ty: None,
            });
        },
        || sentry::capture_event(Event { message: Some("with a file".to_owned()), ..Event::default() }),
    );
    let events = reporting.events(2);
    assert_eq!(events[0]["event_id"], message.simple().to_string());
    assert_eq!(events[0]["logentry"], json!({"formatted": "the stock is low"}));
    assert_eq!(events[0]["level"], "warning");
    assert_eq!((&events[0]["release"], &events[0]["environment"]), (&json!("shop@1.2.3"), &json!("test")));
    assert_eq!(events[1]["event_id"], attached.simple().to_string());
    for request in reporting.server.requests() {
        assert_eq!(request.text().lines().count(), 3, "the header, one item's header, one item");
        assert!(!request.text().contains("hunter2"));
    }
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.sent, stats.dropped.unsupported), (2, 2, 1));
}

#[tokio::test]
async fn an_event_of_the_sdk_inside_a_request_has_the_context_of_that_request() {
    async fn order() -> Result<(), Report> {
        faultwire::current().user(User::id("42")).tag("plan", "pro").breadcrumb("cart loaded");
        tokio::task::yield_now().await;
        sentry::capture_message("by the SDK", Level::Error);
        Err(Report::new("by a report"))
    }
    let reporting = Reporting::start();
    let app: Router = Router::new().route("/orders/{id}", on_get(order)).layer(ReportLayer::new());
    for path in ["/orders/1?token=s3cret", "/orders/2"] {
        let request = Request::get(path)
            .header("host", "shop.example.com")
            .header("authorization", "Bearer s3cret")
            .body(Body::empty())
            .unwrap();
        app.clone().oneshot(request).await.unwrap();
    }
    let events = reporting.events(4);
    let of = |url: &str, by_sdk: bool| {
        let mut found = events.iter().filter(|event| {
            event["request"]["url"] == format!("http://shop.example.com{url}")
                && event.get("logentry").is_some() == by_sdk
        });
        found.next().unwrap_or_else(|| panic!("no event for {url}"))
    };
    let (by_sdk, by_report) = (of("/orders/1", true), of("/orders/1", false));
    assert_eq!(by_sdk["logentry"]["formatted"], "by the SDK");
    assert_eq!(by_sdk["user"], json!({"id": "42"}));
    assert_eq!(by_sdk["tags"]["plan"], "pro");
    assert_eq!(by_sdk["tags"]["error.origin"], "request");
    assert_eq!(by_sdk["transaction"], "GET /orders/{id}");
    assert_eq!(by_sdk["breadcrumbs"]["values"][0]["message"], "cart loaded");
    assert_eq!(by_sdk["request"], by_report["request"]);
    assert_eq!(by_sdk["request"]["query_string"], "token=[Filtered]");
    assert_eq!(by_sdk["request"]["headers"]["authorization"], "[Filtered]");
    let trace =
        |event: &serde_json::Value| event["contexts"]["trace"]["trace_id"].as_str().map(str::to_owned);
    assert!(trace(by_sdk).is_some());
    assert_eq!(trace(by_sdk), trace(by_report), "one request is one trace");
    assert_ne!(trace(by_sdk), trace(of("/orders/2", true)), "another request is another trace");
}

#[test]
fn a_transaction_of_the_sdk_passes_without_its_secrets() {
    let reporting =
        Reporting::with(|config| config.client_options(|options| options.traces_sample_rate(1.0)));
    let transaction = sentry::start_transaction(TransactionContext::new("GET /checkout", "http.server"));
    let mut request = SdkRequest {
        url: "http://shop.example.com/checkout?token=s3cret".parse().ok(),
        method: Some("GET".to_owned()),
        query_string: Some("token=s3cret&page=2".to_owned()),
        cookies: Some("session=s3cret".to_owned()),
        ..SdkRequest::default()
    };
    request.headers.insert("authorization".to_owned(), "Bearer s3cret".to_owned());
    request.headers.insert("accept".to_owned(), "*/*".to_owned());
    transaction.set_request(request);
    let span = transaction.start_child("http.client", "GET https://api.example.com/v1?token=s3cret");
    span.set_data("password", "s3cret".into());
    span.finish();
    transaction.finish();
    assert!(reporting.guard.flush(crate::delivery::PATIENCE));
    let requests = reporting.server.wait_requests(1);
    let text = requests[0].text();
    assert!(text.contains(r#""type":"transaction""#), "{text}");
    assert!(text.contains("GET /checkout") && text.contains("*/*") && text.contains("page=2"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    let stats = reporting.guard.stats();
    assert_eq!((stats.sent, stats.dropped.total()), (1, 0));
}

#[test]
fn the_scope_of_the_sdk_reaches_reports() {
    let reporting = Reporting::start();
    sentry::with_scope(
        |scope| {
            scope.set_tag("shelf", "7");
            scope.set_tag("plan", "free");
        },
        || Report::new("no stock").tag("plan", "pro").send(),
    );
    let event = reporting.event();
    assert_eq!(
        (&event["tags"]["shelf"], &event["tags"]["plan"]),
        (&json!("7"), &json!("pro")),
        "a report wins"
    );
}
