//! Documents with secrets, `tests/it/corpus/secrets`, each beside what is shown of it.

use std::path::Path;
use std::{env, fs};

use super::harmless::{Sample, corpus, difference};
use super::scrubbed;

/// Where this is set, the files are written instead of compared.
pub(crate) const WRITE: &str = "FAULTWIRE_TESTS_WRITE";

/// No letter of these may be shown.
const SECRETS: [&str; 9] =
    ["krellaz", "umbrith", "two words", "442218", "737", "1111 1111", "0532", "YWRhOmty", "5555"];

#[test]
fn documents_are_shown_without_their_secrets() {
    let root = corpus().join("secrets");
    let mut names: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| !path.ends_with("README.md") && path.extension().is_none_or(|name| name != "shown"));
    names.sort();
    assert!(!names.is_empty());
    for path in names {
        let Sample { name, content_type, text } = Sample::read(&path, &root).unwrap();
        let shown = scrubbed(content_type, &text);
        for secret in SECRETS {
            assert!(!shown.contains(secret), "{name}: {secret} is shown\n{shown}");
        }
        committed(&name, &root.join(format!("{name}.shown")), &shown);
    }
}

/// The file has this text; or gets it, if [`WRITE`] is set.
#[track_caller]
pub(crate) fn committed(name: &str, path: &Path, text: &str) {
    if env::var_os(WRITE).is_some() {
        fs::write(path, text).unwrap();
    }
    let there = fs::read_to_string(path).unwrap_or_default();
    let differs = difference(name, "as it is committed (-) and as it is now (+)", &there, text);
    assert!(there == text, "{differs}\n\n`{WRITE}=1 cargo test --test it` writes it anew");
}
