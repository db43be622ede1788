//! What storms cost: envelopes, memory, nobody else's events.

#![expect(clippy::print_stderr, reason = "measured, for who asks with --nocapture")]

use std::time::{Duration, Instant};

use faultwire::Report;
use faultwire::config::StackTraces;

use super::{apart, limit, reporting, total};
use crate::delivery::PATIENCE;
use crate::fake::FakeServer;
use crate::init::alone;
use crate::support::{exception, turn};

/// The memory of this process that is resident, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap().saturating_mul(4096)
}

#[test]
fn a_million_equal_errors_are_a_few_envelopes_and_no_memory() {
    const THREADS: u64 = 4;
    const EACH: u64 = 250_000;
    alone("storm::load::a_million_equal_errors_are_a_few_envelopes_and_no_memory", || {
        let server = FakeServer::start();
        let guard = faultwire::Config::new().dsn(server.dsn()).storm(limit(30)).init().unwrap();
        let fail = |times| {
            for n in 0..times {
                Report::new(format!("order {n} is lost")).send();
            }
        };
        // What is allocated once: threads, the connections, the window and its fifty ids.
        fail(1_000);
        assert!(guard.flush(PATIENCE));
        let (before, started) = (resident(), Instant::now());
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| fail(EACH));
            }
        });
        let took = started.elapsed();
        let grown = resident().abs_diff(before);
        drop(guard);
        let events = server.events();
        eprintln!("{} envelopes, {grown} bytes more, {took:.1?}", events.len());
        assert!(events.len() <= 40);
        assert_eq!(total(&events), 1_000 + THREADS * EACH);
        assert!(grown <= 2 * 1024 * 1024, "{grown}");
        let stats = faultwire::stats();
        assert_eq!(stats.captured + stats.summaries, stats.sent + stats.suppressed);
        assert_eq!(stats.dropped.total(), 0);
    });
}

/// A word for each number, in which nothing is replaced.
fn word(number: u32) -> String {
    number.to_string().bytes().map(|digit| char::from(digit.wrapping_add(b'a' - b'0'))).collect()
}

#[test]
fn a_window_that_makes_room_for_others_says_what_it_counted() {
    let _turn = turn();
    let guard = faultwire::Config::new().storm(limit(2)).stack_traces(StackTraces::Off).init().unwrap();
    for n in 0..10 {
        Report::new(format!("order {n} is lost")).send();
    }
    // More than there is room for in any table.
    for n in 0..1_900 {
        Report::new(word(n)).send();
    }
    let began = Instant::now();
    // Nobody flushes.
    while guard.stats().summaries == 0 {
        assert!(began.elapsed() < PATIENCE, "{:?}", guard.stats());
        std::thread::sleep(Duration::from_millis(1));
    }
    // These are many for an unoptimised build beside a million others.
    assert!(guard.flush(6 * PATIENCE));
    let stats = guard.stats();
    assert_eq!((stats.suppressed, stats.summaries, stats.logged), (8, 1, 2 + 1_900 + 1));
}

#[test]
fn the_process_as_a_whole_has_a_limit_and_says_how_much_was_over_it() {
    const DISTINCT: u32 = 1_500;
    let reporting = reporting(1);
    for n in 0..DISTINCT {
        Report::new(word(n)).send();
    }
    Report::new("the ledger is damaged").critical().send();
    std::thread::spawn(|| panic!("the shelf is gone")).join().unwrap_err();
    let (whole, summaries) = apart(reporting.events(1_003));
    assert_eq!(whole.len(), 1_002, "what is urgent goes on");
    assert_eq!((summaries.len(), total(&summaries)), (1, 500));
    assert_eq!(exception(&summaries[0])["type"], "Storm");
    let text = exception(&summaries[0])["value"].as_str().unwrap();
    assert_eq!(text, "500 failures were counted and not sent: this process sends at most 1000 in 600s");
}

#[test]
fn counts_are_exact_with_many_kinds_and_four_threads() {
    const KINDS: usize = 40;
    let reporting = reporting(5);
    let kinds: Vec<String> = (0..KINDS).map(|n| "x".repeat(n + 1)).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    for kind in &kinds {
                        Report::new(kind.clone()).send();
                    }
                }
            });
        }
    });
    assert!(reporting.guard.flush(PATIENCE));
    let (whole, summaries) = apart(reporting.server.events());
    assert_eq!((whole.len(), summaries.len()), (5 * KINDS, KINDS));
    for kind in &kinds {
        let of_kind: Vec<_> =
            summaries.iter().filter(|event| exception(event)["value"] == kind.as_str()).collect();
        assert_eq!(total(&of_kind.into_iter().cloned().collect::<Vec<_>>()), 195, "{kind}");
    }
}
