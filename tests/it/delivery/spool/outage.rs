//! A server that is away for longer than memory lasts.
#![expect(clippy::print_stdout, reason = "figures, shown with --nocapture")]

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use faultwire::Report;

use super::{Dir, spool};
use crate::delivery::eventually;
use crate::fake::{Answer, FakeServer};
use crate::support::turn;

/// Without optimisations everything takes twenty times as long.
const EVENTS: u64 = if cfg!(debug_assertions) { 1_500 } else { 15_000 };

#[test]
fn all_events_of_an_outage_arrive() {
    let (_turn, dir, server) = (turn(), Dir::new(), FakeServer::start());
    let guard = dir.config(&server.dsn()).backlog_rate(10_000).init().unwrap();
    // Away, but it says for how long: the pauses of retries would grow with the test.
    server.answer(Answer::TooMany { retry_after: Some("1".to_owned()), rate_limits: None });
    let started = Instant::now();
    let rows = "x ".repeat(1_500);
    let mut ids = BTreeSet::new();
    for n in 0..EVENTS {
        ids.insert(Report::new(format!("event {n}")).data("rows", &rows).send().to_string());
        while n - spool(&guard).written.min(n) > 100 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    eventually("all are on disk", || spool(&guard).written == EVENTS);
    let (stats, away) = (guard.stats(), started.elapsed());
    assert_eq!((stats.captured, stats.spooled, stats.sent, stats.dropped.total()), (EVENTS, EVENTS, 0, 0));
    assert_eq!(dir.envelopes().len() as u64, EVENTS);
    let waiting = spool(&guard).waiting;
    assert!(cfg!(debug_assertions) || waiting > 1_000, "memory is full: {waiting} are on disk only");

    server.answer(Answer::Ok);
    let back = Instant::now();
    while guard.stats().sent < EVENTS {
        assert!(back.elapsed() < Duration::from_secs(120), "{:?}", guard.stats());
        thread::sleep(Duration::from_millis(10));
    }
    let stats = guard.stats();
    assert_eq!((stats.sent, stats.spooled, stats.dropped.total()), (EVENTS, 0, 0), "{stats:?}");
    assert!(dir.envelopes().is_empty());
    let arrived = server.events();
    assert_eq!(arrived.len() as u64, EVENTS, "nothing arrives twice");
    let arrived = arrived.iter().map(|event| event["event_id"].as_str().unwrap().to_owned());
    assert_eq!(arrived.collect::<BTreeSet<_>>(), ids);
    println!(
        "{EVENTS} events in {away:?}, {waiting} of them on disk only; delivered after {:?}",
        started.elapsed() - away
    );
}
