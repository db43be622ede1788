//! A system that fails or dies at any call, and whose clocks can be set.

use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::system::{Item, Os, System};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    MakeDir,
    MakePrivate,
    Look,
    List,
    Create,
    Write,
    Sync,
    SyncDir,
    Read,
    OpenLock,
    Rename,
    RemoveFile,
    RemoveDir,
}

pub(super) const CALLS: [Call; 13] = [
    Call::MakeDir,
    Call::MakePrivate,
    Call::Look,
    Call::List,
    Call::Create,
    Call::Write,
    Call::Sync,
    Call::SyncDir,
    Call::Read,
    Call::OpenLock,
    Call::Rename,
    Call::RemoveFile,
    Call::RemoveDir,
];

/// The process dies in one of its calls that change something; every call after it is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    /// Calls before it.
    pub(super) after: usize,
    /// A write gets so far.
    pub(super) torn: usize,
    /// Another call has its effect.
    pub(super) done: bool,
}

#[derive(Default)]
struct Plan {
    death: Option<Death>,
    is_dead: bool,
    refused: Option<(Call, i32)>,
    torn: usize,
}

/// Several processes may share them.
pub(super) struct Clocks {
    wall: AtomicU64,
    uptime: AtomicU64,
}

impl Clocks {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { wall: AtomicU64::new(1_800_000_000_000), uptime: AtomicU64::new(0) })
    }

    pub(super) fn pass(&self, time: Duration) {
        let time = u64::try_from(time.as_millis()).unwrap();
        self.wall.fetch_add(time, Ordering::Relaxed);
        self.uptime.fetch_add(time, Ordering::Relaxed);
    }

    /// Somebody sets the wall clock.
    pub(super) fn set_wall(&self, to: u64) {
        self.wall.store(to, Ordering::Relaxed);
    }

    pub(super) fn wall(&self) -> u64 {
        self.wall.load(Ordering::Relaxed)
    }

    pub(super) fn uptime(&self) -> Duration {
        Duration::from_millis(self.uptime.load(Ordering::Relaxed))
    }
}

pub(super) struct Fake {
    pub(super) clocks: Arc<Clocks>,
    plan: Mutex<Plan>,
}

impl Fake {
    pub(super) fn new() -> Arc<Self> {
        Self::with(Clocks::new())
    }

    pub(super) fn with(clocks: Arc<Clocks>) -> Arc<Self> {
        Arc::new(Self { clocks, plan: Mutex::default() })
    }

    pub(super) fn die(&self, death: Death) {
        self.plan.lock().unwrap().death = Some(death);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.plan.lock().unwrap().is_dead
    }

    /// Lives on.
    pub(super) fn spare(&self) {
        self.plan.lock().unwrap().death = None;
    }

    /// From now on these calls fail with this number; a write after so many bytes.
    pub(super) fn refuse(&self, call: Call, number: i32, torn: usize) {
        let mut plan = self.plan.lock().unwrap();
        plan.refused = Some((call, number));
        plan.torn = torn;
    }

    pub(super) fn relent(&self) {
        self.plan.lock().unwrap().refused = None;
    }

    fn ask(&self, call: Call) -> io::Result<()> {
        let plan = self.plan.lock().unwrap();
        match plan.refused {
            _ if plan.is_dead => Err(dead()),
            Some((refused, number)) if refused == call => Err(io::Error::from_raw_os_error(number)),
            _ => Ok(()),
        }
    }

    /// A call that changes something.
    fn change<T>(&self, call: Call, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.ask(call)?;
        match self.dies() {
            Some(death) => {
                if death.done {
                    drop(change());
                }
                Err(dead())
            }
            None => change(),
        }
    }

    fn dies(&self) -> Option<Death> {
        let mut plan = self.plan.lock().unwrap();
        let death = plan.death.as_mut()?;
        match death.after.checked_sub(1) {
            Some(after) => {
                death.after = after;
                None
            }
            None => {
                plan.is_dead = true;
                plan.death.take()
            }
        }
    }
}

fn dead() -> io::Error {
    io::Error::other("the process is dead")
}

impl System for Fake {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.change(Call::MakeDir, || Os.make_dir(path))
    }

    fn make_dirs(&self, path: &Path) -> io::Result<()> {
        self.change(Call::MakeDir, || Os.make_dirs(path))
    }

    fn make_private(&self, path: &Path) -> io::Result<()> {
        self.change(Call::MakePrivate, || Os.make_private(path))
    }

    fn look(&self, path: &Path) -> io::Result<Metadata> {
        self.ask(Call::Look).and_then(|()| Os.look(path))
    }

    fn list(&self, path: &Path, most: usize) -> io::Result<Vec<Item>> {
        self.ask(Call::List).and_then(|()| Os.list(path, most))
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        self.change(Call::Create, || Os.create(path))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.ask(Call::Write) {
            let torn = self.plan.lock().unwrap().torn.min(bytes.len());
            file.write_all(&bytes[..torn])?;
            return Err(error);
        }
        match self.dies() {
            Some(death) => {
                file.write_all(&bytes[..death.torn.min(bytes.len())])?;
                Err(dead())
            }
            None => Os.write(file, bytes),
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.change(Call::Sync, || Os.sync(file))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.change(Call::SyncDir, || Os.sync_dir(path))
    }

    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        self.ask(Call::Read).and_then(|()| Os.read(path, most))
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        self.change(Call::OpenLock, || Os.open_lock(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Call::Rename, || Os.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(Call::RemoveFile, || Os.remove_file(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.change(Call::RemoveDir, || Os.remove_dir(path))
    }

    fn wall(&self) -> u64 {
        self.clocks.wall()
    }

    fn uptime(&self) -> Duration {
        self.clocks.uptime()
    }
}
