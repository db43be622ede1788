//! Runs this program again under callgrind, and reads what was counted.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::process::Command;

/// Where the profiles stay, for `callgrind_annotate`.
pub(crate) const PROFILES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/", env!("CARGO_CRATE_NAME"));

/// Parts of the names of the functions between Rust and the system's allocator. What they do is nearly all
/// counting the allocations, so it is left out.
const ALLOCATION_HOOKS: [&str; 2] = ["allocation_counter::", "__rustc::__rust_"];

pub(crate) fn is_installed() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// One run of this program, told by a variable what to do.
pub(crate) struct Run<'a> {
    pub(crate) name: &'a str,
    pub(crate) variable: &'a str,
    /// The name of the function that is counted.
    pub(crate) counted: &'a str,
}

impl Run<'_> {
    /// What the function took on the main thread, in all of its calls.
    pub(crate) fn instructions(&self) -> Result<f64, Box<dyn Error>> {
        std::fs::create_dir_all(PROFILES)?;
        let profile = format!("{PROFILES}/{}", self.name.replace([' ', ','], "-"));
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--vgdb=no", "--separate-threads=yes"])
            .arg(format!("--toggle-collect=*{}*", self.counted))
            .arg(format!("--callgrind-out-file={profile}"))
            .arg(std::env::current_exe()?)
            .env(self.variable, self.name)
            .output()?;
        if !output.status.success() {
            return Err(format!("{}: {}", self.name, String::from_utf8_lossy(&output.stderr)).into());
        }
        instructions(format!("{profile}-01").as_ref())
    }
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
