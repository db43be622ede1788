//! The demo's shop: each failing route makes one event with everything an on-call developer asks for.

use std::collections::BTreeMap;

use faultwire::ReportLayer;
use serde_json::Value;
use tower::ServiceExt;

use crate::support::{Reporting, exception, get};

#[path = "../../examples/demo/drive.rs"]
mod drive;
#[path = "../../examples/demo/shop.rs"]
pub(crate) mod shop;

/// Transaction, type of the outermost exception, status (empty: none was sent yet or none is wrong), kind.
pub(crate) const EXPECTED: &[(&str, &str, &str, &str)] = &[
    ("GET /orders/{id}", "OrderError", "500", "route"),
    ("GET /status/{code}", "503 Service Unavailable", "503", "route"),
    ("GET /panic", "panic", "500", "panic"),
    ("POST /checkout", "OrderError", "500", "database"),
    ("POST /login", "AuthError", "503", "auth"),
    ("POST /upload", "Error", "500", "route"),
    ("POST /graphql", "Error", "500", "route"),
    ("POST /text", "Error", "500", "route"),
    ("GET /proxy", "Error", "502", "third_party"),
    ("GET /stream", "Error", "200", "route"),
    ("GET /spawn", "Error", "", "route"),
    ("GET /log", "StoreError", "500", "route"),
    ("GET /whoami", "StoreError", "500", "route"),
    ("POST /jobs/{name}", "StoreError", "", "job"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_failing_route_is_one_event_with_route_status_user_kind_origin_and_trace() {
    let reporting = Reporting::start();
    ask_every_failing_route().await;
    // Two of them fail in a task, after the response. All but /token, which is answered with 401, are sent.
    reporting.server.wait_events(EXPECTED.len());
    check(&reporting.events(EXPECTED.len()));
    assert_eq!(reporting.guard.stats().discarded, 1, "/token");
}

/// Serves the shop for one request to each of its failing routes.
pub(crate) async fn ask_every_failing_route() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, shop::routes().layer(ReportLayer::new())).into_future());
    drive::every_failing_route(addr).await.unwrap();
    server.abort();
}

/// These are the events of the failing routes, with what an on-call developer asks for and without secrets.
pub(crate) fn check(events: &[Value]) {
    let mut by_route: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in events {
        by_route.entry(event["transaction"].as_str().unwrap()).or_default().push(event);
    }
    for (transaction, exception_type, status, kind) in EXPECTED {
        let found = by_route.remove(transaction).unwrap_or_default();
        let [event] = found[..] else { panic!("{transaction}: {} events", found.len()) };
        let tag = |name: &str| event["tags"][name].as_str().unwrap_or_default();
        assert_eq!(exception(event)["type"], *exception_type, "{transaction}");
        assert_eq!(tag("http.response.status_code"), *status, "{transaction}");
        assert_eq!((tag("error.category"), tag("error.origin")), (*kind, "request"), "{transaction}");
        assert_eq!(event["contexts"]["trace"]["trace_id"].as_str().map(str::len), Some(32), "{transaction}");
        assert_eq!(event["request"]["method"], transaction.split(' ').next().unwrap());
    }
    assert!(by_route.is_empty(), "{by_route:?}");

    let whoami = events.iter().find(|event| event["transaction"] == "GET /whoami").unwrap();
    assert_eq!(whoami["user"]["id"], "7");
    let sent = serde_json::to_string(events).unwrap();
    for secret in ["hunter2", "c2VjcmV0", "4111111111111111"] {
        assert!(!sent.contains(secret), "{secret} left the process");
    }
}

#[tokio::test]
async fn a_hundred_orders_that_fail_are_one_issue() {
    let reporting = Reporting::start();
    for id in 0..100 {
        shop::routes().layer(ReportLayer::new()).oneshot(get(&format!("/orders/{id}"))).await.unwrap();
    }
    let mut issues: Vec<_> = reporting
        .events(100)
        .into_iter()
        .map(|event| (event["fingerprint"].clone(), event["transaction"].clone()))
        .collect();
    issues.dedup();
    assert_eq!(issues.len(), 1, "{issues:?}");
}

#[tokio::test]
async fn what_works_makes_no_event() {
    let reporting = Reporting::start();
    for path in ["/ok", "/slow/1", "/status/404", "/status/204", "/nothing"] {
        let status = shop::routes().layer(ReportLayer::new()).oneshot(get(path)).await.unwrap().status();
        assert!(!status.is_server_error(), "{path}: {status}");
    }
    reporting.events(0);
}
