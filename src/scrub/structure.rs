//! What stands between the strings of JSON.

/// What a byte between strings is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Structure {
    /// Spaces, colons, and what numbers, `true`, `false` and `null` are written with beside digits.
    Quiet,
    Digit,
    Comma,
    Quote,
    Bracket,
    None,
}

impl Structure {
    #[inline]
    pub(super) fn of(byte: u8) -> Self {
        STRUCTURE.get(usize::from(byte)).copied().unwrap_or(Self::None)
    }
}

const STRUCTURE: [Structure; 256] = structure();

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn structure() -> [Structure; 256] {
    let mut table = [Structure::None; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b':' | b' ' | b'\n' | b'\r' | b'\t' | b'.' | b'+' | b'-' => Structure::Quiet,
            b't' | b'r' | b'u' | b'e' | b'E' | b'f' | b'a' | b'l' | b's' | b'n' => Structure::Quiet,
            b'0'..=b'9' => Structure::Digit,
            b',' => Structure::Comma,
            b'"' => Structure::Quote,
            b'{' | b'}' | b'[' | b']' => Structure::Bracket,
            _ => Structure::None,
        };
        byte += 1;
    }
    table
}

/// `[[` and `],[`, with white space between them: what comes first here is a name.
pub(super) fn begins_pair(text: &[u8]) -> bool {
    let mut visible = text.iter().rev().filter(|byte| !byte.is_ascii_whitespace());
    visible.next() == Some(&b'[')
        && match visible.next() {
            Some(b',') => visible.next() == Some(&b']'),
            before => before == Some(&b'['),
        }
}
