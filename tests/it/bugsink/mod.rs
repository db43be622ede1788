//! A real server: Bugsink keeps every event whole, in the issue where a person would look for it.
//!
//! It answers 200 also to what it throws away, so every test reads back what is stored and compares it with what
//! went over the wire. `tests/run.sh` starts the server.

mod database;
mod jobs;
mod sdk;
mod server;
mod tap;
mod third_party;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use faultwire::config::Storm;
use faultwire::sentry;
use faultwire::{Config, Guard, Report, ReportLayer};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::demo::{self, shop};
use crate::support::{Turn, exception, get, turn};
use server::{Away, Issue, Project, variable};
use tap::{Exchange, Tap};

/// Longer than anything takes that goes well.
const PATIENCE: Duration = Duration::from_secs(60);
/// No time at all for a server, and long enough to see that something is not sent.
const A_MOMENT: Duration = Duration::from_millis(300);

/// Reporting to a project of its own, through a tap.
struct Reporting {
    guard: Guard,
    tap: Tap,
    project: Project,
    _turn: Turn,
}

impl Reporting {
    fn start() -> Self {
        Self::with(|config, dsn| config.dsn(dsn))
    }

    /// The DSN is that of the project.
    fn with(configure: impl FnOnce(Config, String) -> Config) -> Self {
        let project = Project::create();
        let turn = turn();
        let (rest, id) = project.dsn.rsplit_once('/').unwrap();
        let (key, host) = rest.split_once('@').unwrap();
        let tap = Tap::before(host.parse().unwrap());
        let config = Config::new().storm(Storm::Off).environment("test").release("shop@1.2.3");
        let guard = configure(config, format!("{key}@{}/{id}", tap.address)).init().unwrap();
        Self { guard, tap, project, _turn: turn }
    }

    /// The issues of exactly `n` events; each of them is stored as it was sent.
    #[track_caller]
    fn issues(&self, n: usize) -> Vec<Issue> {
        assert!(self.guard.flush(PATIENCE), "everything is delivered: {:?}", self.guard.stats());
        let mut sent = BTreeMap::new();
        for Exchange { kind, event_id, payload, status, .. } in self.tap.exchanges() {
            assert_eq!(status, 200, "{payload}");
            if kind == "event" {
                assert_eq!(payload["event_id"], event_id);
                sent.insert(event_id, payload);
            }
        }
        let issues = self.project.issues();
        let stored: Vec<_> = issues.iter().flat_map(|issue| &issue.events).collect();
        assert_eq!(stored.len(), n, "{:?}", issues.iter().map(|issue| &issue.title).collect::<Vec<_>>());
        for event in stored {
            let sent = sent.remove(event["event_id"].as_str().unwrap());
            assert_eq!(Some(event), sent.as_ref(), "stored (left) as it was sent (right)");
        }
        assert_eq!(sent, BTreeMap::new(), "answered 200, and not stored");
        issues
    }

    /// Waits until the client has read an answer that refuses, and holds what is left.
    #[track_caller]
    fn wait_held(&self) {
        let started = Instant::now();
        while self.guard.stats().last_error.is_none() {
            assert!(started.elapsed() < PATIENCE, "no answer refuses: {:#?}", self.tap.exchanges());
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!self.guard.flush(A_MOMENT));
    }

    fn ids_sent(&self) -> Vec<String> {
        self.tap.exchanges().into_iter().map(|exchange| exchange.event_id).collect()
    }
}

/// One failure outside of any request; its event's id without dashes.
fn fail(text: impl Into<String>) -> String {
    Report::new(text.into()).send().to_string()
}

fn title(event: &Value) -> String {
    let exception = exception(event);
    format!("{}: {}", exception["type"].as_str().unwrap(), exception["value"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Bugsink: run tests/run.sh"]
async fn every_failing_route_of_the_demo_is_one_event_in_the_issue_of_its_fingerprint() {
    let reporting = Reporting::start();
    demo::ask_every_failing_route().await;
    // Two of them fail in a task, after the response.
    reporting.tap.wait_answers(demo::EXPECTED.len());
    let issues = reporting.issues(demo::EXPECTED.len());

    let mut fingerprints = BTreeSet::new();
    for Issue { title: of_issue, transaction, events } in &issues {
        let (first, latest) = (&events[0], &events[events.len() - 1]);
        assert_eq!(
            (of_issue, transaction.as_str()),
            (&title(latest), first["transaction"].as_str().unwrap())
        );
        assert!(events.iter().all(|event| event["fingerprint"] == first["fingerprint"]), "{of_issue}");
        assert!(fingerprints.insert(first["fingerprint"].to_string()), "{of_issue}: an issue too many");
    }
    let events: Vec<_> = issues.into_iter().flat_map(|issue| issue.events).collect();
    demo::check(&events);
}

#[tokio::test]
#[ignore = "needs Bugsink: run tests/run.sh"]
async fn a_hundred_orders_that_fail_are_one_issue_with_a_hundred_events() {
    let reporting = Reporting::start();
    for id in 0..100 {
        shop::routes().layer(ReportLayer::new()).oneshot(get(&format!("/orders/{id}"))).await.unwrap();
    }
    let issues = reporting.issues(100);
    let [issue] = &issues[..] else { panic!("{} issues", issues.len()) };
    assert_eq!(issue.transaction, "GET /orders/{id}");
    let titles: BTreeSet<_> = issue.events.iter().map(title).collect();
    assert_eq!(titles.len(), 100, "each says which order it was");
    assert!(titles.contains("OrderError: order 42 could not be loaded"));
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn twenty_errors_that_happen_three_times_are_twenty_issues() {
    let reporting = Reporting::start();
    let errors = "price stock basket coupon address invoice refund parcel label pallet truck driver route ferry \
                  customs warehouse shelf scanner printer till";
    for attempt in 0..3 {
        for missing in errors.split(' ') {
            fail(format!("no {missing} in attempt {attempt}"));
        }
    }
    let issues = reporting.issues(60);
    assert_eq!(issues.len(), 20);
    assert!(issues.iter().all(|issue| issue.events.len() == 3));
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn an_event_whose_answers_are_lost_is_sent_again_and_stored_once() {
    let reporting = Reporting::start();
    // The first repetition follows at once on a new connection, the second after the pause of a failed attempt.
    reporting.tap.cut_answers(2);
    let id = fail("the till is jammed");
    let issues = reporting.issues(1);
    assert_eq!(issues[0].events[0]["event_id"], *id);
    assert_eq!(reporting.ids_sent(), [id.as_str(); 3]);
    let stats = reporting.guard.stats();
    assert_eq!((stats.sent, stats.retried, stats.dropped.total()), (1, 1, 0));
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn what_happens_while_the_server_is_stopped_and_started_again_is_stored_once() {
    // Without a tap: connections are refused, and they break in the middle.
    let project = Project::create();
    let _turn = turn();
    let config = Config::new().storm(Storm::Off).dsn(&project.dsn).environment("test").backlog_rate(10_000);
    let guard = config.init().unwrap();
    let missing = ["price", "stock", "basket", "coupon", "address", "invoice"];
    let order = |n: usize| fail(format!("no {} for order {n}", missing[n % missing.len()]));
    let failing = || (0..40).map(order).collect::<Vec<_>>();
    let mut sent = failing();
    let away = Away::stop();
    sent.extend(failing());
    let started = Instant::now();
    while guard.stats().destinations[0].reachable {
        assert!(started.elapsed() < PATIENCE, "it is away: {:?}", guard.stats());
        std::thread::sleep(Duration::from_millis(1));
    }
    sent.extend(failing());
    drop(away);
    assert!(guard.flush(PATIENCE), "everything is delivered: {:?}", guard.stats());

    let issues = project.issues();
    let stored = issues.iter().flat_map(|issue| &issue.events);
    let mut stored: Vec<_> = stored.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect();
    stored.sort();
    sent.sort();
    assert_eq!(stored, sent);
    let stats = guard.stats();
    assert_eq!((stats.sent, stats.dropped.total()), (sent.len() as u64, 0));
    assert!(stats.retried > 0);
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn a_wrong_key_is_refused_and_what_waits_for_it_is_not_sent() {
    let reporting = Reporting::with(|config, dsn| {
        let (_, rest) = dsn.split_once('@').unwrap();
        config.dsn(format!("http://{}@{rest}", "0".repeat(32)))
    });
    fail("the first");
    reporting.wait_held();
    fail("the second");
    fail("the third");
    assert!(!reporting.guard.flush(A_MOMENT));
    let statuses: Vec<_> = reporting.tap.exchanges().iter().map(|exchange| exchange.status).collect();
    assert_eq!(statuses, [403]);
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.sent, stats.dropped.total()), (3, 0, 0), "all is kept");
    assert!(stats.last_error.is_some_and(|why| why.contains("403")));
    assert_eq!(reporting.project.issues().len(), 0);
    assert_eq!(reporting.guard.shutdown(Duration::ZERO).lost, 3);
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn a_project_over_its_quota_gets_nothing_for_the_minute_that_it_asks_for() {
    let quota = variable("FAULTWIRE_TEST_BUGSINK_QUOTA").parse().unwrap();
    let reporting = Reporting::start();
    for n in 1..quota {
        fail(format!("order {n} is lost"));
    }
    assert!(reporting.guard.flush(PATIENCE));
    fail("the last that fits");
    reporting.issues(quota);

    fail("one too many");
    reporting.wait_held();
    fail("another one");
    assert!(!reporting.guard.flush(A_MOMENT));
    let exchanges = reporting.tap.exchanges();
    let refused: Vec<_> = exchanges.iter().filter(|exchange| exchange.status != 200).collect();
    let [refused] = refused[..] else { panic!("{refused:#?}") };
    assert_eq!(refused.status, 429);
    assert!(refused.answer.contains("x-sentry-rate-limits: 60::key"), "{}", refused.answer);
    let stats = reporting.guard.stats();
    assert_eq!((stats.sent, stats.dropped.total()), (quota as u64, 0), "the others wait");
    assert_eq!(reporting.guard.shutdown(Duration::ZERO).lost, 2);
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn a_bad_event_is_answered_200_and_not_stored() {
    // Strict validation is on: this is what makes the other tests mean something. tests/run.sh looks for the
    // server's complaint about it, and for no other.
    let project = Project::create();
    let event = |level: &str| {
        let id = sentry::types::random_uuid().simple().to_string();
        json!({"event_id": id, "timestamp": 1_700_000_000, "level": level})
    };
    assert_eq!(project.post_raw(&event("provoked-by-a-test")), 200);
    assert_eq!(project.issues().len(), 0);
    assert_eq!(project.post_raw(&event("error")), 200);
    assert_eq!(project.issues().len(), 1);
}
