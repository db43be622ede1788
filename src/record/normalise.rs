//! The law of what varies between two occurrences of one failure: quoted text, numbers, ids.
//!
//! The fingerprint of an event and the key of the storm control are both made by it. It hands out pieces, so
//! that a hash needs no copy of the text.

/// Hands out the text with what varies replaced: quoted text by `<text>`, numbers by `<n>`, ids by `<id>`.
pub(crate) fn normalise(text: &str, mut emit: impl FnMut(&str)) {
    let mut unchanged = 0;
    let mut at = 0;
    while let Some(&first) = text.as_bytes().get(at) {
        let (end, replacement) = match first {
            b'"' | b'`' | b'\'' => quoted(text, at, char::from(first)),
            _ => word(text, at),
        };
        if let Some(replacement) = replacement {
            emit(text.get(unchanged..at).unwrap_or_default());
            emit(replacement);
            unchanged = end;
        }
        at = end;
    }
    emit(text.get(unchanged..).unwrap_or_default());
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

/// Where the quoted text ends that begins at `at`, if it is closed on the same line; an apostrophe is none.
fn quoted(text: &str, at: usize, quote: char) -> (usize, Option<&'static str>) {
    let inside = at.saturating_add(1);
    let bare = text.get(inside..).unwrap_or_default();
    match bare.find([quote, '\n']) {
        Some(length) if bare.get(length..).is_some_and(|rest| rest.starts_with(quote)) => {
            (inside.saturating_add(length).saturating_add(1), Some("<text>"))
        }
        _ => (inside, None),
    }
}

/// Where the word ends that begins at `at`, and what stands for it; without a word, where the next character
/// begins.
fn word(text: &str, at: usize) -> (usize, Option<&'static str>) {
    let bytes = text.as_bytes();
    let (mut end, mut has_digits) = (at, false);
    while let Some(&byte) = bytes.get(end) {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            has_digits |= byte.is_ascii_digit();
            end = end.saturating_add(1);
            continue;
        }
        match text.get(end..).and_then(|rest| rest.chars().next()) {
            Some(c) if c.is_alphanumeric() => end = end.saturating_add(c.len_utf8()),
            Some(c) if end == at => return (end.saturating_add(c.len_utf8()), None),
            _ => break,
        }
    }
    (end, if has_digits { text.get(at..end).and_then(varies) } else { None })
}

/// What stands for a word that is a number or an id.
fn varies(word: &str) -> Option<&'static str> {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
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
