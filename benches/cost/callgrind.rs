//! Runs a set-up in a process of its own, under callgrind where there is one, and reads what was counted.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::process::Command;

use super::SET_UP;
use super::count::{COUNTED, requests};
use super::results::Cost;
use super::setup::SetUp;

/// Where the profiles stay, for `callgrind_annotate`.
pub(crate) const PROFILES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/cost");

/// glibc keeps seven freed chunks of a size at hand. What the eighth takes depends on all that was freed before
/// it, and moves the numbers by up to 2 000 instructions either way. So that they repeat, it keeps more.
const TUNABLES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=127");

/// Parts of the names of the functions between Rust and the system's allocator. What they do is nearly all
/// counting the allocations, so it is left out.
const ALLOCATION_HOOKS: [&str; 2] = ["allocation_counter::", "__rustc::__rust_"];

pub(crate) fn is_installed() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// What one request costs in this set-up; its instructions only with valgrind.
pub(crate) fn cost_of(set_up: SetUp, valgrind: bool) -> Result<Cost, Box<dyn Error>> {
    let name = set_up.name();
    let program = std::env::current_exe()?;
    std::fs::create_dir_all(PROFILES)?;
    let mut command = if valgrind {
        let mut valgrind = Command::new("valgrind");
        // Collecting is switched for the thread that enters and leaves the function, and only for that one.
        valgrind
            .args(["--tool=callgrind", "--vgdb=no", "--separate-threads=yes"])
            .arg(format!("--toggle-collect=*{COUNTED}*"))
            .arg(format!("--callgrind-out-file={PROFILES}/{name}"))
            .arg(program);
        valgrind
    } else {
        Command::new(program)
    };
    let output = command.env(SET_UP, &name).envs([TUNABLES]).env_remove("SENTRY_DSN").output()?;
    if !output.status.success() {
        return Err(format!("{name}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into());
    }
    let printed = String::from_utf8(output.stdout)?;
    let numbers = printed.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let [allocations, bytes, frames, micros] = numbers[..] else {
        return Err("the set-up did not print four numbers".into());
    };
    // A whole number: the rest is what happens once in many requests.
    let (counted, _) = requests(set_up);
    let per_request = |total: f64| (total / f64::from(counted)).round();
    let main_thread = format!("{PROFILES}/{name}-01");
    Ok(Cost {
        instructions: valgrind.then(|| instructions(main_thread.as_ref())).transpose()?.map(per_request),
        allocations: per_request(allocations),
        bytes: per_request(bytes),
        frames,
        micros,
    })
}

/// The sum of what each function in the profile took itself.
///
/// The lines of a function come after `fn=(id) name`, where the name stands only the first time that the id
/// does. Such a line is a place and its instructions, except after `calls=`: there it is what was called.
fn instructions(profile: &Path) -> Result<f64, Box<dyn Error>> {
    let profile = std::fs::read(profile)?;
    let profile = String::from_utf8_lossy(&profile);
    let mut hooks = HashMap::new();
    let (mut of_program, mut of_hooks, mut expected) = (0.0, 0.0, 0.0);
    let (mut in_hook, mut called) = (false, false);
    for line in profile.lines() {
        if let Some((key @ ("fn" | "cfn"), function)) = line.split_once('=') {
            let (id, name) = function.split_once(' ').unwrap_or((function, ""));
            let is_hook =
                *hooks.entry(id).or_insert_with(|| ALLOCATION_HOOKS.iter().any(|hook| name.contains(hook)));
            in_hook = if key == "fn" { is_hook } else { in_hook };
        } else if line.starts_with("calls=") {
            called = true;
        } else if let Some(total) = line.strip_prefix("totals: ") {
            expected = total.trim().parse()?;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let (_, taken) = line.split_once(' ').ok_or("a line of the profile has no number")?;
            let taken: f64 = taken.parse()?;
            match (std::mem::take(&mut called), in_hook) {
                (true, _) => {}
                (false, true) => of_hooks += taken,
                (false, false) => of_program += taken,
            }
        }
    }
    if of_program == 0.0 || of_program + of_hooks != expected {
        return Err(format!("the profile says {expected} and its lines {}", of_program + of_hooks).into());
    }
    Ok(of_program)
}
