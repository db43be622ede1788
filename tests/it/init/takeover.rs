//! A second `init`: the newer one counts, and the older one finishes what it began.

use faultwire::{Config, Guard, Report};

use crate::delivery::PATIENCE;
use crate::fake::{Answer, FakeServer};
use crate::init::alone;
use crate::support::{Reporting, exception, turn};

fn report_to(server: &FakeServer) -> Guard {
    Config::new().dsn(server.dsn()).init().unwrap()
}

/// These and no others arrived, in whatever order.
#[track_caller]
fn got(server: &FakeServer, ids: &[&str]) {
    let events = server.expect_only(ids.len());
    assert!(ids.iter().all(|id| events.iter().any(|event| event["event_id"] == *id)), "{ids:?}");
}

#[test]
fn what_happened_before_the_second_init_goes_to_the_first_server() {
    let _turn = turn();
    let (first, second) = (FakeServer::start(), FakeServer::start());
    first.answer_next([Answer::Status(503)]);
    let older = report_to(&first);
    let before = Report::new("before").send().to_string();
    let newer = report_to(&second);
    let after = Report::new("after").send().to_string();
    let by_sdk = sentry::capture_message("by the SDK", sentry::Level::Error).simple().to_string();
    assert!(older.flush(PATIENCE) && newer.flush(PATIENCE));
    got(&first, &[&before]);
    got(&second, &[&after, &by_sdk]);
    assert_eq!((older.stats().captured, newer.stats().captured), (1, 2));
    assert_eq!(faultwire::stats().captured, 2, "the newer one's");
}

#[test]
fn a_request_that_began_before_the_second_init_is_the_first_ones() {
    use axum::{Router, routing::get as on_get};
    use tower::ServiceExt;

    let _turn = turn();
    let (first, second) = (FakeServer::start(), FakeServer::start());
    let older = report_to(&first);
    let slow = async || {
        tokio::task::yield_now().await;
        Err::<(), Report>(Report::new("slow"))
    };
    let app: Router = Router::new().route("/slow", on_get(slow)).layer(faultwire::ReportLayer::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut request = Box::pin(app.oneshot(crate::support::get("/slow")));
    let begun =
        runtime.block_on(std::future::poll_fn(|cx| std::task::Poll::Ready(request.as_mut().poll(cx))));
    assert!(begun.is_pending());
    let newer = report_to(&second);
    runtime.block_on(request).unwrap();
    assert!(older.flush(PATIENCE) && newer.flush(PATIENCE));
    assert_eq!((first.expect_only(1).len(), second.expect_only(0).len()), (1, 0));
}

#[test]
fn dropping_the_older_guard_does_not_end_the_newer() {
    let _turn = turn();
    let (first, second) = (FakeServer::start(), FakeServer::start());
    let older = report_to(&first);
    let newer = report_to(&second);
    drop(older);
    let id = Report::new("after the older one's end").send().to_string();
    let by_sdk = sentry::capture_message("by the SDK", sentry::Level::Error).simple().to_string();
    assert!(newer.flush(PATIENCE));
    got(&second, &[&id, &by_sdk]);
    got(&first, &[]);
}

#[test]
fn after_the_end_nothing_is_recorded_and_nothing_fails() {
    let reporting = Reporting::start();
    drop(reporting.guard);
    Report::new("too late").send();
    sentry::capture_message("too late", sentry::Level::Error);
    assert_eq!(reporting.server.connections(), 0);
}

#[test]
fn before_init_the_counters_are_zeros() {
    alone("init::takeover::before_init_the_counters_are_zeros", || {
        Report::new("too early").send();
        drop(Report::new("dropped"));
        let stats = faultwire::stats();
        let counted =
            [stats.captured, stats.sent, stats.logged, stats.retried, stats.discarded, stats.dropped.total()];
        assert_eq!(counted, [0; 6]);
        assert_eq!((stats.last_success, stats.last_error, stats.mended), (None, None, vec![]));
    });
}

#[tokio::test]
async fn what_the_first_knew_to_be_a_secret_does_not_leave_it() {
    let _turn = turn();
    let (first, second) = (FakeServer::start(), FakeServer::start());
    let older = Config::new().dsn(first.dsn()).secret("tuesday-lantern").init().unwrap();
    let sell = async {
        let newer = report_to(&second);
        Report::new("the gate wants tuesday-lantern").send();
        Ok::<_, Report>(newer)
    };
    let newer = faultwire::job("sell").run(sell).await.unwrap();
    assert!(older.flush(PATIENCE) && newer.flush(PATIENCE));
    assert_eq!(second.expect_only(0).len(), 0);
    assert_eq!(exception(&first.expect_only(1)[0])["value"], "the gate wants [Filtered]");
}

#[test]
fn one_that_fails_changes_nothing() {
    let reporting = Reporting::with(|config| config.secret("tuesday-lantern"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    Config::new().dsn(reporting.server.dsn()).inbox(addr).init().unwrap_err();
    Report::new("the gate wants tuesday-lantern").send();
    assert_eq!(exception(&reporting.event())["value"], "the gate wants [Filtered]");
}
