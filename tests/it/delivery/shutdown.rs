//! The end of a process, and a server that never answers: the application goes on, and what is lost is counted.
#![expect(clippy::print_stdout, reason = "figures, shown with --nocapture")]
#![expect(clippy::arithmetic_side_effects, reason = "times and counts of a test are small")]

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get as on_get;
use faultwire::{Report, ReportLayer};
use tower::ServiceExt;

use crate::delivery::{PATIENCE, eventually, fail};
use crate::fake::Answer;
use crate::support::{Reporting, get, turn};

const TIMEOUT: Duration = Duration::from_millis(200);
/// What the crate adds to the timeout at most.
const SLACK: Duration = Duration::from_millis(200);

/// The shortest of a few ends: a machine with other things to do holds up one or another of them, and not all.
fn shortest(mut end: impl FnMut() -> Duration) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..5 {
        shortest = shortest.min(end());
        if shortest <= TIMEOUT + SLACK {
            break;
        }
    }
    shortest
}

fn hanging(answer: Answer) -> Reporting {
    let reporting = Reporting::with(|config| config.shutdown_timeout(TIMEOUT));
    reporting.server.answer(answer);
    reporting
}

/// The same with events on their way, and a connection.
fn hanging_with(answer: &Answer, events: u64) -> Reporting {
    let reporting = hanging(answer.clone());
    for n in 0..events {
        fail(format!("event {n}"));
    }
    reporting.server.wait_connections(1);
    reporting
}

#[test]
fn dropping_the_guard_takes_no_longer_than_it_may() {
    for answer in [Answer::Hang, Answer::HangBeforeRead, Answer::SlowLoris, Answer::HangMidBody] {
        for events in [1, 500] {
            let took = shortest(|| {
                let reporting = hanging_with(&answer, events);
                let started = Instant::now();
                drop(reporting.guard);
                let took = started.elapsed();
                println!("{answer:?}, {events} events, {TIMEOUT:?} allowed: dropped in {took:?}");
                assert!(took >= TIMEOUT, "{answer:?}, {events} events: the server got no time, {took:?}");
                took
            });
            assert!(took <= TIMEOUT + SLACK, "{answer:?}, {events} events: {took:?}");
        }
    }
}

#[test]
fn a_full_house_takes_no_longer_to_leave() {
    let took = shortest(|| {
        let reporting = hanging(Answer::Hang);
        for n in 0..10_000 {
            fail(format!("event {n}"));
        }
        let stats = reporting.guard.stats();
        let started = Instant::now();
        let summary = reporting.guard.shutdown(TIMEOUT);
        let took = started.elapsed();
        println!("10 000 events, {} of them queued, {TIMEOUT:?} allowed: ended in {took:?}", summary.lost);
        assert_eq!(summary.lost + stats.dropped.total(), 10_000, "{stats:?}");
        took
    });
    assert!(took <= TIMEOUT + SLACK, "{took:?}");
}

/// Something else that the one worker of a runtime does: how often it got to it until `end` was ready.
async fn beside<T>(end: impl Future<Output = T>) -> (T, u32) {
    let mut end = std::pin::pin!(end);
    let mut ticks = 0;
    loop {
        tokio::select! {
            biased;
            ended = &mut end => return (ended, ticks),
            () = tokio::time::sleep(TIMEOUT / 20) => ticks += 1,
        }
    }
}

#[test]
fn ending_asynchronously_blocks_no_worker_and_takes_no_longer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for answer in [Answer::Hang, Answer::HangBeforeRead, Answer::SlowLoris, Answer::HangMidBody] {
        for events in [1, 500] {
            let took = shortest(|| {
                let reporting = hanging_with(&answer, events);
                let started = Instant::now();
                let end = async { beside(reporting.guard.shutdown_async(TIMEOUT)).await };
                let (summary, ticks) = runtime.block_on(end);
                let took = started.elapsed();
                assert!(took >= TIMEOUT, "{answer:?}, {events} events: the server got no time, {took:?}");
                assert!(ticks > 0, "{answer:?}, {events} events: the worker was blocked");
                assert_eq!(summary.lost, events, "{answer:?}");
                took
            });
            assert!(took <= TIMEOUT + SLACK, "{answer:?}, {events} events: {took:?}");
        }
    }
}

#[tokio::test]
async fn ending_asynchronously_delivers_what_is_left() {
    let reporting = hanging(Answer::Ok);
    for n in 0..20 {
        fail(format!("event {n}"));
    }
    let summary = reporting.guard.shutdown_async(PATIENCE).await;
    assert_eq!((summary.sent, summary.lost), (20, 0));
    reporting.server.expect_only(20);
}

#[test]
fn ending_asynchronously_needs_no_runtime() {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);

    let reporting = hanging(Answer::Hang);
    fail("lost");
    reporting.server.wait_requests(1);
    let mut end = std::pin::pin!(reporting.guard.shutdown_async(TIMEOUT));
    let summary = loop {
        match end.as_mut().poll(&mut context) {
            std::task::Poll::Ready(summary) => break summary,
            std::task::Poll::Pending => std::thread::park_timeout(PATIENCE),
        }
    };
    assert_eq!((summary.sent, summary.lost), (0, 1));
}

#[test]
fn ending_asynchronously_goes_on_when_nobody_waits_for_it() {
    let reporting = hanging(Answer::Hang);
    fail("lost");
    reporting.server.wait_requests(1);
    drop(reporting.guard.shutdown_async(TIMEOUT));
    eventually("it is counted all the same", || faultwire::stats().dropped.shutdown == 1);
}

#[test]
fn nothing_left_to_deliver_takes_no_time_to_end() {
    let reporting = hanging(Answer::Ok);
    fail("delivered");
    reporting.event();
    let started = Instant::now();
    let summary = reporting.guard.shutdown(PATIENCE);
    assert!(started.elapsed() < PATIENCE / 10, "{:?}", started.elapsed());
    assert_eq!((summary.sent, summary.lost), (1, 0));
}

#[test]
fn what_is_lost_at_the_end_is_returned() {
    for events in [1, 500] {
        let reporting = hanging(Answer::Hang);
        for n in 0..events {
            fail(format!("event {n}"));
        }
        reporting.server.wait_connections(1);
        let summary = reporting.guard.shutdown(TIMEOUT);
        assert_eq!((summary.sent, summary.lost), (0, events), "{events} events");
    }
}

#[test]
fn what_is_lost_at_the_end_is_in_the_counters_that_outlive_the_guard() {
    let reporting = hanging(Answer::Hang);
    fail("lost");
    reporting.server.wait_requests(1);
    drop(reporting.guard);
    let stats = faultwire::stats();
    assert_eq!((stats.captured, stats.sent), (1, 0));
    assert_eq!((stats.dropped.shutdown, stats.dropped.total()), (1, 1));
}

/// Jobs go on with the reporter that they began with, whatever becomes of its guard.
#[test]
fn what_fails_while_reporting_ends_is_counted_once() {
    for round in 0..50 {
        let reporting = hanging(Answer::Ok);
        let (begun, ends) = (Barrier::new(3), AtomicBool::new(false));
        let fails = || {
            let failing = async {
                begun.wait();
                while !ends.load(Ordering::Relaxed) {
                    fail("the till is jammed");
                }
                Ok::<_, Report>(())
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(faultwire::job("sell").run(failing)).unwrap();
        };
        std::thread::scope(|scope| {
            scope.spawn(fails);
            scope.spawn(fails);
            begun.wait();
            reporting.guard.shutdown(Duration::ZERO);
            ends.store(true, Ordering::Relaxed);
        });
        let stats = faultwire::stats();
        assert_eq!(stats.captured, stats.sent + stats.dropped.total(), "round {round}: {stats:?}");
    }
}

#[test]
fn a_late_answer_does_not_count_an_event_twice() {
    let reporting = hanging(Answer::HangMidBody);
    fail("accepted by the server, but its answer never ends");
    reporting.server.wait_events(1);
    let summary = reporting.guard.shutdown(TIMEOUT);
    assert_eq!(summary.sent + summary.lost, 1);
}

#[tokio::test]
async fn a_panic_is_answered_at_once_whatever_the_server_does() {
    let till = async || -> () { panic!("the till is jammed") };
    let app: Router = Router::new().route("/panic", on_get(till)).layer(ReportLayer::new());
    // Where panics are printed with their stack, the first one takes a while: it reads the symbols of this program.
    // While no other test reports it.
    let nobody_else = turn();
    assert!(std::panic::catch_unwind(|| panic!("the first one")).is_err());
    drop(nobody_else);
    for answer in [Some(Answer::Hang), Some(Answer::HangBeforeRead), None] {
        let mut reporting = Reporting::with(|config| config.shutdown_timeout(Duration::ZERO));
        match &answer {
            Some(answer) => reporting.server.answer(answer.clone()),
            None => reporting.server.stop(),
        }
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            let started = Instant::now();
            let response = app.clone().oneshot(get("/panic")).await.unwrap();
            assert_eq!(response.status(), 500);
            slowest = slowest.max(started.elapsed());
        }
        println!("{answer:?}: ten panics, the slowest answered in {slowest:?}");
        assert!(slowest < PATIENCE / 6, "{answer:?}: {slowest:?}");
        assert_eq!(reporting.guard.stats().captured, 10);
        drop(reporting.guard);
    }
}

#[test]
fn a_flood_blocks_nobody_and_adds_up() {
    const FLOOD: u64 = 25_000;
    let reporting = hanging(Answer::Hang);
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    for n in 0..FLOOD {
        let sending = Instant::now();
        fail(format!("event {n}"));
        slowest = slowest.max(sending.elapsed());
    }
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    assert!(slowest < Duration::from_secs(2), "one call took {slowest:?}");
    let stats = reporting.guard.stats();
    assert_eq!((stats.captured, stats.sent), (FLOOD, 0));
    assert!(stats.dropped.queue_full > 0, "the queue is bounded");
    assert_eq!(stats.dropped.total(), stats.dropped.queue_full);
    let summary = reporting.guard.shutdown(TIMEOUT);
    assert_eq!(summary.lost, FLOOD - stats.dropped.queue_full, "{stats:?}");
}

#[test]
fn heavy_reports_are_bounded_by_what_they_weigh() {
    let reporting = hanging(Answer::Hang);
    let kibibytes = "x".repeat(15 * 1024);
    for _ in 0..300 {
        let report =
            (0..64).fold(Report::new("heavy"), |report, n| report.data(format!("part {n}"), &kibibytes));
        report.send();
    }
    // 300 of nearly a MiB each: 64 MiB fit into the queue, 16 into the outbox, and a few are under way.
    let dropped = reporting.guard.stats().dropped.queue_full;
    assert!(dropped > 150, "only {dropped} of 300 were turned away");
}
