//! Failed calls of other services, as issues of a real server: one for one service and kind, whatever the ids.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind};

use axum::Router;
use axum::routing::get;
use faultwire::{Report, ReportLayer};
use http::{HeaderMap, Method, StatusCode};
use tower::ServiceExt as _;

use super::{PATIENCE, Reporting};
use crate::support::get as request;

const SECRET: &str = "krellaz.Umbrith.77";

/// With ids of many forms, and a secret.
fn url(number: u32) -> String {
    let ids = [
        format!("{number}"),
        format!("cus_{:014x}", u64::from(number).wrapping_mul(7_919_000_011)),
        format!("ch_3Mm{number:04}LkdIwHu7ix{number:02}"),
        format!("{number:08x}-17d4-4c6e-9f1e-2a3b4c5d6e7f"),
    ];
    let id = &ids[number as usize % 4];
    format!(
        "https://ada:{SECRET}@api.stripe.com/v1/customers/{id}/cards?starting_after={number}&api_key={SECRET}"
    )
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn a_thousand_ids_in_the_url_of_one_service_are_one_issue() {
    let (mut fingerprints, mut templates) = (BTreeSet::new(), BTreeSet::new());
    // A project takes 150 events in five minutes.
    for project in 0..8_u32 {
        let reporting = Reporting::start();
        for number in (project * 125)..(project * 125 + 125) {
            let url = url(number);
            let error = Error::new(ErrorKind::ConnectionReset, format!("reset by peer: {url}"));
            Report::third_party("stripe", error).upstream_request(Method::GET, url).send();
        }
        assert!(reporting.guard.flush(PATIENCE), "{:?}", reporting.guard.stats());
        assert_eq!(reporting.project.stored_events_by_issue(), [125]);
        for exchange in reporting.tap.exchanges() {
            fingerprints.insert(exchange.payload["fingerprint"].to_string());
            templates.insert(exchange.payload["tags"]["url.template"].to_string());
            assert!(!exchange.payload.to_string().contains("krellaz"), "{}", exchange.payload);
        }
    }
    assert_eq!((fingerprints.len(), templates.len()), (1, 1), "{fingerprints:?} {templates:?}");
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn services_and_kinds_of_failures_are_issues_of_their_own() {
    let reporting = Reporting::start();
    let no_headers = HeaderMap::new();
    let services = ["stripe", "github", "twilio", "bank"];
    for service in services {
        for _ in 0..3 {
            Report::third_party(service, Error::from(ErrorKind::ConnectionRefused)).send();
            Report::third_party(service, Error::from(ErrorKind::TimedOut)).send();
            for status in
                [StatusCode::SERVICE_UNAVAILABLE, StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY]
            {
                Report::third_party(service, "refused").upstream_response(status, &no_headers).send();
            }
        }
    }
    assert!(reporting.guard.flush(PATIENCE));
    assert_eq!(reporting.project.stored_events_by_issue(), [3; 20]);
}

#[tokio::test]
#[ignore = "needs Bugsink: run tests/run.sh"]
async fn one_service_that_fails_in_ten_routes_is_one_issue() {
    let reporting = Reporting::start();
    let mut app = Router::new();
    for route in 'a'..='j' {
        let handler = async || -> Result<(), Report> {
            let client = reqwest::Client::builder().no_proxy().build()?;
            client.get("http://127.0.0.1:9/v1/charges/7").send().await?;
            Ok(())
        };
        app = app.route(&format!("/route{route}"), get(handler));
    }
    let app = app.layer(ReportLayer::new());
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    for route in 'a'..='j' {
        let response = app.clone().oneshot(request(&format!("/route{route}"))).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    }
    let issues = reporting.issues(10);
    assert_eq!(issues.len(), 1, "{:?}", issues.iter().map(|issue| &issue.title).collect::<Vec<_>>());
}
