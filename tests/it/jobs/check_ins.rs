//! Check-ins: how each run of a monitored job begins and ends, as Sentry's protocol has it.

use std::time::Duration;

use faultwire::job;
use faultwire::job::{Job, Schedule};
use serde_json::{Value, json};

use super::End::{Fails, Hangs, Panics, Succeeds};
use super::{A_MOMENT, AN_HOUR, InvoiceError, cancel, run};
use crate::support::Reporting;

/// The check-ins that arrived, in the order in which they did.
fn check_ins(reporting: &Reporting) -> Vec<Value> {
    assert!(reporting.guard.flush(Duration::from_secs(10)), "{:?}", reporting.guard.stats());
    let mut found = Vec::new();
    for request in reporting.server.requests() {
        let text = request.text();
        let mut lines = text.lines().skip(1);
        let header: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        if header["type"] == "check_in" {
            found.push(serde_json::from_str(lines.next().unwrap()).unwrap());
        }
    }
    found
}

fn monitored() -> Job {
    job("nightly").monitor("nightly", None)
}

fn states(check_ins: &[Value]) -> Vec<&str> {
    check_ins.iter().map(|check_in| check_in["status"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_run_checks_in_when_it_begins_and_says_how_it_ended() {
    let reporting = Reporting::start();
    assert!(run(monitored(), Succeeds).await.is_ok());
    drop(run(monitored(), Fails).await);
    drop(run(monitored(), Panics).await);
    drop(run(monitored().timeout(A_MOMENT), Hangs).await);
    cancel(monitored()).await;
    let check_ins = check_ins(&reporting);
    let errors = ["in_progress", "error"].repeat(4);
    assert_eq!(states(&check_ins), [vec!["in_progress", "ok"], errors].concat());
    for pair in check_ins.chunks(2) {
        let (begin, end) = (&pair[0], &pair[1]);
        assert_eq!(begin["check_in_id"], end["check_in_id"]);
        assert!(begin.get("duration").is_none() && end["duration"].is_f64(), "{pair:?}");
    }
    let ids: std::collections::BTreeSet<_> =
        check_ins.iter().map(|check_in| check_in["check_in_id"].as_str().unwrap()).collect();
    assert!(ids.len() == 5 && ids.iter().all(|id| id.len() == 32), "{ids:?}");
    assert!(check_ins[7]["duration"].as_f64().unwrap() >= 0.02, "the one that timed out");
    reporting.events(3);
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.sent, stats.dropped.total()), (13, 13, 0));
}

#[tokio::test]
async fn a_check_in_says_where_it_is_from_and_makes_the_monitor() {
    let reporting = Reporting::start();
    let schedule = Schedule::crontab("*/5 8-18 * * 1-5").unwrap();
    let schedule = schedule
        .time_zone("Europe/Berlin")
        .margin(Duration::from_secs(90))
        .max_runtime(AN_HOUR)
        .failure_threshold(2)
        .recovery_threshold(3);
    let failing = run(job("a").monitor("Send Invoice", schedule), Fails).await;
    assert!(run(job("b").monitor("b", Schedule::every(Duration::from_secs(20))), Succeeds).await.is_ok());
    drop(failing);
    let check_ins = check_ins(&reporting);
    let event = reporting.event();
    let of = |slug: &str| check_ins.iter().filter(|one| one["monitor_slug"] == slug).collect::<Vec<_>>();
    for check_in in of("send-invoice") {
        assert_eq!((&check_in["environment"], &check_in["release"]), (&json!("test"), &json!("shop@1.2.3")));
        let expected = json!({
            "schedule": {"type": "crontab", "value": "*/5 8-18 * * 1-5"},
            "checkin_margin": 2,
            "max_runtime": 60,
            "timezone": "Europe/Berlin",
            "failure_issue_threshold": 2,
            "recovery_threshold": 3,
        });
        assert_eq!(check_in["monitor_config"], expected);
        let trace = &check_in["contexts"]["trace"];
        assert_eq!(trace["trace_id"], event["contexts"]["trace"]["trace_id"], "the event is found by it");
    }
    let interval = json!({"schedule": {"type": "interval", "value": 1, "unit": "minute"}});
    assert_eq!(of("b").iter().map(|one| &one["monitor_config"]).collect::<Vec<_>>(), [&interval; 2]);
}

#[tokio::test]
async fn a_monitor_that_may_run_so_long_is_seen_to_overrun_here_too() {
    let reporting = Reporting::start();
    let schedule = Schedule::every(AN_HOUR).max_runtime(A_MOMENT);
    let until_seen = async {
        while faultwire::stats().jobs.overran == 0 {
            tokio::time::sleep(A_MOMENT / 20).await;
        }
        Ok::<_, InvoiceError>(())
    };
    assert!(job("nightly").monitor("nightly", schedule).run(until_seen).await.is_ok());
    assert_eq!(reporting.event()["tags"]["job.outcome"], "overran");
}

#[tokio::test]
async fn check_ins_pass_the_gate_and_are_neither_sampled_nor_stored() {
    let reporting = Reporting::with(|config| config.sample_rate(0.0).secret("correct-horse-battery"));
    let named = job("a").monitor("a", Schedule::every(AN_HOUR).time_zone("correct-horse-battery"));
    assert!(run(named, Succeeds).await.is_ok());
    let check_ins = check_ins(&reporting);
    assert_eq!(states(&check_ins), ["in_progress", "ok"]);
    assert_eq!(check_ins[0]["monitor_config"]["timezone"], "[Filtered]");
}
