//! JSON as bytes, in one pass: what is cut off or has two of a key is no worse than a whole document.
//!
//! Strings are found by their quotes, keys by the colon behind them. Depth costs nothing, but where a secret's
//! value is an object, whose end is searched. Texts that are no JSON are given up and treated as such.

use std::ops::Range;

use memchr::memchr;

use super::found::{Edits, Found, Rule};
use super::keys::Meaning;
use super::numbers::{Number, number};
use super::places::{Nowhere, Places, Treat};
use super::spans::{end_of_string, end_of_value, is_id, is_name, is_value, looks_like_json, skip_spaces};
use super::versions::is_version;
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
        let mut scanner = Scanner { scrubber: self, input, level, named: false, first_of_pair: false };
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
    /// `"name": "password"` was read: its `"value"` is a secret.
    named: bool,
    /// `[[` was read: what comes first in a pair is a name.
    first_of_pair: bool,
}

impl<'a> Scanner<'_, 'a> {
    fn document<P: Places<'a>>(&mut self, edits: &mut Edits<'_, '_>, places: &mut P) -> Result<(), NotJson> {
        let mut at = 0;
        while let Some(quote) = memchr(b'"', self.rest(at)) {
            let quote = at.saturating_add(quote);
            let next = self.structure(at..quote, edits, places)?;
            at = if next == quote { self.string(quote, edits, places) } else { next };
        }
        while at < self.input.len() {
            at = self.structure(at..self.input.len(), edits, places)?;
        }
        Ok(())
    }

    fn rest(&self, at: usize) -> &'a [u8] {
        self.input.get(at..).unwrap_or_default()
    }

    fn part(&self, span: &Range<usize>) -> &'a [u8] {
        self.input.get(span.clone()).unwrap_or_default()
    }

    /// A value, or a key with its value if that is masked as a whole. Returns where to go on.
    fn string<P: Places<'a>>(&mut self, quote: usize, edits: &mut Edits<'_, '_>, places: &mut P) -> usize {
        let start = quote.saturating_add(1);
        let end = end_of_string(self.input, start);
        let behind = skip_spaces(self.input, end.saturating_add(1));
        if self.input.get(behind) == Some(&b':') {
            let value = skip_spaces(self.input, behind.saturating_add(1));
            return self.pair(start..end, value, edits, places);
        }
        let first = std::mem::take(&mut self.first_of_pair) && places.value() == Treat::ByKey;
        let named = first && self.is_secret(&(start..end));
        if named && self.input.get(behind) == Some(&b',') {
            places.comma();
            let value = skip_spaces(self.input, behind.saturating_add(1));
            let end = end_of_value(self.input, value);
            self.mask(value..end, Rule::Key, edits, places);
            return end;
        }
        self.value(start..end, edits, places);
        end.saturating_add(1)
    }

    fn pair<P: Places<'a>>(
        &mut self,
        key: Range<usize>,
        value: usize,
        edits: &mut Edits<'_, '_>,
        places: &mut P,
    ) -> usize {
        let name = self.part(&key);
        let rule = match places.key(name) {
            Treat::Mask(rule) => Some(rule),
            Treat::Id => {
                let end = end_of_value(self.input, value);
                if is_id(self.part(&(value..end))) {
                    return end;
                }
                None
            }
            Treat::ByKey => match self.scrubber.keys.json_meaning(name) {
                // A package is called like a secret: its version is read like any text.
                Meaning::Secret if self.is_version(value) => None,
                Meaning::Secret => Some(Rule::Key),
                Meaning::Personal => Some(Rule::Personal),
                _ if is_value(name) && (self.named || self.named_behind(value)) => Some(Rule::Key),
                Meaning::Harmless | Meaning::InQuery => None,
            },
            _ => None,
        };
        // A key may itself be what it should not: in a map by e-mail address or token.
        if key.len() >= SHORTEST_SECRET {
            self.scrubber.scan(edits, &key);
        }
        let Some(rule) = rule else {
            if is_name(self.part(&key)) && self.input.get(value) == Some(&b'"') {
                let start = value.saturating_add(1);
                self.named = self.is_secret(&(start..end_of_string(self.input, start)));
            }
            return value;
        };
        let end = end_of_value(self.input, value);
        self.mask(value..end, rule, edits, places);
        end
    }

    /// Whether the string that begins here is closed and a version.
    fn is_version(&self, value: usize) -> bool {
        match self.part(&(value..end_of_value(self.input, value))) {
            [b'"', version @ .., b'"'] => is_version(version),
            _ => false,
        }
    }

    fn is_secret(&self, name: &Range<usize>) -> bool {
        name.len() <= LONGEST_NAME && self.scrubber.keys.json_meaning(self.part(name)) == Meaning::Secret
    }

    /// `"value": "x", "name": "password"`
    fn named_behind(&self, value: usize) -> bool {
        let behind = skip_spaces(self.input, end_of_value(self.input, value));
        if self.input.get(behind) != Some(&b',') {
            return false;
        }
        let next_string = |at: usize| {
            let quote = skip_spaces(self.input, at);
            let start = quote.saturating_add(1);
            (self.input.get(quote) == Some(&b'"')).then(|| start..end_of_string(self.input, start))
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
    fn value<P: Places<'a>>(&self, value: Range<usize>, edits: &mut Edits<'_, '_>, places: &mut P) {
        let treat = places.value();
        let before = edits.found().total();
        let text = self.part(&value);
        if memchr(b'\\', text).is_none() && matches!(treat, Treat::ByKey | Treat::Text) && !is_xml(text) {
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

    /// What stands between strings: brackets, commas, numbers and literals. Returns where to go on.
    fn structure<P: Places<'a>>(
        &mut self,
        span: Range<usize>,
        edits: &mut Edits<'_, '_>,
        places: &mut P,
    ) -> Result<usize, NotJson> {
        let text = self.part(&span);
        let mut digits = 0_usize;
        for (at, byte) in text.iter().enumerate() {
            match byte {
                b'0'..=b'9' => digits = digits.wrapping_add(1),
                b',' => places.comma(),
                b':' | b' ' | b'\n' | b'\r' | b'\t' | b'.' | b'+' | b'-' => {}
                b'{' | b'}' | b'[' | b']' => {
                    self.named = false;
                    if !places.bracket(*byte) {
                        let start = span.start.saturating_add(at);
                        let end = end_of_value(self.input, start);
                        edits.mask_value(start..end, Rule::Unreadable);
                        return Ok(end);
                    }
                }
                // The letters of true, false, null and 1e9.
                b't' | b'r' | b'u' | b'e' | b'E' | b'f' | b'a' | b'l' | b's' | b'n' => {}
                // The mark of a byte order, which some send first.
                0xef | 0xbb | 0xbf if span.start == 0 && at < 3 => {}
                _ => return Err(NotJson),
            }
        }
        self.first_of_pair = begins_pair(text);
        if digits >= FEWEST_DIGITS {
            self.numbers(span.clone(), edits, places);
        }
        Ok(span.end)
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

/// `[[` and `],[`, with white space between them: what comes first here is a name.
fn begins_pair(text: &[u8]) -> bool {
    let mut visible = text.iter().rev().filter(|byte| !byte.is_ascii_whitespace());
    visible.next() == Some(&b'[')
        && match visible.next() {
            Some(b',') => visible.next() == Some(&b']'),
            before => before == Some(&b'['),
        }
}

/// Names are no longer than this where they stand as values, each letter as an escape.
const LONGEST_NAME: usize = 6 * 64;
/// What is shorter is no secret by itself.
const SHORTEST_SECRET: usize = 8;
/// Fewer digits are no card.
const FEWEST_DIGITS: usize = 13;
