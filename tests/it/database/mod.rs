//! Failures of real databases, provoked: each is recognised, and no row's value leaves.
//!
//! `tests/run.sh` starts the servers; SQLite needs none. Every value in a row, a parameter or a literal is `VALUE` or
//! `NUMBER`, and the bytes that arrive at the fake server are searched for both.

mod links;
mod logged;
mod mariadb;
mod panics;
mod plain;
mod postgres;
mod redis;
mod sqlite;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use faultwire::Report;
use faultwire::report::{DatabaseClass, DatabaseFailure};
use serde_json::json;

use crate::support::{Reporting, exception};

/// A name, so that nothing but its place makes it a secret.
const VALUE: &str = "WislawaSzymborska";
const NUMBER: i64 = 90_210_771;

/// Longer than anything takes that goes well.
const PATIENCE: Duration = Duration::from_secs(20);

/// What `tests/run.sh` says about the server that it started.
#[track_caller]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/run.sh"))
}

/// What is known of a failure: class, code, constraint, table, column.
type Known =
    (DatabaseClass, Option<&'static str>, Option<&'static str>, Option<&'static str>, Option<&'static str>);

/// The failures of one system, through one driver.
struct Provoked {
    reporting: Reporting,
    system: Option<&'static str>,
    expected: Vec<(&'static str, Known, DatabaseFailure)>,
}

impl Provoked {
    fn through(system: impl Into<Option<&'static str>>) -> Self {
        Self { reporting: Reporting::start(), system: system.into(), expected: Vec::new() }
    }

    /// Reports the failure as it is, and in an error of an application that prints it in every way.
    #[track_caller]
    fn report<T, E: Error + Send + Sync + 'static>(
        &mut self,
        what: &'static str,
        failed: Result<T, E>,
        known: Known,
    ) {
        let Err(error) = failed else { panic!("{what}: nothing failed") };
        Report::from_ref(&error).send();
        let report = Report::from(Wrapping(error));
        let failure =
            report.database_failure().unwrap_or_else(|| panic!("{what}: not recognised: {report:?}")).clone();
        report.send();
        self.expected.push((what, known, failure));
    }

    /// Looks at all that arrived.
    #[track_caller]
    fn check(self) {
        let events = self.reporting.events(self.expected.len().saturating_mul(2));
        assert_no_value_left(&self.reporting);
        for ((what, known, failure), events) in self.expected.iter().zip(events.chunks(2)) {
            let seen =
                (failure.class(), failure.code(), failure.constraint(), failure.table(), failure.column());
            assert_eq!(seen, *known, "{what}: {failure}");
            let (class, code, constraint, table, _) = *known;
            for event in events {
                let tags = &event["tags"];
                let tag = |name: &str| tags[name].as_str().map(str::to_owned);
                let owned = |text: Option<&str>| text.map(str::to_owned);
                assert_eq!(tags["error.category"], "database", "{what}");
                assert_eq!(tag("error.type").as_deref(), Some(class.as_str()), "{what}");
                assert_eq!(tag("db.system.name"), owned(self.system.or(failure.system())), "{what}");
                assert_eq!(tag("db.response.status_code"), owned(code), "{what}");
                assert_eq!(tag("db.constraint"), owned(constraint), "{what}");
                assert_eq!(tag("db.collection.name"), owned(table), "{what}");
                assert_eq!(
                    event["contexts"]["database"]["error.fault"],
                    json!(class.fault().as_str()),
                    "{what}"
                );
            }
            assert_eq!(exception(&events[0])["value"], failure.to_string(), "{what}");
            let around = format!("cannot be saved: {failure} {failure} {failure}");
            assert_eq!(exception(&events[1])["value"], around, "{what}");
        }
    }
}

/// An application's error that prints what it wraps.
struct Wrapping<E>(E);

impl<E: Error> fmt::Display for Wrapping<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot be saved: {} {:?} {:#?}", self.0, self.0, self.0)
    }
}

impl<E> fmt::Debug for Wrapping<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wrapping")
    }
}

impl<E: Error + 'static> Error for Wrapping<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// No byte that arrived is of a row, a parameter or a literal.
#[track_caller]
fn assert_no_value_left(reporting: &Reporting) {
    for request in reporting.server.requests() {
        let text = request.text();
        for value in [VALUE.to_owned(), NUMBER.to_string()] {
            assert!(!text.contains(&value), "{value} left: {text}");
        }
    }
}
