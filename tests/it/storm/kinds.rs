//! Storms of whatever there is: responses, panics, events of the SDK.

use axum::Router;
use axum::routing::get as on_get;
use faultwire::{Report, ReportLayer, sentry};
use http::StatusCode;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{apart, reporting, total};
use crate::init::{Log, alone};
use crate::support::{event_id, exception, get};

async fn serve(router: Router, path: &str, times: usize) -> Vec<String> {
    let app = router.layer(ReportLayer::new());
    let mut ids = Vec::new();
    for _ in 0..times {
        ids.push(event_id(&app.clone().oneshot(get(path)).await.unwrap()));
    }
    ids
}

#[tokio::test]
async fn bare_errors_of_a_route_are_counted_and_keep_their_ids() {
    let reporting = reporting(2);
    let failing = on_get(async || StatusCode::BAD_GATEWAY);
    let router = Router::new().route("/a/{id}", failing.clone()).route("/b", failing);
    let ids = serve(router.clone(), "/a/7", 20).await;
    serve(router, "/b", 2).await;
    let (whole, summaries) = apart(reporting.events(5));
    assert_eq!((whole.len(), total(&summaries)), (4, 18));
    let storm = &summaries[0]["contexts"]["storm"];
    assert_eq!(storm["routes"], json!({"GET /a/{id}": 18}));
    assert_eq!(storm["ids"], json!(ids[2..]));
    assert_eq!(summaries[0]["transaction"], "GET /a/{id}");
    assert_eq!(summaries[0]["fingerprint"], whole[0]["fingerprint"]);
}

#[tokio::test]
async fn reports_of_two_routes_are_one_kind_and_the_summary_names_both() {
    fn refuse() -> Report {
        Report::new("the warehouse is closed")
    }
    let reporting = reporting(1);
    let router = Router::new().route("/a", on_get(async || refuse())).route("/b", on_get(async || refuse()));
    serve(router.clone(), "/a", 4).await;
    serve(router, "/b", 7).await;
    let (_, summaries) = apart(reporting.events(2));
    assert_eq!(summaries[0]["contexts"]["storm"]["routes"], json!({"GET /a": 3, "GET /b": 7}));
}

#[tokio::test]
async fn panics_in_requests_and_in_threads_are_counted() {
    let reporting = reporting(2);
    let shelf = |n: usize| -> () { panic!("shelf {n} is gone") };
    let router = Router::new().route("/", on_get(async move || shelf(7)));
    serve(router, "/", 10).await;
    for n in 0..10 {
        std::thread::spawn(move || shelf(n)).join().unwrap_err();
    }
    let (whole, summaries) = apart(reporting.events(3));
    assert_eq!((whole.len(), total(&summaries)), (2, 18), "one place, one kind");
    assert_eq!(exception(&summaries[0])["mechanism"], json!({"type": "panic", "handled": false}));
}

#[test]
fn what_the_sdk_captures_is_counted_by_what_it_says() {
    let reporting = reporting(2);
    let error = |n: usize| std::io::Error::other(format!("order {n} is lost"));
    for n in 0..10 {
        sentry::capture_message(&format!("cart {n} is gone"), sentry::Level::Error);
        sentry::capture_event(sentry::event_from_error(&error(n)));
        sentry::capture_event(sentry::protocol::Event {
            fingerprint: vec!["mine".into(), (n % 2).to_string().into()].into(),
            message: Some(n.to_string()),
            ..Default::default()
        });
    }
    let (whole, summaries) = apart(reporting.events(12));
    assert_eq!((whole.len(), total(&summaries)), (8, 22));
    let mut said: Vec<_> = summaries
        .iter()
        .map(|event| {
            event["exception"]["values"][0]["value"].as_str().or(event["logentry"]["formatted"].as_str())
        })
        .collect();
    said.sort();
    assert_eq!(said, [Some("4"), Some("5"), Some("cart 2 is gone"), Some("order 2 is lost")]);
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.sent, stats.suppressed, stats.summaries), (30, 12, 22, 4));
}

#[test]
fn transactions_of_the_sdk_are_no_storm() {
    let reporting = reporting(1);
    let client = sentry::Hub::main().client().unwrap();
    for _ in 0..10 {
        let transaction = sentry::protocol::Transaction { name: Some("GET /".into()), ..Default::default() };
        let mut envelope = sentry::Envelope::new();
        envelope.add_item(transaction);
        client.send_envelope(envelope);
    }
    assert!(reporting.guard.flush(crate::delivery::PATIENCE));
    assert_eq!((reporting.guard.stats().sent, reporting.guard.stats().suppressed), (10, 0));
    let _ = reporting.server.take_violations();
}

#[test]
fn an_id_that_a_client_was_told_leads_to_an_event() {
    alone("storm::kinds::an_id_that_a_client_was_told_leads_to_an_event", || {
        let log = Log::default();
        tracing::subscriber::set_global_default(log.subscriber()).unwrap();
        let reporting = reporting(1);
        let ids = super::fail(3);
        let events = reporting.events(2);
        for id in &ids[1..] {
            let line =
                log.text().lines().find(|line| line.contains(&format!("event_id={id}"))).map(str::to_owned);
            let line = line.expect("a line for each");
            assert!(line.contains(&format!("same_as={}", ids[0])), "{line}");
        }
        let known = |event: &Value| event["event_id"].as_str().map(str::to_owned);
        assert_eq!(known(&events[0]), Some(ids[0].clone()));
    });
}
