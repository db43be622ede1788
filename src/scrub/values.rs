//! Where a value ends that stands behind its name in a text.

use std::ops::Range;

use super::MASK;

/// The longest name that is looked for.
pub(super) const LONGEST_NAME: usize = 256;
/// More backslashes in a row are no escapes.
const MOST_ESCAPES: usize = 64;
/// More white space in a row is no gap between a name and its value.
const LONGEST_GAP: usize = 64;

/// The value after a separator.
pub(super) struct Value<'a> {
    text: &'a [u8],
    pub(super) start: usize,
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    /// `".."`, `'..'`, `\".."\`: the quote, and the backslashes before it.
    Quoted(u8, usize),
    /// `"""..` of Python and TOML.
    Tripled(u8),
    /// `{..}`, `[..]`, `(..)`
    Brackets,
    /// `Some(..)`
    Inside,
    /// `Password(..)`, `Credentials { .. }`: how long the name of the type is.
    Type(usize),
    Bare,
}

impl<'a> Value<'a> {
    /// The value that begins here, behind white space, or on another line if it may.
    pub(super) fn at(text: &'a [u8], after: usize, over_lines: bool) -> Option<Self> {
        let start = after.saturating_add(gap(text.get(after..)?, over_lines));
        let rest = text.get(start..)?;
        let value = |skipped: usize, form| Some(Self { text, start: start.saturating_add(skipped), form });
        let escapes = rest.iter().take(MOST_ESCAPES).take_while(|byte| **byte == b'\\').count();
        let prefix = if escapes == 0 { prefix(rest) } else { escapes };
        match rest.get(prefix..)?.first()? {
            quote @ (b'"' | b'\'') => {
                let inner = prefix.saturating_add(1);
                let tripled = escapes == 0 && rest.get(inner..)?.starts_with(&[*quote, *quote]);
                match tripled {
                    true => value(inner.saturating_add(2), Form::Tripled(*quote)),
                    false => value(inner, Form::Quoted(*quote, escapes)),
                }
            }
            b'{' | b'[' | b'(' if escapes == 0 && !rest.starts_with(MASK.as_bytes()) => {
                value(0, Form::Brackets)
            }
            b'A'..=b'Z' if escapes == 0 => {
                let word = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                let behind = rest.get(word..)?;
                if rest.starts_with(b"Some(") {
                    value(5, Form::Inside)
                } else if behind.starts_with(b"(") || behind.starts_with(b" {") {
                    value(0, Form::Type(word))
                } else {
                    value(0, Form::Bare)
                }
            }
            _ => value(0, Form::Bare),
        }
    }

    /// Whether its form says that it is one: prose has none.
    pub(super) fn is_structured(&self) -> bool {
        !matches!(self.form, Form::Bare)
    }

    /// The word that it begins with, or what is to be seen of a long one.
    pub(super) fn preview(&self) -> &'a [u8] {
        let seen = self.text.get(..self.text.len().min(self.start.saturating_add(256))).unwrap_or_default();
        seen.get(self.start..bare(seen, self.start)).unwrap_or_default()
    }

    /// A short string in quotes, which may be a name.
    pub(super) fn quoted_name(&self) -> Option<Range<usize>> {
        let Form::Quoted(quote, _) = self.form else { return None };
        let rest = self.text.get(self.start..)?;
        let length = rest.iter().take(LONGEST_NAME).position(|byte| *byte == quote || *byte == b'\\')?;
        Some(self.start..self.start.saturating_add(length))
    }

    pub(super) fn is_masked(&self) -> bool {
        let mask = self.text.get(self.start..).unwrap_or_default().starts_with(MASK.as_bytes());
        mask && (matches!(self.form, Form::Bare) || self.span().len() == MASK.len())
    }

    pub(super) fn span(&self) -> Range<usize> {
        let (text, start) = (self.text, self.start);
        let end = match self.form {
            Form::Quoted(quote, escapes) => closing_quote(text, start, quote, escapes),
            Form::Tripled(quote) => {
                let rest = text.get(start..).unwrap_or_default();
                memchr::memmem::find(rest, &[quote; 3]).map_or(text.len(), |end| start.saturating_add(end))
            }
            Form::Brackets => balanced(text, start),
            Form::Inside => {
                let end = balanced(text, start.saturating_sub(1));
                let closed = end.checked_sub(1).and_then(|last| text.get(last)) == Some(&b')');
                if closed { end.saturating_sub(1) } else { end }
            }
            Form::Type(word) => {
                let gap = text.get(start.saturating_add(word)) == Some(&b' ');
                balanced(text, start.saturating_add(word).saturating_add(usize::from(gap)))
            }
            Form::Bare => bare(text, start),
        };
        start..end.max(start)
    }
}

/// How much white space begins a text. An escape of it that stayed one is some, too.
fn gap(text: &[u8], over_lines: bool) -> usize {
    let mut at = 0_usize;
    while at < LONGEST_GAP {
        let rest = text.get(at..).unwrap_or_default();
        let escapes = rest.iter().take(MOST_ESCAPES).take_while(|byte| **byte == b'\\').count();
        match rest.get(escapes) {
            Some(b' ' | b'\t') if escapes == 0 => at = at.saturating_add(1),
            Some(b'\n' | b'\r') if escapes == 0 && over_lines => at = at.saturating_add(1),
            Some(b'n' | b'r' | b't') if escapes > 0 && over_lines => {
                at = at.saturating_add(escapes).saturating_add(1);
            }
            _ => break,
        }
    }
    at
}

/// `b".."`, `u'..'`, `r#".."`: what stands before the quote.
fn prefix(rest: &[u8]) -> usize {
    let letters = rest.iter().take(2).take_while(|byte| b"brufBRUF".contains(byte)).count();
    let hashes = rest.iter().skip(letters).take(8).take_while(|byte| **byte == b'#').count();
    let length = letters.saturating_add(hashes);
    let quoted = rest.get(length).is_some_and(|byte| b"\"'".contains(byte));
    if quoted && letters > 0 { length } else { 0 }
}

/// Where the quote closes: it is escaped as often as the one that opened, and not doubled. One that never closes
/// was cut off; an apostrophe that does not may be one, and ends with its line.
fn closing_quote(text: &[u8], start: usize, quote: u8, escapes: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let mut doubled = false;
    for at in memchr::memchr_iter(quote, rest) {
        if std::mem::take(&mut doubled) {
            continue;
        }
        let backslashes = count_back(rest.get(..at).unwrap_or_default(), MOST_ESCAPES, |byte| byte == b'\\');
        if backslashes == escapes || (escapes == 0 && backslashes % 2 == 0) {
            doubled = at > 0 && escapes == 0 && rest.get(at.saturating_add(1)) == Some(&quote);
            if !doubled {
                return start.saturating_add(at).saturating_sub(backslashes.min(escapes));
            }
        }
    }
    let line = || memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    start.saturating_add(if quote == b'"' { rest.len() } else { line() })
}

/// The end of `{..}`, `[..]` or `(..)`. A parenthesis that does not end with its line is prose.
fn balanced(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let line = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let in_line = rest.first() == Some(&b'(')
        && !rest.get(1..line).unwrap_or_default().iter().all(u8::is_ascii_whitespace);
    let rest = if in_line { rest.get(..line).unwrap_or_default() } else { rest };
    let Some(open) = rest.first() else { return start };
    let close = match open {
        b'{' => b'}',
        b'[' => b']',
        _ => b')',
    };
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            byte if byte == open => depth = depth.saturating_add(1),
            byte if *byte == close => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return start.saturating_add(at).saturating_add(1);
                }
            }
            _ => {}
        }
    }
    start.saturating_add(rest.len())
}

/// The end of a value without quotes. A comma, a bracket or a quote belongs to it unless something else begins
/// behind it.
fn bare(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let ends = |(at, byte): (usize, &u8)| {
        let behind = || rest.get(at.saturating_add(1)..).unwrap_or_default();
        match byte {
            b'"' | b'`' | b'>' => !goes_on(behind()),
            b'\'' => at > 0 && !goes_on(behind()),
            b'<' => behind().first().is_none_or(|next| *next == b'/' || next.is_ascii_whitespace()),
            // The escape of a line's end that stayed one.
            b'\\' => matches!(behind(), [b'n' | b'r' | b't', rest @ ..] if starts_anew(rest)),
            b'&' => is_entity(behind()) || starts_anew(behind()),
            b',' | b';' | b'#' | b')' | b']' | b'}' => starts_anew(behind()),
            byte => byte.is_ascii_whitespace(),
        }
    };
    let end = rest.iter().enumerate().position(ends).unwrap_or(rest.len());
    let value = rest.get(..end).unwrap_or_default();
    // `\"`: the backslash is the quote's.
    let escapes = match rest.get(end) {
        Some(b'"' | b'\'') => count_back(value, MOST_ESCAPES, |byte| byte == b'\\'),
        _ => 0,
    };
    start.saturating_add(end.saturating_sub(escapes))
}

/// Whether the same word goes on behind a quote.
fn goes_on(rest: &[u8]) -> bool {
    rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80) && !starts_anew(rest)
}

fn is_entity(rest: &[u8]) -> bool {
    let names: [&[u8]; 6] = [b"amp;", b"quot;", b"apos;", b"lt;", b"gt;", b"#"];
    names.iter().any(|name| rest.starts_with(name))
}

fn starts_anew(rest: &[u8]) -> bool {
    let Some(first) = rest.first() else { return true };
    if first.is_ascii_whitespace() || b",;)]}\"'`.:".contains(first) {
        return true;
    }
    let name = rest.iter().take(LONGEST_NAME).take_while(|byte| is_name(**byte)).count();
    name > 0 && rest.get(name).is_some_and(|byte| b"=:".contains(byte))
}

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.[]$%".contains(&byte) || byte >= 0x80
}

pub(super) fn count_back(text: &[u8], most: usize, is: impl Fn(u8) -> bool) -> usize {
    text.iter().rev().take(most).take_while(|byte| is(**byte)).count()
}
