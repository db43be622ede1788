//! JSON as bytes, in one pass: what is cut off or has two of a key is no worse than a whole document.
//!
//! Strings are found by their quotes, keys by the colon behind them. Depth costs nothing, but where a secret's
//! value is an object, whose end is searched. Texts that are no JSON are given up and treated as such.

use std::ops::Range;

use super::found::{Edits, Found, Rule};
use super::keys::Meaning;
use super::numbers::{Number, number};
use super::places::{Nowhere, Places, Treat};
use super::seen::{Seen, look_up};
use super::spans::{end_of_string, end_of_value, is_id, is_name, looks_like_json, skip_spaces};
use super::structure::{Structure, begins_pair};
use super::versions::is_quoted_version;
use super::xml::is_xml;
use super::{Scrubber, escapes};

/// JSON inside a string inside JSON is read as such, what stands deeper as text.
const DEEPEST: u8 = 2;

/// The text is no JSON.
struct NotJson;

impl Scrubber {
    /// The document without its secrets; `None` if it has none.
    pub(super) fn json(&self, input: &[u8], found: &mut Found) -> Option<Vec<u8>> {
        self.json_at(input, found, &mut Nowhere, 0)
    }

    pub(super) fn json_at<'a, P: Places<'a>>(
        &self,
        input: &'a [u8],
        found: &mut Found,
        places: &mut P,
        level: u8,
    ) -> Option<Vec<u8>> {
        let before = found.clone();
        let mut edits = Edits::new(input, found);
        let ahead = input.len().saturating_mul(MOST_NESTED);
        let mut scanner = Scanner { scrubber: self, input, level, ahead, named: false, first_of_pair: false };
        if let Ok(()) = scanner.document(&mut edits, places) {
            return edits.finish();
        }
        *found = before;
        self.plain(input, found)
    }
}

struct Scanner<'s, 'a> {
    scrubber: &'s Scrubber,
    input: &'a [u8],
    level: u8,
    /// How far may be looked ahead in all, so that nests of values are not read once for each of their levels.
    ahead: usize,
    /// `"name": "password"` was read: its `"value"` is a secret.
    named: bool,
    /// `[[` was read: what comes first in a pair is a name.
    first_of_pair: bool,
}

impl<'a> Scanner<'_, 'a> {
    fn document<P: Places<'a>>(&mut self, edits: &mut Edits<'_, '_>, places: &mut P) -> Result<(), NotJson> {
        let mut at = 0;
        while let Some(mut byte) = self.input.get(at) {
            // What stands before most strings.
            if let (b',', Some(quote @ b'"')) = (byte, self.input.get(at.wrapping_add(1))) {
                places.comma();
                at = at.wrapping_add(1);
                byte = quote;
            }
            at = match byte {
                b'"' => self.string(at, edits, places),
                _ => self.structure(at, edits, places)?,
            };
        }
        Ok(())
    }

    #[inline]
    fn part(&self, span: &Range<usize>) -> &'a [u8] {
        self.input.get(span.clone()).unwrap_or_default()
    }

    /// A value, or a key with its value if that is masked as a whole. Returns where to go on.
    #[inline]
    fn string<P: Places<'a>>(&mut self, quote: usize, edits: &mut Edits<'_, '_>, places: &mut P) -> usize {
        let start = quote.saturating_add(1);
        let (end, escaped) = end_of_string(self.input, start);
        let first_of_pair = std::mem::take(&mut self.first_of_pair);
        let behind = skip_spaces(self.input, end.saturating_add(1));
        if self.input.get(behind) == Some(&b':') {
            let value = skip_spaces(self.input, behind.saturating_add(1));
            return self.pair(start..end, value, edits, places);
        }
        let first = first_of_pair && places.value() == Treat::ByKey;
        let named = first && self.is_secret(&(start..end));
        if named && self.input.get(behind) == Some(&b',') {
            places.comma();
            let value = skip_spaces(self.input, behind.saturating_add(1));
            let end = end_of_value(self.input, value);
            self.mask(value..end, Rule::Key, edits, places);
            return end;
        }
        self.value(start..end, escaped, edits, places);
        end.saturating_add(1)
    }

    #[inline]
    fn pair<P: Places<'a>>(
        &mut self,
        key: Range<usize>,
        value: usize,
        edits: &mut Edits<'_, '_>,
        places: &mut P,
    ) -> usize {
        let name = self.part(&key);
        let seen = look_up(self.scrubber, name);
        let treat = places.key(name);
        if matches!(treat, Treat::ByKey | Treat::Text) && seen.says_nothing() {
            return value;
        }
        self.pair_of_note(seen, treat, &key, value, edits, places)
    }

    /// A pair whose key or place says something about its value.
    #[inline(never)]
    fn pair_of_note<P: Places<'a>>(
        &mut self,
        seen: Seen,
        treat: Treat,
        key: &Range<usize>,
        value: usize,
        edits: &mut Edits<'_, '_>,
        places: &mut P,
    ) -> usize {
        let rule = match treat {
            Treat::Mask(rule) => Some(rule),
            Treat::Id => {
                let end = end_of_value(self.input, value);
                if is_id(self.part(&(value..end))) {
                    return end;
                }
                None
            }
            Treat::ByKey => match seen.meaning {
                // A package is called like a secret: its version is read like any text.
                Meaning::Secret
                    if is_quoted_version(self.part(&(value..end_of_value(self.input, value)))) =>
                {
                    None
                }
                Meaning::Secret => Some(Rule::Key),
                Meaning::Personal => Some(Rule::Personal),
                _ if seen.is_value && (self.named || self.named_behind(value)) => Some(Rule::Key),
                Meaning::Harmless | Meaning::InQuery => None,
            },
            _ => None,
        };
        if seen.holds_secret {
            self.scrubber.scan(edits, key);
        }
        let Some(rule) = rule else {
            if seen.is_name && self.input.get(value) == Some(&b'"') {
                let start = value.saturating_add(1);
                self.named = self.is_secret(&(start..end_of_string(self.input, start).0));
            }
            return value;
        };
        let end = end_of_value(self.input, value);
        self.mask(value..end, rule, edits, places);
        end
    }

    fn is_secret(&self, name: &Range<usize>) -> bool {
        self.scrubber.keys.is_secret_name(self.part(name))
    }

    /// `"value": "x", "name": "password"`
    ///
    /// Where that can no longer be afforded it is taken for granted.
    fn named_behind(&mut self, value: usize) -> bool {
        let end = end_of_value(self.input, value);
        let Some(ahead) = self.ahead.checked_sub(end.saturating_sub(value)) else { return true };
        self.ahead = ahead;
        let behind = skip_spaces(self.input, end);
        if self.input.get(behind) != Some(&b',') {
            return false;
        }
        let next_string = |at: usize| {
            let quote = skip_spaces(self.input, at);
            let start = quote.saturating_add(1);
            (self.input.get(quote) == Some(&b'"')).then(|| start..end_of_string(self.input, start).0)
        };
        let Some(key) = next_string(behind.saturating_add(1)) else { return false };
        let colon = skip_spaces(self.input, key.end.saturating_add(1));
        is_name(self.part(&key))
            && self.input.get(colon) == Some(&b':')
            && next_string(colon.saturating_add(1)).is_some_and(|name| self.is_secret(&name))
    }

    /// Masks a whole value, unless there is nothing in it to hide.
    fn mask<P: Places<'a>>(
        &self,
        value: Range<usize>,
        rule: Rule,
        edits: &mut Edits<'_, '_>,
        places: &mut P,
    ) {
        let text = self.part(&value);
        let before = edits.found().total();
        match (text, places.replacement()) {
            (b"" | b"null" | b"true" | b"false" | b"[]" | b"{}", _) => {}
            (_, Some(object)) => {
                if text != object {
                    edits.found().add(rule);
                    edits.replace(value, object);
                }
            }
            ([b'"', .., b'"'], None) if text.len() > 1 => {
                edits.mask(value.start.saturating_add(1)..value.end.saturating_sub(1), rule);
            }
            // Cut off before its end.
            ([b'"', ..], None) => edits.mask(value.start.saturating_add(1)..value.end, rule),
            (_, None) => edits.mask_value(value, rule),
        }
        if edits.found().total() > before {
            places.masked(rule);
        }
    }

    /// A string that is no key.
    #[inline]
    fn value<P: Places<'a>>(
        &self,
        value: Range<usize>,
        escaped: bool,
        edits: &mut Edits<'_, '_>,
        places: &mut P,
    ) {
        let treat = places.value();
        let before = edits.found().total();
        if !escaped && matches!(treat, Treat::ByKey | Treat::Text) && !is_xml(self.part(&value)) {
            self.scrubber.scan(edits, &value);
        } else {
            self.rewritten(value, treat, edits);
        }
        if edits.found().total() > before
            && let Some(rule) = edits.found().last()
        {
            places.masked(rule);
        }
    }

    /// A string that is read, and written again if something in it is masked.
    fn rewritten(&self, value: Range<usize>, treat: Treat, edits: &mut Edits<'_, '_>) {
        let text = self.part(&value);
        let mut plain = Vec::new();
        escapes::decode(text, &mut plain);
        let (scrubber, found) = (self.scrubber, edits.found());
        let scrubbed = match treat {
            Treat::Query => scrubber.query(&plain, found),
            Treat::Cookies => scrubber.cookies(&plain, found),
            Treat::Path => scrubber.path(&plain, found),
            Treat::User => scrubber.said_by_application(&plain, found),
            _ if self.level < DEEPEST && looks_like_json(&plain) => {
                scrubber.json_at(&plain, found, &mut Nowhere, self.level.saturating_add(1))
            }
            _ => scrubber.plain(&plain, found),
        };
        if let Some(scrubbed) = scrubbed {
            let mut written = Vec::with_capacity(text.len());
            escapes::encode(&scrubbed, &mut written);
            edits.replace(value, &written);
        }
    }

    /// What stands between strings: brackets, commas, numbers and literals. Returns where the next string begins,
    /// or where to go on.
    fn structure<P: Places<'a>>(
        &mut self,
        from: usize,
        edits: &mut Edits<'_, '_>,
        places: &mut P,
    ) -> Result<usize, NotJson> {
        let (mut digits, mut opened, mut at) = (0_usize, false, from);
        while let Some(byte) = self.input.get(at) {
            match Structure::of(*byte) {
                Structure::Quiet => {}
                Structure::Digit => digits = digits.wrapping_add(1),
                Structure::Quote => break,
                Structure::Comma => places.comma(),
                Structure::Bracket => {
                    self.named = false;
                    opened = *byte == b'[';
                    if !places.bracket(*byte) {
                        let end = end_of_value(self.input, at);
                        edits.mask_value(at..end, Rule::Unreadable);
                        return Ok(end);
                    }
                }
                // The mark of a byte order, which some send first.
                Structure::None if from == 0 && at < 3 && matches!(byte, 0xef | 0xbb | 0xbf) => {}
                Structure::None => return Err(NotJson),
            }
            at = at.wrapping_add(1);
        }
        // Else the last bracket is no `[`.
        self.first_of_pair = opened && begins_pair(self.part(&(from..at)));
        if digits >= FEWEST_DIGITS {
            self.numbers(from..at, edits, places);
        }
        Ok(at)
    }

    /// Numbers that are cards', outside of strings.
    fn numbers<P: Places<'a>>(&self, span: Range<usize>, edits: &mut Edits<'_, '_>, places: &mut P) {
        let text = self.part(&span);
        let mut at = 0;
        while let Some(digit) = text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
            at = match number(text, at.saturating_add(digit)) {
                Number::Harmless(next) => next,
                // A number below zero is no card, and its sign would be left.
                Number::Secret(number, _) if text.get(..number.start).is_some_and(|t| t.ends_with(b"-")) => {
                    number.end
                }
                Number::Secret(number, rule) => {
                    let start = span.start.saturating_add(number.start);
                    edits.mask_value(start..span.start.saturating_add(number.end), rule);
                    places.masked(rule);
                    number.end
                }
            };
        }
    }
}

/// Nobody nests values in values deeper, all of them with a name of their own.
const MOST_NESTED: usize = 32;
/// What is shorter is no secret by itself.
pub(super) const SHORTEST_SECRET: usize = 8;
/// Fewer digits are no card.
const FEWEST_DIGITS: usize = 13;
