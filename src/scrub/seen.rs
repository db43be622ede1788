//! Keys that stand in a document again and again: what was found out about each is kept.

use std::ops::Range;

use super::keys::Meaning;
use super::spans::{is_name, is_value};
use super::{Found, Scrubber};

/// What is known of a key.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) meaning: Meaning,
    /// `{"name": "password", ..}`
    pub(super) is_name: bool,
    /// `{.., "value": "x"}`
    pub(super) is_value: bool,
    /// The key itself is what should not be seen: in a map by e-mail address or token.
    pub(super) holds_secret: bool,
}

/// A key shorter than this is no secret, and a word of letters only up to the other length.
const SHORTEST_SECRET: usize = 8;
const LONGEST_WORD: usize = 20;
/// A power of two.
const SLOTS: usize = 256;
/// Longer keys are looked at each time.
const LONGEST: usize = 64;

/// The keys of one document, by where they stood first. One takes the other's slot.
pub(super) struct SeenKeys([Option<Known>; SLOTS]);

#[derive(Clone, Copy)]
struct Known {
    start: usize,
    length: usize,
    seen: Seen,
}

impl Default for SeenKeys {
    fn default() -> Self {
        Self([None; SLOTS])
    }
}

impl SeenKeys {
    #[inline]
    pub(super) fn look_up(&mut self, scrubber: &Scrubber, input: &[u8], key: &Range<usize>) -> Seen {
        let name = input.get(key.clone()).unwrap_or_default();
        if name.len() > LONGEST {
            return Seen::of(scrubber, name);
        }
        let slot = slot(name);
        // Each key has two slots, so that two keys that share one do not chase each other away.
        for slot in [slot, slot ^ 1] {
            if let Some(Some(known)) = self.0.get(slot)
                && input.get(known.start..known.start.wrapping_add(name.len())) == Some(name)
                && known.length == name.len()
            {
                return known.seen;
            }
        }
        let seen = Seen::of(scrubber, name);
        let free = [slot, slot ^ 1].into_iter().find(|slot| self.0.get(*slot).is_some_and(Option::is_none));
        if let Some(slot) = self.0.get_mut(free.unwrap_or(slot)) {
            *slot = Some(Known { start: key.start, length: name.len(), seen });
        }
        seen
    }
}

impl Seen {
    #[cold]
    fn of(scrubber: &Scrubber, name: &[u8]) -> Self {
        let shows = || {
            let mut found = Found::default();
            let mut edits = super::found::Edits::new(name, &mut found);
            scrubber.without_pairs(&mut edits, &(0..name.len()));
            found.total() > 0
        };
        let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
        let is_word = name.len() <= LONGEST_WORD && !scrubber.told.knows() && name.iter().all(letter);
        Self {
            meaning: scrubber.keys.json_meaning(name),
            is_name: is_name(name),
            is_value: is_value(name),
            holds_secret: name.len() >= SHORTEST_SECRET && !is_word && shows(),
        }
    }
}

/// By its first and last bytes, and its length.
fn slot(name: &[u8]) -> usize {
    let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
            }
            _ => (name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
        },
    };
    let mixed = (first ^ last.rotate_left(29) ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as usize
}
