//! XML and HTML: elements and attributes that are called like secrets.

use super::Scrubber;
use super::found::{Edits, Found, Rule};
use super::keys::Meaning;

/// Whether a text begins like XML.
pub(super) fn is_xml(text: &[u8]) -> bool {
    let mut visible = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    // A path of Rust begins like an element: `<Token as Display>::fmt`.
    visible.next() == Some(&b'<')
        && visible.next().is_some_and(|byte| byte.is_ascii_alphabetic() || b"?!".contains(byte))
        && (memchr::memmem::find(text, b"</").is_some() || memchr::memmem::find(text, b"/>").is_some())
}

impl Scrubber {
    /// The document without its secrets; `None` if it has none. It may be cut off.
    pub(super) fn xml(&self, input: &[u8], found: &mut Found) -> Option<Vec<u8>> {
        let mut edits = Edits::new(input, found);
        let mut at = 0;
        while let Some(tag) = Tag::next(input, at) {
            self.scan(&mut edits, &(at..tag.end));
            at = tag.end;
            let rule = match self.keys.meaning(tag.name) {
                Meaning::Secret => Rule::Key,
                Meaning::Personal => Rule::Personal,
                Meaning::Harmless | Meaning::InQuery => continue,
            };
            if tag.kind == Kind::Open {
                at = end_of_content(input, tag.end);
                if !is_blank(input.get(tag.end..at).unwrap_or_default()) {
                    edits.mask(tag.end..at, rule);
                }
            }
        }
        self.scan(&mut edits, &(at..input.len()));
        edits.finish()
    }
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    /// `<a/>`, comments, instructions, and sections of characters.
    Other,
}

struct Tag<'a> {
    kind: Kind,
    /// Without the namespace.
    name: &'a [u8],
    start: usize,
    end: usize,
}

impl<'a> Tag<'a> {
    fn next(input: &'a [u8], from: usize) -> Option<Self> {
        let start = from.saturating_add(memchr::memchr(b'<', input.get(from..)?)?);
        let rest = input.get(start..)?;
        let until = |end: &[u8]| {
            let found = memchr::memmem::find(rest, end).map(|at| at.saturating_add(end.len()));
            start.saturating_add(found.unwrap_or(rest.len()))
        };
        if rest.starts_with(b"<!--") {
            return Some(Self { kind: Kind::Other, name: b"", start, end: until(b"-->") });
        }
        if rest.starts_with(b"<![CDATA[") {
            return Some(Self { kind: Kind::Other, name: b"", start, end: until(b"]]>") });
        }
        let end = until(b">");
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

/// Where the element that was opened before `from` is closed: the end of the input if it is cut off.
fn end_of_content(input: &[u8], from: usize) -> usize {
    let (mut depth, mut at) = (1_usize, from);
    while let Some(tag) = Tag::next(input, at) {
        match tag.kind {
            Kind::Open => depth = depth.saturating_add(1),
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Other => {}
        }
        if depth == 0 {
            return tag.start;
        }
        at = tag.end;
    }
    input.len()
}
