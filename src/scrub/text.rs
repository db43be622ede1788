//! Secrets inside texts, in one pass: each byte that may begin one is looked at by those who know it.

use std::ops::Range;

use super::encoded::Writing;
use super::found::{Edits, Found, Rule};
use super::numbers::{Number, is_time, number};
use super::pairs::pair;
use super::told::Ahead;
use super::xml::{element, is_xml};
use super::{Scrubber, named, quoted, rows, tokens, urls};

/// What a byte may begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Digit,
    Capital,
    /// `Bearer`, `basic`.
    B,
    /// `-`, `_` and `.` end the first word of a token's prefix.
    Joint,
    /// `=` and `:`.
    Separator,
    At,
    /// `%3D`, `&quot;`
    Escape,
    /// `<` of an element.
    Open,
    /// `(` and `[` of a name with its value.
    Group,
    Backtick,
}

const CLASSES: [Class; 256] = classes();

#[inline]
fn class(byte: u8) -> Class {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(Class::Plain)
}

impl Scrubber {
    /// Masks what is secret in this part of the input.
    #[inline]
    pub(super) fn scan(&self, edits: &mut Edits<'_, '_>, span: &Range<usize>) {
        self.look(edits, span, self.personal);
    }

    /// A text of no known form.
    pub(super) fn plain(&self, input: &[u8], found: &mut Found) -> Option<Vec<u8>> {
        if is_xml(input) {
            return self.xml(input, found);
        }
        let mut edits = Edits::new(input, found);
        self.scan(&mut edits, &(0..input.len()));
        edits.finish()
    }

    /// What the application gave as personal data stays; it is no place for secrets.
    pub(super) fn said_by_application(&self, input: &[u8], found: &mut Found) -> Option<Vec<u8>> {
        let mut edits = Edits::new(input, found);
        self.look(&mut edits, &(0..input.len()), false);
        edits.finish()
    }

    /// A path of a file: whose home it is in is nobody's business.
    pub(super) fn path(&self, input: &[u8], found: &mut Found) -> Option<Vec<u8>> {
        if let Some(forgotten) = self.told.forgotten(input, false, found) {
            return Some(self.path(&forgotten, found).unwrap_or(forgotten));
        }
        let mut edits = Edits::new(input, found);
        if let Some(home) = urls::home(input) {
            edits.mask(home, Rule::Home);
        }
        edits.finish()
    }

    /// Whether there is nothing in this text that anybody would look at.
    #[inline]
    pub(super) fn is_plain(&self, text: &[u8]) -> bool {
        let nothing = match first_of_class(text) {
            None => true,
            Some((_, class)) => class == Class::Digit && self.keys.know_no_time() && is_time(text),
        };
        nothing && !self.told.knows()
    }

    #[inline]
    fn look(&self, edits: &mut Edits<'_, '_>, span: &Range<usize>, personal: bool) {
        let Some(text) = edits.input().get(span.clone()) else { return };
        // Most texts end here.
        if !self.is_plain(text) {
            self.look_at(edits, text, span.start, personal);
        }
    }

    /// What stands at `start` of the input.
    #[inline(never)]
    fn look_at(&self, edits: &mut Edits<'_, '_>, text: &[u8], start: usize, personal: bool) {
        let mut ahead = Ahead::new(&self.told, text);
        let (mut at, mut seen) = (0, 0);
        while at < text.len() {
            let told = ahead.start();
            let secret = if told <= at {
                let Some((told, rule)) = ahead.next() else { return };
                Number::Secret(told, rule)
            } else {
                let until = told.min(text.len());
                let Some((plain, class)) = first_of_class(text.get(at..until).unwrap_or_default()) else {
                    at = until;
                    continue;
                };
                at = at.wrapping_add(plain);
                if class == Class::Escape {
                    at = match self.escaped(text, at, &mut seen, personal, edits.found()) {
                        None => at.wrapping_add(1),
                        Some((part, written)) => {
                            edits.replace(moved(&part, start), &written);
                            ahead.pass(part.end);
                            part.end
                        }
                    };
                    continue;
                }
                // What was masked is no name in front of a host: `://user:[Filtered]@host`.
                if class == Class::At && at > 0 && edits.done() == start.saturating_add(at) {
                    Number::Harmless(at.wrapping_add(1))
                } else {
                    self.secret_at(text, at, class, personal)
                }
            };
            match secret {
                Number::Harmless(next) => at = next.min(told.max(at)),
                Number::Secret(mut secret, rule) => {
                    // What was told and begins in it may end behind it.
                    if let Some((told, _)) = ahead.next().filter(|(told, _)| told.start < secret.end) {
                        secret.end = secret.end.max(told.end);
                    }
                    at = secret.end.max(at.saturating_add(1));
                    seen = seen.max(at);
                    edits.mask(moved(&secret, start), rule);
                    ahead.pass(at);
                }
            }
        }
    }

    /// The part around this escape, read, scrubbed and written again; `None` if nothing in it is secret. What is
    /// before `seen` was looked at.
    fn escaped(
        &self,
        text: &[u8],
        at: usize,
        seen: &mut usize,
        personal: bool,
        found: &mut Found,
    ) -> Option<(Range<usize>, Vec<u8>)> {
        let writing = Writing::at(text, at).filter(|_| *seen <= at)?;
        let part = writing.part(text, *seen, at);
        *seen = part.end;
        let written = text.get(part.clone())?;
        let plain = writing.read(written);
        let scrubbed = found.inside(|found| match personal {
            true => self.any(&plain, found),
            false => self.said_by_application(&plain, found),
        })?;
        Some((part, writing.write(&scrubbed, written)))
    }

    #[inline]
    fn secret_at(&self, text: &[u8], at: usize, class: Class, personal: bool) -> Number {
        let found = match class {
            Class::Plain | Class::Escape => None,
            Class::Digit => return number(text, at),
            Class::Capital => capital(text, at),
            Class::B => tokens::credential(text, at).map(|span| (span, Rule::Credential)),
            Class::Joint => joint(text, at),
            Class::Separator | Class::Open | Class::Group => {
                self.named(text, at, class).filter(|(_, rule)| personal || *rule != Rule::Personal)
            }
            Class::At if personal => urls::email(text, at).map(|span| (span, Rule::Email)),
            Class::At => None,
            Class::Backtick => quoted::value(&self.keys, text, at).map(|span| (span, Rule::Quoted)),
        };
        match found {
            Some((span, rule)) => Number::Secret(span, rule),
            None => Number::Harmless(at.wrapping_add(1)),
        }
    }

    /// A value by its name.
    fn named(&self, text: &[u8], at: usize, class: Class) -> Option<(Range<usize>, Rule)> {
        match class {
            Class::Open => element(&self.keys, text, at),
            Class::Group => named::second(&self.keys, text, at),
            _ if text.get(at..)?.starts_with(b"://") => {
                let userinfo = urls::userinfo(text, at).map(|span| (span, Rule::Url));
                userinfo.or_else(|| urls::webhook(text, at).map(|span| (span, Rule::Url)))
            }
            _ => match quoted::string(text, at) {
                Some(span) => Some((span, Rule::Quoted)),
                None => pair(&self.keys, text, at),
            },
        }
    }
}

/// The first byte that may begin something, and how many do not before it.
#[inline]
fn first_of_class(text: &[u8]) -> Option<(usize, Class)> {
    let (blocks, rest) = text.as_chunks::<4>();
    let mut at = 0_usize;
    for block in blocks {
        for (place, byte) in block.iter().enumerate() {
            if class(*byte) != Class::Plain {
                return Some((at.wrapping_add(place), class(*byte)));
            }
        }
        at = at.wrapping_add(4);
    }
    let place = rest.iter().position(|byte| class(*byte) != Class::Plain)?;
    Some((at.wrapping_add(place), rest.get(place).map_or(Class::Plain, |byte| class(*byte))))
}

fn moved(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start.saturating_add(by)..span.end.saturating_add(by)
}

fn capital(text: &[u8], at: usize) -> Option<(Range<usize>, Rule)> {
    match text.get(at)? {
        b'J' => tokens::jwt(text, at).map(|span| (span, Rule::Jwt)),
        b'A' if tokens::may_begin(text, at) && !tokens::continues_word(text, at) => {
            tokens::known_token(text, at).map(|span| (span, Rule::Token))
        }
        b'K' | b'F' | b'D' if rows::is_announced(text, at) && !tokens::continues_word(text, at) => {
            rows::row(text, at).map(|span| (span, Rule::Row))
        }
        _ => None,
    }
}

#[inline]
fn joint(text: &[u8], at: usize) -> Option<(Range<usize>, Rule)> {
    match text.get(at..)? {
        [b'-', b'-', ..] if text.get(at..)?.starts_with(b"-----B") => {
            tokens::private_key(text, at).map(|span| (span, Rule::PrivateKey))
        }
        _ if tokens::may_end_first_word(text, at) => {
            tokens::service_token(text, at).map(|span| (span, Rule::Token))
        }
        _ => None,
    }
}

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn classes() -> [Class; 256] {
    let mut table = [Class::Plain; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => Class::Digit,
            b'A' | b'D' | b'F' | b'J' | b'K' => Class::Capital,
            b'B' | b'b' => Class::B,
            b'-' | b'_' | b'.' => Class::Joint,
            b'=' | b':' => Class::Separator,
            b'@' => Class::At,
            b'%' | b'&' => Class::Escape,
            b'<' => Class::Open,
            b'(' | b'[' => Class::Group,
            b'`' => Class::Backtick,
            _ => Class::Plain,
        };
        byte += 1;
    }
    table
}
