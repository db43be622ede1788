//! Several destinations: each gets what it asks for, and none waits for another.

use std::collections::BTreeSet;
use std::time::Duration;

use faultwire::config::{Destination, Storm};
use faultwire::report::Level;
use faultwire::sentry::{self, TransactionContext};
use faultwire::{Config, DestinationStats, Guard, Kind, Report};

use crate::delivery::{PATIENCE, eventually, fail};
use crate::fake::{Answer, FakeServer};
use crate::support::{Turn, turn};

/// Reporting to two servers.
struct Two {
    first: FakeServer,
    second: FakeServer,
    guard: Guard,
    _turn: Turn,
}

impl Two {
    fn start() -> Self {
        let (turn, first, second) = (turn(), FakeServer::start(), FakeServer::start());
        let guard = Config::new()
            .dsn(first.dsn())
            .destination(Destination::new("second", second.dsn()))
            .storm(Storm::Off)
            .init()
            .unwrap();
        Self { first, second, guard, _turn: turn }
    }

    fn stats(&self) -> [DestinationStats; 2] {
        self.guard.stats().destinations.try_into().unwrap()
    }
}

fn ids(server: &FakeServer) -> BTreeSet<String> {
    server.events().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_destination_gets_what_it_asks_for_and_the_rest_is_counted() {
    let _turn = turn();
    let [databases, pager, shop] = [(); 3].map(|()| FakeServer::start());
    let guard = Config::new()
        .destination(Destination::new("databases", databases.dsn()).kinds([Kind::Database]))
        .destination(Destination::new("pager", pager.dsn()).critical())
        .destination(Destination::new("shop", shop.dsn()).except([Kind::Database]).level(Level::Error))
        .client_options(|options| options.traces_sample_rate(1.0))
        .init()
        .unwrap();
    let database = Report::new("no connection").kind(Kind::Database).send().to_string();
    let critical = Report::new("no backup").kind(Kind::Database).critical().send().to_string();
    let error = fail("no stock");
    let fatal = Report::new("no shop").level(Level::Fatal).send().to_string();
    let by_sdk = sentry::capture_message("by the SDK", sentry::Level::Error).simple().to_string();
    Report::new("little stock").level(Level::Warning).send();
    sentry::capture_message("by the SDK", sentry::Level::Warning);
    sentry::start_transaction(TransactionContext::new("GET /", "http.server")).finish();
    assert!(guard.flush(PATIENCE));

    assert_eq!(ids(&databases), BTreeSet::from([database, critical.clone()]));
    assert_eq!(ids(&pager), BTreeSet::from([critical]));
    assert_eq!(ids(&shop), BTreeSet::from([error, fatal, by_sdk]));
    let stats = guard.stats();
    assert_eq!((stats.captured, stats.sent), (8, 5), "one event that two servers have is one that was sent");
    assert_eq!((stats.dropped.no_destination, stats.dropped.total()), (3, 3));
    let sent: Vec<_> = stats.destinations.iter().map(|one| (one.name.as_str(), one.sent)).collect();
    assert_eq!(sent, [("databases", 2), ("pager", 1), ("shop", 3)]);
}

#[test]
fn the_destination_of_the_dsn_is_the_first_and_takes_everything() {
    let two = Two::start();
    sentry::capture_message("by the SDK", sentry::Level::Info);
    let critical = Report::new("no backup").kind(Kind::Database).critical().send().to_string();
    assert!(two.guard.flush(PATIENCE));
    assert_eq!(two.first.events().len(), 2);
    assert_eq!(ids(&two.first), ids(&two.second));
    assert!(ids(&two.first).contains(&critical));
    let [first, second] = two.stats();
    assert_eq!((&*first.name, &*second.name), ("default", "second"));
    assert!(two.first.dsn().ends_with(first.server.trim_start_matches("http://")), "{}", first.server);
    assert_eq!(two.guard.shutdown(PATIENCE).sent, 2);
}

#[test]
fn one_that_hangs_slows_no_other_and_what_it_did_not_get_is_counted_there() {
    let two = Two::start();
    two.first.answer(Answer::Hang);
    for n in 0..300 {
        fail(format!("event {n}"));
    }
    eventually("the other server has everything", || two.stats()[1].sent == 300);
    let [first, second] = two.stats();
    assert_eq!((first.sent, first.queued, second.queued), (0, 300, 0));
    assert!(!two.guard.flush(Duration::from_millis(50)), "one server has nothing");
    let summary = two.guard.shutdown(Duration::ZERO);
    assert_eq!((summary.sent, summary.lost), (300, 0), "one server has everything");
    let stats = faultwire::stats();
    let lost: Vec<_> = stats.destinations.iter().map(|one| one.dropped.shutdown).collect();
    assert_eq!((lost, stats.dropped.total()), (vec![300, 0], 0));
}

#[test]
fn what_one_server_refuses_is_sent_if_another_takes_it_and_dropped_if_none_does() {
    let two = Two::start();
    two.first.answer(Answer::Status(400));
    fail("good for one");
    assert!(two.guard.flush(PATIENCE));
    let stats = two.guard.stats();
    assert_eq!((stats.sent, stats.dropped.total()), (1, 0));
    assert_eq!(stats.destinations[0].dropped.rejected, 1);

    two.second.answer(Answer::Status(400));
    fail("good for nobody");
    assert!(two.guard.flush(PATIENCE));
    let stats = two.guard.stats();
    assert_eq!((stats.sent, stats.dropped.rejected, stats.dropped.total()), (1, 1, 1));
}

#[test]
fn one_that_is_away_is_tried_again_alone() {
    let mut two = Two::start();
    two.first.stop();
    let id = fail("for both");
    eventually("the other has it", || two.stats()[1].sent == 1);
    eventually("the first is away", || !two.stats()[0].reachable);
    two.first.restart();
    assert!(two.guard.flush(PATIENCE));
    assert_eq!((ids(&two.first), two.second.requests().len()), (BTreeSet::from([id]), 1));
    let [first, second] = two.stats();
    assert!(first.retried > 0 && first.reachable && first.last_error.is_some());
    assert_eq!((second.retried, second.last_error), (0, None));
}
