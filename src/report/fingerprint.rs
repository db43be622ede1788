//! What makes two failures one issue, the same on every server.
//!
//! Servers group by the first line of the message, by the stack, or by the URL, each differently and all of
//! them badly when ids are in it. So the fingerprint is ours: kind, type without generics, message without
//! what varies, and the source file without line and column.

use crate::record::{Details, Kind, Place, normalise, truncated, without_generics};
use crate::scrub::scrub_text;

/// At most this many bytes of a message.
const MAX_MESSAGE: usize = 1024;

/// The fingerprint of an error.
pub(crate) fn of_error(kind: Kind, type_name: &str, message: &str, place: Option<&Place>) -> Vec<String> {
    // Of half a secret, or of one whose digits are gone, nobody sees that it is one.
    let scrubbed = scrub_text(message);
    let mut normal = String::with_capacity(message.len());
    normalise(scrubbed.as_deref().unwrap_or(message), |piece| normal.push_str(piece));
    normal.truncate(truncated(&normal, MAX_MESSAGE).len());
    let mut parts = vec![kind.as_str().to_owned(), without_generics(type_name).to_owned(), normal];
    parts.extend(place.map(|place| portable_file(&place.file)));
    parts
}

/// The fingerprint of a failure whose error has the fingerprint `of_error`. What is one issue whatever its message has
/// one of its own; another failure of a database has that of the error, and what the database refused.
pub(crate) fn of_subject(details: &Details, mut of_error: Vec<String>) -> Vec<String> {
    let mut parts = Vec::new();
    if details.issue(|part| parts.push(part.to_owned())) {
        return parts;
    }
    if let Some(service) = details.third_party().and_then(|failure| failure.service()) {
        of_error.push(service.to_owned());
    }
    if let Some(failure) = details.failure() {
        of_error.push(failure.class.as_str().to_owned());
        of_error.extend(failure.constraint().or(failure.table()).map(str::to_owned));
    }
    of_error
}

/// The fingerprint of a response that came without an error.
pub(crate) fn of_status(status: u16, transaction: &str) -> Vec<String> {
    vec![Kind::Route.as_str().to_owned(), status.to_string(), transaction.to_owned()]
}

/// The file relative to its crate, so that two machines agree: `shop/src/orders.rs`, `src/main.rs`.
pub(crate) fn portable_file(file: &str) -> String {
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
    let is_absolute = file.starts_with('/') || file.contains(":/");
    if !is_absolute {
        return file.strip_prefix("./").unwrap_or(&file).to_owned();
    }
    let std = file.split_once("/library/").filter(|(root, _)| root.contains("/rust"));
    let after = |folder: &str| file.rfind(folder).and_then(|at| file.get(at.saturating_add(1)..));
    let in_crate = ["/src/", "/tests/", "/examples/", "/benches/"].into_iter().filter_map(after);
    // The longest: `tests/it/src/mod.rs` is a test.
    let in_crate = in_crate.max_by_key(|inside| inside.len());
    std.map(|(_, inside)| inside).or(in_crate).unwrap_or(&file).to_owned()
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
    fn files_are_the_same_on_every_machine() {
        assert_eq!(portable_file("src/main.rs"), "src/main.rs");
        assert_eq!(portable_file("/home/ada/shop/src/main.rs"), "src/main.rs");
        assert_eq!(portable_file("./src/main.rs"), "src/main.rs");
        assert_eq!(portable_file("/home/ada/shop/tests/it/main.rs"), "tests/it/main.rs");
        assert_eq!(portable_file("C:\\shop\\examples\\demo.rs"), "examples/demo.rs");
        assert_eq!(portable_file("/rustc/0f1e/library/core/src/ops/function.rs"), "core/src/ops/function.rs");
        let cached = "/home/ada/.cargo/registry/src/index/sqlx-core-0.9.0/src/pool/mod.rs";
        assert_eq!(portable_file(cached), "sqlx-core/src/pool/mod.rs");
    }
}
