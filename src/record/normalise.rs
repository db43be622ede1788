//! The law of what varies between two occurrences of one failure: quoted text, numbers, ids.
//!
//! The fingerprint of an event and the key of the storm control are both made by it. It hands out pieces, so
//! that a hash needs no copy of the text.

/// Hands out the text with what varies replaced: quoted text by `<text>`, numbers by `<n>`, ids by `<id>`.
pub(crate) fn normalise(text: &str, mut emit: impl FnMut(&str)) {
    let bytes = text.as_bytes();
    let (mut unchanged, mut next) = (0, 0);
    while let Some(found) = bytes.get(next..).and_then(next_variable) {
        let at = next.saturating_add(found);
        let (begin, end, replacement) = match bytes.get(at) {
            Some(digit) if digit.is_ascii_digit() => {
                let (begin, end) = word(text, at);
                (begin, end, text.get(begin..end).and_then(varies))
            }
            _ => quoted(text, at),
        };
        if let Some(replacement) = replacement {
            emit(text.get(unchanged..begin).unwrap_or_default());
            emit(replacement);
            unchanged = end;
        }
        next = end.max(at.saturating_add(1));
    }
    emit(text.get(unchanged..).unwrap_or_default());
}

/// Where the next digit or quote is, or one of `:;<=>?#&`. It looks at eight bytes at a time.
fn next_variable(bytes: &[u8]) -> Option<usize> {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    /// The high bit of the first byte that is zero, and of no byte before it.
    const fn zeros(bytes: u64) -> u64 {
        bytes.wrapping_sub(each(0x01)) & !bytes & each(0x80)
    }
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (number, chunk) in chunks.iter().enumerate() {
        let chunk = u64::from_le_bytes(*chunk);
        let found = zeros((chunk & each(0xf0)) ^ each(0x30))
            | zeros((chunk & each(0xfa)) ^ each(b'"' & b'\''))
            | zeros(chunk ^ each(b'`'));
        if found != 0 {
            let inside = found.trailing_zeros().wrapping_shr(3) as usize;
            return Some(number.saturating_mul(8).saturating_add(inside));
        }
    }
    let found = rest.iter().position(|byte| matches!(byte, b'0'..=b'9' | b'"' | b'`' | b'\''))?;
    Some(chunks.len().saturating_mul(8).saturating_add(found))
}

/// Hands out the path with ids replaced: `/orders/42/items/7f3a..` is `/orders/{id}/items/{id}`.
pub(crate) fn normalise_path(path: &str, mut emit: impl FnMut(&str)) {
    for (at, segment) in path.split('/').enumerate() {
        if at > 0 {
            emit("/");
        }
        // A long segment with a digit is a token, a slug with a number or an encoded text: never a name.
        let opaque = segment.len() > 16 && segment.contains(|c: char| c.is_ascii_digit());
        let id = varies(segment).is_some() || opaque || segment.len() > 64 || segment.contains('%');
        emit(if id { "{id}" } else { segment });
    }
}

/// Where the quoted text begins and ends that may begin at `at`, if it is closed on the same line; an
/// apostrophe is none.
fn quoted(text: &str, at: usize) -> (usize, usize, Option<&'static str>) {
    let inside = at.saturating_add(1);
    let (Some(quote), Some(bare)) = (text.as_bytes().get(at), text.get(inside..)) else {
        return (at, inside, None);
    };
    let quote = char::from(*quote);
    match bare.find([quote, '\n']) {
        Some(length) if matches!(quote, '"' | '`' | '\'') && bare.as_bytes().get(length) != Some(&b'\n') => {
            (at, inside.saturating_add(length).saturating_add(1), Some("<text>"))
        }
        _ => (at, inside, None),
    }
}

/// Where the word begins and ends in which the digit at `at` stands.
fn word(text: &str, at: usize) -> (usize, usize) {
    let (before, after) = text.as_bytes().split_at_checked(at).unwrap_or_default();
    let is_word_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let begin = before.iter().rposition(|byte| !is_word_byte(byte)).map_or(0, |last| last.saturating_add(1));
    let length = after.iter().position(|byte| !is_word_byte(byte)).unwrap_or(after.len());
    let end = at.saturating_add(length);
    let is_wide =
        |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(|byte| !byte.is_ascii());
    if is_wide(begin.checked_sub(1)) || is_wide(Some(end)) {
        return wide_word(text, at);
    }
    (begin, end)
}

/// The same for letters of all alphabets.
#[cold]
fn wide_word(text: &str, at: usize) -> (usize, usize) {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let begin = before.trim_end_matches(is_word).len();
    (begin, text.len().saturating_sub(after.trim_start_matches(is_word).len()))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

/// What stands for a word that is a number or an id.
fn varies(word: &str) -> Option<&'static str> {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    if digits == word.len() {
        return Some("<n>");
    }
    let unsigned = word.trim_start_matches('-');
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return Some("<n>");
    }
    let hex = unsigned.strip_prefix("0x").unwrap_or(unsigned);
    let hexadecimal = hex.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if hexadecimal && (hex.len() >= 8 || hex.len() < unsigned.len()) {
        return Some("<id>");
    }
    // `id_5f2b91`, `ord-2024-117`, `usr1Zx9Q`: most of it is digits, or it is long and mixed.
    (digits >= 3 || (digits >= 2 && word.len() >= 12)).then_some("<id>")
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "positions inside a text")]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        let mut out = String::new();
        normalise(text, |piece| out.push_str(piece));
        out
    }

    fn normal_path(path: &str) -> String {
        let mut out = String::new();
        normalise_path(path, |piece| out.push_str(piece));
        out
    }

    #[test]
    fn what_varies_is_replaced() {
        for (text, expected) in [
            ("order 42 not found", "order <n> not found"),
            ("user 'ada' isn't here", "user <text> isn't here"),
            ("id 5f2b91aa-17d4-4c6e-9f1e-2a3b4c5d6e7f gone", "id <id> gone"),
            ("at 0x7f3a: é \"x\ny\"", "at <id>: é \"x\ny\""),
            ("key usr_1938 of v2", "key <id> of v2"),
            ("timeout after 30.5s on ipv6", "timeout after <n>.5s on ipv6"),
            ("größe1 größe123", "größe1 <id>"),
            ("\u{1F4A9}12\u{1F4A9}", "\u{1F4A9}<n>\u{1F4A9}"),
            ("é'a'é", "é<text>é"),
            ("—42— \u{201c}7\u{201d} ü9 9ü", "—<n>— \u{201c}<n>\u{201d} ü9 9ü"),
            ("''", "<text>"),
            ("'", "'"),
            ("", ""),
        ] {
            assert_eq!(normal(text), expected, "{text}");
        }
    }

    #[test]
    fn paths_lose_their_ids() {
        for (path, expected) in [
            ("/orders/42", "/orders/{id}"),
            ("/api/v2/users/5f2b91aa17d4/edit", "/api/v2/users/{id}/edit"),
            ("/reset/a8f3JKLMNOPQRSTUVWX", "/reset/{id}"),
            ("/", "/"),
            ("", ""),
        ] {
            assert_eq!(normal_path(path), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn looking_at_eight_bytes_finds_what_looking_at_one_does(text in "[a-z0-9'\"` :é—?#&%!]{0,40}") {
            let (mut at, mut found) = (0, Vec::new());
            while let Some(next) = next_variable(&text.as_bytes()[at..]) {
                found.push(at + next);
                at += next + 1;
            }
            found.retain(|at| !b":;<=>?#&".contains(&text.as_bytes()[*at]));
            let varies = |(_, c): &(usize, char)| c.is_ascii_digit() || "'\"`".contains(*c);
            let one_by_one: Vec<_> = text.char_indices().filter(varies).map(|(at, _)| at).collect();
            proptest::prop_assert_eq!(found, one_by_one);
        }

        #[test]
        fn a_word_is_found_the_same_way_in_every_alphabet(before in "[a-z9 ü—-]{0,5}", after in "[a-z9 ü—-]{0,5}") {
            let text = format!("{before}7{after}");
            proptest::prop_assert_eq!(word(&text, before.len()), wide_word(&text, before.len()));
        }

        #[test]
        fn any_text_can_be_normalised(text in "\\PC*") {
            normal(&text);
            normal_path(&text);
        }

        #[test]
        fn a_text_in_which_nothing_varies_stays_as_it_is(text in "[\\PC&&[^0-9'\"`]]*") {
            proptest::prop_assert_eq!(normal(&text), text);
        }

        #[test]
        fn the_number_does_not_matter(a: u64, b: u64) {
            proptest::prop_assert_eq!(normal(&format!("order {a} gone")), normal(&format!("order {b} gone")));
        }
    }
}
