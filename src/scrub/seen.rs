//! Keys that stand in a document again and again: what was found out about each is kept.

use super::ends::Ends;
use super::found::{Edits, Found};
use super::keys::Meaning;
use super::spans::{is_name, is_value};
use super::{Scrubber, json};

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

impl Seen {
    /// Depends on nothing but the key: where it stands changes nothing.
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
            holds_secret: name.len() >= json::SHORTEST_SECRET && shows(),
        }
    }

    /// Most keys.
    #[inline]
    pub(super) fn says_nothing(self) -> bool {
        let harmless = matches!(self.meaning, Meaning::Harmless | Meaning::InQuery);
        harmless && !(self.is_name | self.is_value | self.holds_secret)
    }
}

/// A power of two. A small document should not pay for a large one's keys.
const SLOTS: usize = 128;

/// The keys of one document. One takes the other's slot.
pub(super) struct SeenKeys([Option<Known>; SLOTS]);

#[derive(Clone, Copy)]
struct Known {
    ends: Ends,
    /// Where it stood first: the ends of a long key are not all of it.
    start: u32,
    /// Longer keys are looked at each time.
    length: u8,
    seen: Seen,
}

impl Default for SeenKeys {
    fn default() -> Self {
        Self([None; SLOTS])
    }
}

impl SeenKeys {
    /// What the key means that is `name` and stands at `start`.
    #[inline]
    pub(super) fn look_up(&mut self, scrubber: &Scrubber, input: &[u8], name: &[u8], start: usize) -> Seen {
        let ends = Ends::of(name);
        let slots = slots(ends, name.len());
        for slot in slots {
            if let Some(Some(known)) = self.0.get(slot)
                && known.ends == ends
                && usize::from(known.length) == name.len()
                && (name.len() <= Ends::WHOLE || known.name(input) == Some(name))
            {
                return known.seen;
            }
        }
        self.learn(scrubber, name, start, ends, slots)
    }

    #[inline(never)]
    fn learn(
        &mut self,
        scrubber: &Scrubber,
        name: &[u8],
        start: usize,
        ends: Ends,
        slots: [usize; 4],
    ) -> Seen {
        let seen = Seen::of(scrubber, name);
        let (Ok(start), Ok(length)) = (u32::try_from(start), u8::try_from(name.len())) else { return seen };
        let free = slots.into_iter().find(|slot| self.0.get(*slot).is_some_and(Option::is_none));
        if let Some(slot) = self.0.get_mut(free.unwrap_or(slots[0])) {
            *slot = Some(Known { ends, start, length, seen });
        }
        seen
    }
}

impl Known {
    fn name<'a>(&self, input: &'a [u8]) -> Option<&'a [u8]> {
        let start = usize::try_from(self.start).ok()?;
        input.get(start..start.saturating_add(usize::from(self.length)))
    }
}

/// Where a key may be: in more than one place, so that keys that share one do not chase each other away.
#[inline]
fn slots(ends: Ends, length: usize) -> [usize; 4] {
    let slot = ends.hash(length).rotate_left(SLOTS.trailing_zeros()) as usize & SLOTS.wrapping_sub(1);
    [slot, slot ^ 1, slot ^ 2, slot ^ 3]
}
