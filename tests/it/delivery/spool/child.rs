//! Processes of their own: the test binary, which runs one of its tests once more.

use std::env;
use std::process::{Command, Stdio};

/// Set in a child: what it has to do.
const TASK: &str = "FAULTWIRE_IT_SPOOL_TASK";

/// `None` in the process that runs all the tests.
pub(super) fn task() -> Option<String> {
    env::var(TASK).ok()
}

/// Runs the test of this name in this module with a task.
pub(super) fn command(module: &str, test: &str, task: &str) -> Command {
    with_arguments(Command::new(env::current_exe().unwrap()), module, test, task)
}

/// The same under a shell that first runs `before`, for what a process can only inherit.
pub(super) fn under_shell(before: &str, module: &str, test: &str, task: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!(r#"{before} && exec "$0" "$@""#)]).arg(env::current_exe().unwrap());
    with_arguments(shell, module, test, task)
}

fn with_arguments(mut command: Command, module: &str, test: &str, task: &str) -> Command {
    // The harness knows tests without the crate's name.
    let (_, module) = module.split_once("::").unwrap();
    command.args([&format!("{module}::{test}"), "--exact", "--nocapture"]).env(TASK, task);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}
