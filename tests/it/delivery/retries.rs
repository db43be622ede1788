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
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
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

#[test]
fn one_that_hangs_leaves_the_way_to_three_others() {
    let reporting = Reporting::start();
    fail("the first goes alone");
    reporting.event();
    reporting.server.answer_next([Answer::Hang, Answer::Hang, Answer::Hang]);
    // The first event of an issue goes alone, so these are issues of their own.
    let letters = || 'g'..='p';
    let issues = letters().flat_map(|one| letters().map(move |other| format!("{one}{other}")));
    issues.take(50).for_each(|issue| drop(fail(issue)));
    reporting.server.wait_events(48);
    eventually("three are left", || reporting.guard.stats().destinations[0].queued == 3);
    assert_eq!(reporting.guard.shutdown(Duration::ZERO).lost, 3);
}

#[test]
fn a_server_that_hangs_at_the_connection_is_a_server_in_trouble() {
    // A listener that never accepts, with as many connections waiting as it takes: the next one hangs.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connect = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200));
    let waiting: Vec<_> = std::iter::from_fn(|| connect().ok()).take(10_000).collect();
    let _turn = crate::support::turn();
    let dsn = format!("http://f1e2d3c4b5a697887766554433221100@{address}/1");
    let guard = faultwire::Config::new().dsn(dsn).init().unwrap();
    fail("nobody accepts");
    eventually("it is given up after 2 s", || guard.stats().last_error.is_some());
    assert!(!guard.stats().destinations[0].reachable, "{:?}", guard.stats());
    fail("waits too");
    let started = Instant::now();
    assert_eq!(guard.shutdown(Duration::from_millis(200)).lost, 2);
    assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
    drop(waiting);
}

#[test]
fn a_server_that_speaks_no_tls_is_a_server_in_trouble() {
    let _turn = crate::support::turn();
    let server = FakeServer::start();
    let guard = faultwire::Config::new().dsn(server.dsn().replace("http:", "https:")).init().unwrap();
    fail("not delivered");
    eventually("it is given up", || guard.stats().last_error.is_some());
    let stats = guard.stats();
    assert_eq!((stats.sent, stats.dropped.total(), stats.destinations[0].reachable), (0, 0, false));
    assert_eq!(guard.shutdown(Duration::ZERO).lost, 1);
}

#[test]
fn what_happens_while_a_server_is_away_arrives_when_it_is_back_once_and_all_of_it() {
    const MEANWHILE: usize = 1_500;
    let mut reporting = Reporting::with(|config| config.backlog_rate(10_000));
    let mut sent = vec![fail("before")];
    assert!(reporting.guard.flush(PATIENCE));
    reporting.server.stop();
    sent.extend((0..MEANWHILE).map(|n| fail(format!("event {n}"))));
    eventually("all of it waits", || reporting.guard.stats().destinations[0].queued == MEANWHILE as u64);
    reporting.server.restart();
    let arrived = reporting.server.wait_events(MEANWHILE + 1);
    assert!(reporting.guard.flush(PATIENCE));
    let mut arrived: Vec<_> = arrived.iter().map(|event| event["event_id"].as_str().unwrap()).collect();
    arrived.sort_unstable();
    sent.sort_unstable();
    assert_eq!(arrived, sent);
    let stats = reporting.guard.stats();
    assert_eq!((stats.sent, stats.dropped.total()), (MEANWHILE as u64 + 1, 0));
}
