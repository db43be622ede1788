//! Every end that a run can have, under every policy: exactly the events that it says.

use faultwire::job::Policy;
use faultwire::report::AuthFailure;
use faultwire::{JobStats, Report, job};
use serde_json::Value;

use super::End::{Fails, Hangs, Panics, Succeeds};
use super::{A_MOMENT, AN_HOUR, End, InvoiceError, cancel, crumbs, level, run, tag};
use crate::support::{Reporting, exception};

const POLICIES: [Policy; 3] = [Policy::FinalOnly, Policy::FromAttempt(2), Policy::Every];

/// Attempt, outcome and level of each event, and how many earlier attempts it shows.
fn seen(events: &[Value]) -> Vec<(String, String, String, usize)> {
    let shown = |event: &Value| {
        let text = |value: &str| value.to_owned();
        let level = level(event);
        (text(tag(event, "job.attempt")), text(tag(event, "job.outcome")), text(level), crumbs(event).len())
    };
    events.iter().map(shown).collect()
}

/// The events of a job that takes these attempts, under each policy.
async fn check(ends: &[End], max: Option<u32>, expected: [&[(&str, &str, &str, usize)]; 3]) -> JobStats {
    let reporting = Reporting::start();
    let mut jobs = JobStats::default();
    for (policy, expected) in POLICIES.into_iter().zip(expected) {
        let before = reporting.server.events().len();
        for (attempt, end) in (1..).zip(ends) {
            let job = job("send_invoice").id(format!("{policy:?}")).policy(policy).attempt(attempt);
            let job = match max {
                Some(max) => job.of(max),
                None => job,
            };
            match end {
                Hangs => cancel(job).await,
                end => assert_eq!(run(job, *end).await.is_ok(), *end == Succeeds),
            }
        }
        let events = reporting.events(before.saturating_add(expected.len()));
        let expected: Vec<_> = expected
            .iter()
            .map(|(attempt, outcome, level, crumbs)| {
                (attempt.to_string(), outcome.to_string(), level.to_string(), *crumbs)
            })
            .collect();
        assert_eq!(seen(&events[before..]), expected, "{ends:?} of {max:?} under {policy:?}");
        jobs = reporting.guard.stats().jobs;
    }
    assert_eq!(reporting.guard.stats().discarded, 0, "what run returns is dealt with");
    jobs
}

#[tokio::test]
async fn a_job_that_succeeds_is_no_event() {
    let jobs = check(&[Succeeds], Some(3), [&[], &[], &[]]).await;
    assert_eq!((jobs.succeeded, jobs.failed), (3, 0));
}

#[tokio::test]
async fn a_job_that_fails_three_times_and_succeeds_is_what_the_policy_says() {
    let ends = [Fails, Fails, Fails, Succeeds];
    let from_second = [("2 of 5", "failed", "error", 1), ("3 of 5", "failed", "error", 0)];
    let every = [
        ("1 of 5", "failed", "error", 0),
        ("2 of 5", "failed", "error", 0),
        ("3 of 5", "failed", "error", 0),
    ];
    let jobs = check(&ends, Some(5), [&[], &from_second, &every]).await;
    assert_eq!((jobs.succeeded, jobs.failed, jobs.held_back, jobs.dead, jobs.forgotten), (3, 9, 4, 0, 0));
}

#[tokio::test]
async fn a_dead_letter_is_critical_and_shows_the_attempts_before_it() {
    let dead = ("3 of 3", "failed", "fatal", 2);
    let from_second = [("2 of 3", "failed", "error", 1), ("3 of 3", "failed", "fatal", 0)];
    let every = [
        ("1 of 3", "failed", "error", 0),
        ("2 of 3", "failed", "error", 0),
        ("3 of 3", "failed", "fatal", 0),
    ];
    let jobs = check(&[Fails, Fails, Fails], Some(3), [&[dead], &from_second, &every]).await;
    assert_eq!((jobs.failed, jobs.held_back, jobs.dead), (9, 3, 3));
}

#[tokio::test]
async fn without_a_maximum_every_failure_may_be_the_last() {
    let both = [("1", "failed", "error", 0), ("2", "failed", "error", 0)];
    let second = [("2", "failed", "error", 1)];
    check(&[Fails, Fails, Succeeds], None, [&both, &second, &both]).await;
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt() {
    let died = [("2 of 2", "panicked", "fatal", 1)];
    let second = [("2 of 2", "panicked", "fatal", 1)];
    let both = [("1 of 2", "panicked", "fatal", 0), ("2 of 2", "panicked", "fatal", 0)];
    let jobs = check(&[Panics, Panics], Some(2), [&died, &second, &both]).await;
    assert_eq!((jobs.failed, jobs.dead), (6, 3));
}

#[tokio::test]
async fn a_cancelled_run_is_counted_and_no_event() {
    let jobs = check(&[Hangs], Some(1), [&[], &[], &[]]).await;
    assert_eq!((jobs.cancelled, jobs.failed, jobs.dead), (3, 0, 0));
}

#[tokio::test]
async fn a_cancelled_run_is_an_event_if_somebody_asks() {
    let reporting = Reporting::start();
    cancel(job("send_invoice").report_cancelled()).await;
    let event = reporting.event();
    assert_eq!((level(&event), tag(&event, "job.outcome")), ("warning", "cancelled"));
    assert_eq!(exception(&event)["type"], "JobCancelled");
    assert_eq!(reporting.guard.stats().jobs.cancelled, 1);
    // A future that never ran was not cancelled.
    drop(super::future(job("send_invoice").report_cancelled(), Succeeds));
    reporting.events(1);
    assert_eq!(reporting.guard.stats().jobs.cancelled, 1);
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_ended_and_failed() {
    let reporting = Reporting::start();
    let limited = |attempt| job("send_invoice").id(1).attempt(attempt).of(2).timeout(A_MOMENT);
    for attempt in 1..=2 {
        let report = run(limited(attempt), Hangs).await.unwrap_err();
        let timed_out = report.error().and_then(|error| error.downcast_ref::<job::TimedOut>());
        assert_eq!(timed_out.map(|timed_out| timed_out.limit()), Some(A_MOMENT));
    }
    assert!(run(limited(1).timeout(AN_HOUR), Succeeds).await.is_ok());
    let event = reporting.event();
    assert_eq!((tag(&event, "job.outcome"), level(&event)), ("timed_out", "fatal"));
    assert_eq!(exception(&event)["type"], "TimedOut");
    assert_eq!(crumbs(&event), ["attempt 1 of 2 failed: TimedOut: the job did not end within 20ms"]);
    assert_eq!(event["contexts"]["job"]["timeout_seconds"], 0.02);
    let jobs = reporting.guard.stats().jobs;
    assert_eq!((jobs.timed_out, jobs.cancelled, jobs.succeeded), (2, 0, 1));
}

#[tokio::test]
async fn a_run_that_overruns_is_a_warning_while_it_runs_and_then_what_it_ends_as() {
    let reporting = Reporting::start();
    let until_seen = async {
        while faultwire::stats().jobs.overran == 0 {
            tokio::time::sleep(A_MOMENT / 20).await;
        }
        Ok::<_, InvoiceError>(())
    };
    assert!(job("send_invoice").overruns_after(A_MOMENT).run(until_seen).await.is_ok());
    assert!(run(job("send_invoice").overruns_after(AN_HOUR), Succeeds).await.is_ok());
    let event = reporting.event();
    assert_eq!((tag(&event, "job.outcome"), level(&event)), ("overran", "warning"));
    assert_eq!(exception(&event)["value"], "the job is still running after 20ms");
    let jobs = reporting.guard.stats().jobs;
    assert_eq!((jobs.overran, jobs.succeeded), (1, 2));
}

#[test]
fn a_job_that_blocks_its_thread_is_seen_to_overrun() {
    let reporting = Reporting::start();
    let (told, tells) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let running = scope.spawn(move || {
            job("send_invoice").overruns_after(A_MOMENT).run_blocking(|| {
                tells.recv().unwrap();
                Ok::<_, InvoiceError>(())
            })
        });
        let event = reporting.server.wait_events(1).remove(0);
        assert_eq!(tag(&event, "job.outcome"), "overran");
        told.send(()).unwrap();
        assert!(running.join().unwrap().is_ok());
    });
    reporting.events(1);
}

#[test]
fn blocking_jobs_fail_and_panic_as_others_do() {
    let reporting = Reporting::start();
    let failed = job("import").run_blocking(|| Err::<(), _>(InvoiceError(7)));
    assert_eq!(failed.unwrap_err().to_string(), "invoice 7 cannot be sent");
    let panicked = job("import").run_blocking(|| -> Result<(), Report> { panic!("no paper") });
    assert_eq!(panicked.unwrap_err().to_string(), "no paper");
    let events = reporting.events(2);
    assert_eq!(["failed", "panicked"], [0, 1].map(|n| tag(&events[n], "job.outcome")));
    assert!(exception(&events[0])["stacktrace"]["frames"].to_string().contains("ends.rs"));
    assert_eq!(reporting.guard.stats().discarded, 0);
}

#[tokio::test]
async fn what_a_report_asks_for_wins_over_the_policy() {
    let reporting = Reporting::start();
    let first = |id: u32| job("send_invoice").id(id).attempt(1).of(3);
    let fails = async |report: Report| Err::<(), _>(report);
    let critical = first(1).run(fails(Report::new("the ledger differs").critical())).await;
    let always = first(2).run(fails(Report::new("the ledger is slow").always())).await;
    let held_back = first(3).run(fails(Report::new("the ledger is busy"))).await;
    let events = reporting.events(2);
    for (event, report) in events.iter().zip([&critical, &always]) {
        let id = report.as_ref().unwrap_err().id().to_string();
        assert_eq!(event["event_id"], id, "the caller knows the event");
    }
    assert_eq!((level(&events[0]), level(&events[1])), ("fatal", "error"));
    drop((critical, always, held_back));
    assert_eq!(reporting.guard.stats().discarded, 0);
}

#[tokio::test]
async fn a_failed_login_in_a_job_is_counted_until_the_job_is_dead() {
    let reporting = Reporting::start();
    for attempt in 1..=2 {
        let login = async { Err::<(), _>(Report::auth(AuthFailure::BadCredentials)) };
        drop(job("fetch_mail").attempt(attempt).of(2).policy(Policy::Every).run(login).await);
    }
    let event = reporting.event();
    assert_eq!((tag(&event, "error.category"), tag(&event, "job.attempt")), ("auth", "2 of 2"));
    assert_eq!(reporting.guard.stats().auth.bad_credentials, 2);
}

#[tokio::test]
async fn without_reporting_a_job_does_the_same_and_nothing_is_recorded() {
    let _turn = crate::support::turn();
    assert!(run(job("send_invoice"), Succeeds).await.is_ok());
    let failed = run(job("send_invoice"), Fails).await.unwrap_err();
    assert_eq!(failed.to_string(), "invoice 7 cannot be sent");
    let panicked = run(job("send_invoice"), Panics).await.unwrap_err();
    assert_eq!(panicked.to_string(), "the printer is on fire");
    assert!(run(job("send_invoice").timeout(A_MOMENT), Hangs).await.is_err());
}
