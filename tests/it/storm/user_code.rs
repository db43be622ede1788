//! The application's code that storm control runs: it may fail, report, or take its time.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use faultwire::Report;

use super::{apart, reporting, total};
use crate::support::exception;

/// An error that does something when it is printed.
struct Acts(fn());

impl fmt::Display for Acts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("acts")?;
        self.0();
        Ok(())
    }
}

impl fmt::Debug for Acts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acts")
    }
}

impl std::error::Error for Acts {}

#[test]
fn a_display_that_panics_hurts_nobody_and_is_no_event_of_its_own() {
    let reporting = reporting(2);
    for _ in 0..10 {
        Report::new(Acts(|| panic!("printed"))).send();
    }
    let (whole, summaries) = apart(reporting.events(3));
    assert_eq!((whole.len(), total(&summaries)), (2, 8));
    for event in whole.iter().chain(&summaries) {
        assert_eq!(exception(event)["type"], "Acts");
    }
}

#[test]
fn a_display_that_reports_comes_to_an_end() {
    fn report() {
        Report::new(Acts(report)).send();
    }
    let reporting = reporting(1_000);
    report();
    assert!(reporting.guard.stats().captured < 10, "{:?}", reporting.guard.stats());
    // Our own thread prints it too, and what it reports there goes on until a kind's limit.
}

#[test]
fn a_log_that_reports_and_panics_comes_to_an_end() {
    crate::init::alone("storm::user_code::a_log_that_reports_and_panics_comes_to_an_end", || {
        struct Reports;
        impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Reports {
            fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
                Report::new("from the log").send();
                panic!("in the log");
            }
        }
        use tracing_subscriber::prelude::*;
        let reporting = reporting(1);
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Reports)).unwrap();
        super::fail(100);
        assert_eq!(total(&apart(reporting.events(4)).1), 99 + 98);
    });
}

#[test]
fn what_an_error_holds_is_free_as_soon_as_it_is_counted() {
    #[derive(Debug)]
    struct Holds(#[expect(dead_code, reason = "held")] Arc<()>, Arc<Mutex<AtomicUsize>>);
    impl fmt::Display for Holds {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.1.lock().unwrap().fetch_add(1, Ordering::Relaxed);
            f.write_str("holds a connection")
        }
    }
    impl std::error::Error for Holds {}
    let reporting = reporting(1);
    let (connection, printed) = (Arc::new(()), Arc::default());
    for _ in 0..10 {
        Report::new(Holds(Arc::clone(&connection), Arc::clone(&printed))).send();
    }
    reporting.events(2);
    assert_eq!(Arc::strong_count(&connection), 1);
}

#[test]
fn a_destructor_that_panics_is_caught() {
    #[derive(Debug)]
    struct Breaks;
    impl fmt::Display for Breaks {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("breaks")
        }
    }
    impl Drop for Breaks {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    impl std::error::Error for Breaks {}
    let reporting = reporting(1);
    for _ in 0..10 {
        Report::new(Breaks).send();
    }
    assert!(reporting.guard.flush(crate::delivery::PATIENCE));
    assert_eq!(reporting.guard.stats().suppressed, 9);
}
