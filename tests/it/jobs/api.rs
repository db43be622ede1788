//! What an event of a job shows, and what it does not.

use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::get as on_get;
use faultwire::job::{JobFuture, JobLayer, JobService, Policy, Schedule};
use faultwire::{Report, ReportLayer, ResultExt, job};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::End::Fails;
use super::{InvoiceError, crumbs, run, tag};
use crate::support::{Reporting, exception, get};

#[derive(serde::Serialize)]
struct Args<'a> {
    customer: u64,
    api_key: &'a str,
    note: &'a str,
}

#[tokio::test]
async fn an_event_says_which_job_which_attempt_and_what_it_was_given() {
    let reporting = Reporting::start();
    let args = Args { customer: 7, api_key: "hunter2", note: "card 4111 1111 1111 1111" };
    let retry = SystemTime::now() + Duration::from_secs(60);
    let described = job("send_invoice").id("inv-7").queue("mail").attempt(2).of(2).args(&args);
    let described = described.latency(Duration::from_millis(1500)).next_retry(retry);
    drop(run(described, Fails).await);
    let event = reporting.event();
    assert_eq!(event["transaction"], "send_invoice");
    for (name, value) in [
        ("error.origin", "job"),
        ("error.category", "job"),
        ("error.critical", "true"),
        ("job.name", "send_invoice"),
        ("job.attempt", "2 of 2"),
        ("job.outcome", "failed"),
        ("messaging.destination.name", "mail"),
        ("messaging.message.id", "inv-7"),
    ] {
        assert_eq!(tag(&event, name), value, "{name}");
    }
    assert_eq!((&exception(&event)["type"], &event["level"]), (&json!("InvoiceError"), &json!("fatal")));
    let shown = &event["contexts"]["job"];
    for (name, value) in [
        ("name", json!("send_invoice")),
        ("queue", json!("mail")),
        ("id", json!("inv-7")),
        ("attempt", json!(2)),
        ("max_attempts", json!(2)),
        ("waited_seconds", json!(1.5)),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    assert_eq!(shown["args"], json!({"customer": 7, "api_key": "[Filtered]", "note": "card [Filtered]"}));
    assert!(shown["ran_seconds"].as_f64().is_some_and(|seconds| seconds < 60.0));
    assert!(shown["next_retry"].is_string() && shown["began"].is_string(), "{shown}");
    assert_eq!(event["fingerprint"].as_array().unwrap().last(), Some(&json!("send_invoice")));
    let place = exception(&event)["stacktrace"]["frames"].to_string();
    assert!(place.contains("jobs/mod.rs"), "the place of `run`: {place}");
}

#[tokio::test]
async fn long_arguments_are_cut_and_their_secrets_stay_here() {
    let reporting = Reporting::start();
    let cut_in_a_secret = format!("{}\"", "x".repeat(1_980));
    let all = [
        json!({"password": "hunter2", "list": vec!["hello"; 10_000]}),
        json!({"note": cut_in_a_secret, "token": "sk_live_hunter2hunter2hunter2hunter2hunter2"}),
        json!("sk_live_51HUNTER2hunter2hunter2hunter2hunter2"),
        json!([{"authorization": "Bearer hunter2hunter2hunter2"}]),
    ];
    for args in &all {
        drop(run(job("send_invoice").args(args), Fails).await);
    }
    for event in reporting.events(all.len()) {
        let args = &event["contexts"]["job"]["args"];
        assert!(args.to_string().len() < 3_000 && !args.is_null(), "{args}");
        assert!(!event.to_string().to_lowercase().contains("hunter2"), "{event}");
    }
    for request in reporting.server.requests() {
        assert!(!request.text().to_lowercase().contains("hunter2"));
    }
}

#[tokio::test]
async fn a_driver_s_failure_stays_one_and_a_job_of_its_own_is_an_issue_of_its_own() {
    let reporting = Reporting::start();
    let outage = async || Err::<(), _>(sqlx::Error::PoolTimedOut);
    for name in ["a", "b"] {
        drop(job(name).run(outage()).await);
    }
    for name in ["a", "b"] {
        drop(run(job(name), Fails).await);
    }
    let events = reporting.events(4);
    let issue = |n: usize| &events[n]["fingerprint"];
    assert_eq!((tag(&events[0], "error.category"), tag(&events[0], "error.origin")), ("database", "job"));
    assert_eq!(issue(0), issue(1), "one outage is one issue");
    assert_ne!(issue(2), issue(3));
    assert_eq!(tag(&events[2], "error.category"), "job");
}

#[tokio::test]
async fn a_handled_error_in_a_job_is_one_of_the_job() {
    let reporting = Reporting::start();
    let job = job("send_invoice").attempt(1).of(3).run(async {
        faultwire::current().tag("customer", 7).breadcrumb("printed");
        Err::<(), _>(InvoiceError(1)).or_report();
        sentry::capture_message("by the SDK", sentry::Level::Info);
        Ok::<_, InvoiceError>(())
    });
    assert!(job.await.is_ok());
    let events = reporting.events(2);
    for event in &events {
        assert_eq!((tag(event, "job.name"), tag(event, "error.origin")), ("send_invoice", "job"));
        assert_eq!((tag(event, "customer"), crumbs(event)), ("7", vec!["printed"]));
        assert_eq!(event["transaction"], "send_invoice");
    }
    assert_eq!(tag(&events[0], "error.category"), "job");
}

#[tokio::test]
async fn one_failure_is_one_event_whoever_passes_its_report_on() {
    let reporting = Reporting::start();
    let fails = || job("inner").run(async { Err::<(), _>(InvoiceError(7)) });
    // By another job.
    let outer = job("outer").attempt(1).of(1).run(async { fails().await }).await;
    let id = outer.as_ref().unwrap_err().id();
    // By a handler, as a response.
    let handler = async move || -> Result<(), Report> { fails().await };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    let response = app.oneshot(get("/")).await.unwrap();
    assert_eq!(response.status(), 500);
    // By hand.
    let again = fails().await.unwrap_err();
    let sent = again.id();
    assert_eq!(again.send(), sent);
    let events = reporting.events(3);
    assert_eq!(events[0]["event_id"], id.to_string());
    assert_eq!(response.headers()["x-event-id"], events[1]["event_id"].as_str().unwrap());
    assert!(events.iter().all(|event| tag(event, "job.name") == "inner"));
    let stats = reporting.guard.stats();
    assert_eq!((stats.discarded, stats.jobs.failed, stats.jobs.dead), (0, 4, 1));
}

#[tokio::test]
async fn an_error_of_the_database_shows_no_row_in_the_attempts_before() {
    let reporting = Reporting::start();
    for attempt in 1..=2 {
        let duplicate = || {
            let message = Box::new("Duplicate entry 'ada@example.org' for key 'users.email'".to_owned());
            diesel::result::Error::DatabaseError(diesel::result::DatabaseErrorKind::UniqueViolation, message)
        };
        drop(job("import").id(1).attempt(attempt).of(2).run(async move { Err::<(), _>(duplicate()) }).await);
    }
    let event = reporting.event();
    assert!(crumbs(&event)[0].contains("unique violation"), "{:?}", crumbs(&event));
    assert!(!event.to_string().contains("ada@"), "{event}");
}

#[tokio::test]
async fn a_report_keeps_what_it_said() {
    let reporting = Reporting::start();
    let report = Report::new(InvoiceError(7))
        .tag("step", "print")
        .data("pages", &3)
        .fingerprint(["printer"])
        .with_event(|event| event.logger = Some("printer".to_owned()));
    let failed = job("send_invoice").run(async { Err::<(), _>(report) }).await.unwrap_err();
    assert!(
        failed.error().is_some_and(|error| error.is::<InvoiceError>()),
        "the caller has the error itself"
    );
    let event = reporting.event();
    assert_eq!((tag(&event, "step"), &event["extra"]["pages"]), ("print", &json!(3)));
    assert_eq!((&event["fingerprint"], &event["logger"]), (&json!(["printer"]), &json!("printer")));
}

#[tokio::test]
async fn a_report_as_an_error_becomes_the_same_report_again() {
    let reporting = Reporting::start();
    let said = || Report::new(InvoiceError(7)).tag("step", "print");
    let (in_a_box, plain, dealt_with) = (said(), said(), job("a").run(async { Err::<(), _>(said()) }).await);
    let ids = [dealt_with.as_ref().unwrap_err().id(), in_a_box.id(), plain.id()];
    let boxed: faultwire::BoxError = in_a_box.into_error().into();
    assert_eq!(boxed.to_string(), "invoice 7 cannot be sent");
    Report::from(boxed).send();
    Report::from(plain.into_error()).send();
    Report::from(dealt_with.unwrap_err().into_error()).send();
    let events = reporting.events(3);
    assert_eq!(ids.map(|id| id.to_string()), [0, 1, 2].map(|n| events[n]["event_id"].as_str().unwrap()));
    assert!(events.iter().all(|event| tag(event, "step") == "print"));
    drop(said().into_error());
    assert_eq!(reporting.guard.stats().discarded, 1, "the last one");
}

#[tokio::test]
async fn storms_of_different_jobs_are_different_storms() {
    let storm = faultwire::config::Storm::Limit { failures: 1, window: Duration::from_secs(600) };
    let reporting = Reporting::with(|config| config.storm(storm));
    for name in ["a", "b", "a", "b"] {
        drop(run(job(name), Fails).await);
    }
    let events = reporting.server.wait_events(2);
    let names: Vec<_> = events.iter().take(2).map(|event| tag(event, "job.name")).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(reporting.guard.stats().suppressed, 2);
}

#[test]
fn errors_that_are_handled_are_reported_from_where_that_is() {
    let reporting = Reporting::start();
    let failing = || Err::<u32, _>(InvoiceError(7));
    assert_eq!(failing().or_report(), None);
    let line = line!() - 1;
    assert_eq!(failing().report_with(|report| report.tag("by", "closure")), None);
    assert_eq!(Err::<u32, _>(Report::new("a report")).or_report(), None);
    assert_eq!(Ok::<_, InvoiceError>(1).or_report(), Some(1));
    let events = reporting.events(3);
    for (event, line) in events.iter().zip([line, line + 2, line + 3]) {
        let frame = exception(event)["stacktrace"]["frames"].as_array().unwrap().last().unwrap();
        assert!(frame["filename"].as_str().unwrap().ends_with("jobs/api.rs"), "{frame}");
        assert_eq!(frame["lineno"], line, "{frame}");
    }
    assert_eq!(tag(&events[1], "by"), "closure");
    let stats: Value = serde_json::to_value(reporting.guard.stats()).unwrap();
    assert_eq!((&stats["discarded"], &stats["jobs"]["failed"]), (&json!(0), &json!(0)));
}

#[test]
fn types_cross_threads_and_can_be_printed() {
    fn is_send_and_debug<T: Send + std::fmt::Debug>() {}
    is_send_and_debug::<job::Job>();
    is_send_and_debug::<JobFuture<std::future::Ready<()>>>();
    is_send_and_debug::<job::JobServiceFuture<std::future::Ready<()>>>();
    is_send_and_debug::<JobService<(), ()>>();
    is_send_and_debug::<Schedule>();
    is_send_and_debug::<Policy>();
    fn is_clone<T: Clone>() {}
    is_clone::<JobLayer<()>>();
    assert!(size_of::<job::Job>() <= 256, "{}", size_of::<job::Job>());
}
