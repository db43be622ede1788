//! Pairs that are still url-encoded where they stand in a text: `next=%2Freset%3Ftoken%3Dabc`.

use std::ops::Range;

use percent_encoding::percent_decode;

use super::MASK;
use super::found::Rule;
use super::keys::{Keys, Meaning};
use super::values::{LONGEST_NAME, count_back};

/// What was encoded more often is not read.
const MOST_TIMES: usize = 4;

/// The value behind the `%3D` or `%3A` at `at`, if its name is a secret's.
pub(super) fn encoded_pair(keys: &Keys, text: &[u8], at: usize) -> Option<(Range<usize>, Rule)> {
    let (separator @ (b'=' | b':'), length) = escape(text, at)? else { return None };
    let (name, in_query) = name_before(text.get(..at)?)?;
    let rule = match keys.meaning(&name) {
        Meaning::Secret => Rule::Key,
        Meaning::Personal => Rule::Personal,
        Meaning::InQuery if in_query && separator == b'=' => Rule::Key,
        Meaning::InQuery | Meaning::Harmless => return None,
    };
    let mut start = at.saturating_add(length);
    while let Some(length) = gap(text, start) {
        start = start.saturating_add(length);
    }
    let quote = quote(text, start);
    let span = match &quote {
        Some(quote) => {
            let inner = quote.end;
            let rest = text.get(inner..)?;
            let closing = memchr::memmem::find(rest, text.get(quote.clone())?);
            inner..inner.saturating_add(closing.unwrap_or_else(|| end(rest, |_| false)))
        }
        None => start..start.saturating_add(end(text.get(start..)?, |c| b"&,;#}]\"'\n".contains(&c))),
    };
    let shown = text.get(span.clone())?;
    (!shown.is_empty() && !shown.starts_with(MASK.as_bytes())).then_some((span, rule))
}

/// The character that `%XX` stands for, and the length of the escape. `%25XX` is one that was encoded twice.
fn escape(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let mut rest = text.get(at..)?.strip_prefix(b"%")?;
    let mut length = 3_usize;
    for _ in 1..MOST_TIMES {
        let Some(inner) = rest.strip_prefix(b"25").filter(|inner| inner.len() >= 2) else { break };
        rest = inner;
        length = length.saturating_add(2);
    }
    let digit = |at: usize| rest.get(at).and_then(|digit| char::from(*digit).to_digit(16));
    let byte = digit(0)?.wrapping_mul(16).wrapping_add(digit(1)?);
    Some((u8::try_from(byte).ok()?, length))
}

/// The name that ends here, and whether it stands in a query.
fn name_before(head: &[u8]) -> Option<(Vec<u8>, bool)> {
    let encoded = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]$%+".contains(&byte);
    let length = count_back(head, 2 * LONGEST_NAME, encoded);
    let run = head.get(head.len().checked_sub(length)?..)?;
    let mut name = run.to_vec();
    for _ in 0..MOST_TIMES {
        if !name.contains(&b'%') {
            break;
        }
        name = percent_decode(&name).collect();
    }
    let outer = head.len().checked_sub(length.saturating_add(1)).and_then(|at| head.get(at)).copied();
    let name = name.trim_ascii_end();
    let name = name.strip_suffix(b"\"").or_else(|| name.strip_suffix(b"'")).unwrap_or(name);
    let name = name.strip_suffix(b"\\").unwrap_or(name);
    let start = name.iter().rposition(|byte| b"?&#{},;/=:\"' \n".contains(byte));
    let before = start.and_then(|at| name.get(at)).copied().or(outer);
    let name = name.get(start.map_or(0, |at| at.saturating_add(1))..)?;
    Some((name.to_vec(), before.is_some_and(|byte| b"?&#".contains(&byte))))
}

/// White space before a value.
fn gap(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'+' => Some(1),
        b'%' => escape(text, at).filter(|(c, _)| *c == b' ').map(|(_, length)| length),
        _ => None,
    }
}

/// The quote that stands here, with the backslash before it.
fn quote(text: &[u8], at: usize) -> Option<Range<usize>> {
    let (first, length) = escape(text, at)?;
    let end = at.saturating_add(length);
    match first {
        b'"' | b'\'' => Some(at..end),
        b'\\' => {
            let (b'"' | b'\'', length) = escape(text, end)? else { return None };
            Some(at..end.saturating_add(length))
        }
        _ => None,
    }
}

/// Where the run of url-encoded text ends, or what an escape in it stands for does.
fn end(text: &[u8], ends: impl Fn(u8) -> bool) -> usize {
    let found = text.iter().enumerate().position(|(at, byte)| match byte {
        b'%' => escape(text, at).is_some_and(|(c, _)| ends(c)),
        b'"' | b'\'' | b'<' | b'>' | b'&' | b'`' => true,
        byte => byte.is_ascii_whitespace(),
    });
    found.unwrap_or(text.len())
}
