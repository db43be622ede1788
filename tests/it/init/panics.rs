//! Panics outside of any request.

use std::panic;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use faultwire::Config;
use serde_json::{Value, json};

use crate::fake::FakeServer;
use crate::init::alone;
use crate::support::{Reporting, exception, frames, turn};

#[track_caller]
fn unhandled(event: &Value, message: &str) {
    assert_eq!(exception(event)["value"], message);
    assert_eq!(exception(event)["mechanism"], json!({"type": "panic", "handled": false}));
    assert_eq!(event["level"], "fatal");
    assert_eq!(event["tags"]["error.category"], "panic");
    assert_eq!(event["tags"]["error.origin"], "task");
    let innermost = frames(event).last().unwrap();
    assert_eq!(innermost["filename"], "tests/it/init/panics.rs");
    assert!(innermost["function"].as_str().unwrap().starts_with("it::init::panics::"), "{innermost}");
}

#[test]
fn a_panic_in_a_thread_and_in_a_task_is_one_event_each_and_the_older_hook_still_runs() {
    static OLDER: AtomicUsize = AtomicUsize::new(0);
    alone(
        "init::panics::a_panic_in_a_thread_and_in_a_task_is_one_event_each_and_the_older_hook_still_runs",
        || {
            panic::set_hook(Box::new(|_| {
                OLDER.fetch_add(1, Ordering::Relaxed);
            }));
            let reporting = Reporting::start();
            let counter = thread::Builder::new().name("stock counter".to_owned());
            let counted = counter.spawn(|| panic!("shelf {} is gone", 7)).unwrap().join();
            assert!(counted.is_err(), "it goes on unwinding");
            unhandled(&reporting.event(), "shelf 7 is gone");

            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            let mailed = runtime.block_on(runtime.spawn(async { panic!("no mail") }));
            assert!(mailed.unwrap_err().is_panic());
            let events = reporting.events(2);
            assert_eq!(events[0]["tags"]["thread.name"], "stock counter");
            unhandled(&events[1], "no mail");
            assert!(
                events[1]["tags"]["thread.name"].as_str().is_some_and(|name| name.contains("tokio")),
                "{}",
                events[1]
            );
            assert_eq!(OLDER.load(Ordering::Relaxed), 2);
            let _ = panic::take_hook();
        },
    );
}

#[test]
fn a_panic_without_a_text_is_an_event() {
    let reporting = Reporting::start();
    thread::spawn(|| panic::panic_any(42_u8)).join().unwrap_err();
    let event = reporting.event();
    assert_eq!(exception(&event)["type"], "panic");
    assert!(exception(&event)["value"].as_str().is_some_and(|value| !value.is_empty()));
}

#[test]
fn a_panic_while_a_hub_is_locked_neither_deadlocks_nor_aborts() {
    let reporting = Reporting::start();
    let (done, finished) = std::sync::mpsc::channel();
    let panicked = thread::spawn(move || {
        let result = panic::catch_unwind(|| {
            sentry::configure_scope(|_| -> () { panic!("inside configure_scope") });
        });
        done.send(result.is_err()).unwrap();
    });
    assert!(finished.recv_timeout(crate::delivery::PATIENCE).expect("a deadlock"));
    panicked.join().unwrap();
    assert_eq!(exception(&reporting.event())["value"], "inside configure_scope");
}

#[test]
fn a_panic_that_drops_the_guard_on_its_way_is_delivered() {
    let _turn = turn();
    let server = FakeServer::start();
    // Reading this program's symbols may take longer than the 2 s that there are else.
    let config = Config::new().dsn(server.dsn()).shutdown_timeout(crate::delivery::PATIENCE);
    let main = thread::spawn(|| {
        let _guard = config.init().unwrap();
        panic!("out of main");
    });
    main.join().unwrap_err();
    // Nobody flushed but the guard.
    assert_eq!(exception(&server.expect_only(1)[0])["value"], "out of main");
}

/// Builds and runs `examples/panic.rs`; the events that arrive before its process is gone.
fn of_the_example(profile: &[(&str, &str)]) -> Vec<Value> {
    let server = FakeServer::start();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panic");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--example", "panic", "--target-dir"]).arg(&target);
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).envs(profile.iter().copied()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let mut example = Command::new(target.join("debug/examples/panic"));
    let ended = example.env("SENTRY_DSN", server.dsn()).output().unwrap();
    assert!(!ended.status.success());
    server.events()
}

#[test]
#[ignore = "builds everything once more, with another panic strategy"]
fn a_program_that_aborts_delivers_its_panic_first() {
    // Without debug information it takes half the time.
    let profile = [("CARGO_PROFILE_DEV_PANIC", "abort"), ("CARGO_PROFILE_DEV_DEBUG", "false")];
    let events = of_the_example(&profile);
    assert_eq!(events.len(), 1);
    assert_eq!(exception(&events[0])["value"], "the shelf is empty");
    assert_eq!(events[0]["tags"]["error.origin"], "process");
    let innermost = frames(&events[0]).last().unwrap();
    assert_eq!(
        (&innermost["function"], &innermost["filename"]),
        (&json!("panic::main"), &json!("examples/panic.rs"))
    );
}
