//! Why something cannot be stored.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why something cannot be stored. None of it is a reason to stop: delivery goes on from memory.
#[derive(Debug)]
pub(crate) enum SpoolError {
    /// The destination is not named by 8 to 64 lower-case hexadecimal digits.
    Destination,
    /// There is something else where a directory of the spool belongs; a symbolic link counts as something else.
    NotADirectory(PathBuf),
    /// The directory belongs to another user, who could read what is stored or put other things there.
    NotOurs(PathBuf),
    /// Others may read or write the directory, and it cannot be changed.
    Exposed(PathBuf),
    /// More bytes than the spool, or than any envelope, may have.
    TooLarge { bytes: usize },
    /// The spool is full of what goes before this, or is on its way.
    Full,
    /// The file system refused.
    Disk { trouble: Trouble, doing: &'static str, path: PathBuf, source: io::Error },
}

/// What the file system refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No space, a quota, a limit on the size of files.
    NoSpace,
    ReadOnly,
    Denied,
    /// The directory was removed. A spool opened anew makes it again.
    Gone,
    /// The file system cannot lock files, so nobody could tell whose directory this is.
    NoLocks,
    Other,
}

impl SpoolError {
    pub(super) fn disk(doing: &'static str, path: &Path, source: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let trouble = match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Trouble::NoSpace,
            Kind::ReadOnlyFilesystem => Trouble::ReadOnly,
            Kind::PermissionDenied => Trouble::Denied,
            Kind::NotFound | Kind::NotADirectory | Kind::StaleNetworkFileHandle => Trouble::Gone,
            Kind::Unsupported => Trouble::NoLocks,
            _ => Trouble::Other,
        };
        Self::Disk { trouble, doing, path: path.to_owned(), source }
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destination => f.write_str("the destination's name is not a hash"),
            Self::NotADirectory(path) => write!(f, "{} is not a directory", path.display()),
            Self::NotOurs(path) => write!(f, "{} belongs to another user", path.display()),
            Self::Exposed(path) => write!(f, "{} is open to other users", path.display()),
            Self::TooLarge { bytes } => write!(f, "{bytes} bytes are more than the spool takes"),
            Self::Full => f.write_str("the spool is full of what goes first"),
            Self::Disk { doing, path, source, .. } => write!(f, "{doing} {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for SpoolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Disk { source, .. } => Some(source),
            _ => None,
        }
    }
}
