//! Other layers, in every order: nothing is lost, nothing doubled, nothing stands still.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use faultwire::{Report, ReportLayer, UpstreamLayer, User, job};
use http::{HeaderMap, Request, Response, StatusCode};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;
use tower::{Layer as _, ServiceExt, service_fn};
use tracing::level_filters::LevelFilter;
use tracing::{Instrument as _, Subscriber};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, fmt, prelude::*, registry};

use super::crumbs;
use crate::support::{Reporting, exception, get};

type AnyLayer<S> = Box<dyn Layer<S> + Send + Sync>;

/// The layers that stand beside ours, one of each.
fn others<S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync>() -> Vec<AnyLayer<S>> {
    let tracer = SdkTracerProvider::builder().build().tracer("it");
    vec![
        fmt::layer().with_writer(io::sink).boxed(),
        fmt::layer().with_writer(io::sink).with_filter(LevelFilter::WARN).boxed(),
        tracing_error::ErrorLayer::default().boxed(),
        sentry_tracing::SpanLayer::new().boxed(),
        tracing_opentelemetry::layer().with_tracer(tracer).boxed(),
    ]
}

async fn handler() -> Result<(), Report> {
    let work = async {
        faultwire::current().user(User::id("7")).tag("plan", "pro");
        tracing::info!("cart loaded");
        tokio::task::yield_now().await;
        tracing::error!(item = 9, "the shelf is empty");
    };
    work.instrument(tracing::info_span!("work", cart = 3)).await;
    tokio::task::yield_now().await;
    Err(Report::new("sold out"))
}

/// `before`: how many events there were already.
async fn two_whole_events(reporting: &Reporting, order: &str, before: usize) {
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    let events = reporting.events(before.saturating_add(2)).split_off(before);
    for event in &events {
        assert_eq!((&event["user"]["id"], &event["tags"]["plan"]), (&json!("7"), &json!("pro")), "{order}");
    }
    assert_eq!(
        (exception(&events[0])["value"].as_str(), &events[0]["extra"]["cart"]),
        (Some("the shelf is empty"), &json!(3))
    );
    assert_eq!(crumbs(&events[1]), ["cart loaded", "the shelf is empty"], "{order}");
}

#[tokio::test]
async fn ours_stands_anywhere_among_them() {
    for place in 0..=5 {
        let reporting = Reporting::start();
        let mut layers = others();
        layers.insert(place, faultwire::tracing_layer().boxed());
        let _listening = registry().with(layers).set_default();
        two_whole_events(&reporting, &format!("place {place}"), 0).await;
    }
}

#[tokio::test]
async fn ours_stands_outside_of_inside_of_and_under_filters() {
    let filter = || EnvFilter::new("info,h2=off");
    let outside =
        registry().with(filter()).with(fmt::layer().with_writer(io::sink)).with(faultwire::tracing_layer());
    let inside =
        registry().with(faultwire::tracing_layer()).with(fmt::layer().with_writer(io::sink)).with(filter());
    let filtered = registry()
        .with(fmt::layer().with_writer(io::sink).with_filter(LevelFilter::ERROR))
        .with(faultwire::tracing_layer().with_filter(filter()));
    let subscribers: [(&str, Arc<dyn Subscriber + Send + Sync>); 3] =
        [("outside", Arc::new(outside)), ("inside", Arc::new(inside)), ("filtered", Arc::new(filtered))];
    for (order, subscriber) in subscribers {
        let reporting = Reporting::start();
        let _listening = tracing::subscriber::set_default(subscriber);
        two_whole_events(&reporting, order, 0).await;
    }
}

#[tokio::test]
async fn a_second_one_does_nothing() {
    let reporting = Reporting::start();
    let _listening = registry()
        .with(faultwire::tracing_layer())
        .with(fmt::layer().with_writer(io::sink))
        .with(faultwire::tracing_layer())
        .set_default();
    tracing::error!("outside of a request");
    two_whole_events(&reporting, "twice", 1).await;
}

#[tokio::test]
async fn a_filter_of_ours_does_not_silence_others() {
    let _reporting = Reporting::start();
    let (lines, all) = std::sync::mpsc::channel();
    struct Lines(std::sync::mpsc::Sender<String>);
    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            self.0.send(event.metadata().level().to_string()).unwrap();
        }
    }
    let _listening = registry().with(Lines(lines)).with(faultwire::tracing_layer()).set_default();
    tracing::trace!("heard");
    tracing::error!(target: "faultwire", "heard");
    assert_eq!(all.try_iter().collect::<Vec<_>>(), ["TRACE", "ERROR"]);
}

#[tokio::test]
async fn the_sdks_hub_per_poll_takes_nothing_away() {
    let reporting = Reporting::start();
    let _listening = registry()
        .with(sentry_tracing::SpanLayer::new())
        .with(sentry_tracing::BreadcrumbLayer::new().with_filter(LevelFilter::OFF))
        .with(faultwire::tracing_layer())
        .set_default();
    two_whole_events(&reporting, "under the SDK's layers", 0).await;
}

#[tokio::test]
async fn events_carry_the_ids_of_the_active_open_telemetry_span() {
    let reporting = Reporting::start();
    let provider = SdkTracerProvider::builder().build();
    let otel = tracing_opentelemetry::layer().with_tracer(provider.tracer("it"));
    let _listening = registry().with(otel).with(faultwire::tracing_layer()).set_default();
    let handler = async || -> Result<(), Report> {
        let work = async {
            tokio::task::yield_now().await;
            let ids = opentelemetry::Context::map_current(|context| context.span().span_context().clone());
            faultwire::current().tag("trace", ids.trace_id()).tag("span", ids.span_id());
            tracing::error!("the shelf is empty");
            sentry::capture_message("by the SDK", sentry::Level::Error);
            Err(Report::new("sold out"))
        };
        work.instrument(tracing::info_span!("work")).await
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    app.oneshot(get("/")).await.unwrap();
    for event in reporting.events(3) {
        let (trace, tags) = (&event["contexts"]["trace"], &event["tags"]);
        assert_eq!((&trace["trace_id"], &trace["span_id"]), (&tags["trace"], &tags["span"]), "{event}");
        assert_ne!(trace["trace_id"], json!("0".repeat(32)));
    }
}

/// OpenTelemetry's layer and ours.
fn listening_with_open_telemetry() -> tracing::subscriber::DefaultGuard {
    let provider = SdkTracerProvider::builder().build();
    let otel = tracing_opentelemetry::layer().with_tracer(provider.tracer("it"));
    registry().with(otel).with(faultwire::tracing_layer()).set_default()
}

/// The trace and the span that are active here.
fn active() -> [String; 2] {
    opentelemetry::Context::map_current(|context| {
        let span = context.span();
        let ids = span.span_context();
        assert!(ids.is_valid());
        [ids.trace_id().to_string(), ids.span_id().to_string()]
    })
}

fn ids(event: &Value) -> [&str; 2] {
    ["trace_id", "span_id"].map(|id| event["contexts"]["trace"][id].as_str().unwrap())
}

async fn answer(how: &'static str) -> io::Result<Response<Body>> {
    let mut answer = Response::new(Body::empty());
    match how {
        "panics" => panic!("the till is jammed"),
        "fails" => return Err(io::Error::other("sold out")),
        "hangs" => std::future::pending().await,
        "answers 500" => *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        _ => {
            let parts = tokio_stream::iter([0, 1]).map(move |part| match part {
                0 => Ok("first"),
                _ if how == "breaks off" => Err(io::Error::other("broke off")),
                _ => panic!("the paper is jammed"),
            });
            *answer.body_mut() = Body::from_stream(parts);
        }
    }
    Ok(answer)
}

#[tokio::test]
async fn however_a_request_fails_its_event_has_the_ids_of_the_span_around_it() {
    for how in ["panics", "fails", "answers 500", "breaks off", "panics in its body", "hangs"] {
        let reporting = Reporting::start();
        let _listening = listening_with_open_telemetry();
        let answer = move |_: Request<Body>| answer(how);
        let service = ReportLayer::new().report_cancelled().layer(service_fn(answer));
        let request = async {
            tokio::select! {
                biased;
                answer = service.oneshot(get("/")) => {
                    if let Ok(answer) = answer {
                        let read = tokio::spawn(crate::support::text(answer).in_current_span());
                        drop(read.await);
                    }
                }
                () = std::future::ready(()) => assert_eq!(how, "hangs"),
            }
            active()
        };
        let around = request.instrument(tracing::info_span!("request")).await;
        let event = reporting.event();
        assert_eq!(ids(&event), around, "{how}: {event}");
        assert_eq!(event["tags"]["request_id"], around[0], "{how}");
    }
}

/// What a request tells others in a span, which its event has as data, and how it goes on.
async fn tells_others(panics: bool) -> Result<(), Report> {
    let client =
        UpstreamLayer::new().trace(["orders.internal"]).layer(service_fn(async |request: Request<()>| {
            Ok::<_, io::Error>(Response::new(request.headers().clone()))
        }));
    let call = Request::get("https://orders.internal/x").body(()).unwrap();
    let sent: HeaderMap = client.oneshot(call).await.unwrap().into_body();
    let sent = |name: &str| sent.get(name).map(|value| value.to_str().unwrap().to_owned());
    let current = faultwire::current();
    let headers = current.trace_headers();
    let in_job = job("send_invoice").run(async { Ok::<_, Report>(faultwire::current().request_id()) });
    assert!(in_job.await.is_ok());
    current
        .data("active", &active())
        .data("sent", &[sent("sentry-trace"), sent("baggage"), sent("traceparent")])
        .data("told", &headers.iter().map(|(_, value)| value).collect::<Vec<_>>())
        .data("meta", &current.trace_meta())
        .data("id", &current.request_id());
    assert!(!panics, "the till is jammed");
    Err(Report::new("sold out"))
}

#[tokio::test]
async fn what_a_request_tells_others_in_a_span_is_the_trace_of_its_event() {
    for (came_with_one, panics) in [(false, false), (false, true), (true, false), (true, true)] {
        let what = format!("came with a trace: {came_with_one}, panics: {panics}");
        let reporting = Reporting::start();
        let _listening = listening_with_open_telemetry();
        let handler = async move || tells_others(panics).instrument(tracing::info_span!("work")).await;
        let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
        let mut request = get("/");
        if came_with_one {
            let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
            request.headers_mut().insert("traceparent", traceparent);
            // About a trace that does not go on.
            request.headers_mut().insert("baggage", "sentry-release=frontend@1".parse().unwrap());
        }
        app.oneshot(request).await.unwrap();
        let event = reporting.event();
        let said = &event["extra"];
        let [trace, span] = [0, 1].map(|at| said["active"][at].as_str().unwrap());
        // The span of a handler that panicked is over when that is known.
        assert_eq!(ids(&event)[0], trace, "{what}");
        assert_eq!(ids(&event)[1] == span, !panics, "{what}");
        // Whether a trace is kept goes on as it came.
        let sampled = if came_with_one { "-1" } else { "" };
        let told = format!("{trace}-{span}{sampled}");
        for given in ["sent", "told"] {
            assert_eq!(said[given][0], told, "{what}: {given}");
            let baggage = said[given][1].as_str().unwrap();
            assert!(baggage.starts_with(&format!("sentry-trace_id={trace},")), "{what}: {baggage}");
        }
        let traceparent = came_with_one.then(|| format!("00-{trace}-{span}-01"));
        assert_eq!(said["sent"][2], json!(traceparent), "{what}");
        assert!(said["meta"].as_str().unwrap().contains(&format!("content=\"{told}\"")), "{what}: {said}");
        assert_eq!((&said["id"], &event["tags"]["request_id"]), (&json!(trace), &json!(trace)), "{what}");
    }
}

#[tokio::test]
async fn a_report_made_in_a_span_gives_its_trace_to_what_is_asked_for_later() {
    let reporting = Reporting::start();
    let _listening = listening_with_open_telemetry();
    let handler = async || -> Result<(), Report> {
        let report = async { Report::new("sold out") }.instrument(tracing::info_span!("work")).await;
        let current = faultwire::current();
        current.data("id", &current.request_id()).data("told", &current.trace_headers()[0].1);
        Err(report)
    };
    let app: Router = Router::new().route("/", on_get(handler)).layer(ReportLayer::new());
    let answer = app.oneshot(get("/")).await.unwrap();
    let problem: Value = serde_json::from_str(&crate::support::text(answer).await.unwrap()).unwrap();
    let event = reporting.event();
    let [trace, _] = ids(&event);
    for id in [&event["extra"]["id"], &event["tags"]["request_id"], &problem["request_id"]] {
        assert_eq!(id, trace, "{event}");
    }
    assert!(event["extra"]["told"].as_str().unwrap().starts_with(&format!("{trace}-")), "{event}");
}

#[tokio::test]
async fn without_an_open_telemetry_span_a_request_has_its_own_trace() {
    let reporting = Reporting::start();
    let _listening = super::listening();
    let app: Router = Router::new()
        .route("/", on_get(async || Err::<(), _>(Report::new("sold out"))))
        .layer(ReportLayer::new());
    let mut request = get("/");
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    request.headers_mut().insert("traceparent", traceparent);
    app.oneshot(request).await.unwrap();
    assert_eq!(reporting.event()["contexts"]["trace"]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
}
