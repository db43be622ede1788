//! A server that fails for a while loses nothing.

use std::time::{Duration, Instant, SystemTime};

use crate::delivery::{PATIENCE, eventually, fail, ids};
use crate::fake::{Answer, FakeServer};
use crate::support::Reporting;

/// A server that fails is left alone for half a second at first, up to a quarter less.
const SHORTEST_PAUSE: Duration = Duration::from_millis(375);

#[test]
fn an_accepted_event_counts_as_sent() {
    let reporting = Reporting::start();
    let before = SystemTime::now();
    let id = fail("the till is jammed");
    assert_eq!(reporting.event()["event_id"], *id);
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.sent, stats.retried, stats.dropped.total()), (1, 1, 0, 0));
    assert!(stats.last_success.is_some_and(|at| at >= before));
    assert_eq!(stats.last_error, None);
    assert_eq!(faultwire::stats().sent, 1, "the function and the guard count the same");
}

#[test]
fn a_failed_attempt_is_repeated_with_the_same_id_until_the_event_arrives() {
    let reporting = Reporting::start();
    let server = &reporting.server;
    // After a failure of the connection the second attempt follows at once, so that one has to fail as well.
    let failures = [
        (Answer::Status(500), 1),
        (Answer::Status(503), 1),
        (Answer::Garbage, 1),
        (Answer::CloseWithoutAnswer, 2),
        (Answer::Reset, 2),
    ];
    for (n, (failure, times)) in failures.into_iter().enumerate() {
        let earlier = server.requests().len();
        server.answer_next(vec![failure.clone(); times]);
        let id = fail(format!("{failure:?}"));
        assert!(reporting.guard.flush(PATIENCE), "{failure:?}");

        let requests = &server.requests()[earlier..];
        assert_eq!(requests.len(), times + 1, "{failure:?}");
        assert_eq!(requests.last().unwrap().event_id.as_deref(), Some(&*id), "{failure:?}");
        assert!(ids(requests).into_iter().flatten().all(|seen| seen == id), "{failure:?}");
        let pause = requests[times].arrived - requests[times - 1].arrived;
        assert!(pause >= SHORTEST_PAUSE, "{failure:?}: {pause:?}");
        assert_eq!(server.expect_only(n + 1)[n]["event_id"], *id, "{failure:?}");
        let stats = reporting.guard.stats();
        assert_eq!((stats.sent, stats.retried), (n as u64 + 1, n as u64 + 1), "{failure:?}");
        assert!(stats.last_error.is_some(), "{failure:?}");
        assert_eq!(stats.dropped.total(), 0, "{failure:?}");
    }
}

#[test]
fn a_server_that_was_away_gets_what_happened_meanwhile() {
    let mut reporting = Reporting::start();
    let first = fail("before");
    assert!(reporting.guard.flush(PATIENCE));
    reporting.server.stop();
    let meanwhile = fail("meanwhile");
    eventually("the connection is refused", || reporting.guard.stats().last_error.is_some());
    reporting.server.restart();
    let events = reporting.events(2);
    assert_eq!((&events[0]["event_id"], &events[1]["event_id"]), (&first.into(), &meanwhile.into()));
    let stats = reporting.guard.stats();
    assert_eq!((stats.sent, stats.dropped.total()), (2, 0));
    assert!(stats.retried >= 1);
}

#[test]
fn a_server_that_closes_every_connection_without_a_word_loses_nothing() {
    let reporting = Reporting::start();
    reporting.server.answer(Answer::CloseAfterAnswerSilently);
    let sent: Vec<_> = (0..20)
        .map(|n| {
            let id = fail(format!("event {n}"));
            assert!(reporting.guard.flush(PATIENCE));
            id
        })
        .collect();
    let arrived: Vec<_> =
        reporting.events(20).iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(arrived, sent);
    assert_eq!(reporting.guard.stats().dropped.total(), 0);
    assert_eq!(reporting.guard.stats().retried, 0, "a connection that grew old is no failure");
}

#[test]
fn long_answers_do_not_matter() {
    let reporting = Reporting::start();
    reporting.server.answer(Answer::HugeBody(50_000_000));
    let started = Instant::now();
    for n in 0..5 {
        fail(format!("event {n}"));
    }
    reporting.events(5);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(reporting.guard.stats().sent, 5);
}

#[test]
fn a_server_that_does_not_exist_costs_a_failure_nothing() {
    let _turn = crate::support::turn();
    let guard = faultwire::Config::new().dsn(FakeServer::refused_dsn()).init().unwrap();
    fail("nobody hears");
    eventually("the connection is refused", || guard.stats().last_error.is_some());
    let stats = guard.stats();
    assert_eq!((stats.captured, stats.sent, stats.dropped.total()), (1, 0, 0), "it is still on its way");
    assert!(!guard.flush(Duration::from_millis(10)));
    assert_eq!(guard.shutdown(Duration::ZERO).lost, 1);
}
