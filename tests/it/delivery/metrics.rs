//! What delivery hands to the application's recorder of metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use faultwire::report::AuthFailure;
use faultwire::{Config, Guard, Report};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use crate::delivery::{PATIENCE, eventually, fail};
use crate::fake::{Answer, FakeServer};
use crate::init::alone;
use crate::support::{Reporting, turn};

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
    fn last(&self, name: &str) -> Option<f64> {
        self.0.lock().unwrap().get(name).copied()
    }

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

/// Holds the thread that publishes now and then back in the first metric, until it is let go.
#[derive(Clone, Default)]
struct Slow {
    published: Remembering,
    state: Arc<(Mutex<Held>, Condvar)>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Held {
    #[default]
    NotYet,
    Here,
    LetGo,
}

impl Slow {
    fn change(&self, to: Held) {
        *self.state.0.lock().unwrap() = to;
        self.state.1.notify_all();
    }

    fn wait_for(&self, held: Held) {
        let state = self.state.0.lock().unwrap();
        let waited = self.state.1.wait_timeout_while(state, PATIENCE, |state| *state != held).unwrap();
        assert!(!waited.1.timed_out());
    }
}

impl Recorder for Slow {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let is_first = *self.state.0.lock().unwrap() == Held::NotYet;
        if is_first && thread::current().name() == Some("faultwire-watch") {
            self.change(Held::Here);
            self.wait_for(Held::LetGo);
        }
        self.published.register_counter(key, metadata)
    }
    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.published.register_gauge(key, metadata)
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn the_last_that_is_published_is_the_end_which_waits_for_no_recorder() {
    alone("delivery::metrics::the_last_that_is_published_is_the_end_which_waits_for_no_recorder", || {
        let slow = Slow::default();
        metrics::set_global_recorder(slow.clone()).unwrap();
        let reporting = Reporting::start();
        reporting.server.answer_next([Answer::Hang]);
        fail("never answered");
        reporting.server.wait_requests(1);
        // Whoever waits for delivery wakes the thread that publishes.
        assert!(!reporting.guard.flush(Duration::ZERO));
        slow.wait_for(Held::Here);
        reporting.guard.shutdown(Duration::ZERO);
        slow.change(Held::LetGo);
        let lost = || slow.published.last("faultwire_dropped_total reason=shutdown");
        eventually("the end is published", || lost() == Some(1.0));
    });
}

#[test]
fn a_recorder_that_ends_reporting_waits_for_nobody() {
    alone("delivery::metrics::a_recorder_that_ends_reporting_waits_for_nobody", || {
        static GUARD: Mutex<Option<Guard>> = Mutex::new(None);
        static ENDED: AtomicBool = AtomicBool::new(false);
        struct Ends;
        impl Recorder for Ends {
            fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
            fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
            fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
            fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
                let guard = GUARD.lock().unwrap().take();
                if let Some(guard) = guard {
                    guard.shutdown(Duration::ZERO);
                    ENDED.store(true, Ordering::Relaxed);
                }
                Counter::noop()
            }
            fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
                Gauge::noop()
            }
            fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
                Histogram::noop()
            }
        }
        metrics::set_global_recorder(Ends).unwrap();
        let (_turn, server) = (turn(), FakeServer::start());
        let mut guard = GUARD.lock().unwrap();
        let running = guard.insert(Config::new().dsn(server.dsn()).init().unwrap());
        assert!(running.flush(PATIENCE));
        drop(guard);
        eventually("it has ended", || ENDED.load(Ordering::Relaxed));
    });
}

#[test]
fn what_an_older_init_counted_is_not_published_over_the_newer_ones() {
    alone("delivery::metrics::what_an_older_init_counted_is_not_published_over_the_newer_ones", || {
        let published = Remembering::default();
        metrics::set_global_recorder(published.clone()).unwrap();
        let (_turn, server) = (turn(), FakeServer::start());
        let start = || Config::new().dsn(server.dsn()).init().unwrap();
        let older = start();
        fail("counted by the older one");
        let newer = start();
        for event in ["one", "another"] {
            fail(event);
        }
        let captured = || published.last("faultwire_captured_total");
        assert!(newer.flush(PATIENCE));
        eventually("it is published", || captured() == Some(2.0));
        older.shutdown(PATIENCE);
        assert_eq!(captured(), Some(2.0), "as the stats say: {:?}", faultwire::stats());
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
