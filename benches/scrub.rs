//! What scrubbing a JSON body costs, beside the way that most libraries take, in one run.
//!
//! Run with `cargo bench --bench scrub`. The peer parses the body with `serde_json`, walks the tree, masks the
//! values of keys that are in our list as they stand (no words, no humps, no value patterns), and writes it again.
//! Instructions are counted by valgrind's callgrind; without it only allocations are. Ends with code 1 when a bar
//! is missed.

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;

use allocation_counter::measure;

#[path = "scrub/bodies.rs"]
mod bodies;
#[path = "shared/callgrind.rs"]
mod callgrind;
#[path = "scrub/peer.rs"]
mod peer;

/// Which body this process is to scrub, and who does; without it, it has them all scrubbed.
const WHAT: &str = "SCRUB_WHAT";
/// The name of the function that callgrind counts.
const COUNTED: &str = "counted_scrub";
const WARM_UP: u32 = 3;
const ROUNDS: u32 = 10;
/// Larger bodies are scrubbed once: their keys are the least of what they cost.
const LARGE: usize = 1 << 18;

/// How many times the peer's instructions ours may take at most, by body; the bar.
const BARS: [(&str, f64); 2] = [("orders, 1 KiB", 3.0), ("orders, 100 KiB", 4.0)];

#[expect(clippy::print_stdout, reason = "the result is what this program is for")]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    if let Ok(what) = std::env::var(WHAT) {
        let (who, body) = what.split_once(' ').ok_or("whom?")?;
        let body = bodies::named(body).ok_or("which body?")?;
        (0..WARM_UP.min(rounds(&body))).for_each(|_| scrub(who, &body));
        (0..rounds(&body)).for_each(|_| counted_scrub(who, &body));
        return Ok(ExitCode::SUCCESS);
    }
    let valgrind = callgrind::is_installed();
    println!(
        "{:<34}{:>10}{:>14}{:>14}{:>13}{:>13}{:>13}",
        "", "bytes", "ours", "per byte", "peer : ours", "allocations", "peer's"
    );
    let mut missed = false;
    for (name, body) in bodies::all() {
        let allocations = ["ours", "peer"].map(|who| {
            scrub(who, &body);
            measure(|| scrub(who, &body)).count_total
        });
        let cost = |who: &str| -> Result<Option<f64>, Box<dyn Error>> {
            let run = callgrind::Run { name: &format!("{who} {name}"), variable: WHAT, counted: COUNTED };
            Ok(if valgrind { Some(run.instructions()? / f64::from(rounds(&body))) } else { None })
        };
        let (ours, peers) = (cost("ours")?, cost("peer")?);
        let ratio = ours.zip(peers).map(|(ours, peers)| peers / ours);
        let verdict = BARS.iter().find(|(body, _)| *body == name).zip(ratio).map(|((_, bar), ratio)| {
            missed |= ratio < *bar;
            format!("  at least {bar}: {}", if ratio < *bar { "FAIL" } else { "PASS" })
        });
        let shown = |number: Option<f64>, digits| {
            number.map_or("-".to_owned(), |number| format!("{number:.digits$}"))
        };
        println!(
            "{name:<34}{:>10}{:>14}{:>14}{:>13}{:>13}{:>13}{}",
            body.len(),
            shown(ours, 0),
            shown(ours.map(|ours| ours / body.len() as f64), 2),
            shown(ratio, 1),
            allocations[0],
            allocations[1],
            verdict.unwrap_or_default()
        );
    }
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn rounds(body: &[u8]) -> u32 {
    if body.len() < LARGE { ROUNDS } else { 1 }
}

/// What callgrind counts, from entering it to leaving it.
#[inline(never)]
fn counted_scrub(who: &str, body: &[u8]) {
    scrub(who, body);
    black_box(());
}

fn scrub(who: &str, body: &[u8]) {
    if who == "ours" {
        let scrubber = faultwire::scrubber();
        black_box(scrubber.body(Some("application/json"), black_box(body)));
    } else {
        black_box(peer::scrub(black_box(body)));
    }
}
