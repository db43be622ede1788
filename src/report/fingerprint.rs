//! What makes two failures one issue, the same on every server.
//!
//! Servers group by the first line of the message, by the stack, or by the URL, each differently and all of
//! them badly when ids are in it. So the fingerprint is ours: kind, type without generics, message without
//! what varies, and the source file without line and column.

use crate::record::{Kind, Place, truncated};
use crate::report::chain;
use crate::scrub::scrub_text;

/// At most this many bytes of a message.
const MAX_MESSAGE: usize = 1024;

/// The fingerprint of an error.
pub(crate) fn of_error(kind: Kind, type_name: &str, message: &str, place: Option<&Place>) -> Vec<String> {
    // Of half a secret, or of one whose digits are gone, nobody sees that it is one.
    let scrubbed = scrub_text(message);
    let mut message = normalise(scrubbed.as_deref().unwrap_or(message));
    message.truncate(truncated(&message, MAX_MESSAGE).len());
    let mut parts = vec![kind.as_str().to_owned(), chain::without_generics(type_name).to_owned(), message];
    parts.extend(place.map(|place| portable_file(&place.file)));
    parts
}

/// The fingerprint of a response that came without an error.
pub(crate) fn of_status(status: u16, transaction: &str) -> Vec<String> {
    vec![Kind::Route.as_str().to_owned(), status.to_string(), transaction.to_owned()]
}

/// The text with what varies replaced: quoted text by `<text>`, numbers by `<n>`, ids by `<id>`.
pub(crate) fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, replacement) = match first {
            '"' | '`' | '\'' => quoted(rest, first),
            c if is_word(c) => {
                let token = rest.split(|c| !is_word(c)).next().unwrap_or(rest);
                (token, varies(token))
            }
            _ => (rest.get(..first.len_utf8()).unwrap_or(rest), None),
        };
        out.push_str(replacement.unwrap_or(token));
        rest = rest.get(token.len()..).unwrap_or_default();
    }
    out
}

/// The path with ids replaced: `/orders/42/items/7f3a..` is `/orders/{id}/items/{id}`.
pub(crate) fn normalise_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for (at, segment) in path.split('/').enumerate() {
        if at > 0 {
            out.push('/');
        }
        // A long segment with a digit is a token, a slug with a number or an encoded text: never a name.
        let opaque = segment.len() > 16 && segment.contains(|c: char| c.is_ascii_digit());
        let id = varies(segment).is_some() || opaque || segment.len() > 64 || segment.contains('%');
        out.push_str(if id { "{id}" } else { segment });
    }
    out
}

/// A quoted text, if it is closed on the same line; an apostrophe is none.
fn quoted(text: &str, quote: char) -> (&str, Option<&'static str>) {
    let bare = text.get(1..).unwrap_or_default();
    match bare.find([quote, '\n']) {
        Some(end) if bare.get(end..).is_some_and(|rest| rest.starts_with(quote)) => {
            (text.get(..end.saturating_add(2)).unwrap_or(text), Some("<text>"))
        }
        _ => (text.get(..1).unwrap_or(text), None),
    }
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

/// The file relative to its crate, so that two machines agree: `shop/src/orders.rs`, `src/main.rs`.
fn portable_file(file: &str) -> String {
    let file = file.replace('\\', "/");
    for cache in ["/registry/src/", "/git/checkouts/"] {
        if let Some((_, inside)) = file.split_once(cache) {
            let in_crate = inside.split_once('/').map_or(inside, |(_, rest)| rest);
            return match in_crate.split_once('/') {
                Some((krate, rest)) => format!("{}/{rest}", without_version(krate)),
                None => in_crate.to_owned(),
            };
        }
    }
    match file.rfind("/src/") {
        Some(at) if file.starts_with('/') || file.contains(":/") => {
            file.get(at.saturating_add(1)..).unwrap_or(&file).to_owned()
        }
        _ => file,
    }
}

fn without_version(krate: &str) -> &str {
    match krate.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => krate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_replaced() {
        assert_eq!(normalise("order 42 not found"), "order <n> not found");
        assert_eq!(normalise("user 'ada' isn't here"), "user <text> isn't here");
        assert_eq!(normalise("id 5f2b91aa-17d4-4c6e-9f1e-2a3b4c5d6e7f gone"), "id <id> gone");
        assert_eq!(normalise("at 0x7f3a: é \"x\ny\""), "at <id>: é \"x\ny\"");
        assert_eq!(normalise("key usr_1938 of v2"), "key <id> of v2");
        assert_eq!(normalise("timeout after 30.5s on ipv6"), "timeout after <n>.5s on ipv6");
    }

    #[test]
    fn paths_lose_their_ids() {
        assert_eq!(normalise_path("/orders/42"), "/orders/{id}");
        assert_eq!(normalise_path("/api/v2/users/5f2b91aa17d4/edit"), "/api/v2/users/{id}/edit");
        assert_eq!(normalise_path("/reset/a8f3JKLMNOPQRSTUVWX"), "/reset/{id}");
        assert_eq!(normalise_path("/"), "/");
        assert_eq!(normalise_path(""), "");
    }

    #[test]
    fn files_are_the_same_on_every_machine() {
        assert_eq!(portable_file("src/main.rs"), "src/main.rs");
        assert_eq!(portable_file("/home/ada/shop/src/main.rs"), "src/main.rs");
        let cached = "/home/ada/.cargo/registry/src/index/sqlx-core-0.9.0/src/pool/mod.rs";
        assert_eq!(portable_file(cached), "sqlx-core/src/pool/mod.rs");
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_normalised(text in "\\PC*") {
            normalise(&text);
            normalise_path(&text);
        }

        #[test]
        fn the_number_does_not_matter(a: u64, b: u64) {
            proptest::prop_assert_eq!(normalise(&format!("order {a} gone")), normalise(&format!("order {b} gone")));
        }
    }
}
