//! The ways out that are not a server: the log, the inbox, `stats()`, what a client is told.

use axum::Router;
use axum::routing::get as on_get;
use faultwire::{Config, Report, ReportLayer};
use tower::ServiceExt;

use super::matrix::MESSAGES;
use super::plant::KEPT;
use crate::inbox::shown;
use crate::init::{Log, alone};
use crate::support::{get, text};

#[test]
fn nothing_leaks_into_the_log_the_inbox_the_stats_or_the_answer() {
    alone("scrubbing::exits::nothing_leaks_into_the_log_the_inbox_the_stats_or_the_answer", || {
        let log = Log::default();
        tracing::subscriber::set_global_default(log.subscriber()).unwrap();
        let guard = Config::new().debug(true).inbox("127.0.0.1:0").init().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (message, canary) in MESSAGES {
            let message = format!("{KEPT} {}", message.replace("{}", canary.value));
            let fail = {
                let message = message.clone();
                async move || Err::<(), _>(Report::new(message.clone()).public(message))
            };
            let panics = async move || -> () { panic!("{message}") };
            let app: Router = Router::new()
                .route("/orders/{id}", on_get(fail))
                .route("/panic", on_get(panics))
                .layer(ReportLayer::new());
            for path in ["/orders/7?token=Zq7Vorplex9Kt2Wmq4", "/panic?page=2"] {
                let response = runtime.block_on(app.clone().oneshot(get(path))).unwrap();
                let headers = format!("{:?}", response.headers());
                let answer = runtime.block_on(text(response)).unwrap();
                for (place, text) in [("the answer", answer), ("the answer's headers", headers)] {
                    assert_eq!(canary.left_in(text.as_bytes()), None, "{place}: {text}");
                }
            }
        }
        assert!(guard.flush(crate::delivery::PATIENCE));
        let inbox = shown(guard.inbox().unwrap());
        assert!(inbox.contains(KEPT), "{inbox}");
        assert!(log.text().contains(KEPT), "{}", log.text());
        for (_, canary) in MESSAGES {
            for (place, text) in [("the log", log.text()), ("the inbox", inbox.clone())] {
                assert_eq!(canary.left_in(text.as_bytes()), None, "{place}: {text}");
            }
            assert_eq!(canary.left_in(format!("{:?}", guard.stats()).as_bytes()), None);
        }
    });
}
