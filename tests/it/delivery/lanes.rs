//! What matters more goes first, and what matters less makes room for it.

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use faultwire::report::Level;
use faultwire::sentry::{self, TransactionContext};
use faultwire::{EventId, Report};
use serde_json::Value;

use crate::delivery::{PATIENCE, eventually, fail};
use crate::fake::Answer;
use crate::support::Reporting;

#[test]
fn panics_and_critical_reports_overtake_errors_and_errors_overtake_the_rest() {
    let mut reporting =
        Reporting::with(|config| config.client_options(|options| options.traces_sample_rate(1.0)));
    // All of it waits: nobody has heard of the server yet, so it gets one request at a time.
    reporting.server.answer_next([Answer::Hang]);
    fail("the first");
    reporting.server.wait_requests(1);
    // The first event of an issue goes alone, so these are issues of their own.
    for n in "price stock basket coupon address invoice refund parcel label pallet".split(' ') {
        sentry::start_transaction(TransactionContext::new("GET /", "http.server")).finish();
        Report::new(format!("warning {n}")).level(Level::Warning).send();
        fail(format!("error {n}"));
        thread::spawn(move || panic!("panic {n}")).join().unwrap_err();
        Report::new(format!("critical {n}")).critical().send();
    }
    eventually("all of it waits", || reporting.guard.stats().destinations[0].queued == 51);
    reporting.server.restart();
    assert!(reporting.guard.flush(PATIENCE));
    let lanes: Vec<_> =
        reporting.server.requests().iter().skip(2).map(|request| lane(&request.text())).collect();
    assert_eq!(lanes.len(), 50, "{lanes:?}");
    // Four requests are under way at a time and a thread may be slow, so single ones are overtaken.
    let mean_place = |lane: usize| {
        let places: Vec<_> = (0..lanes.len()).filter(|at| lanes[*at] == lane).collect();
        places.iter().sum::<usize>() / places.len()
    };
    let [urgent, errors, warnings, rest] = [0, 1, 2, 3].map(mean_place);
    assert!(urgent + 5 < errors && errors + 5 < warnings && warnings + 5 < rest, "{lanes:?}");
    assert_eq!(lanes[0], 0, "the first of all is one that matters most: {lanes:?}");
}

fn lane(envelope: &str) -> usize {
    let lines: Vec<Value> = envelope.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    match (lines[1]["type"].as_str(), lines[2]["level"].as_str()) {
        (Some("transaction"), _) => 3,
        (_, Some("fatal")) => 0,
        (_, Some("warning")) => 2,
        // An error is what an event is that names no level.
        _ => 1,
    }
}

#[test]
fn when_there_is_no_room_warnings_make_it_for_errors_and_are_counted() {
    // The processing thread stands still in a hook, so that the queue fills.
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let reporting = Reporting::with(|config| {
        config.client_options(move |options| {
            options.before_send(move |event| {
                let _ = held.lock().unwrap().recv();
                Some(event)
            })
        })
    });
    let first = fail("the one that stands still");
    let heavy = |level: Level| -> EventId {
        let kibibytes = "x".repeat(15 * 1024);
        let report = Report::new("heavy").level(level);
        (0..64).fold(report, |report, n| report.data(format!("part {n}"), &kibibytes)).send()
    };
    // 64 MiB hold some 68 of these.
    let warnings: Vec<_> = (0..80).map(|_| heavy(Level::Warning).to_string()).collect();
    let turned_away = reporting.guard.stats().dropped.queue_full;
    assert!((5..20).contains(&turned_away), "{turned_away}");
    let errors: Vec<_> = (0..3).map(|_| heavy(Level::Error).to_string()).collect();
    let stats = reporting.guard.stats();
    assert_eq!((stats.dropped.queue_full, stats.dropped.shed), (turned_away, 3));
    drop(release);

    let waited: Vec<_> = warnings.iter().take(80 - turned_away as usize).skip(3).cloned().collect();
    let expected = [&[first][..], &errors, &waited].concat();
    let arrived = reporting.server.wait_events(10);
    assert!(
        arrived[..4]
            .iter()
            .all(|event| expected[..8].contains(&event["event_id"].as_str().unwrap().to_owned()))
    );
    reporting.guard.shutdown(Duration::ZERO);
    let sent = reporting.server.events();
    assert!(sent.iter().all(|event| expected.contains(&event["event_id"].as_str().unwrap().to_owned())));
}
