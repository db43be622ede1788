//! Storm control: of many equal failures the first are sent, the others are counted, and no count is lost.

mod kinds;
mod load;
mod user_code;

use std::time::Duration;

use faultwire::Report;
use faultwire::config::{StackTraces, Storm};
use serde_json::{Value, json};

use crate::delivery::PATIENCE;
use crate::fake::FakeServer;
use crate::support::{Reporting, exception, turn};

/// Reporting that sends so many of a kind, in a window that no test outlives.
fn reporting(failures: u32) -> Reporting {
    Reporting::with(|config| config.storm(limit(failures)))
}

fn limit(failures: u32) -> Storm {
    Storm::Limit { failures, window: Duration::from_secs(600) }
}

/// Reports of one kind from one place.
fn fail(times: u64) -> Vec<String> {
    (0..times).map(|n| Report::new(format!("order {n} is lost")).send().to_string()).collect()
}

/// How many failures an event stands for.
fn stands_for(event: &Value) -> u64 {
    event["tags"]["suppressed"].as_str().map_or(1, |suppressed| suppressed.parse().unwrap())
}

fn total(events: &[Value]) -> u64 {
    events.iter().map(stands_for).sum()
}

/// Those that were sent one by one, and the summaries.
fn apart(events: Vec<Value>) -> (Vec<Value>, Vec<Value>) {
    events.into_iter().partition(|event| event["tags"]["suppressed"].is_null())
}

#[test]
fn the_first_are_sent_and_the_rest_is_one_event_of_the_same_issue() {
    let reporting = reporting(3);
    let ids = fail(100);
    let (whole, summaries) = apart(reporting.events(4));
    assert_eq!(whole.iter().map(|event| event["event_id"].as_str().unwrap()).collect::<Vec<_>>(), ids[..3]);
    let [summary] = &summaries[..] else { panic!("{summaries:?}") };
    assert_eq!(summary["fingerprint"], whole[0]["fingerprint"]);
    assert_eq!(exception(summary)["type"], exception(&whole[0])["type"]);
    assert_eq!(exception(summary)["value"], "order 3 is lost", "the first of those that were counted");
    assert_eq!(summary["tags"]["suppressed"], "97");
    let storm = &summary["contexts"]["storm"];
    assert_eq!((&storm["suppressed"], storm["ids"].as_array().unwrap().len()), (&json!(97), 50));
    assert_eq!(storm["ids"][0].as_str(), Some(&*ids[3]));
    assert!(storm["first"].as_str().unwrap() <= storm["last"].as_str().unwrap(), "{storm}");
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.suppressed, stats.summaries, stats.sent), (100, 97, 1, 4));
}

#[test]
fn the_end_of_a_window_says_what_was_counted_and_begins_anew() {
    let window = Duration::from_secs(1);
    let reporting = Reporting::with(|config| config.storm(Storm::Limit { failures: 2, window }));
    fail(10);
    // Nobody flushes: the two that pass, and the window's end.
    let first = reporting.server.wait_events(3);
    assert_eq!(total(&first), 10);
    fail(10);
    let (whole, summaries) = apart(reporting.server.wait_events(6));
    assert_eq!((whole.len(), summaries.len(), total(&whole) + total(&summaries)), (4, 2, 20));
}

#[test]
fn failures_of_another_kind_or_place_are_not_held_back() {
    let reporting = reporting(1);
    fail(5);
    Report::new("order 7 is late").send();
    Report::new("order 7 is lost").send();
    let (whole, summaries) = apart(reporting.events(4));
    assert_eq!((whole.len(), total(&summaries)), (3, 4));
}

#[test]
fn a_critical_report_is_not_lost_among_others_like_it() {
    let reporting = reporting(1);
    let report = || Report::new("the ledger is damaged");
    for n in 0..100 {
        if n == 50 {
            report().critical().send()
        } else {
            report().send()
        };
    }
    let (whole, summaries) = apart(reporting.events(3));
    assert_eq!((whole.len(), total(&summaries)), (2, 98));
    assert_eq!(whole[1]["tags"]["error.critical"], "true");
}

#[test]
fn a_fingerprint_of_your_own_is_a_kind_of_its_own() {
    let reporting = reporting(1);
    for n in 0..10 {
        Report::new("no shard").fingerprint(["shard", if n % 2 == 0 { "even" } else { "odd" }]).send();
    }
    let (whole, summaries) = apart(reporting.events(4));
    let prints = |events: &[Value]| {
        let mut prints: Vec<_> = events.iter().map(|event| event["fingerprint"][1].to_string()).collect();
        prints.sort();
        prints
    };
    assert_eq!(prints(&whole), [r#""even""#, r#""odd""#]);
    assert_eq!(prints(&summaries), prints(&whole));
    assert_eq!(total(&summaries), 8);
}

#[test]
fn the_guards_end_says_what_was_counted_so_far() {
    let _turn = turn();
    let server = FakeServer::start();
    let guard = faultwire::Config::new().dsn(server.dsn()).storm(limit(2)).init().unwrap();
    fail(10);
    let summary = guard.shutdown(PATIENCE);
    assert_eq!((summary.sent, summary.lost), (3, 0));
    assert_eq!(total(&server.expect_only(3)), 10);
}

#[test]
fn what_was_counted_and_could_not_be_said_is_lost_and_counted() {
    let _turn = turn();
    let guard = faultwire::Config::new().dsn(FakeServer::refused_dsn()).storm(limit(2)).init().unwrap();
    fail(10);
    assert_eq!(guard.shutdown(Duration::from_millis(50)).lost, 3);
    let stats = faultwire::stats();
    assert_eq!((stats.captured, stats.suppressed, stats.summaries), (10, 8, 1));
    assert_eq!(stats.captured + stats.summaries, stats.suppressed + stats.dropped.total());
}

#[test]
fn two_initialisations_count_apart() {
    let _turn = turn();
    let (first, second) = (FakeServer::start(), FakeServer::start());
    let start = |server: &FakeServer| {
        let config = faultwire::Config::new().dsn(server.dsn()).storm(limit(2));
        config.stack_traces(StackTraces::Off).shutdown_timeout(PATIENCE).init().unwrap()
    };
    let older = start(&first);
    fail(10);
    let newer = start(&second);
    fail(20);
    drop(older);
    assert_eq!(total(&first.expect_only(3)), 10);
    fail(20);
    drop(newer);
    assert_eq!(total(&second.expect_only(3)), 40);
}

#[test]
fn without_storm_control_all_of_them_are_sent() {
    let reporting = Reporting::with(|config| config.storm(Storm::Off));
    fail(100);
    assert_eq!(total(&reporting.events(100)), 100);
    assert_eq!(reporting.guard.stats().suppressed, 0);
}

#[test]
fn what_sampling_leaves_out_is_not_counted_as_a_storm() {
    let reporting = Reporting::with(|config| config.storm(limit(1)).sample_rate(0.5));
    fail(400);
    assert!(reporting.guard.flush(PATIENCE));
    let stats = reporting.guard.stats();
    assert_eq!(stats.captured, stats.dropped.sampled + 1 + stats.suppressed);
    assert_eq!(total(&reporting.server.expect_only(2)), 1 + stats.suppressed);
}
