//! What delivery hands to the application's recorder of metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use faultwire::Report;
use faultwire::report::AuthFailure;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use crate::delivery::{PATIENCE, eventually, fail};
use crate::fake::Answer;
use crate::init::alone;
use crate::support::Reporting;

/// Remembers what was published last, by name and labels.
#[derive(Clone, Default)]
struct Remembering(Arc<Mutex<BTreeMap<String, f64>>>);

struct Remembered(Remembering, String);

impl Remembered {
    fn set(&self, value: f64) {
        self.0.0.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl CounterFn for Remembered {
    fn increment(&self, _: u64) {
        panic!("counters are absolute");
    }
    fn absolute(&self, value: u64) {
        self.set(value as f64);
    }
}

impl GaugeFn for Remembered {
    fn increment(&self, _: f64) {
        panic!("gauges are set");
    }
    fn decrement(&self, _: f64) {
        panic!("gauges are set");
    }
    fn set(&self, value: f64) {
        Remembered::set(self, value);
    }
}

impl Remembering {
    fn at(&self, key: &Key) -> Arc<Remembered> {
        let labels = key.labels().map(|label| format!("{}={}", label.key(), label.value()));
        let name = [vec![key.name().to_owned()], labels.collect()].concat().join(" ");
        Arc::new(Remembered(self.clone(), name))
    }
}

impl Recorder for Remembering {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.at(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.at(key))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn metrics_say_what_the_stats_say() {
    alone("delivery::metrics::metrics_say_what_the_stats_say", || {
        let published = Remembering::default();
        metrics::set_global_recorder(published.clone()).unwrap();
        let reporting = Reporting::start();
        reporting.server.answer_next([Answer::Ok, Answer::Status(400), Answer::Status(503), Answer::Hang]);
        Report::auth(AuthFailure::Csrf).send();
        for n in 0..4 {
            fail(format!("event {n}"));
            if n < 2 {
                assert!(reporting.guard.flush(PATIENCE));
            }
        }
        reporting.server.wait_requests(4);
        eventually("the 503 was read", || !reporting.guard.stats().destinations[0].reachable);
        reporting.guard.shutdown(Duration::ZERO);
        let published = published.0.lock().unwrap();
        for (name, expected) in [
            ("faultwire_captured_total", 4.0),
            ("faultwire_sent_total destination=default", 1.0),
            ("faultwire_dropped_total reason=rejected", 1.0),
            ("faultwire_dropped_total reason=shutdown", 2.0),
            ("faultwire_dropped_total reason=shed", 0.0),
            ("faultwire_destination_dropped_total destination=default reason=shutdown", 2.0),
            ("faultwire_reachable destination=default", 0.0),
            ("faultwire_auth_failures_total kind=csrf", 1.0),
            ("faultwire_auth_failures_total kind=mfa", 0.0),
            ("faultwire_brute_force_signals_total", 0.0),
        ] {
            assert_eq!(published.get(name), Some(&expected), "{name} in {published:#?}");
        }
        for name in [
            "faultwire_retried_total destination=default",
            "faultwire_queued_events destination=default",
            "faultwire_queued_bytes destination=default",
            "faultwire_last_success_timestamp_seconds destination=default",
        ] {
            assert!(published.contains_key(name), "{name} in {published:#?}");
        }
        for name in published.keys().filter_map(|key| key.split(' ').next()) {
            assert!(include_str!("../../../README.md").contains(name), "{name} is not in the README");
        }
    });
}

/// The metric that is published last.
const LAST: &str = "faultwire_reachable";

/// Holds the thread that publishes now and then back in its first metric, until the end was published or for a while.
#[derive(Default)]
struct Slow {
    published: Remembering,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    held: bool,
    end_published: bool,
    held_published: bool,
}

fn is_now_and_then() -> bool {
    thread::current().name() == Some("faultwire-watch")
}

impl Recorder for Slow {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let (state, changed) = &*self.state;
        let mut state = state.lock().unwrap();
        if is_now_and_then() && !state.held {
            state.held = true;
            changed.notify_all();
            // The end waits for this thread, as it should: nothing can be awaited here but time.
            let held = |state: &mut State| !state.end_published;
            state = changed.wait_timeout_while(state, Duration::from_millis(300), held).unwrap().0;
        }
        drop(state);
        self.published.register_counter(key, metadata)
    }
    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let gauge = self.published.register_gauge(key, metadata);
        if key.name() == LAST {
            let (state, changed) = &*self.state;
            let mut state = state.lock().unwrap();
            let published =
                if is_now_and_then() { &mut state.held_published } else { &mut state.end_published };
            *published = true;
            changed.notify_all();
        }
        gauge
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn the_last_that_is_published_is_the_end() {
    alone("delivery::metrics::the_last_that_is_published_is_the_end", || {
        let slow = Slow::default();
        let (published, state) = (slow.published.clone(), Arc::clone(&slow.state));
        metrics::set_global_recorder(slow).unwrap();
        let reporting = Reporting::start();
        reporting.server.answer_next([Answer::Hang]);
        fail("never answered");
        reporting.server.wait_requests(1);
        // Whoever waits for delivery wakes the thread that publishes.
        assert!(!reporting.guard.flush(Duration::ZERO));
        let until = |condition: fn(&State) -> bool| {
            let (state, changed) = &*state;
            let waiting = |state: &mut State| !condition(state);
            let waited = changed.wait_timeout_while(state.lock().unwrap(), PATIENCE, waiting).unwrap();
            assert!(!waited.1.timed_out());
        };
        until(|state| state.held);
        reporting.guard.shutdown(Duration::ZERO);
        until(|state| state.held_published && state.end_published);
        let end = |name: &str| published.0.lock().unwrap().get(name).copied();
        assert_eq!(end("faultwire_dropped_total reason=shutdown"), Some(1.0));
    });
}

#[test]
fn a_recorder_that_panics_harms_nobody() {
    struct Panics;
    impl Recorder for Panics {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            panic!("a bug in a recorder")
        }
        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            panic!("a bug in a recorder")
        }
        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            panic!("a bug in a recorder")
        }
    }
    alone("delivery::metrics::a_recorder_that_panics_harms_nobody", || {
        metrics::set_global_recorder(Panics).unwrap();
        let reporting = Reporting::start();
        fail("delivered");
        reporting.event();
        let summary = reporting.guard.shutdown(PATIENCE);
        assert_eq!((summary.sent, summary.lost), (1, 0));
    });
}
