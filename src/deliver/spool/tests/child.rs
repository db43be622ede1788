//! Processes of their own: the test binary, which runs one of its tests once more.

use std::env;
use std::process::{Command, Stdio};

/// Set in a child: what it has to do.
const TASK: &str = "FAULTWIRE_SPOOL_TEST_TASK";

/// `None` in the process that runs all the tests.
pub(super) fn task() -> Option<String> {
    env::var(TASK).ok()
}

/// Runs the test of this name in this module with a task.
pub(super) fn command(module: &str, test: &str, task: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    with_arguments(&mut command, module, test, task);
    command
}

/// The same under a shell that first runs `before`, for what a process can only inherit.
pub(super) fn under_shell(before: &str, module: &str, test: &str, task: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!(r#"{before} && exec "$0" "$@""#)]).arg(env::current_exe().unwrap());
    with_arguments(&mut command, module, test, task);
    command
}

fn with_arguments(command: &mut Command, module: &str, test: &str, task: &str) {
    // The harness knows tests without the crate's name.
    let (_, module) = module.split_once("::").unwrap();
    command.args([&format!("{module}::{test}"), "--exact", "--nocapture"]).env(TASK, task);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
}
