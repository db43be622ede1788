//! From `init` to the end: who reports to which server, and what happens without one.

mod disabled;
mod late;
mod panics;
mod sampling;
mod takeover;

use std::io;
use std::process::Command;
use std::sync::{Arc, Mutex};

use tracing_subscriber::prelude::*;

/// Set in a process that was started by [`alone`].
pub(crate) const ALONE: &str = "IT_ALONE";

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
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

/// Everything that is logged, as text.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + use<> {
        let log = self.clone();
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || log.clone());
        tracing_subscriber::registry().with(layer)
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
