//! Reporting that is switched off, and reporting without a server.

use axum::Router;
use axum::routing::get as on_get;
use faultwire::{Config, Report, ReportLayer};
use http::StatusCode;
use tower::ServiceExt;

use crate::delivery::PATIENCE;
use crate::fake::FakeServer;
use crate::init::{Log, alone};
use crate::support::{event_id, get, turn};

fn shop() -> Router {
    Router::new()
        .route("/orders/{id}", on_get(async || Err::<(), Report>(Report::new("refused: password=hunter2"))))
        .route("/busy", on_get(async || StatusCode::SERVICE_UNAVAILABLE))
        .route("/panic", on_get(async || -> () { panic!("the till is jammed, token=hunter2") }))
        .layer(ReportLayer::new())
}

#[tokio::test]
async fn switched_off_nothing_is_recorded_and_http_stays_as_it_is() {
    let _turn = turn();
    let before = faultwire::stats().captured;
    let server = FakeServer::start();
    let guard = Config::new().dsn(server.dsn()).enabled(false).init().unwrap();
    let busy = shop().oneshot(get("/busy")).await.unwrap();
    assert_eq!(busy.status(), 503);
    assert!(!busy.headers().contains_key("x-event-id"));
    assert_eq!(shop().oneshot(get("/orders/1")).await.unwrap().status(), 500);
    let panicked = tokio::spawn(shop().oneshot(get("/panic"))).await;
    assert!(panicked.unwrap_err().is_panic(), "a panic is the server's again");
    Report::new("nobody asks").send();
    assert!(guard.flush(PATIENCE));
    assert_eq!((guard.stats().captured, faultwire::stats().captured), (0, before));
    let summary = guard.shutdown(PATIENCE);
    assert_eq!((summary.sent, summary.lost, server.connections()), (0, 0, 0));
}

#[test]
fn without_a_dsn_every_failure_is_a_line_in_the_log_and_nothing_is_sent() {
    alone("init::disabled::without_a_dsn_every_failure_is_a_line_in_the_log_and_nothing_is_sent", || {
        let log = Log::default();
        tracing::subscriber::set_global_default(log.subscriber()).unwrap();
        let guard = Config::new().init().unwrap();
        assert_eq!(log.text().matches("SENTRY_DSN is not set").count(), 1, "{}", log.text());

        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ids = ["/orders/1", "/busy", "/panic"].map(|path| {
            let response = runtime.block_on(shop().oneshot(get(path))).unwrap();
            assert!(response.status().is_server_error(), "{path}");
            event_id(&response)
        });
        sentry::capture_message("by the SDK, api_key=hunter2", sentry::Level::Error);
        assert!(guard.flush(PATIENCE));
        let text = log.text();
        for id in ids {
            let lines: Vec<_> = text.lines().filter(|line| line.contains(&id)).collect();
            assert_eq!(lines.len(), 1, "{id} in\n{text}");
            assert!(lines[0].contains("ERROR faultwire:"), "{}", lines[0]);
        }
        assert!(text.contains("refused: password=[Filtered]") && text.contains("token=[Filtered]"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        let stats = guard.stats();
        assert_eq!((stats.captured, stats.logged, stats.sent, stats.dropped.total()), (4, 4, 0, 0));
        assert_eq!(guard.shutdown(PATIENCE).lost, 0);
    });
}
