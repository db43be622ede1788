//! What the spool asks of the system: files and clocks. Tests put one in its place that fails or dies at any call.

use std::ffi::OsString;
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

pub(super) use self::modes::{is_exposed, owner};
use self::modes::{is_same_file, private_dirs, private_file};

/// Something in a directory. A symbolic link is itself, not what it points to.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: OsString,
    pub(super) kind: FileType,
    pub(super) bytes: u64,
}

pub(super) trait System: Send + Sync {
    /// Makes one directory for this user alone.
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        private_dirs().create(path)
    }

    /// Makes a directory and what is missing above it; no error if it is there.
    fn make_dirs(&self, path: &Path) -> io::Result<()> {
        private_dirs().recursive(true).create(path)
    }

    /// Makes a directory that is this user's for this user alone.
    fn make_private(&self, path: &Path) -> io::Result<()> {
        #[cfg(unix)]
        return fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700));
        #[cfg(not(unix))]
        return fs::symlink_metadata(path).map(drop);
    }

    /// What stands at this path, symbolic links not followed.
    fn look(&self, path: &Path) -> io::Result<Metadata> {
        fs::symlink_metadata(path)
    }

    /// What is in a directory, but no more than `most`.
    fn list(&self, path: &Path, most: usize) -> io::Result<Vec<Item>> {
        let all = fs::read_dir(path)?.filter_map(|entry| {
            let entry = entry.ok()?;
            let metadata = entry.metadata().ok()?; // it may be gone by now
            Some(Item { name: entry.file_name(), kind: metadata.file_type(), bytes: metadata.len() })
        });
        Ok(all.take(most).collect())
    }

    /// A new file for this user alone; an error if there is anything of that name.
    fn create(&self, path: &Path) -> io::Result<File> {
        private_file().write(true).create_new(true).open(path)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// Makes new names in a directory last. (Windows has no way to ask for it.)
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        #[cfg(unix)]
        return File::open(path)?.sync_all();
        #[cfg(not(unix))]
        return fs::symlink_metadata(path).map(drop);
    }

    /// A regular file's contents. `InvalidData` if it is something else, or longer than `most`.
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        let wrong = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        let seen = fs::symlink_metadata(path)?;
        let length = usize::try_from(seen.len()).unwrap_or(usize::MAX);
        if !seen.is_file() {
            return wrong("not a regular file");
        }
        if length > most {
            return wrong("longer than any envelope");
        }
        let file = File::open(path)?;
        if !is_same_file(&seen, &file.metadata()?) {
            return wrong("not the file that was there");
        }
        let mut bytes = Vec::with_capacity(length);
        file.take(seen.len()).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Opens a lock's file, and makes it where there is none.
    fn open_lock(&self, path: &Path) -> io::Result<File> {
        private_file().write(true).create(true).truncate(false).open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    /// Milliseconds since 1970, by a clock that anybody may set.
    fn wall(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Time that only ever passes.
    fn uptime(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

/// The system itself.
pub(super) struct Os;

impl System for Os {}

#[cfg(unix)]
mod modes {
    use std::fs::{DirBuilder, Metadata, OpenOptions};
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};

    pub(in super::super) fn owner(metadata: &Metadata) -> Option<u32> {
        Some(metadata.uid())
    }

    pub(in super::super) fn is_exposed(metadata: &Metadata) -> bool {
        metadata.mode() & 0o077 != 0
    }

    pub(super) fn is_same_file(seen: &Metadata, opened: &Metadata) -> bool {
        (seen.dev(), seen.ino()) == (opened.dev(), opened.ino())
    }

    pub(super) fn private_dirs() -> DirBuilder {
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        builder
    }

    pub(super) fn private_file() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.mode(0o600);
        options
    }
}

/// Elsewhere access is what the directory that the operator named passes on.
#[cfg(not(unix))]
mod modes {
    use std::fs::{DirBuilder, Metadata, OpenOptions};

    pub(in super::super) fn owner(_: &Metadata) -> Option<u32> {
        None
    }

    pub(in super::super) fn is_exposed(_: &Metadata) -> bool {
        false
    }

    pub(super) fn is_same_file(seen: &Metadata, opened: &Metadata) -> bool {
        seen.file_type() == opened.file_type()
    }

    pub(super) fn private_dirs() -> DirBuilder {
        DirBuilder::new()
    }

    pub(super) fn private_file() -> OpenOptions {
        OpenOptions::new()
    }
}
