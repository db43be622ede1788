//! Stacks: where they begin and end, whose frames are whose, who brings one, and that nobody waits for them.
#![expect(clippy::print_stderr, reason = "measured, for who asks with --nocapture")]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get as on_get;
use faultwire::config::{StackTraces, Storm};
use faultwire::{Report, ReportLayer};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::fake::FakeServer;
use crate::init::alone;
use crate::support::{Reporting, event_id, exception, frames, get};

fn reporting(which: StackTraces) -> Reporting {
    Reporting::with(|config| config.stack_traces(which))
}

fn functions(event: &Value) -> Vec<&str> {
    frames(event).iter().map(|frame| frame["function"].as_str().unwrap_or_default()).collect()
}

/// Whether an event has more than the one frame that every report has.
fn has_stack(event: &Value) -> bool {
    frames(event).len() > 1
}

#[inline(never)]
fn open_till(number: u32) -> Result<u32, Report> {
    let parsed: u32 = format!("till {number}").parse()?;
    Ok(std::hint::black_box(parsed))
}

#[inline(never)]
fn open_shop(number: u32) -> Result<u32, Report> {
    std::hint::black_box(open_till(number)).map(|till| till.wrapping_add(1))
}

#[test]
fn a_report_has_the_stack_of_its_question_mark() {
    let reporting = reporting(StackTraces::Always);
    open_shop(7).unwrap_err().send();
    let event = reporting.event();
    let [.., shop, till] = frames(&event) else { panic!("{event}") };
    assert_eq!(
        (&till["function"], &shop["function"]),
        (&json!("it::stacks::open_till"), &json!("it::stacks::open_shop"))
    );
    assert_eq!(till["filename"], "tests/it/stacks.rs");
    assert_eq!(till["abs_path"], concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/stacks.rs"));
    assert_eq!((&till["in_app"], &shop["in_app"]), (&json!(true), &json!(true)));
    assert!(till["lineno"].as_u64() < shop["lineno"].as_u64());
    for (frame, function) in frames(&event).iter().zip(functions(&event)) {
        assert_eq!(frame["in_app"] == true, function.starts_with("it::"), "{frame}");
        for machinery in ["faultwire::", "backtrace::trace", "std::rt", "std::thread"] {
            assert!(!function.contains(machinery), "{function}");
        }
    }
    let values = event["exception"]["values"].as_array().unwrap();
    assert!(values.len() == 1 && event.get("threads").is_none(), "it belongs to the exception");
}

#[tokio::test]
async fn in_a_request_only_the_application_is_in_app() {
    let reporting = reporting(StackTraces::Always);
    let app: Router =
        Router::new().route("/", on_get(async || open_shop(7).map(|_| ()))).layer(ReportLayer::new());
    let id = event_id(&app.oneshot(get("/")).await.unwrap());
    let event = reporting.event();
    assert_eq!(event["event_id"].as_str(), Some(&*id));
    let seen = functions(&event);
    assert!(seen.iter().any(|function| function.contains("axum::")), "{seen:?}");
    assert!(seen.iter().any(|function| function.contains("faultwire::layer")), "{seen:?}");
    for (frame, function) in frames(&event).iter().zip(&seen) {
        assert_eq!(frame["in_app"] == true, function.starts_with("it::"), "{frame}");
    }
    assert_eq!(seen.last(), Some(&"it::stacks::open_till"));
}

#[test]
fn by_default_the_first_of_a_kind_at_its_place_brings_one() {
    let reporting = reporting(StackTraces::First);
    for n in 0..3 {
        open_shop(n).unwrap_err().send();
    }
    for text in ["till 1 jammed", "till 2 jammed", "the shop is closed"] {
        Report::new(text).send();
    }
    Report::new("till 3 jammed").send();
    let brought: Vec<_> = reporting.events(7).iter().map(has_stack).collect();
    assert_eq!(brought, [true, false, false, true, false, true, true]);
}

#[test]
fn a_new_init_begins_anew() {
    for _ in 0..2 {
        let reporting = reporting(StackTraces::First);
        open_shop(1).unwrap_err().send();
        assert!(has_stack(&reporting.event()));
    }
}

#[test]
fn a_new_window_begins_anew() {
    let window = Duration::from_millis(100);
    let storm = Storm::Limit { failures: 1_000_000, window };
    let reporting = Reporting::with(|config| config.stack_traces(StackTraces::First).storm(storm));
    let began = Instant::now();
    let mut brought = Vec::new();
    while brought.iter().filter(|brought| **brought).count() < 3 {
        assert!(began.elapsed() < Duration::from_secs(10), "{brought:?}");
        open_shop(7).unwrap_err().send();
        brought = reporting.events(brought.len() + 1).iter().map(has_stack).collect();
    }
    assert!(began.elapsed() >= 2 * window, "one in each: {brought:?}");
}

#[test]
fn messages_that_vary_without_end_bring_eight_from_one_place() {
    let reporting = reporting(StackTraces::First);
    for letter in 'a'..='z' {
        Report::new(format!("no user {letter}")).send();
    }
    let brought = reporting.events(26).iter().filter(|event| has_stack(event)).count();
    assert_eq!(brought, 8);
}

#[test]
fn off_is_off_for_reports_and_panics_bring_one_all_the_same() {
    let reporting = reporting(StackTraces::Off);
    open_shop(7).unwrap_err().send();
    assert!(!has_stack(&reporting.event()));
    std::thread::spawn(|| open_shop(7).map_err(|_| panic!("no shop"))).join().unwrap_err();
    let event = reporting.events(2).remove(1);
    let functions = functions(&event);
    assert!(
        functions.last().unwrap().starts_with("it::stacks::off_is_off"),
        "no panicking, no hook: {functions:?}"
    );
    assert!(!functions.iter().any(|function| function.contains("std::thread")), "no start: {functions:?}");
    assert_eq!(frames(&event).last().unwrap()["filename"], "tests/it/stacks.rs");
}

#[test]
fn the_stack_makes_no_other_issue() {
    let reporting = reporting(StackTraces::First);
    open_shop(1).unwrap_err().send();
    std::hint::black_box(open_till(2)).unwrap_err().send();
    let events = reporting.events(2);
    assert!(has_stack(&events[0]) && !has_stack(&events[1]));
    assert_eq!(events[0]["fingerprint"], events[1]["fingerprint"]);
}

#[test]
fn a_deep_stack_keeps_what_failed() {
    #[inline(never)]
    fn down(steps: u32) -> Result<u32, Report> {
        if steps == 0 {
            open_till(0)
        } else {
            std::hint::black_box(down(steps - 1)).map(|n| n.wrapping_add(1))
        }
    }
    let reporting = reporting(StackTraces::Always);
    down(1_000).unwrap_err().send();
    let event = reporting.event();
    assert!((100..=250).contains(&frames(&event).len()));
    assert_eq!(functions(&event).last(), Some(&"it::stacks::open_till"));
}

#[test]
fn the_sdks_options_say_what_is_in_app() {
    let reporting = Reporting::with(|config| {
        config.stack_traces(StackTraces::Always).client_options(|mut options| {
            options.in_app_exclude = vec!["it::stacks::open_till"];
            options.in_app_include = vec!["test::"];
            options
        })
    });
    open_shop(7).unwrap_err().send();
    let event = reporting.event();
    let in_app = |name: &str| {
        let found = frames(&event).iter().find(|frame| frame["function"].as_str().unwrap().starts_with(name));
        found.unwrap()["in_app"].as_bool()
    };
    assert_eq!((in_app("it::stacks::open_till"), in_app("it::stacks::open_shop")), (Some(false), Some(true)));
    assert_eq!(in_app("test::"), Some(true));
}

/// How often this program's file is mapped: once for each of its segments, and once more to be read.
fn mappings() -> usize {
    let own = std::env::current_exe().unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.ends_with(own.to_str().unwrap())).count()
}

#[test]
fn init_reads_no_symbols() {
    alone("stacks::init_reads_no_symbols", || {
        let before = mappings();
        let began = Instant::now();
        let reporting = reporting(StackTraces::Always);
        let took = began.elapsed();
        assert_eq!(mappings(), before);
        open_shop(7).unwrap_err().send();
        reporting.event();
        assert_eq!(mappings(), before + 1);
        eprintln!("init took {took:.1?}, the fake server's start included");
    });
}

/// How often this thread has waited for something: a lock, not the processor.
fn waits() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

/// `backtrace::resolve` would hold captures up for as long as it reads debug information. Our thread takes no
/// lock that a capture takes.
#[test]
fn nobody_waits_while_symbols_are_read_for_the_first_time() {
    alone("stacks::nobody_waits_while_symbols_are_read_for_the_first_time", || {
        let reporting = reporting(StackTraces::Always);
        let read = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let capturing = scope.spawn(|| {
                let (mut captured, mut slowest, mut longest_wait) = (0, Duration::ZERO, Duration::ZERO);
                while !read.load(Ordering::Relaxed) {
                    let (began, waited) = (Instant::now(), waits());
                    let report = open_shop(7).unwrap_err();
                    let took = began.elapsed();
                    captured += 1;
                    slowest = slowest.max(took);
                    if waits() > waited {
                        longest_wait = longest_wait.max(took);
                    }
                    drop(report);
                }
                (captured, slowest, longest_wait)
            });
            let began = Instant::now();
            open_shop(7).unwrap_err().send();
            reporting.event();
            read.store(true, Ordering::Relaxed);
            let reading = began.elapsed();
            let (captured, slowest, longest_wait) = capturing.join().unwrap();
            eprintln!(
                "read in {reading:.1?}; of {captured} captures meanwhile the slowest took {slowest:.1?}, and the \
                 slowest that waited {longest_wait:.1?}"
            );
            assert!(captured > 0);
            // The system makes a thread wait that maps memory while another does.
            assert!(longest_wait < reading / 4 || longest_wait < Duration::from_millis(5));
        });
    });
}

/// Runs `stacks::of_a_stripped_program` in a copy of this program without debug information, or without any
/// symbols; the event that it sends.
fn stripped(option: &str) -> Option<Value> {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stripped{option}"));
    let strip =
        Command::new("strip").arg(option).arg("-o").arg(&copy).arg(std::env::current_exe().unwrap()).status();
    if !strip.is_ok_and(|status| status.success()) {
        eprintln!("strip is not installed: nothing is tested");
        return None;
    }
    let server = FakeServer::start();
    let mut program = Command::new(&copy);
    program
        .args(["stacks::of_a_stripped_program", "--exact", "--include-ignored"])
        .env("STRIPPED_DSN", server.dsn());
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    std::fs::remove_file(copy).unwrap();
    Some(server.expect_only(1).remove(0))
}

#[test]
#[ignore = "run by the tests below"]
fn of_a_stripped_program() {
    let Ok(dsn) = std::env::var("STRIPPED_DSN") else { return };
    let config = faultwire::Config::new().dsn(dsn).stack_traces(StackTraces::Always);
    let guard = config.init().unwrap();
    open_shop(7).unwrap_err().send();
    assert_eq!(guard.shutdown(Duration::from_secs(10)).sent, 1);
}

#[test]
fn without_debug_information_functions_have_names_and_the_place_its_line() {
    let Some(event) = stripped("--strip-debug") else { return };
    let [.., shop, till] = frames(&event) else { panic!("{event}") };
    assert_eq!(
        (&till["function"], &shop["function"]),
        (&json!("it::stacks::open_till"), &json!("it::stacks::open_shop"))
    );
    assert_eq!((&till["filename"], &till["in_app"]), (&json!("tests/it/stacks.rs"), &json!(true)));
    assert!(till["lineno"].is_u64() && till["colno"].is_u64() && shop["lineno"].is_null(), "{till} {shop}");
}

#[test]
fn without_symbols_the_place_is_left_and_addresses_that_a_copy_with_symbols_explains() {
    let Some(event) = stripped("--strip-all") else { return };
    let [.., outer, place] = frames(&event) else { panic!("{event}") };
    assert_eq!((&place["filename"], &place["in_app"]), (&json!("tests/it/stacks.rs"), &json!(true)));
    assert!(place["lineno"].is_u64());
    assert!(outer["function"].as_str().unwrap().starts_with("stripped--strip-all+0x"), "{outer}");
    assert_eq!(exception(&event)["type"], "ParseIntError");
}
