//! The common way: parse, walk, write.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde_json::Value;

#[path = "../../src/scrub/secrets/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the lists are shared with the library, the rest of them is not needed"
)]
mod secrets;

static KEYS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    secrets::WORDS.iter().chain(secrets::PHRASES).chain(secrets::PERSONAL).copied().collect()
});

pub(crate) fn scrub(body: &[u8]) -> Option<Vec<u8>> {
    let mut value = serde_json::from_slice(body).ok()?;
    walk(&mut value);
    serde_json::to_vec(&value).ok()
}

fn walk(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if KEYS.contains(key.to_ascii_lowercase().as_str()) {
                    *value = Value::String("[Filtered]".to_owned());
                } else {
                    walk(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(walk),
        _ => {}
    }
}
