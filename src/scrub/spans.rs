//! Where the parts of JSON begin and end, and what they are called.

use memchr::memchr2;

pub(super) fn looks_like_json(text: &[u8]) -> bool {
    let mut visible = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    matches!(visible.next(), Some(b'{' | b'['))
}

/// Whether `{"..": "password", "value": ".."}` names its value by this key.
pub(super) fn is_name(key: &[u8]) -> bool {
    let keys: [&[u8]; 6] = [b"name", b"key", b"field", b"param", b"header", b"id"];
    keys.iter().any(|name| key.eq_ignore_ascii_case(name))
}

pub(super) fn is_value(key: &[u8]) -> bool {
    let keys: [&[u8]; 6] = [b"value", b"val", b"values", b"content", b"data", b"text"];
    keys.iter().any(|name| key.eq_ignore_ascii_case(name))
}

/// Hexadecimal ids of up to 36 characters with hyphens, numbers, addresses, and times: nothing else.
pub(super) fn is_id(value: &[u8]) -> bool {
    let inner = value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\""));
    let inner = inner.unwrap_or(value);
    inner.len() <= 40 && inner.iter().all(|byte| byte.is_ascii_hexdigit() || b"-:.xTZ+".contains(byte))
}

/// The closing quote of the string that begins here, or the end of the input.
pub(super) fn end_of_string(input: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(found) = memchr2(b'"', b'\\', input.get(at..).unwrap_or_default()) {
        at = at.saturating_add(found);
        if input.get(at) == Some(&b'"') {
            return at;
        }
        while input.get(at) == Some(&b'\\') {
            at = at.saturating_add(2);
        }
    }
    input.len()
}

pub(super) fn skip_spaces(input: &[u8], at: usize) -> usize {
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
                at = end_of_string(input, at.saturating_add(1)).saturating_add(1).min(input.len());
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
