//! The SDK's locks: what reports while the SDK holds one neither waits nor is lost.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use faultwire::config::Storm;
use faultwire::sentry::{self, Breadcrumb, Hub};
use faultwire::{Report, ReportLayer, WithContext as _};
use tower::ServiceExt as _;
use tracing_subscriber::prelude::*;

use crate::delivery::PATIENCE;
use crate::init::alone;
use crate::support::{Reporting, exception, get};

/// The SDK calls this while it holds the hub's lock.
fn with_callback(callback: impl Fn() + Send + Sync + 'static) -> Reporting {
    Reporting::with(|config| {
        let config = config.storm(Storm::Limit { failures: 2, window: Duration::from_secs(600) });
        config.client_options(move |options| {
            options.before_breadcrumb(move |crumb| {
                callback();
                Some(crumb)
            })
        })
    })
}

/// Runs it on a thread of its own, which may hang.
#[track_caller]
fn ends<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = mpsc::channel();
    thread::spawn(move || done.send(run()));
    finished.recv_timeout(PATIENCE).expect("a deadlock")
}

fn report_breadcrumb() {
    Report::new("a bad breadcrumb").send();
}

fn leave_breadcrumb() {
    sentry::add_breadcrumb(Breadcrumb { message: Some("by the SDK".to_owned()), ..Breadcrumb::default() });
}

#[test]
fn a_report_from_before_breadcrumb_is_sent() {
    alone("isolation::locks::a_report_from_before_breadcrumb_is_sent", || {
        let reporting = with_callback(report_breadcrumb);
        ends(|| {
            let handler = async || {
                faultwire::current().tag("ours", "yes");
                leave_breadcrumb();
            };
            let app: Router = Router::new().route("/orders/{id}", on_get(handler)).layer(ReportLayer::new());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(app.oneshot(get("/orders/1"))).unwrap();
            // On the hub of a thread.
            leave_breadcrumb();
        });
        let events = reporting.events(2);
        assert!(events.iter().all(|event| exception(event)["value"] == "a bad breadcrumb"));
        assert_eq!(
            (&events[0]["tags"]["ours"], &events[0]["transaction"]),
            (&"yes".into(), &"GET /orders/{id}".into())
        );
    });
}

#[test]
fn what_is_spawned_from_before_breadcrumb_runs() {
    alone("isolation::locks::what_is_spawned_from_before_breadcrumb_runs", || {
        let (ran, runs) = mpsc::channel();
        let reporting = with_callback(move || {
            let ran = ran.clone();
            let task = async move { ran.send(()).unwrap() }.with_context();
            thread::spawn(faultwire::in_context(move || {
                tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(task);
            }));
        });
        ends(leave_breadcrumb);
        runs.recv_timeout(PATIENCE).expect("it runs");
        reporting.events(0);
    });
}

/// As sentry-tracing does it.
struct Breadcrumbs;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Breadcrumbs {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target() == "faultwire" {
            leave_breadcrumb();
        }
    }
}

#[test]
fn one_of_many_from_before_breadcrumb_is_counted_without_a_word() {
    alone("isolation::locks::one_of_many_from_before_breadcrumb_is_counted_without_a_word", || {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Breadcrumbs)).unwrap();
        let reporting = with_callback(report_breadcrumb);
        ends(|| (0..5).for_each(|_| leave_breadcrumb()));
        assert!(reporting.guard.flush(PATIENCE));
        let stats = reporting.guard.stats();
        assert_eq!((stats.captured, stats.suppressed), (5, 3));
    });
}

#[test]
fn a_hub_whose_lock_is_held_for_good_costs_its_scope_and_no_event() {
    alone("isolation::locks::a_hub_whose_lock_is_held_for_good_costs_its_scope_and_no_event", || {
        let (entered, enters) = mpsc::channel();
        let reporting = with_callback(move || {
            entered.send(()).unwrap();
            loop {
                thread::park();
            }
        });
        let hub = Arc::new(Hub::new_from_top(Hub::main()));
        let held = Arc::clone(&hub);
        thread::spawn(move || Hub::run(held, leave_breadcrumb));
        enters.recv_timeout(PATIENCE).unwrap();
        ends(move || Hub::run(hub, || Report::new("on a hub that is stuck").send()));
        Report::new("elsewhere").send();
        reporting.events(2);
    });
}
