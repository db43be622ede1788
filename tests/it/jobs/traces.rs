//! A request and the jobs that it queued have one trace.

use axum::Router;
use axum::routing::get as on_get;
use faultwire::{Report, ReportLayer, job};
use serde_json::Value;
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::InvoiceError;
use crate::support::{Reporting, get};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn trace(event: &Value) -> &Value {
    &event["contexts"]["trace"]
}

async fn fails() -> Result<(), InvoiceError> {
    Err(InvoiceError(7))
}

#[tokio::test]
async fn the_events_of_a_request_and_of_its_job_have_one_trace() {
    let reporting = Reporting::start();
    let (queue, mut queued) = mpsc::unbounded_channel::<String>();
    let handler = async move || {
        let headers = faultwire::current().trace_headers();
        queue.send(serde_json::to_string(&headers).unwrap()).unwrap();
        Report::new("queued, and failed")
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    let headers: Vec<(String, String)> = serde_json::from_str(&queued.recv().await.unwrap()).unwrap();
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["sentry-trace", "baggage"]);

    let passed_on = job("send_invoice").trace(headers.clone()).run(async {
        let onwards = faultwire::current().trace_headers();
        Err::<(), _>(Report::new("failed").data("onwards", &onwards))
    });
    drop(passed_on.await);
    let events = reporting.events(2);
    assert_eq!(trace(&events[0])["trace_id"], trace(&events[1])["trace_id"]);
    assert_eq!(trace(&events[1])["parent_span_id"], trace(&events[0])["span_id"]);
    let onwards = events[1]["extra"]["onwards"].to_string();
    assert!(onwards.contains(trace(&events[0])["trace_id"].as_str().unwrap()), "{onwards}");
    assert!(headers[1].1.contains("sentry-release=shop%401.2.3,"), "{headers:?}");
    assert!(headers[1].1.contains("sentry-environment=test"), "{headers:?}");
}

#[tokio::test]
async fn a_job_in_a_request_or_a_job_has_its_trace_unless_it_came_with_one() {
    let reporting = Reporting::start();
    let outer = job("outer").trace([("traceparent", format!("00-{TRACE}-{SPAN}-01"))]).run(async {
        drop(job("inner").run(fails()).await);
        let other = [("sentry-trace", format!("{}-{SPAN}", "1".repeat(32)))];
        drop(job("other").trace(other).run(fails()).await);
        Ok::<_, InvoiceError>(())
    });
    assert!(outer.await.is_ok());
    let events = reporting.events(2);
    assert_eq!(trace(&events[0])["trace_id"], TRACE);
    assert_eq!(trace(&events[1])["trace_id"], "1".repeat(32));
    assert_eq!(trace(&events[1])["parent_span_id"], SPAN);
}

#[test]
fn outside_of_everything_there_is_no_trace() {
    let _reporting = Reporting::start();
    assert!(faultwire::current().trace_headers().is_empty());
}
