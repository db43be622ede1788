//! The spool, tested by what can happen to it.
#![expect(clippy::arithmetic_side_effects, reason = "a test may fail loudly")]

mod adoption;
mod caps;
mod child;
mod clocks;
mod fake;
mod full;
mod hostile;
mod kill;
mod model;
mod refused;
mod storing;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use self::fake::Fake;
use super::name::{self, Key};
use super::seal::unseal;
use super::{Entry, Options, Spool};

const DESTINATION: &str = "0123456789abcdef";

/// A directory of this test run, removed at its end.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        static DIRS: AtomicU32 = AtomicU32::new(0);
        let name = format!("faultwire-spool-{}-{}", std::process::id(), DIRS.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }

    fn options(&self) -> Options {
        Options::new(&self.0, DESTINATION)
    }

    fn open(&self) -> Spool {
        Spool::open(&self.options()).unwrap()
    }

    fn destination(&self) -> PathBuf {
        self.0.join(DESTINATION)
    }

    fn quarantine(&self) -> PathBuf {
        self.destination().join(name::QUARANTINE)
    }

    /// What has been put aside, without the reasons.
    fn quarantined(&self) -> Vec<PathBuf> {
        paths(&self.quarantine()).into_iter().filter(|path| path.extension().is_none()).collect()
    }

    /// Envelopes on disk by the process that has them, as another program would read them.
    fn envelopes(&self) -> BTreeMap<String, Vec<Vec<u8>>> {
        let processes = paths(&self.destination()).into_iter();
        let processes = processes.filter(|path| name::is_process(&file_name(path)));
        let envelopes = |process: &PathBuf| {
            let files = paths(process).into_iter().filter(|path| Key::parse(&file_name(path)).is_some());
            files.map(|path| unseal(fs::read(path).unwrap()).unwrap()).collect()
        };
        processes.map(|process| (file_name(&process), envelopes(&process))).collect()
    }

    /// All envelopes on disk, sorted.
    fn all(&self) -> Vec<Vec<u8>> {
        let mut all: Vec<_> = self.envelopes().into_values().flatten().collect();
        all.sort();
        all
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Spool {
    fn open_fake(options: &Options, system: &Arc<Fake>) -> Self {
        Self::open_in(options, Arc::clone(system) as Arc<dyn super::System>).unwrap()
    }

    fn home(&self) -> &Path {
        &self.0.home.path
    }

    /// Everything in the backlog, in its order; nothing of it stays.
    fn drain(&self) -> Vec<Vec<u8>> {
        let next = || {
            let (entry, envelope) = self.next_backlog()?;
            entry.remove();
            Some(envelope)
        };
        std::iter::from_fn(next).collect()
    }

    /// Stores an envelope for which nobody answers.
    #[track_caller]
    fn leave(&self, lane: u8, envelope: &[u8]) {
        drop(self.put(lane, envelope).unwrap());
    }

    #[track_caller]
    fn hold(&self, lane: u8, envelope: &[u8]) -> Entry {
        self.put(lane, envelope).unwrap()
    }
}

/// What is in a directory, sorted; nothing if there is none.
fn paths(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Says that a test did not run, where the harness does not swallow it.
fn skip(why: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "\nSKIPPED: {why}\n");
}
