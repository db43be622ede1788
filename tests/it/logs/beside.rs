//! Other layers, in every order: nothing is lost, nothing doubled, nothing stands still.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::routing::get as on_get;
use faultwire::{Report, ReportLayer, User};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::json;
use tower::ServiceExt;
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
