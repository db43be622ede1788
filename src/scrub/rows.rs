//! Values of rows that databases put into their messages.

use std::ops::Range;

const ANNOUNCED: [&[u8]; 3] = [b"Key (", b"Failing row contains (", b"Duplicate entry '"];
/// Values stand near the words that announce them.
const NEAR: usize = 512;

/// Whether the words stand here, of which most texts have none.
#[inline]
pub(super) fn is_announced(text: &[u8], at: usize) -> bool {
    text.get(at..).is_some_and(|rest| ANNOUNCED.iter().any(|words| rest.starts_with(words)))
}

/// `Key (email)=(ada@example.org) already exists.`, `Failing row contains (1, ada, ..).` of PostgreSQL;
/// `Duplicate entry 'ada' for key` of MySQL. `at` is the first letter.
pub(super) fn row(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    let line =
        rest.get(..memchr::memchr(b'\n', rest.get(..rest.len().min(16 * 1024))?).unwrap_or(rest.len()))?;
    if line.starts_with(b"Key (") {
        let near = line.get(..line.len().min(NEAR))?;
        let start = memchr::memmem::find(near, b")=(")?.saturating_add(3);
        let said =
            [b") already exists".as_slice(), b") is not present", b") is still referenced", b") conflicts"];
        let end = said.iter().find_map(|said| memchr::memmem::find(line, said)).filter(|end| *end >= start);
        return Some(span(at, start, end.or_else(|| last(line, b')', start)).unwrap_or(line.len())));
    }
    if line.starts_with(b"Failing row contains (") {
        return Some(span(at, 22, last(line, b')', 22).unwrap_or(line.len())));
    }
    if line.starts_with(b"Duplicate entry '") {
        let end = memchr::memmem::find(line, b"' for key").or_else(|| last(line, b'\'', 17));
        return Some(span(at, 17, end.unwrap_or(line.len())));
    }
    None
}

fn last(line: &[u8], byte: u8, from: usize) -> Option<usize> {
    memchr::memrchr(byte, line).filter(|at| *at >= from)
}

fn span(at: usize, start: usize, end: usize) -> Range<usize> {
    at.saturating_add(start)..at.saturating_add(end)
}
