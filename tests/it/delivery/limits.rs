//! What a server may ask for: patience, or never to see an event again.

use std::time::{Duration, Instant, SystemTime};

use crate::delivery::{PATIENCE, eventually, fail};
use crate::fake::Answer;
use crate::support::Reporting;

const ONE_SECOND: Duration = Duration::from_secs(1);

fn too_many(retry_after: Option<&str>, rate_limits: Option<&str>) -> Answer {
    Answer::TooMany {
        retry_after: retry_after.map(str::to_owned),
        rate_limits: rate_limits.map(str::to_owned),
    }
}

#[test]
fn too_many_requests_hold_everything_back_for_as_long_as_the_server_says() {
    for answer in [too_many(Some("1"), None), too_many(None, Some("1:error:key"))] {
        let reporting = Reporting::start();
        reporting.server.answer_next([answer.clone()]);
        fail("too many");
        eventually("the limit is known", || reporting.guard.stats().last_error.is_some());
        fail("held back");
        reporting.events(2);
        let arrived: Vec<_> = reporting.server.requests().iter().map(|request| request.arrived).collect();
        assert_eq!(arrived.len(), 3, "{answer:?}");
        assert!(arrived[1] - arrived[0] >= ONE_SECOND, "{answer:?}: {:?}", arrived[1] - arrived[0]);
        let stats = reporting.guard.stats();
        assert_eq!((stats.sent, stats.retried, stats.dropped.total()), (2, 1, 0), "{answer:?}");
    }
}

#[test]
fn retry_after_may_be_a_date() {
    let reporting = Reporting::start();
    // Dates have whole seconds: this one is 0.3 to 1.3 seconds away.
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_millis(1_300));
    let wait = httpdate::parse_http_date(&date).unwrap().duration_since(SystemTime::now()).unwrap();
    let not_before = Instant::now() + wait;
    reporting.server.answer_next([too_many(Some(&date), None)]);
    fail("too many");
    reporting.event();
    let arrived = reporting.server.requests()[1].arrived;
    assert!(arrived >= not_before, "{:?} too early", not_before - arrived);
}

#[test]
fn a_limit_on_a_good_answer_holds_the_next_event() {
    let reporting = Reporting::start();
    reporting.server.answer_next([Answer::OkWithRateLimits("1:error:key".to_owned())]);
    fail("accepted");
    reporting.event();
    fail("held back");
    reporting.events(2);
    let requests = reporting.server.requests();
    assert!(requests[1].arrived - requests[0].arrived >= ONE_SECOND);
    assert_eq!((reporting.guard.stats().sent, reporting.guard.stats().retried), (2, 0));
}

#[test]
fn a_limit_for_something_else_holds_nothing() {
    let reporting = Reporting::start();
    reporting.server.answer(Answer::OkWithRateLimits("86400:transaction;span:organization".to_owned()));
    for n in 1..=3 {
        fail(format!("event {n}"));
        reporting.events(n);
    }
    let requests = reporting.server.requests();
    assert!(requests[2].arrived - requests[0].arrived < ONE_SECOND);
}

#[test]
fn an_event_that_the_server_refuses_is_not_tried_again_and_stops_no_other() {
    for status in [400, 413] {
        let reporting = Reporting::start();
        reporting.server.answer_next([Answer::Status(status)]);
        fail("refused");
        assert!(reporting.guard.flush(PATIENCE), "{status}");
        assert_eq!(reporting.server.requests().len(), 1, "{status}");
        let id = fail("accepted");
        assert_eq!(reporting.event()["event_id"], *id, "{status}");
        let stats = reporting.guard.stats();
        assert_eq!((stats.captured, stats.sent, stats.dropped.rejected), (2, 1, 1), "{status}");
        assert!(stats.last_error.is_some_and(|error| error.contains(&status.to_string())), "{status}");
    }
}

#[test]
fn a_wrong_key_is_held_for_longer_than_anybody_waits_and_never_given_up() {
    let reporting = Reporting::start();
    reporting.server.answer(Answer::StatusWithBody(403, r#"{"detail":"Denied"}"#.to_owned()));
    fail("denied");
    let started = Instant::now();
    assert!(!reporting.guard.flush(PATIENCE), "it is not delivered");
    assert!(started.elapsed() < PATIENCE / 4, "flush saw that waiting is in vain: {:?}", started.elapsed());
    fail("waits too");
    assert!(!reporting.guard.flush(PATIENCE));
    assert!(started.elapsed() < PATIENCE / 4, "{:?}", started.elapsed());
    assert_eq!(
        reporting.server.requests().len(),
        1,
        "GlitchTip blocks the project for 30 s after a wrong key"
    );
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.sent, stats.dropped.total()), (2, 0, 0));
    let error = stats.last_error.unwrap();
    assert!(error.contains("403") && !error.contains("Denied"), "no response body: {error}");
    drop(reporting.guard);
    assert!(started.elapsed() < PATIENCE / 4, "nor does the end wait: {:?}", started.elapsed());
}
