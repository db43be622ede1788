//! XML and HTML: elements and attributes that are called like secrets.

use std::ops::Range;

use memchr::memchr;

use super::found::{Edits, Found, Rule};
use super::keys::{Keys, Meaning};
use super::spans::{is_name, is_value, skip_spaces};
use super::tokens::continues_word;
use super::{MASK, Scrubber};

/// Whether a text begins like XML.
#[inline]
pub(super) fn is_xml(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'<' | b'\t'..=b' ')) && begins_with_element(text)
}

#[inline(never)]
fn begins_with_element(text: &[u8]) -> bool {
    let mut visible = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    // A path of Rust begins like an element: `<Token as Display>::fmt`.
    visible.next() == Some(&b'<')
        && visible.next().is_some_and(|byte| byte.is_ascii_alphabetic() || b"?!".contains(byte))
        && (memchr::memmem::find(text, b"</").is_some() || memchr::memmem::find(text, b"/>").is_some())
}

/// An element inside another text, at its `<`, if it is called like a secret: its content.
pub(super) fn element(keys: &Keys, text: &[u8], at: usize) -> Option<(Range<usize>, Rule)> {
    let near = text.get(at.saturating_add(1)..text.len().min(at.saturating_add(LONGEST_TAG)))?;
    let name = near.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(byte)).count();
    let name = near.get(..name).filter(|name| name.first().is_some_and(u8::is_ascii_alphabetic))?;
    // `Vec<Token>`
    if continues_word(text, at) || text.get(..at).is_some_and(|before| before.ends_with(b":")) {
        return None;
    }
    let rule = match keys.meaning(name.rsplit(|byte| *byte == b':').next()?) {
        Meaning::Secret => Rule::Key,
        Meaning::Personal => Rule::Personal,
        Meaning::Harmless | Meaning::InQuery => return None,
    };
    let tag = end_of_tag(near);
    let start = at.saturating_add(1).saturating_add(tag);
    let (b'>', false) = (*near.get(tag.checked_sub(1)?)?, near.get(..tag)?.ends_with(b"/>")) else {
        return None;
    };
    let rest = text.get(start..text.len().min(start.saturating_add(LONGEST_CONTENT)))?;
    let end = [b"/", name].concat();
    let closing = memchr::memmem::find_iter(rest, &end).find_map(|at| {
        // `<\/` is how some write JSON, `<\\/` and more in a string of JSON.
        let before = rest.get(..at)?;
        let escapes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        let tag = at.checked_sub(escapes)?.checked_sub(1)?;
        (before.get(tag) == Some(&b'<')).then_some(tag)
    });
    let content = start..match closing {
        Some(length) => start.saturating_add(length),
        None => start.saturating_add(cut(text.get(start..)?, name)?),
    };
    let shown = text.get(content.clone())?;
    (!is_blank(shown) && shown != MASK.as_bytes()).then_some((content, rule))
}

/// Where the content ends if the text was cut off before the end of the element. A space or comma shows
/// prose: `login <user> <password>`.
fn cut(content: &[u8], name: &[u8]) -> Option<usize> {
    match content {
        [] => None,
        [b'<', b'!' | b'a'..=b'z' | b'A'..=b'Z', ..] => Some(content.len()),
        [first, ..] if first.is_ascii_whitespace() || b",.;:)]}'\"`".contains(first) => None,
        _ => {
            let Some(tag) = memchr(b'<', content) else { return Some(content.len()) };
            let closing = content.get(tag.saturating_add(1)..)?;
            let escapes = closing.iter().take_while(|byte| **byte == b'\\').count();
            let closing = closing.get(escapes..).unwrap_or_default();
            let closing = closing.strip_prefix(b"/").unwrap_or(closing);
            // Of a URL the end of an escape may be missing.
            let closing = match closing {
                [closing @ .., b'%'] | [closing @ .., b'%', _] => closing,
                closing => closing,
            };
            name.starts_with(closing).then_some(tag)
        }
    }
}

/// Longer tags and contents inside of texts are not read.
const LONGEST_TAG: usize = 1024;
const LONGEST_CONTENT: usize = 16 * 1024;

impl Scrubber {
    /// The document without its secrets; `None` if it has none. It may be cut off.
    pub(super) fn xml(&self, input: &[u8], found: &mut Found) -> Option<Vec<u8>> {
        let mut edits = Edits::new(input, found);
        let (mut at, mut named) = (0, None);
        while let Some(tag) = Tag::next(input, at) {
            self.scan(&mut edits, &(at..tag.start));
            at = tag.end;
            if tag.kind == Kind::Characters {
                self.characters(&mut edits, tag.start.saturating_add(CDATA.len())..tag.end);
                continue;
            }
            let attribute = self.attributes(&mut edits, &tag);
            let rule = match self.keys.meaning(tag.name) {
                Meaning::Secret => Some(Rule::Key),
                Meaning::Personal => Some(Rule::Personal),
                Meaning::Harmless | Meaning::InQuery => attribute,
            };
            if tag.kind != Kind::Open {
                continue;
            }
            let rule = rule.or_else(|| if is_name(tag.name) { None } else { named.take() });
            match rule {
                Some(rule) => {
                    at = end_of_content(input, tag.end, tag.name);
                    if !is_blank(input.get(tag.end..at).unwrap_or_default()) {
                        edits.mask(tag.end..at, rule);
                    }
                }
                // `<name>password</name><value>..</value>`
                None if is_name(tag.name) => {
                    let content = input.get(tag.end..).unwrap_or_default();
                    let name = content.split(|byte| *byte == b'<').next().unwrap_or_default();
                    let secret = self.keys.meaning(name.trim_ascii()) == Meaning::Secret;
                    named = secret.then_some(Rule::Key);
                }
                None => {}
            }
        }
        self.scan(&mut edits, &(at..input.len()));
        edits.finish()
    }

    /// What stands in a section of characters may be of any form.
    fn characters(&self, edits: &mut Edits<'_, '_>, section: Range<usize>) {
        let text = edits.input().get(section.clone()).unwrap_or_default();
        let end = section.end.saturating_sub(if text.ends_with(b"]]>") { 3 } else { 0 });
        let text = edits.input().get(section.start..end).unwrap_or_default();
        if let Some(scrubbed) = edits.found().inside(|found| self.any(text, found)) {
            edits.replace(section.start..end, &scrubbed);
        }
    }

    /// Masks what is secret in a tag: `<add key="password" value=".."/>` says so of its value, and without one of
    /// its content.
    fn attributes(&self, edits: &mut Edits<'_, '_>, tag: &Tag<'_>) -> Option<Rule> {
        let input = edits.input();
        let whole = tag.start..tag.end;
        let is_secret = |attribute: &Attribute<'_>| {
            is_name(attribute.name)
                && input
                    .get(attribute.value.clone())
                    .is_some_and(|name| self.keys.meaning(name) == Meaning::Secret)
        };
        if tag.kind == Kind::Close || !Attribute::all(input, &whole).any(|attribute| is_secret(&attribute)) {
            self.scan(edits, &whole);
            return None;
        }
        let mut at = tag.start;
        for value in Attribute::all(input, &whole).filter(|attribute| is_value(attribute.name)) {
            self.scan(edits, &(at..value.value.start));
            edits.mask(value.value.clone(), Rule::Key);
            at = value.value.end;
        }
        self.scan(edits, &(at..tag.end));
        (at == tag.start).then_some(Rule::Key)
    }
}

struct Attribute<'a> {
    name: &'a [u8],
    value: Range<usize>,
}

impl<'a> Attribute<'a> {
    /// Those of a tag whose values stand in quotes.
    fn all(input: &'a [u8], tag: &Range<usize>) -> impl Iterator<Item = Self> {
        let tag = tag.clone();
        let mut at = tag.start;
        std::iter::from_fn(move || {
            loop {
                let rest = input.get(at..tag.end)?;
                let equals = at.saturating_add(memchr(b'=', rest)?);
                let quote = skip_spaces(input, equals.saturating_add(1));
                let start = quote.saturating_add(1);
                let Some(mark @ (b'"' | b'\'')) = input.get(quote) else {
                    at = equals.saturating_add(1);
                    continue;
                };
                let inner = input.get(start..tag.end)?;
                let end = start.saturating_add(memchr(*mark, inner).unwrap_or(inner.len()));
                let name = input.get(at..equals)?.trim_ascii_end();
                let name = name.rsplit(|byte| byte.is_ascii_whitespace() || *byte == b':').next()?;
                at = end;
                return Some(Self { name, value: start..end });
            }
        })
    }
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    /// `<![CDATA[..]]>`
    Characters,
    /// `<a/>`, comments and instructions.
    Other,
}

const CDATA: &[u8] = b"<![CDATA[";

struct Tag<'a> {
    kind: Kind,
    /// Without the namespace.
    name: &'a [u8],
    start: usize,
    end: usize,
}

impl<'a> Tag<'a> {
    fn next(input: &'a [u8], from: usize) -> Option<Self> {
        let start = from.saturating_add(memchr(b'<', input.get(from..)?)?);
        let rest = input.get(start..)?;
        let until = |end: &[u8]| {
            let found = memchr::memmem::find(rest, end).map(|at| at.saturating_add(end.len()));
            start.saturating_add(found.unwrap_or(rest.len()))
        };
        if rest.starts_with(b"<!--") {
            return Some(Self { kind: Kind::Other, name: b"", start, end: until(b"-->") });
        }
        if rest.starts_with(CDATA) {
            return Some(Self { kind: Kind::Characters, name: b"", start, end: until(b"]]>") });
        }
        let end = start.saturating_add(end_of_tag(rest));
        let inner = input.get(start.saturating_add(1)..end)?;
        let (kind, inner) = match inner.strip_prefix(b"/") {
            Some(inner) => (Kind::Close, inner),
            None if inner.ends_with(b"/>") || !inner.first().is_some_and(u8::is_ascii_alphabetic) => {
                (Kind::Other, inner)
            }
            None => (Kind::Open, inner),
        };
        let name = inner.split(|byte| byte.is_ascii_whitespace() || b"/>".contains(byte)).next()?;
        let name = name.rsplit(|byte| *byte == b':').next()?;
        Some(Self { kind, name, start, end })
    }
}

/// The end of a tag: a `>` in the quotes of an attribute is none.
fn end_of_tag(tag: &[u8]) -> usize {
    let mut quote = None;
    let mut last = b' ';
    for (at, byte) in tag.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at.saturating_add(1),
            (None, b'"' | b'\'') if last == b'=' => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            last = *byte;
        }
    }
    tag.len()
}

/// Where the element of this name that was opened before `from` is closed: the end of the input if it is cut off.
fn end_of_content(input: &[u8], from: usize, name: &[u8]) -> usize {
    let (mut depth, mut at) = (1_usize, from);
    while let Some(tag) = Tag::next(input, at) {
        match tag.kind {
            Kind::Open if tag.name == name => depth = depth.saturating_add(1),
            Kind::Close if tag.name == name => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return tag.start;
        }
        at = tag.end;
    }
    input.len()
}
