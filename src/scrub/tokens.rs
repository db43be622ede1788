//! Tokens that show what they are: by the prefix of their service, as a JWT, behind `Bearer`, in PEM.

use std::ops::Range;

use super::MASK;
use super::secrets::{Alphabet, TOKENS};

/// What the first words of all prefixes have in common.
struct FirstWords {
    /// For each first letter, which lengths they have.
    lengths: [u16; 256],
    /// For each first letter, a bit for each entry of the list.
    entries: [u128; 256],
    /// For each first letter, a bit for each second one.
    second: [u32; 256],
    /// For each letter before the last, a bit for each last one.
    last: [u32; 256],
}

const FIRST_WORDS: FirstWords = FirstWords::of_all();

/// Whether a prefix may begin here.
#[inline]
pub(super) fn may_begin(text: &[u8], at: usize) -> bool {
    matches!(text.get(at..), Some([first, second, ..]) if has_bit(&FIRST_WORDS.second, *first, *second))
}

/// Whether the first word of a prefix may end before `at`, which few words do.
#[inline]
pub(super) fn may_end_first_word(text: &[u8], at: usize) -> bool {
    matches!(text.get(..at), Some([.., before, last]) if has_bit(&FIRST_WORDS.last, *before, *last))
}

#[inline]
fn has_bit(bits: &[u32; 256], index: u8, letter: u8) -> bool {
    bits.get(usize::from(index)).is_some_and(|bits| bits >> (letter & 31) & 1 != 0)
}

/// A service's token whose prefix has its first separator, or its end, at `at`.
pub(super) fn service_token(text: &[u8], at: usize) -> Option<Range<usize>> {
    let head = text.get(..at)?;
    let word = head.iter().rev().take(18).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let start = at.checked_sub(word)?;
    let start = start.saturating_add(rest_of_escape(text, start));
    let word = at.checked_sub(start)?;
    let first = usize::from(*text.get(start)?);
    let possible = FIRST_WORDS.lengths.get(first).copied().unwrap_or_default();
    if word > 15 || possible.checked_shr(u32::try_from(word).ok()?)? & 1 == 0 {
        return None;
    }
    known_token(text, start)
}

/// A service's token that begins at `start`.
pub(super) fn known_token(text: &[u8], start: usize) -> Option<Range<usize>> {
    let rest = text.get(start..)?;
    // Most prefixes begin with other letters.
    let mut entries = FIRST_WORDS.entries.get(usize::from(*rest.first()?)).copied()?;
    let next = std::iter::from_fn(|| {
        let entry = TOKENS.get(entries.trailing_zeros() as usize)?;
        entries &= entries.wrapping_sub(1);
        Some(entry)
    });
    let second = rest.get(1);
    let mut possible = next.filter(|(prefix, ..)| prefix.as_bytes().get(1) == second);
    possible.find_map(|(prefix, alphabet, least)| {
        let secret = rest.strip_prefix(prefix.as_bytes())?;
        let length = secret.iter().take_while(|byte| is_in(**byte, *alphabet)).count();
        (length >= *least).then(|| start..start.saturating_add(prefix.len()).saturating_add(length))
    })
}

/// A JSON web token, or any JSON in base64: it begins with `{"`.
pub(super) fn jwt(text: &[u8], at_j: usize) -> Option<Range<usize>> {
    let start = at_j.checked_sub(2)?;
    if text.get(start..at_j)? != b"ey" {
        return None;
    }
    // Some services put their own prefix and `_` before it.
    let begins = text.get(..start)?.ends_with(b"_") || !continues_word(text, start);
    if !begins {
        return None;
    }
    let rest = text.get(start..)?;
    let length =
        rest.iter().take_while(|byte| is_in(**byte, Alphabet::Dotted) || b"+/=".contains(byte)).count();
    (length >= 16).then(|| start..start.saturating_add(length))
}

/// What follows `Bearer` or `Basic`, if it looks like a credential: at least eight of its characters, and no plain
/// word ("Basic research").
#[inline]
pub(super) fn credential(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    // Bearer, basic: what most words with a B are not.
    if !matches!(rest, [_, b'e' | b'E', b'a' | b'A', ..] | [_, b'a' | b'A', b's' | b'S', ..])
        || continues_word(text, at)
    {
        return None;
    }
    let is = |scheme: &[u8]| rest.get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme));
    let scheme = [b"bearer".as_slice(), b"basic"].into_iter().find(|scheme| is(scheme))?.len();
    let spaces = rest.get(scheme..)?.iter().take_while(|byte| **byte == b' ').count();
    let start = scheme.saturating_add(spaces);
    let secret = rest.get(start..)?;
    let length =
        secret.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=:".contains(byte)).count();
    let plain_word = secret.iter().take(length).all(u8::is_ascii_lowercase);
    let start = at.saturating_add(start);
    (spaces > 0 && length >= 8 && !plain_word).then(|| start..start.saturating_add(length))
}

/// A PEM block with a private key, up to its end or that of the text.
pub(super) fn private_key(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    let label = rest.strip_prefix(b"-----BEGIN ")?;
    let label_length = label.iter().take(64).position(|byte| *byte == b'-')?;
    let label = label.get(..label_length)?;
    if !label.windows(11).any(|part| part == b"PRIVATE KEY") {
        return None;
    }
    let end = memchr::memmem::find(rest, b"-----END ").and_then(|end| {
        let after = end.saturating_add(9);
        let dashes = memchr::memmem::find(rest.get(after..)?, b"-----")?;
        Some(after.saturating_add(dashes).saturating_add(5))
    });
    Some(at..end.map_or(text.len(), |end| at.saturating_add(end)))
}

/// Whether the character before this one belongs to the same word. What was masked was a part of it: scrubbing
/// twice finds nothing new.
pub(super) fn continues_word(text: &[u8], at: usize) -> bool {
    let head = text.get(..at).unwrap_or_default();
    let word = head.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    (word && !ends_escape(text, at)) || head.ends_with(MASK.as_bytes())
}

/// Whether an escape that stayed one ends here: `\n`, `%3D`.
pub(super) fn ends_escape(text: &[u8], at: usize) -> bool {
    let head = text.get(..at).unwrap_or_default();
    match head {
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., b'%', high, low] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    }
}

/// How many of the letters and digits that begin here belong to an escape before them.
fn rest_of_escape(text: &[u8], start: usize) -> usize {
    match text.get(..start).and_then(<[u8]>::last) {
        Some(b'\\') => usize::from(ends_escape(text, start.saturating_add(1))),
        Some(b'%') if ends_escape(text, start.saturating_add(2)) => 2,
        _ => 0,
    }
}

fn is_in(byte: u8, alphabet: Alphabet) -> bool {
    byte.is_ascii_alphanumeric()
        || match alphabet {
            Alphabet::Alphanumeric => false,
            Alphabet::Url => matches!(byte, b'-' | b'_'),
            Alphabet::Dotted => matches!(byte, b'-' | b'_' | b'.'),
        }
}

impl FirstWords {
    #[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
    const fn of_all() -> Self {
        let mut words = Self { lengths: [0; 256], entries: [0; 256], second: [0; 256], last: [0; 256] };
        let mut entry = 0;
        while entry < TOKENS.len() {
            let prefix = TOKENS[entry].0.as_bytes();
            let mut length = 0;
            while length < prefix.len() && prefix[length].is_ascii_alphanumeric() {
                length += 1;
            }
            // No first word has one letter only: that would not compile.
            let (before, last) = (prefix[length - 2], prefix[length - 1]);
            words.lengths[prefix[0] as usize] |= 1 << length;
            words.entries[prefix[0] as usize] |= 1 << entry;
            words.second[prefix[0] as usize] |= 1 << (prefix[1] & 31);
            words.last[before as usize] |= 1 << (last & 31);
            entry += 1;
        }
        words
    }
}
