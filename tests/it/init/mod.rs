//! From `init` to the end: who reports to which server, and what happens without one.

mod disabled;
mod late;
mod panics;
mod sampling;
mod takeover;

use std::process::Command;

/// Set in a process that was started by [`alone`].
const ALONE: &str = "IT_ALONE";

/// Runs the body of a test in a process of its own, for what can be done once a process: a global subscriber, a
/// panic hook, a hub that nobody touched. `name` is the test's own name.
#[track_caller]
pub(crate) fn alone(name: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let (passed, output) = run(name, &[]);
    assert!(passed, "alone in its process:\n{output}");
    assert!(output.contains("1 passed"), "there is a test of the name {name}:\n{output}");
}

/// Runs one test of this binary in a process of its own with these variables; whether it passed, and its output.
pub(crate) fn run(name: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--include-ignored"]).env(ALONE, "1");
    for (inherited, _) in std::env::vars_os() {
        let steers = |prefix| inherited.to_str().is_some_and(|inherited| inherited.starts_with(prefix));
        if steers("SENTRY_") || steers("FAULTWIRE_") {
            command.env_remove(inherited);
        }
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}
