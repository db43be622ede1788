//! Jobs as issues of a real server: one for what dies, whatever was tried before, and none for what succeeds.

use std::collections::BTreeMap;

use faultwire::{Report, job};

use super::{PATIENCE, Reporting};

#[derive(Debug, thiserror::Error)]
#[error("invoice {0} cannot be sent")]
struct InvoiceError(u32);

/// Runs attempts until one ends well or there are no more.
fn attempts(name: &'static str, id: u32, max: u32, run: impl Fn(u32) -> Result<(), InvoiceError>) {
    for attempt in 1..=max {
        if job(name).id(id).attempt(attempt).of(max).run_blocking(|| run(attempt)).is_ok() {
            return;
        }
    }
}

#[test]
#[ignore = "needs Bugsink: run tests/run.sh"]
fn every_end_of_a_job_is_stored_as_the_policy_says() {
    let reporting = Reporting::start();
    for id in 0..10 {
        attempts("dies", id, 3, |_| Err(InvoiceError(id)));
        attempts("recovers", id, 5, |attempt| if attempt > 3 { Ok(()) } else { Err(InvoiceError(id)) });
    }
    attempts("panics", 1, 2, |_| panic!("the printer is on fire"));
    let overran = job("overruns").overruns_after(std::time::Duration::ZERO);
    let until_seen = || {
        while faultwire::stats().jobs.overran == 0 {
            std::thread::yield_now();
        }
        Ok::<_, Report>(())
    };
    assert!(overran.monitor("overruns", None).run_blocking(until_seen).is_ok());
    drop(job("cancelled").run(std::future::pending::<Result<(), Report>>()));

    assert!(reporting.guard.flush(PATIENCE), "{:?}", reporting.guard.stats());
    let issues = reporting.issues(12);
    let stored: BTreeMap<_, _> =
        issues.iter().map(|issue| (issue.transaction.as_str(), issue.events.len())).collect();
    assert_eq!(stored, BTreeMap::from([("dies", 10), ("panics", 1), ("overruns", 1)]));
    for event in issues.iter().filter(|issue| issue.transaction == "dies").flat_map(|issue| &issue.events) {
        assert_eq!((&event["level"], &event["tags"]["job.attempt"]), (&"fatal".into(), &"3 of 3".into()));
        assert_eq!(event["breadcrumbs"]["values"].as_array().map(Vec::len), Some(2));
    }
}
