//! What the scanner of JSON is told about the place it has reached.

use super::found::Rule;

/// How a value is treated, by its place in a document whose form is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treat {
    /// A secret if its key says so, else a text.
    ByKey,
    /// A text, whatever its key is called.
    Text,
    /// A text that the application gave as the user's: it may hold personal data.
    User,
    /// An id, time or address, if it looks like one.
    Id,
    Query,
    Cookies,
    /// A path of a source file or a library.
    Path,
    Mask(Rule),
}

/// Follows the scanner through a document.
pub(super) trait Places<'a> {
    /// A key was read.
    fn key(&mut self, _key: &'a [u8]) -> Treat {
        Treat::ByKey
    }

    /// A string that is no key was read.
    fn value(&mut self) -> Treat {
        Treat::ByKey
    }

    /// One of `{}[]`. False for one that leads deeper than anybody reads.
    fn bracket(&mut self, _bracket: u8) -> bool {
        true
    }

    fn comma(&mut self) {}

    /// The last value was masked.
    fn masked(&mut self, _rule: Rule) {}

    /// What to put in the place of a masked value that is no string, if only that is valid here.
    fn replacement(&self) -> Option<&'static [u8]> {
        None
    }
}

/// A document of unknown form.
pub(super) struct Nowhere;

impl Places<'_> for Nowhere {}
