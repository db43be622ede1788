//! What is on disk survives: the process, an outage of the server, a new key.

mod ahead;
mod child;
mod kill;
mod next;
mod outage;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use faultwire::config::{StackTraces, Storm};
use faultwire::{Config, Guard, SpoolStats};

use crate::fake::FakeServer;

/// A directory of this test, removed at its end.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static DIRS: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("faultwire-it-kept-{}-{}", std::process::id(), DIRS.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// What waits to be sent.
    fn envelopes(&self) -> Vec<PathBuf> {
        files(&self.0).into_iter().filter(|path| path.extension() == Some("envelope".as_ref())).collect()
    }

    /// What was put aside, and why.
    fn quarantined(&self) -> Vec<(PathBuf, String)> {
        let with_reason = |path: PathBuf| {
            let mut reason = path.clone().into_os_string();
            reason.push(".txt");
            std::fs::read_to_string(reason).ok().map(|reason| (path, reason))
        };
        files(&self.0).into_iter().filter_map(with_reason).collect()
    }

    /// Starts reporting as a new process would.
    fn report_to(&self, dsn: &str) -> Guard {
        self.config(dsn).init().unwrap()
    }

    fn config(&self, dsn: &str) -> Config {
        quiet().dsn(dsn).spool_dir(&self.0)
    }

    /// Some events that were captured while their server was away.
    fn leave(&self, server: &mut FakeServer, texts: &[&str]) -> Vec<String> {
        server.stop();
        let guard = self.report_to(&server.dsn());
        let left = texts.iter().map(|text| super::fail(*text)).collect();
        let summary = guard.shutdown(super::PATIENCE);
        assert_eq!((summary.sent, summary.lost), (0, 0));
        server.restart();
        left
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The spool of the only destination.
fn spool(guard: &Guard) -> SpoolStats {
    guard.stats().destinations[0].spool.unwrap()
}

/// Every event is one of its own, and none waits for a stack.
fn quiet() -> Config {
    Config::new().storm(Storm::Off).stack_traces(StackTraces::Off)
}
