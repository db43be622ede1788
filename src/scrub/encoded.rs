//! Parts of a text that are written for a URL or for XML: they are read as what they stand for, and written again
//! the same way if something in them is masked.

use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{MASK, form};

/// How a part of a text is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// `%7B%22a%22%3A1%7D`
    Percent,
    /// `{&quot;a&quot;:1}`
    Entities,
}

impl Writing {
    /// What begins an escape at `at`, if one does.
    pub(super) fn at(text: &[u8], at: usize) -> Option<Self> {
        match text.get(at..)? {
            [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                Some(Self::Percent)
            }
            entity @ [b'&', ..] => self::entity(entity).map(|_| Self::Entities),
            _ => None,
        }
    }

    /// The part around `at` that is written this way, at or behind `from`.
    pub(super) fn part(self, text: &[u8], from: usize, at: usize) -> Range<usize> {
        let belongs = |byte: &&u8| match self {
            Self::Percent => !byte.is_ascii_whitespace() && !b"\"'<>&=?#`\\".contains(byte),
            Self::Entities => !b"<>\"".contains(byte),
        };
        let before = text.get(from..at).unwrap_or_default();
        // What was masked is no part of it, now or in an earlier pass.
        let masked = memchr::memmem::rfind(before, MASK.as_bytes());
        let before = before.get(masked.map_or(0, |at| at.saturating_add(MASK.len()))..).unwrap_or_default();
        let behind = text.get(at..).unwrap_or_default();
        let first = before.iter().rev().take_while(belongs).count();
        let last = behind.iter().take_while(belongs).count();
        at.saturating_sub(first)..at.saturating_add(last)
    }

    pub(super) fn read(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Percent => form::decoded(text),
            Self::Entities => {
                let mut out = Vec::with_capacity(text.len());
                let mut rest = text;
                while let [first, after @ ..] = rest {
                    match entity(rest) {
                        Some((c, length)) => {
                            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                            rest = rest.get(length..).unwrap_or_default();
                        }
                        None => {
                            out.push(*first);
                            rest = after;
                        }
                    }
                }
                out
            }
        }
    }

    /// Writes what was read from `source`. Where that stands is not known: what it does not hold itself is escaped.
    pub(super) fn write(self, text: &[u8], source: &[u8]) -> Vec<u8> {
        if self == Self::Percent {
            return percent_encode(text, ESCAPED).flat_map(str::bytes).collect();
        }
        let mut out = Vec::with_capacity(text.len());
        for byte in text {
            match byte {
                b'&' => out.extend_from_slice(b"&amp;"),
                b'<' => out.extend_from_slice(b"&lt;"),
                b'>' => out.extend_from_slice(b"&gt;"),
                b'"' => out.extend_from_slice(b"&quot;"),
                b'\\' | 0..=0x1f if !source.contains(byte) => {
                    out.extend_from_slice(format!("&#{byte};").as_bytes());
                }
                byte => out.push(*byte),
            }
        }
        out
    }
}

/// The mask is to be read as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/')
    .remove(b'[')
    .remove(b']');

/// The character of `&quot;`, `&#34;` or `&#x22;`, and its length.
fn entity(text: &[u8]) -> Option<(char, usize)> {
    let name = text.strip_prefix(b"&")?;
    let length = name.iter().take(8).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(name.get(..length)?).ok()?;
    let c = match name {
        "quot" => '"',
        "apos" => '\'',
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        name => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((c, length.saturating_add(2)))
}
