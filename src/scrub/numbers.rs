//! Numbers that are somebody's: cards, bank accounts, social security.

use std::ops::Range;

use super::found::Rule;
use super::secrets::{CARDS, IBAN_LENGTHS};
use super::tokens::{continues_word, ends_escape};

/// What a run of digits is.
pub(super) enum Number {
    Secret(Range<usize>, Rule),
    /// Nothing; go on here.
    Harmless(usize),
}

/// Looks at the digits that begin at `at`.
#[inline]
pub(super) fn number(text: &[u8], at: usize) -> Number {
    let before = at.checked_sub(1).and_then(|before| text.get(before)).copied().unwrap_or_default();
    if before.is_ascii_alphanumeric() || b"_%]".contains(&before) {
        return behind(text, at, before);
    }
    by_itself(text, at, before)
}

/// Digits behind what may be a part of their word, an escape or a mask.
#[inline(never)]
fn behind(text: &[u8], at: usize, before: u8) -> Number {
    // `%204111..`: the first digits are an escape's.
    if before == b'%' && ends_escape(text, at.saturating_add(2)) {
        return Number::Harmless(at.saturating_add(2));
    }
    if continues_word(text, at) {
        if let Some(span) = iban(text, at).filter(|span| !in_uuid(text, span.start)) {
            return Number::Secret(span, Rule::Iban);
        }
        return Number::Harmless(end_of_word(text, at));
    }
    by_itself(text, at, before)
}

/// Digits that begin a word.
#[inline]
fn by_itself(text: &[u8], at: usize, before: u8) -> Number {
    let digits = end_of_digits(text, at);
    let next = text.get(digits).copied().unwrap_or_default();
    if next.is_ascii_alphabetic() || next == b'_' {
        return Number::Harmless(end_of_word(text, digits));
    }
    let count = digits.wrapping_sub(at);
    // Most numbers are too short for a card's, and not its first group, nor an area of social security.
    if count < SHORTEST_CARD && (count < SHORTEST_GROUP || !begins_gap(next)) {
        return Number::Harmless(digits);
    }
    long(text, at, before, digits)
}

#[inline(never)]
fn long(text: &[u8], at: usize, before: u8, digits: usize) -> Number {
    if digits.wrapping_sub(at) == SHORTEST_GROUP
        && text.get(digits) == Some(&b'-')
        && let Some(span) = ssn(text, at)
    {
        return Number::Secret(span, Rule::Ssn);
    }
    let decimals =
        before == b'.' && at.checked_sub(2).and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    if decimals {
        return Number::Harmless(digits);
    }
    match card(text, at).filter(|_| !in_uuid(text, at)) {
        Some(span) => Number::Secret(span, Rule::Card),
        None => Number::Harmless(digits),
    }
}

/// Whether the text is a time as RFC 3339 writes it, and nothing else. Its numbers are too short to be anybody's, and
/// the names that end at its colons have no words but digits and a T.
pub(super) fn is_time(text: &[u8]) -> bool {
    let are_digits = |places: &[u8]| places.iter().all(u8::is_ascii_digit);
    let Some(([y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b' ', time @ ..], rest)) =
        text.split_first_chunk::<19>()
    else {
        return false;
    };
    let [h1, h2, b':', n1, n2, b':', s1, s2] = time else { return false };
    let rest = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take(LONGEST_FRACTION).take_while(|byte| byte.is_ascii_digit());
            fraction.get(digits.count()..).unwrap_or_default()
        }
        rest => rest,
    };
    let zone = match rest {
        [] | [b'Z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => are_digits(&[*h1, *h2, *m1, *m2]),
        _ => false,
    };
    zone && are_digits(&[*y1, *y2, *y3, *y4, *m1, *m2, *d1, *d2, *h1, *h2, *n1, *n2, *s1, *s2])
}

/// Nanoseconds.
const LONGEST_FRACTION: usize = 9;

fn end_of_digits(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at.saturating_add(rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len()))
}

fn end_of_word(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at.saturating_add(rest.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len()))
}

/// The most digits that a card number has.
const LONGEST_CARD: usize = 19;
const SHORTEST_CARD: usize = shortest_card();
/// Groups of three digits at least: dates and versions are none. It is also how many those of social security begin
/// with.
const SHORTEST_GROUP: usize = 3;

/// A card number in one piece, or in groups with one and the same separator.
fn card(text: &[u8], at: usize) -> Option<Range<usize>> {
    let mut digits = [0_u8; LONGEST_CARD];
    let (mut count, mut position, mut group, mut separator) = (0_usize, at, 0_usize, None);
    let end = loop {
        let byte = text.get(position).copied().unwrap_or_default();
        if byte.is_ascii_digit() {
            *digits.get_mut(count)? = byte.wrapping_sub(b'0');
            count = count.saturating_add(1);
            group = group.saturating_add(1);
            position = position.saturating_add(1);
            continue;
        }
        let next = position.saturating_add(gap(text, position));
        let continues = next > position && text.get(next).is_some_and(u8::is_ascii_digit);
        let same = separator.is_none_or(|separator| separator == byte);
        // Dots stand in numbers of other kinds, too.
        if !continues || !same || group < SHORTEST_GROUP || (byte == b'.' && group != 4) {
            break position;
        }
        separator = Some(byte);
        group = 0;
        position = next;
    };
    let after = text.get(end).copied().unwrap_or_default();
    let goes_on = after.is_ascii_alphanumeric()
        || after == b'_'
        || (after == b'.' && text.get(end.saturating_add(1)).is_some_and(u8::is_ascii_digit))
        || (separator == Some(b'.') && group != 4);
    let digits = digits.get(..count)?;
    (!goes_on && is_card(digits)).then_some(at..end)
}

/// How long what separates groups of digits is: a space, also one that does not break, a hyphen, a dot.
fn gap(text: &[u8], at: usize) -> usize {
    if !text.get(at).is_some_and(|first| begins_gap(*first)) {
        return 0;
    }
    match text.get(at..).unwrap_or_default() {
        [b' ' | b'-' | b'.', ..] => 1,
        [0xc2, 0xa0, ..] => 2,
        [0xe2, 0x80, 0x89 | 0xaf | 0x91, ..] => 3,
        _ => 0,
    }
}

#[inline]
fn begins_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | 0xc2 | 0xe2)
}

fn is_card(digits: &[u8]) -> bool {
    if digits.len() < SHORTEST_CARD {
        return false;
    }
    let prefix = digits
        .iter()
        .take(6)
        .fold(0_u32, |number, digit| number.wrapping_mul(10).wrapping_add(u32::from(*digit)));
    let known = CARDS
        .iter()
        .any(|(first, last, lengths)| (*first..=*last).contains(&prefix) && lengths.contains(&digits.len()));
    known && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0_u32, |sum, (place, digit)| {
        let digit = u32::from(*digit);
        let doubled = digit.wrapping_mul(2);
        let value = match place % 2 {
            0 => digit,
            _ if doubled > 9 => doubled.wrapping_sub(9),
            _ => doubled,
        };
        sum.wrapping_add(value)
    });
    sum % 10 == 0
}

/// `DE89 3704 ..`: two letters and a digit were read up to `at`.
fn iban(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at.checked_sub(2)?;
    let country = text.get(start..at)?;
    let before = start.checked_sub(1).and_then(|before| text.get(before));
    let inside = before.is_some_and(|byte| byte.is_ascii_alphanumeric()) && !ends_escape(text, start);
    if inside || !country.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    let length = IBAN_LENGTHS
        .iter()
        .find(|(known, _)| country.eq_ignore_ascii_case(known.as_bytes()))
        .map(|(_, length)| *length)?;
    let mut known = [0_u8; 34];
    let (mut count, mut end, mut position) = (0_usize, start, start);
    while count < length {
        let spaces = gap(text, position);
        position = position.saturating_add(if position == end { spaces } else { 0 });
        let byte = *text.get(position)?;
        if !byte.is_ascii_alphanumeric() {
            return None;
        }
        *known.get_mut(count)? = byte;
        count = count.saturating_add(1);
        position = position.saturating_add(1);
        end = position;
    }
    let goes_on = text.get(end).is_some_and(u8::is_ascii_alphanumeric);
    let known = known.get(..count)?;
    (count == length && !goes_on && mod_97(known) == 1).then_some(start..end)
}

/// ISO 7064, over the account with its first four characters at the end.
fn mod_97(iban: &[u8]) -> u32 {
    let moved = iban.iter().skip(4).chain(iban.iter().take(4));
    moved.fold(0_u32, |rest, &byte| {
        let value = char::from(byte).to_digit(36).unwrap_or_default();
        let shifted = rest.wrapping_mul(if value > 9 { 100 } else { 10 });
        shifted.wrapping_add(value) % 97
    })
}

/// Whether a group of a UUID begins here: its digits may look like a card's, or like a bank account.
fn in_uuid(text: &[u8], at: usize) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    const GROUPS: [usize; 4] = [0, 9, 14, 19];
    let is_uuid = |start: usize| {
        let uuid = text.get(start..start.saturating_add(36)).unwrap_or_default();
        let fits = |(place, byte): (usize, &u8)| match HYPHENS.contains(&place) {
            true => *byte == b'-',
            false => byte.is_ascii_hexdigit(),
        };
        uuid.len() == 36
            && uuid.iter().enumerate().all(fits)
            && !continues_word(text, start)
            && !text
                .get(start.saturating_add(36))
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    GROUPS.iter().any(|group| at.checked_sub(*group).is_some_and(is_uuid))
}

/// `078-05-1120`, of the numbers that are given out.
fn ssn(text: &[u8], at: usize) -> Option<Range<usize>> {
    let end = at.saturating_add(11);
    let number = text.get(at..end)?;
    let [area @ .., b'-', g1, g2, b'-', s1, s2, s3, s4] = number else { return None };
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let is_one = digits(area) && digits(&[*g1, *g2, *s1, *s2, *s3, *s4]);
    let given_out = !matches!(area, b"000" | b"666" | [b'9', ..])
        && [*g1, *g2] != *b"00"
        && [*s1, *s2, *s3, *s4] != *b"0000";
    let goes_on = text.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let begins = at.checked_sub(1).and_then(|before| text.get(before)) != Some(&b'-');
    (is_one && given_out && !goes_on && begins).then_some(at..end)
}

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn shortest_card() -> usize {
    let (mut shortest, mut issuer) = (usize::MAX, 0);
    while issuer < CARDS.len() {
        let (lengths, mut length) = (CARDS[issuer].2, 0);
        while length < lengths.len() {
            if lengths[length] < shortest {
                shortest = lengths[length];
            }
            length += 1;
        }
        issuer += 1;
    }
    shortest
}
