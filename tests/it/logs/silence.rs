//! What logs while it is logged or reported: nobody waits for itself, and nothing reports itself.
//!
//! Each test is a process of its own, since only a global subscriber hears what is logged while it listens.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use faultwire::logs::Logs;
use faultwire::sentry::{self, Breadcrumb};
use faultwire::{Config, Report, ReportLayer};
use http::Response;
use tower::{Layer as _, ServiceExt, service_fn};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::prelude::*;

use crate::fake::{Answer, FakeServer};
use crate::init::alone;
use crate::support::{Reporting, exception, get};

const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that is heard is an event.
fn listen_to_everything() {
    let logs = Logs::new().events(LevelFilter::TRACE).breadcrumbs(LevelFilter::TRACE);
    tracing_subscriber::registry().with(logs.layer()).init();
}

/// An error that logs whenever somebody looks at it, and when it is dropped.
struct Talkative(&'static str);

impl Talkative {
    fn say(&self) {
        tracing::error!(error = "once more", "{} is looked at", self.0);
    }
}

impl fmt::Debug for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say();
        write!(f, "Talkative({:?})", self.0)
    }
}

impl fmt::Display for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say();
        f.write_str(self.0)
    }
}

impl Error for Talkative {}

impl Drop for Talkative {
    fn drop(&mut self) {
        tracing::error!("{} is dropped", self.0);
    }
}

#[expect(clippy::disallowed_methods, reason = "what applications do")]
fn capture(error: &dyn Error) {
    sentry::capture_error(error);
}

/// Code of the application that logs, in every place where somebody calls it.
fn talk(name: &str) {
    match name {
        "the SDK's capture_error, with a before_send that logs" => {
            capture(&fmt::Error);
        }
        "the SDK's capture_error, of an error that logs" => {
            capture(&Talkative("captured"));
        }
        "the SDK's breadcrumb, with a before_breadcrumb that logs" => {
            sentry::add_breadcrumb(Breadcrumb::default());
        }
        "the SDK's scope, configured by code that logs" => {
            sentry::configure_scope(|scope| {
                tracing::error!("in the scope");
                scope.set_tag("a", "b");
                Report::new(Talkative("in the scope")).send();
            });
        }
        "a report of an error that logs" => {
            Report::new(Talkative("reported")).send();
        }
        "a report that is edited by code that logs" => {
            let edit = |_: &mut sentry::protocol::Event<'static>| tracing::error!("in with_event");
            Report::new("edited").with_event(edit).send();
        }
        "a line with an error that logs" => {
            let error = Talkative("logged");
            tracing::error!(error = &error as &dyn Error, ?error, "a line");
            tracing::info!(%error, "a line");
        }
        "a line of a value that reports" => {
            struct Reports;
            impl fmt::Debug for Reports {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    Report::new("in Debug").send();
                    faultwire::current().breadcrumb("in Debug").tag("in", "Debug");
                    f.write_str("Reports")
                }
            }
            tracing::error!(value = ?Reports, "a line");
        }
        "a span with a value that logs" => {
            let span =
                tracing::info_span!("span", value = ?Talkative("in a span"), later = tracing::field::Empty);
            let _entered = span.enter();
            span.record("later", tracing::field::debug(Talkative("recorded")));
            tracing::error!("in the span");
            Report::new("in the span").send();
        }
        _ => panic!("{name}"),
    }
}

const PLACES: [&str; 9] = [
    "the SDK's capture_error, with a before_send that logs",
    "the SDK's capture_error, of an error that logs",
    "the SDK's breadcrumb, with a before_breadcrumb that logs",
    "the SDK's scope, configured by code that logs",
    "a report of an error that logs",
    "a report that is edited by code that logs",
    "a line with an error that logs",
    "a line of a value that reports",
    "a span with a value that logs",
];

/// Says something whenever it is asked.
fn talkative_layer() -> ReportLayer {
    let asked = |what: &str| tracing::error!("in {what}");
    ReportLayer::new()
        .user(move |_| {
            asked("user");
            None
        })
        .report_if(move |_, _| {
            asked("report_if");
            true
        })
        .ignore(move |_, _| {
            asked("ignore");
            false
        })
}

#[test]
fn code_that_logs_where_it_is_called_waits_for_nobody() {
    alone("logs::silence::code_that_logs_where_it_is_called_waits_for_nobody", || {
        listen_to_everything();
        let reporting = Reporting::with(|config| {
            let config = config.critical(|failure| {
                tracing::error!("in critical: {}", failure.message());
                false
            });
            config.client_options(|options| {
                let mut options = options.before_send(|event| {
                    tracing::error!("in before_send");
                    Some(event)
                });
                options.before_breadcrumb = Some(Arc::new(|crumb| {
                    tracing::error!("in before_breadcrumb");
                    Some(crumb)
                }));
                options
            })
        });
        for place in PLACES {
            let (done, end) = mpsc::channel();
            thread::spawn(move || {
                talk(place);
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let handler = async move || talk(place);
                let layer = talkative_layer();
                let app: Router = Router::new().route("/", on_get(handler)).layer(layer.clone());
                runtime.block_on(app.oneshot(get("/"))).unwrap();
                let fails = service_fn(async move |_| Err::<Response<Body>, _>(Talkative("returned")));
                let error = runtime.block_on(layer.layer(fails).oneshot(get("/"))).unwrap_err();
                assert_eq!(error.to_string(), "returned");
                done.send(()).unwrap();
            });
            assert!(end.recv_timeout(PATIENCE).is_ok(), "{place}: somebody waits for himself");
        }
        assert!(reporting.guard.flush(PATIENCE), "so does our thread: {:?}", reporting.guard.stats());
        assert_eq!(reporting.guard.stats().dropped.total(), 0);
    });
}

#[test]
fn nothing_that_our_threads_log_is_heard() {
    alone("logs::silence::nothing_that_our_threads_log_is_heard", || {
        tracing_log::LogTracer::init().unwrap();
        listen_to_everything();
        let server = FakeServer::start();
        // The first answer makes the sender say something, and the HTTP client more.
        server.answer_next([Answer::Status(503)]);
        let before_send = |event| {
            tracing::error!("in before_send, on our thread");
            Some(event)
        };
        let config = Config::new()
            .dsn(server.dsn())
            .debug(true)
            .client_options(move |options| options.before_send(before_send));
        let guard = config.init().unwrap();
        Report::new(Talkative("reported")).send();
        let events = server.wait_events(1);
        assert_eq!(exception(&events[0])["value"], "reported");
        assert!(guard.flush(PATIENCE));
        // What the error said on this thread, while its storm key was made, was not heard either.
        assert_eq!(guard.stats().captured, 1, "{:?}", server.events());
    });
}

#[test]
fn lines_of_this_crate_are_never_heard() {
    alone("logs::silence::lines_of_this_crate_are_never_heard", || {
        listen_to_everything();
        let reporting = Reporting::start();
        tracing::error!(target: "faultwire", "ours");
        tracing::error!(target: "faultwire::deliver", "ours");
        tracing::error!(target: "faultwires", "not ours");
        faultwire::current().tag("nobody", "listens");
        assert_eq!(reporting.event()["tags"]["logger"], "faultwires");
    });
}

#[test]
fn a_line_on_a_thread_that_is_ending_hurts_nobody() {
    alone("logs::silence::a_line_on_a_thread_that_is_ending_hurts_nobody", || {
        listen_to_everything();
        let reporting = Reporting::start();
        thread_local! { static LAST: Talkative = const { Talkative("the last one") }; }
        thread::spawn(|| {
            LAST.with(|_| ());
            sentry::configure_scope(|_| ());
            tracing::error!("while it lives");
        })
        .join()
        .unwrap();
        // Whether the line of the end is still heard is up to the platform.
        assert!(reporting.guard.flush(PATIENCE));
        assert!((1..=2).contains(&reporting.guard.stats().captured), "{:?}", reporting.guard.stats());
    });
}
