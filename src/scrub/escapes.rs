//! The text of a JSON string: read from its escapes, and written with them.

/// Reads escapes; what is none stays as it is, a lone surrogate becomes U+FFFD.
pub(super) fn decode(escaped: &[u8], out: &mut Vec<u8>) {
    out.reserve(escaped.len());
    let mut at = 0;
    while let Some(rest) = escaped.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice(rest.get(..plain).unwrap_or_default());
        let Some(escape) = rest.get(plain..).filter(|escape| !escape.is_empty()) else { return };
        let (c, length) = one(escape);
        match c {
            Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => out.push(b'\\'),
        }
        at = at.saturating_add(plain).saturating_add(length);
    }
}

/// The character that an escape stands for, and how long the escape is.
fn one(escape: &[u8]) -> (Option<char>, usize) {
    let simple = match escape.get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(escape),
        _ => return (None, 1),
    };
    (Some(simple), 2)
}

fn unicode(escape: &[u8]) -> (Option<char>, usize) {
    let Some(first) = unit(escape, 0) else { return (None, 1) };
    let second = if (0xd800..0xdc00).contains(&first) { unit(escape, 6) } else { None };
    if let Some(second) = second
        && let Some(Ok(c)) = char::decode_utf16([first, second]).next()
    {
        return (Some(c), 12);
    }
    (Some(char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER)), 6)
}

/// The `\uXXXX` at this place.
fn unit(escape: &[u8], at: usize) -> Option<u16> {
    let digits = escape.get(at..)?.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0_u16, |unit, digit| {
        let digit = u16::try_from(char::from(*digit).to_digit(16)?).ok()?;
        Some(unit.wrapping_mul(16).wrapping_add(digit))
    })
}

/// Writes a text as the inside of a JSON string.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        let escape = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..=0x1f => {
                let digit = |nibble: u8| {
                    if nibble < 10 { nibble.wrapping_add(b'0') } else { nibble.wrapping_add(b'a' - 10) }
                };
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
                continue;
            }
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', escape]);
    }
}
