//! How a failure is recognised as one of many, without an allocation.
//!
//! A key is a hash of what makes two failures one issue (kind, type, message without what varies) and of
//! their place. The message is printed into a buffer of the thread and goes through the law of the fingerprint.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::LazyLock;

use foldhash::quality::{FoldHasher, RandomState};

use crate::record::{
    BoxError, Cause, DatabaseFailure, Details, Kind, normalise, spread, truncated, without_generics,
};
use crate::reporter;

/// So much of a message tells it from others.
const MAX_MESSAGE: usize = 512;

/// Random, so that nobody can make two failures look like one.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// What the failures of one storm have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Key(pub(super) u64);

impl Key {
    /// The key of those among them that have this in common, too.
    pub(crate) fn and(self, text: &str) -> Self {
        KeyOf::new().number(self.0).text(text).finish()
    }
}

/// A key in the making.
pub(crate) struct KeyOf(FoldHasher<'static>);

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
fn message_of(cause: &Cause) -> u64 {
    let key = match cause {
        Cause::Error { error, type_name } => {
            let key = KeyOf::new().number(address_of(type_name));
            with_opening(error, |opening| key.message(opening))
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

/// The same for a driver's failure: its text quotes rows, and what it is about does not.
#[cold]
fn message_of_failure(cause: &Cause, failure: &DatabaseFailure) -> u64 {
    let key = match cause {
        Cause::Error { type_name, .. } => KeyOf::new().number(address_of(type_name)),
        Cause::Chain(links) => {
            links.first().map_or_else(KeyOf::new, |link| KeyOf::new().text(without_generics(&link.type_name)))
        }
        Cause::Panic(_) | Cause::Status => KeyOf::new(),
    };
    let names = [failure.code(), failure.constraint(), failure.table(), failure.column()];
    let key = key.number(failure.class as u64);
    let key = names.into_iter().fold(key, |key, name| key.text(name.unwrap_or_default()));
    // As in the fingerprint.
    key.message(failure.said.as_deref().unwrap_or_default()).0.finish()
}

impl Details {
    /// The key of a failure that has a cause. `kind` is what it is taken for where nobody said.
    pub(crate) fn storm_key(&self, kind: Kind) -> Key {
        // The same failure, but critical, is not to drown in the others.
        if let Some(fingerprint) = &self.added().fingerprint {
            let key = KeyOf::new().number(u64::from(self.critical));
            return fingerprint.iter().fold(key, |key, part| key.text(part)).finish();
        }
        if self.subject.is_some()
            && let Some(key) = self.issue_key()
        {
            return key;
        }
        let likeness = self.likeness.unwrap_or_else(|| self.likeness(self.place_hash()));
        let kind = (kind as u64).wrapping_shl(1) | u64::from(self.critical);
        Key(spread(likeness ^ kind))
    }

    /// What is one issue whatever its message is one storm.
    #[cold]
    fn issue_key(&self) -> Option<Key> {
        let mut key = Some(KeyOf::new().number(u64::from(self.critical)));
        let is_one = self.issue(|part| key = key.take().map(|key| key.text(part)));
        key.filter(|_| is_one).map(KeyOf::finish)
    }

    /// The hash of type, message and place: what is known of a failure when it is made.
    pub(crate) fn likeness(&self, place: u64) -> u64 {
        let message = match self.failure() {
            Some(failure) => message_of_failure(&self.cause, failure),
            None => message_of(&self.cause),
        };
        spread(message ^ place)
    }

    pub(crate) fn place_hash(&self) -> u64 {
        let Some(place) = self.place() else { return 0 };
        let file = match &place.file {
            Cow::Borrowed(file) => address_of(file),
            Cow::Owned(file) => KeyOf::new().text(file).0.finish(),
        };
        spread(file ^ (u64::from(place.line).wrapping_shl(32) | u64::from(place.column)))
    }
}

/// Stands for the name of a type or a file that the compiler wrote into the program.
fn address_of(name: &'static str) -> u64 {
    name.as_ptr().addr() as u64
}

thread_local! {
    /// Where errors are printed. It never grows beyond `MAX_MESSAGE`.
    static OPENING: Cell<String> = const { Cell::new(String::new()) };
}

/// Shows the beginning of the error's text. What it wrote before it panicked is as good a mark as any.
fn with_opening<T>(error: &BoxError, look: impl FnOnce(&str) -> T) -> T {
    let mut text = OPENING.try_with(Cell::take).unwrap_or_default();
    text.clear();
    text.reserve_exact(MAX_MESSAGE);
    let mut opening = Opening(text);
    let _ = reporter::shielded(|| write!(opening, "{error}"));
    let seen = look(&opening.0);
    // An error means that the thread ends.
    let _ = OPENING.try_with(|slot| slot.set(opening.0));
    seen
}

/// The beginning of a text that is being printed.
struct Opening(String);

impl fmt::Write for Opening {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_MESSAGE.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        self.0.push_str(truncated(text, room));
        // Ends the printing.
        Err(fmt::Error)
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
    fn what_a_driver_itself_says_tells_its_failures_apart_but_for_numbers() {
        let key = |said: &'static str| {
            let failure = DatabaseFailure {
                said: Some(said.into()),
                ..DatabaseFailure::new("sqlx", crate::record::DatabaseClass::Decode)
            };
            message_of_failure(&Cause::Status, &failure)
        };
        assert_ne!(key("expected 3 parameters"), key("no column found for name: total"));
        assert_eq!(key("expected 3 parameters"), key("expected 4 parameters"));
    }

    #[test]
    fn a_printed_error_has_the_key_of_its_text() {
        let text = format!("order 42 {} é", "x".repeat(3 * MAX_MESSAGE));
        let type_name = "E";
        let printed = message_of(&Cause::Error { error: text.clone().into(), type_name });
        assert_eq!(Key(printed), KeyOf::new().number(address_of(type_name)).message(&text).finish());
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
        let type_name = "E";
        let printed = message_of(&Cause::Error { error: Box::new(Broken), type_name });
        assert_eq!(Key(printed), KeyOf::new().number(address_of(type_name)).message("half ").finish());
    }
}
