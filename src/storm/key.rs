//! How a failure is recognised as one of many, without an allocation.
//!
//! A key is a hash of what makes two failures one issue (kind, type, message without what varies) and of
//! their place. The message is made into a buffer on the stack and goes through the law of the fingerprint.

use std::fmt::{self, Write as _};
use std::hash::{BuildHasher as _, DefaultHasher, Hasher as _, RandomState};
use std::sync::LazyLock;

use crate::record::{Cause, Details, Kind, Place, normalise, truncated, without_generics};
use crate::reporter;

/// So much of a message tells it from others.
const MAX_MESSAGE: usize = 1024;

/// Random, so that nobody can make two failures look like one.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// What the failures of one storm have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Key(pub(super) u64);

/// A key in the making.
#[derive(Debug)]
pub(crate) struct KeyOf(DefaultHasher);

impl KeyOf {
    pub(crate) fn new() -> Self {
        Self(SEED.build_hasher())
    }

    /// What is the same in every failure with this key.
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.piece(text);
        self.end()
    }

    /// What is the same but for numbers, ids and quoted text.
    pub(crate) fn message(mut self, text: &str) -> Self {
        normalise(truncated(text, MAX_MESSAGE), |piece| self.piece(piece));
        self.end()
    }

    pub(crate) fn number(mut self, number: u64) -> Self {
        self.0.write_u64(number);
        self
    }

    pub(crate) fn place(self, place: &Place) -> Self {
        let at = u64::from(place.line).wrapping_shl(32) | u64::from(place.column);
        self.text(&place.file).number(at)
    }

    /// A part of a text; `end` follows the last one.
    pub(crate) fn piece(&mut self, piece: &str) {
        self.0.write(piece.as_bytes());
    }

    /// No text has this byte, so that two texts are never taken for one.
    pub(crate) fn end(mut self) -> Self {
        self.0.write_u8(0xff);
        self
    }

    pub(crate) fn finish(self) -> Key {
        Key(self.0.finish())
    }
}

/// The hash of what a failure says. It runs the error's `Display`, which is the application's code.
pub(crate) fn message_of(cause: &Cause) -> u64 {
    let key = match cause {
        Cause::Error { error, type_name } => {
            let mut opening = Opening { bytes: [0; MAX_MESSAGE], used: 0 };
            // What it wrote before it panicked is as good a mark as any.
            let _ = reporter::shielded(|| write!(opening, "{error}"));
            KeyOf::new().text(without_generics(type_name)).message(opening.text())
        }
        Cause::Chain(links) => match links.first() {
            Some(link) => KeyOf::new().text(without_generics(&link.type_name)).message(&link.message),
            None => KeyOf::new(),
        },
        Cause::Panic(panic) => KeyOf::new().text("panic").message(&panic.message),
        Cause::Status => KeyOf::new(),
    };
    key.0.finish()
}

impl Details {
    /// The key of a failure that has a cause. `kind` is what it is taken for where nobody said.
    pub(crate) fn storm_key(&self, kind: Kind) -> Key {
        // The same failure, but critical, is not to drown in the others.
        let key = KeyOf::new().number(u64::from(self.critical));
        if let Some(fingerprint) = &self.fingerprint {
            return fingerprint.iter().fold(key, |key, part| key.text(part)).finish();
        }
        let message = self.message_hash.unwrap_or_else(|| message_of(&self.cause));
        let key = key.number(kind as u64).number(message);
        match self.place() {
            Some(place) => key.place(place).finish(),
            None => key.finish(),
        }
    }
}

/// The beginning of a text that is being printed.
struct Opening {
    bytes: [u8; MAX_MESSAGE],
    used: usize,
}

impl Opening {
    fn text(&self) -> &str {
        let bytes = self.bytes.get(..self.used).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Write for Opening {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.used..).unwrap_or_default();
        let kept = if text.len() <= room.len() { text } else { truncated(text, room.len()) };
        if let Some(target) = room.get_mut(..kept.len()) {
            target.copy_from_slice(kept.as_bytes());
            self.used = self.used.saturating_add(kept.len());
        }
        // An error ends the printing.
        if kept.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(message: &str) -> Key {
        KeyOf::new().message(message).finish()
    }

    #[test]
    fn what_varies_makes_no_difference_and_everything_else_does() {
        assert_eq!(key("order 42 not found"), key("order 7 not found"));
        assert_ne!(key("order 42 not found"), key("order 42 not paid"));
        assert_ne!(KeyOf::new().text("ab").text("c").finish(), KeyOf::new().text("a").text("bc").finish());
    }

    #[test]
    fn a_printed_error_has_the_key_of_its_text() {
        let text = format!("order 42 {} é", "x".repeat(3 * MAX_MESSAGE));
        let printed = message_of(&Cause::Error { error: text.clone().into(), type_name: "E" });
        assert_eq!(Key(printed), KeyOf::new().text("E").message(&text).finish());
    }

    #[test]
    fn a_display_that_panics_has_a_key_too() {
        #[derive(Debug)]
        struct Broken;
        impl fmt::Display for Broken {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("half ")?;
                panic!("printed")
            }
        }
        impl std::error::Error for Broken {}
        let printed = message_of(&Cause::Error { error: Box::new(Broken), type_name: "E" });
        assert_eq!(Key(printed), KeyOf::new().text("E").message("half ").finish());
    }
}
