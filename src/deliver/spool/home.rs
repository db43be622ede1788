//! The directories: which of them are trusted, and how a process comes to one of its own.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::error::SpoolError;
use super::name;
use super::system::{System, is_exposed, owner};

/// How often another name is tried.
const ATTEMPTS: usize = 16;

/// The directory of this process, locked as long as this lives.
pub(super) struct Home {
    /// `<dir>`, without symbolic links.
    pub(super) root: PathBuf,
    /// `<dir>/<destination>`
    pub(super) destination: PathBuf,
    /// `<dir>/<destination>/<process>`
    pub(super) path: PathBuf,
    pub(super) process: String,
    pub(super) owner: Option<u32>,
    pub(super) lock: File,
    /// Of the process that made it: a forked child must not let go of what its parent has.
    id: u32,
}

impl Home {
    pub(super) fn make(
        system: &dyn System,
        dir: &Path,
        destination: &str,
        sync: bool,
    ) -> Result<Self, SpoolError> {
        if !name::is_destination(destination) {
            return Err(SpoolError::Destination);
        }
        system.make_dirs(dir).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                SpoolError::NotADirectory(dir.to_owned())
            }
            _ => SpoolError::disk("making", dir, error),
        })?;
        let root = dir.canonicalize().map_err(|error| SpoolError::disk("finding", dir, error))?;
        let destination = root.join(destination);
        make_dir(system, &destination)?;
        let (process, path, lock) = new_process(system, &destination)?;
        let id = std::process::id();
        let mut home = Self { root, destination, path, process, owner: None, lock, id };
        if let Err(error) = home.check(system, sync) {
            home.leave(system, true);
            return Err(error);
        }
        Ok(home)
    }

    /// The owner of what this process makes is the only one it trusts.
    fn check(&mut self, system: &dyn System, sync: bool) -> Result<(), SpoolError> {
        let made = system.look(&self.path).map_err(|error| SpoolError::disk("finding", &self.path, error))?;
        self.owner = owner(&made);
        self.claim(system, &self.destination)?;
        if sync {
            // It may not be ours to open.
            let _ = self.root.parent().map(|parent| system.sync_dir(parent));
            for path in [&self.root, &self.destination] {
                system.sync_dir(path).map_err(|error| SpoolError::disk("syncing", path, error))?;
            }
        }
        Ok(())
    }

    /// A directory that the spool made, in this process or another: only its owner's, or it is not used.
    pub(super) fn claim(&self, system: &dyn System, path: &Path) -> Result<(), SpoolError> {
        let look = || system.look(path).map_err(|error| SpoolError::disk("finding", path, error));
        let found = look()?;
        if !found.is_dir() {
            return Err(SpoolError::NotADirectory(path.to_owned()));
        }
        if owner(&found) != self.owner {
            return Err(SpoolError::NotOurs(path.to_owned()));
        }
        if is_exposed(&found) {
            system.make_private(path).map_err(|error| SpoolError::disk("closing", path, error))?;
            // Some file systems know no modes, and say nothing.
            if is_exposed(&look()?) {
                return Err(SpoolError::Exposed(path.to_owned()));
            }
        }
        Ok(())
    }

    /// Takes the directory of a process that is dead; the file is its lock. `None` if it lives, or if this is
    /// nobody's directory.
    ///
    /// It is enough that the lock is free: a process that has just made its directory and finds the lock taken,
    /// or gone with the directory, makes another one.
    pub(super) fn lock_dead(&self, system: &dyn System, path: &Path) -> Option<File> {
        let found = system.look(path).ok()?;
        let lock = path.join(name::LOCK);
        let lock_is_odd = system.look(&lock).is_ok_and(|found| !found.is_file());
        if !found.is_dir() || owner(&found) != self.owner || lock_is_odd {
            return None;
        }
        let lock = system.open_lock(&lock).ok()?;
        lock.try_lock().is_ok().then_some(lock)
    }

    /// Lets others have the directory, or removes it if it is empty.
    pub(super) fn leave(&self, system: &dyn System, is_empty: bool) {
        if self.id == std::process::id() {
            if is_empty {
                remove_process(system, &self.path);
            }
            unlock(&self.lock);
        }
    }
}

/// Removes a process' directory, which is empty but for the lock. Failing that, the next process that starts does.
pub(super) fn remove_process(system: &dyn System, path: &Path) {
    let _ = system.remove_file(&path.join(name::LOCK));
    let _ = system.remove_dir(path);
}

/// Closing the file is not enough: a child that is just being spawned has a copy of it until it runs its program.
pub(super) fn unlock(lock: &File) {
    let _ = lock.unlock();
}

/// Makes a directory, unless it is there.
pub(super) fn make_dir(system: &dyn System, path: &Path) -> Result<(), SpoolError> {
    match system.make_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = system.look(path).map_err(|error| SpoolError::disk("finding", path, error))?;
            found.is_dir().then_some(()).ok_or_else(|| SpoolError::NotADirectory(path.to_owned()))
        }
        made => made.map_err(|error| SpoolError::disk("making", path, error)),
    }
}

/// Another process may take the new directory for a dead one's before it is locked: then this tries another name.
fn new_process(system: &dyn System, destination: &Path) -> Result<(String, PathBuf, File), SpoolError> {
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..ATTEMPTS {
        let process = name::new_process(system.wall());
        let path = destination.join(&process);
        let made = system.make_dir(&path).and_then(|()| {
            lock_new(system, &path.join(name::LOCK)).inspect_err(|error| {
                // Whoever was faster is about to remove it.
                if error.kind() != io::ErrorKind::WouldBlock {
                    remove_process(system, &path);
                }
            })
        });
        match made {
            Ok(lock) => return Ok((process, path, lock)),
            Err(error) => match error.kind() {
                io::ErrorKind::AlreadyExists | io::ErrorKind::WouldBlock | io::ErrorKind::NotFound => {
                    taken = error;
                }
                _ => return Err(SpoolError::disk("making", &path, error)),
            },
        }
    }
    Err(SpoolError::disk("making", destination, taken))
}

fn lock_new(system: &dyn System, path: &Path) -> io::Result<File> {
    let lock = system.open_lock(path)?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        TryLockError::Error(error) => io::Error::new(io::ErrorKind::Unsupported, error),
    })?;
    // Whoever took the directory for a dead one's, and has let go of it by now, has removed it.
    system.look(path)?;
    Ok(lock)
}
