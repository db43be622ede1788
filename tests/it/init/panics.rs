//! Panics outside of any request.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::init::alone;
use crate::support::{Reporting, exception, frames};

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
