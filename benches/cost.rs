//! What [`faultwire::ReportLayer`] costs the thread of a request, beside its peers, in one run.
//!
//! Run with `cargo bench --bench cost`. It prints instructions and allocations per request, and ends with
//! code 1 when a bar is missed. Instructions are counted by valgrind's callgrind; without it, and with
//! `-- --allocations`, only allocations are.
//!
//! Each set-up runs in a process of its own, this program again, since a process sets up reporting once.
//! No bar is a time: the numbers hardly differ between two runs.

use std::error::Error;
use std::process::ExitCode;

#[path = "cost/callgrind.rs"]
mod callgrind;
#[path = "cost/calls.rs"]
mod calls;
#[path = "cost/count.rs"]
mod count;
#[path = "cost/incoming.rs"]
mod incoming;
#[path = "cost/layers.rs"]
mod layers;
#[path = "cost/results.rs"]
mod results;
#[path = "cost/setup.rs"]
mod setup;

use self::results::Results;
use self::setup::{Handler, SetUp};

/// The name of the set-up that this process is to run; without it, it has them all run.
const SET_UP: &str = "COST_SET_UP";
/// With this argument allocations are counted alone, which takes seconds.
const ALLOCATIONS: &str = "--allocations";

#[expect(clippy::print_stdout, reason = "the result is what this program is for")]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    if let Ok(name) = std::env::var(SET_UP) {
        let set_up = SetUp::named(&name).ok_or_else(|| format!("there is no set-up {name}"))?;
        count::run(set_up)?;
        return Ok(ExitCode::SUCCESS);
    }
    let valgrind = !std::env::args().any(|argument| argument == ALLOCATIONS) && callgrind::is_installed();
    let mut results = Results::default();
    for set_up in SetUp::all() {
        let mut cost = callgrind::cost_of(set_up, valgrind)?;
        if set_up.handler == Handler::Starts {
            // Under valgrind everything takes longer.
            cost.micros = callgrind::cost_of(set_up, false)?.micros;
        }
        results.add(set_up, cost);
    }
    let no_bar_missed = results.print();
    if valgrind {
        println!("\nWhere they go: callgrind_annotate {}/<set-up>-01", callgrind::PROFILES);
    } else {
        println!("\nInstructions are not counted: that takes valgrind.");
    }
    Ok(if no_bar_missed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
