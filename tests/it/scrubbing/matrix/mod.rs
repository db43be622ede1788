//! The leak matrix: a secret in every place that an event has, and whether anything of it leaves.
//!
//! Each cell is one event with a secret and with something harmless next to it. What the fake server received is
//! searched: every byte, in every encoding. `cargo test --test it scrubbing::matrix -- --nocapture` prints the table.
#![expect(clippy::arithmetic_side_effects, reason = "numbers of cells and lengths of texts are small")]

mod bodies;
mod events;
mod requests;

use std::env;
use std::sync::LazyLock;

use faultwire::Config;

pub(super) use self::events::MESSAGES;
use super::DEFAULT;
use super::canary::Canary;
use super::plant::KEPT;
use crate::fake::RequestSeen;
use crate::init::{ALONE, Log, run};
use crate::support::Reporting;

/// A secret in one place: reporting it makes one event, in which [`KEPT`] stands, too.
struct Cell {
    label: String,
    canary: Canary,
    report: Box<dyn FnOnce()>,
}

impl Cell {
    fn new(label: impl Into<String>, canary: Canary, report: impl FnOnce() + 'static) -> Self {
        Self { label: label.into(), canary, report: Box::new(report) }
    }
}

/// Cells that have the place in common.
struct Row {
    name: &'static str,
    cells: Vec<Cell>,
    configure: fn(Config) -> Config,
    /// Whether what is harmless can be told from what is secret here.
    keeps: bool,
}

impl Row {
    fn new(name: &'static str, cells: Vec<Cell>) -> Self {
        Self { name, cells, configure: |config| config, keeps: true }
    }

    /// Reports everything in it and searches what arrived: the leaks by their cells, and the row of the table.
    fn filled(self, log: &Log) -> (Vec<String>, String) {
        let reporting = Reporting::with(self.configure);
        let (mut leaks, mut kept, mut number) = (Vec::new(), 0_usize, 0_usize);
        for Cell { label, canary, report } in self.cells {
            report();
            let requests = reporting.server.wait_requests(number.saturating_add(1));
            let arrived = &requests[number..];
            number = requests.len();
            kept =
                kept.saturating_add(usize::from(arrived.iter().any(|request| request.text().contains(KEPT))));
            let places = arrived.iter().map(bytes).chain([log.text().into_bytes()]);
            let left = places.filter_map(|bytes| canary.left_in(&bytes).map(|left| (left, bytes)));
            leaks.extend(left.map(|(left, bytes)| {
                format!("{}, {label}: {left}\n{}", self.name, String::from_utf8_lossy(&bytes))
            }));
        }
        assert!(
            kept == number || !self.keeps,
            "{}: what is harmless stays, but {kept} of {number}",
            self.name
        );
        let kept = if self.keeps { format!("{kept}/{number}") } else { "shown as its size".to_owned() };
        let row = format!("| {:<52} | {:>3}/{number:<3} | {kept:<17} |", self.name, leaks.len());
        (leaks, row)
    }
}

/// Everything that went over the wire.
fn bytes(request: &RequestSeen) -> Vec<u8> {
    let mut bytes = request.path.clone().into_bytes();
    for (name, value) in &request.headers {
        bytes.extend(format!("\n{name}: {value}").into_bytes());
    }
    bytes.push(b'\n');
    bytes.extend(&request.body);
    bytes
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is for people")]
fn nothing_leaks_from_any_place_of_an_event() {
    if env::var_os(ALONE).is_none() {
        // In a process of its own: its environment holds secrets, and its whole log is searched.
        let name = "scrubbing::matrix::nothing_leaks_from_any_place_of_an_event";
        let (passed, output) = run(name, &events::ENVIRONMENT);
        println!("{output}");
        assert!(passed && output.contains("1 passed"), "{output}");
        return;
    }
    let log = Log::default();
    tracing::subscriber::set_global_default(log.subscriber()).unwrap();
    // Before a row takes its turn.
    LazyLock::force(&DEFAULT);
    let rows = [bodies::rows(), requests::rows(), events::rows()];
    let mut all_leaks = Vec::new();
    println!(
        "| {:<52} | leaks   | harmless kept     |\n|{:-<54}|---------|-------------------|",
        "place", ""
    );
    for row in rows.into_iter().flatten() {
        let (leaks, row) = row.filled(&log);
        println!("{row}");
        all_leaks.extend(leaks);
    }
    assert!(!log.text().is_empty(), "something is logged");
    assert!(all_leaks.is_empty(), "{} leaks\n{}", all_leaks.len(), all_leaks.join("\n\n"));
}
