//! What a server may ask for: patience, or never to see an event again.

use std::time::{Duration, Instant, SystemTime};

use faultwire::Report;
use faultwire::sentry::{self, TransactionContext};
use serde_json::json;

use crate::delivery::{PATIENCE, eventually, fail, ids};
use crate::fake::Answer;
use crate::support::{Reporting, exception};

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
fn an_event_that_the_server_refuses_is_counted_with_its_words_and_stops_no_other() {
    for status in [400, 422] {
        let reporting = Reporting::start();
        let words = r#"{"detail": "Invalid envelope header\npassword=hunter2"}"#;
        reporting.server.answer_next([Answer::StatusWithBody(status, words.to_owned())]);
        fail("refused");
        assert!(reporting.guard.flush(PATIENCE), "{status}");
        assert_eq!(reporting.server.requests().len(), 1, "{status}");
        let id = fail("accepted");
        assert_eq!(reporting.event()["event_id"], *id, "{status}");
        let stats = reporting.guard.stats();
        assert_eq!((stats.captured, stats.sent, stats.dropped.rejected), (2, 1, 1), "{status}");
        let said = format!("the server answered {status}: Invalid envelope header password=[Filtered]");
        assert_eq!(stats.last_error, Some(said));
    }
}

/// An event with something to take away.
fn large() -> String {
    let report =
        Report::new("large").data("document", &"x".repeat(10_000)).data("other", &"y".repeat(10_000));
    report.send().to_string()
}

#[test]
fn what_is_too_large_is_sent_once_more_without_what_is_least_missed() {
    let reporting = Reporting::start();
    reporting.server.answer_next([Answer::Status(413)]);
    let id = large();
    let event = reporting.event();
    assert_eq!(event["event_id"], *id);
    assert_eq!((&event["extra"], &event["tags"]["faultwire.left_out"]), (&json!(null), &json!("extra")));
    assert_eq!(exception(&event)["value"], "large");
    assert_eq!(ids(&reporting.server.requests()), [Some(&*id); 2]);
    let stats = reporting.guard.stats();
    assert_eq!((stats.sent, stats.retried, stats.dropped.total()), (1, 1, 0));
}

#[test]
fn what_is_too_large_even_so_is_counted() {
    let reporting = Reporting::start();
    reporting.server.answer_next([Answer::Status(413), Answer::Status(413)]);
    large();
    assert!(reporting.guard.flush(PATIENCE));
    assert_eq!(reporting.server.requests().len(), 2);
    let stats = reporting.guard.stats();
    assert_eq!((stats.sent, stats.dropped.rejected, stats.dropped.total()), (0, 1, 1));
    assert_eq!(stats.last_error.as_deref(), Some("the server answered 413"));
}

#[test]
fn what_is_smaller_stays_smaller_when_it_is_tried_again() {
    let reporting = Reporting::start();
    reporting.server.answer_next([Answer::Status(413), Answer::Status(503)]);
    large();
    assert_eq!(reporting.event()["tags"]["faultwire.left_out"], "extra");
    let sizes: Vec<_> = reporting.server.requests().iter().map(|request| request.body.len()).collect();
    assert!(sizes.len() == 3 && sizes[0] > 20_000 && sizes[1] < 5_000 && sizes[2] < 5_000, "{sizes:?}");
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
    assert!(!reporting.guard.stats().destinations[0].reachable);
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.sent, stats.dropped.total()), (2, 0, 0));
    let error = stats.last_error.unwrap();
    assert!(error.contains("403") && !error.contains("Denied"), "no response body: {error}");
    drop(reporting.guard);
    assert!(started.elapsed() < PATIENCE / 4, "nor does the end wait: {:?}", started.elapsed());
}

#[test]
fn transactions_that_a_server_does_not_want_are_held_and_errors_are_not() {
    let reporting =
        Reporting::with(|config| config.client_options(|options| options.traces_sample_rate(1.0)));
    reporting.server.answer(Answer::OkWithRateLimits("86400:transaction;span:organization".to_owned()));
    fail("the answer to this one names the limit");
    reporting.event();
    for n in 1..=3 {
        let name = format!("GET /{n}");
        sentry::start_transaction(TransactionContext::new(&name, "http.server")).finish();
        fail(format!("event {n}"));
    }
    assert!(!reporting.guard.flush(PATIENCE), "the transactions are left, for a day");
    assert_eq!(reporting.server.expect_only(4).len(), reporting.server.requests().len());
    let stats = reporting.guard.stats();
    assert_eq!((stats.sent, stats.destinations[0].queued, stats.dropped.total()), (4, 3, 0));
    assert_eq!(reporting.guard.shutdown(PATIENCE).lost, 3, "and the end does not wait for them");
}

#[test]
fn a_server_of_which_nobody_has_heard_gets_one_request_at_a_time() {
    let reporting = Reporting::start();
    reporting.server.answer(Answer::Hang);
    for n in 0..20 {
        fail(format!("event {n}"));
    }
    eventually("all are processed", || reporting.guard.stats().destinations[0].queued == 20);
    assert!(!reporting.guard.flush(Duration::from_millis(100)));
    assert_eq!(reporting.server.requests().len(), 1);
}

#[test]
fn redirects_and_wrong_addresses_are_held_as_well() {
    for status in [301, 404, 405, 410] {
        let reporting = Reporting::start();
        reporting.server.answer_next([Answer::Status(status)]);
        fail("not here");
        assert!(!reporting.guard.flush(PATIENCE), "{status}");
        assert_eq!(reporting.server.requests().len(), 1, "{status}");
        assert_eq!(reporting.guard.stats().dropped.total(), 0, "{status}");
    }
}
