//! Keys that stand in documents again and again: what was found out about each is kept, by thread.

use std::cell::RefCell;

use super::ends::Ends;
use super::found::{Edits, Found};
use super::keys::Meaning;
use super::spans::{is_name, is_value};
use super::{Scrubber, json};

/// What is known of a key. It depends on nothing but the key and the scrubber: where it stands changes nothing.
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

impl Seen {
    fn of(scrubber: &Scrubber, name: &[u8]) -> Self {
        let shows = || {
            let mut found = Found::default();
            let mut edits = Edits::new(name, &mut found);
            scrubber.scan(&mut edits, &(0..name.len()));
            edits.finish().is_some()
        };
        Self {
            meaning: scrubber.keys.json_meaning(name),
            is_name: is_name(name),
            is_value: is_value(name),
            holds_secret: name.len() >= json::SHORTEST_SECRET && !scrubber.is_plain(name) && shows(),
        }
    }

    /// Most keys.
    #[inline]
    pub(super) fn says_nothing(self) -> bool {
        let harmless = matches!(self.meaning, Meaning::Harmless | Meaning::InQuery);
        harmless && !(self.is_name | self.is_value | self.holds_secret)
    }
}

thread_local! {
    static SEEN: RefCell<SeenKeys> = const { RefCell::new(SeenKeys { scrubber: 0, slots: Vec::new() }) };
}

/// What the key says, which is found out where it is new.
#[inline]
pub(super) fn look_up(scrubber: &Scrubber, name: &[u8]) -> Seen {
    let ends = Ends::of(name);
    let known = SEEN.try_with(|seen| seen.try_borrow().ok()?.find(scrubber.id, name, ends));
    known.ok().flatten().unwrap_or_else(|| learn(scrubber, name, ends))
}

#[inline(never)]
fn learn(scrubber: &Scrubber, name: &[u8], ends: Ends) -> Seen {
    // Not while the keys are borrowed: in a key may be a document.
    let seen = Seen::of(scrubber, name);
    // A secret is not kept, and what is not kept is found out again.
    if !seen.holds_secret {
        let _ = SEEN
            .try_with(|keys| keys.try_borrow_mut().map(|mut keys| keys.keep(scrubber.id, name, ends, seen)));
    }
    seen
}

/// A power of two.
const SLOTS: usize = 256;
/// A key has more than one place, so that those that share one do not chase each other away. A power of two, too.
const PLACES: usize = 4;
/// Longer keys are looked at each time.
const LONGEST: usize = 32;

/// At most 16 KiB on each thread that scrubs.
struct SeenKeys {
    /// Whose they are: another one has other rules.
    scrubber: u64,
    /// One key takes another's.
    slots: Vec<Option<Known>>,
}

#[derive(Clone, Copy)]
struct Known {
    ends: Ends,
    name: [u8; LONGEST],
    length: usize,
    seen: Seen,
}

impl SeenKeys {
    #[inline]
    fn find(&self, scrubber: u64, name: &[u8], ends: Ends) -> Option<Seen> {
        if self.scrubber != scrubber {
            return None;
        }
        let first = slot(ends, name.len());
        (0..PLACES).find_map(|place| {
            let known = self.slots.get(first ^ place)?.as_ref()?;
            (known.ends == ends && known.length == name.len() && known.is(name)).then_some(known.seen)
        })
    }

    fn keep(&mut self, scrubber: u64, name: &[u8], ends: Ends, seen: Seen) {
        if self.scrubber != scrubber || self.slots.is_empty() {
            self.scrubber = scrubber;
            self.slots.clear();
            self.slots.resize(SLOTS, None);
        }
        let mut known = Known { ends, name: [0; LONGEST], length: name.len(), seen };
        let Some(kept) = known.name.get_mut(..name.len()) else { return };
        kept.copy_from_slice(name);
        let first = slot(ends, name.len());
        let mut places = (0..PLACES).map(|place| first ^ place);
        let free = places.find(|slot| self.slots.get(*slot).is_some_and(Option::is_none));
        if let Some(slot) = self.slots.get_mut(free.unwrap_or(first)) {
            *slot = Some(known);
        }
    }
}

impl Known {
    /// The ends of a long key are not all of it.
    #[inline]
    fn is(&self, name: &[u8]) -> bool {
        name.len() <= Ends::WHOLE || self.name.get(..self.length) == Some(name)
    }
}

/// Where a key may be, or next to it.
#[inline]
fn slot(ends: Ends, length: usize) -> usize {
    ends.hash(length).rotate_left(SLOTS.trailing_zeros()) as usize & SLOTS.wrapping_sub(1)
}
