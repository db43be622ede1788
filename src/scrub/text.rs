//! Secrets inside texts, in one pass: each byte that may begin one is looked at by those who know it.

use std::ops::Range;

use super::encoded::Writing;
use super::found::{Edits, Found, Rule};
use super::numbers::{Number, number};
use super::pairs::pair;
use super::told::Ahead;
use super::xml::{element, is_xml};
use super::{Scrubber, named, rows, tokens, urls};

/// What a byte may begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Digit,
    Capital,
    /// `bearer`, `basic`.
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
}

const CLASSES: [Class; 256] = classes();

impl Scrubber {
    /// Masks what is secret in this part of the input.
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

    fn look(&self, edits: &mut Edits<'_, '_>, span: &Range<usize>, personal: bool) {
        let Some(text) = edits.input().get(span.clone()) else { return };
        let mut ahead = Ahead::new(&self.told, text);
        let (mut at, mut seen) = (0, 0);
        while let Some(&byte) = text.get(at) {
            let class = CLASSES.get(usize::from(byte)).copied().unwrap_or(Class::Plain);
            let told = ahead.next().filter(|(told, _)| told.start <= at);
            let secret = match told {
                Some((told, rule)) => Number::Secret(told, rule),
                None if class == Class::Plain => {
                    at = at.wrapping_add(1);
                    continue;
                }
                None if class == Class::Escape => {
                    at = match self.escaped(text, at, &mut seen, personal, edits.found()) {
                        None => at.wrapping_add(1),
                        Some((part, written)) => {
                            edits.replace(moved(&part, span.start), &written);
                            ahead.pass(part.end);
                            part.end
                        }
                    };
                    continue;
                }
                // What was masked is no name in front of a host: `://user:[Filtered]@host`.
                None if class == Class::At && at > 0 && edits.done() == span.start.saturating_add(at) => {
                    Number::Harmless(at.wrapping_add(1))
                }
                None => self.secret_at(text, at, class, personal),
            };
            match secret {
                Number::Harmless(next) => {
                    at = ahead.next().map_or(next, |(told, _)| next.min(told.start.max(at)));
                }
                Number::Secret(mut secret, rule) => {
                    // What was told and begins in it may end behind it.
                    if let Some((told, _)) = ahead.next().filter(|(told, _)| told.start < secret.end) {
                        secret.end = secret.end.max(told.end);
                    }
                    at = secret.end.max(at.saturating_add(1));
                    seen = seen.max(at);
                    edits.mask(moved(&secret, span.start), rule);
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
            _ => pair(&self.keys, text, at),
        }
    }
}

fn moved(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start.saturating_add(by)..span.end.saturating_add(by)
}

fn capital(text: &[u8], at: usize) -> Option<(Range<usize>, Rule)> {
    match text.get(at)? {
        b'J' => tokens::jwt(text, at).map(|span| (span, Rule::Jwt)),
        b'B' => tokens::credential(text, at).map(|span| (span, Rule::Credential)),
        b'A' if !tokens::continues_word(text, at) => {
            tokens::known_token(text, at).map(|span| (span, Rule::Token))
        }
        b'K' | b'F' | b'D' if !tokens::continues_word(text, at) => {
            rows::row(text, at).map(|span| (span, Rule::Row))
        }
        _ => None,
    }
}

fn joint(text: &[u8], at: usize) -> Option<(Range<usize>, Rule)> {
    if text.get(at..)?.starts_with(b"-----B") {
        return tokens::private_key(text, at).map(|span| (span, Rule::PrivateKey));
    }
    tokens::service_token(text, at).map(|span| (span, Rule::Token))
}

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn classes() -> [Class; 256] {
    let mut table = [Class::Plain; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' => Class::Digit,
            b'A' | b'B' | b'D' | b'F' | b'J' | b'K' => Class::Capital,
            b'b' => Class::B,
            b'-' | b'_' | b'.' => Class::Joint,
            b'=' | b':' => Class::Separator,
            b'@' => Class::At,
            b'%' | b'&' => Class::Escape,
            b'<' => Class::Open,
            b'(' | b'[' => Class::Group,
            _ => Class::Plain,
        };
        byte += 1;
    }
    table
}
