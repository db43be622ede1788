//! Where the parts of JSON begin and end, and what they are called.

use memchr::memchr2;

use super::ends::Ends;

pub(super) fn looks_like_json(text: &[u8]) -> bool {
    let mut visible = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    matches!(visible.next(), Some(b'{' | b'['))
}

/// Whether `{"..": "password", "value": ".."}` names its value by this key.
pub(super) fn is_name(key: &[u8]) -> bool {
    const NAMES: [Word; 6] =
        [word("name"), word("key"), word("field"), word("param"), word("header"), word("id")];
    is_one_of(key, &NAMES)
}

pub(super) fn is_value(key: &[u8]) -> bool {
    const VALUES: [Word; 6] =
        [word("value"), word("val"), word("values"), word("content"), word("data"), word("text")];
    is_one_of(key, &VALUES)
}

/// The length of a word of small letters, and its ends.
type Word = (usize, Ends);

const fn word(word: &str) -> Word {
    (word.len(), Ends::of(word.as_bytes()).small())
}

/// Whether a key is one of these words, in whatever case.
#[inline]
fn is_one_of(key: &[u8], words: &[Word; 6]) -> bool {
    let ends = Ends::of(key).small();
    // With their length the ends are the whole of such short words.
    words.iter().any(|(length, word)| *length == key.len() && *word == ends)
}

/// Hexadecimal ids of up to 36 characters with hyphens, numbers, addresses, and times: nothing else.
pub(super) fn is_id(value: &[u8]) -> bool {
    let inner = value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\""));
    let inner = inner.unwrap_or(value);
    inner.len() <= 40 && inner.iter().all(|byte| byte.is_ascii_hexdigit() || b"-:.xTZ+".contains(byte))
}

/// Most strings end before this many bytes, and are searched for less than what a search in larger blocks takes to
/// begin.
const SHORT: usize = 48;

/// The closing quote of the string that begins here, or the end of the input; and whether there are escapes.
#[inline]
pub(super) fn end_of_string(input: &[u8], start: usize) -> (usize, bool) {
    let Some(text) = input.get(start..) else { return (input.len(), false) };
    let mut at = start;
    for word in text.as_chunks::<8>().0.iter().take(SHORT / 8) {
        let word = u64::from_le_bytes(*word);
        let quotes = zeros(word ^ QUOTES);
        let found = quotes | zeros(word ^ BACKSLASHES);
        if found != 0 {
            at = at.wrapping_add((found.trailing_zeros() / 8) as usize);
            let first = found & found.wrapping_neg();
            return if quotes & first != 0 { (at, false) } else { end_of_escaped(input, at) };
        }
        at = at.wrapping_add(8);
    }
    end_of_long(input, at)
}

#[inline(never)]
fn end_of_long(input: &[u8], at: usize) -> (usize, bool) {
    match memchr2(b'"', b'\\', input.get(at..).unwrap_or_default()) {
        None => (input.len(), false),
        Some(found) => {
            let at = at.saturating_add(found);
            if input.get(at) == Some(&b'"') { (at, false) } else { end_of_escaped(input, at) }
        }
    }
}

const EACH: u64 = 0x0101_0101_0101_0101;
const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);

/// Marks the lowest byte that is zero, and maybe higher ones.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(EACH) & !word & (EACH << 7)
}

#[inline(never)]
fn end_of_escaped(input: &[u8], mut at: usize) -> (usize, bool) {
    loop {
        while input.get(at) == Some(&b'\\') {
            at = at.saturating_add(2);
        }
        match memchr2(b'"', b'\\', input.get(at..).unwrap_or_default()) {
            None => return (input.len(), true),
            Some(found) => at = at.saturating_add(found),
        }
        if input.get(at) == Some(&b'"') {
            return (at, true);
        }
    }
}

#[inline]
pub(super) fn skip_spaces(input: &[u8], at: usize) -> usize {
    match input.get(at) {
        Some(b'\t'..=b' ') => skip_all_spaces(input, at),
        _ => at,
    }
}

#[inline(never)]
fn skip_all_spaces(input: &[u8], at: usize) -> usize {
    let spaces =
        input.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    at.saturating_add(spaces)
}

/// Where the value that begins here ends: the end of the input if it is cut off.
pub(super) fn end_of_value(input: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(&byte) = input.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(input, at.saturating_add(1)).0.saturating_add(1).min(input.len());
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' if depth <= 1 => {
                return if depth == 0 { at } else { at.saturating_add(1) };
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return at,
            _ => {}
        }
        at = at.saturating_add(1);
    }
    input.len()
}
