//! The sizes beyond which Sentry's Relay cuts, as measured on it; releases and environments it refuses, and a release
//! of more than 255 characters costs GlitchTip the whole batch.

use serde_json::Value;

use super::path::{depth, find, text_length};

/// Characters that the text at a path, or all texts below it, may have.
pub(crate) const LENGTHS: &[(&str, usize)] = &[
    ("release", 200),
    ("environment", 64),
    ("dist", 64),
    ("transaction", 200),
    ("culprit", 200),
    ("logger", 64),
    ("tags.*", 200),
    ("logentry.formatted", 8192),
    ("exception[].type", 256),
    ("exception[].value", 8192),
    ("exception[].module", 256),
    ("exception[].mechanism.type", 128),
    ("exception[].stacktrace.frames[].function", 512),
    ("threads[].stacktrace.frames[].function", 512),
    ("exception[].stacktrace.frames[].vars", 2048),
    ("user.id", 128),
    ("user.username", 128),
    ("user.email", 75),
    ("request.url", 256),
    ("request.method", 32),
    ("request.headers", 8192),
    ("request.data", 8192),
    ("extra.*", 16_384),
    ("contexts.*", 8192),
    ("breadcrumbs[].message", 8192),
    ("breadcrumbs[].category", 128),
    ("breadcrumbs[].type", 128),
    ("breadcrumbs[].data", 2048),
];

/// Levels of lists and objects that the value at a path may have, itself included.
pub(crate) const DEPTHS: &[(&str, usize)] =
    &[("extra", 6), ("contexts.*", 6), ("request.data", 6), ("breadcrumbs[].data", 4)];

/// Characters that a tag's key may have.
const TAG_KEY: usize = 200;

pub(super) fn check(event: &Value) -> Vec<String> {
    let lengths = LENGTHS.iter().flat_map(|&(path, limit)| {
        measure(event, path, limit, text_length, "characters, all texts below it together")
    });
    let depths = DEPTHS
        .iter()
        .flat_map(|&(path, limit)| measure(event, path, limit, depth, "levels of lists and objects"));
    let keys =
        event["tags"].as_object().into_iter().flatten().filter(|(key, _)| key.chars().count() > TAG_KEY);
    let keys =
        keys.map(|(key, _)| format!("the tag's key {key:.50}.. must have at most {TAG_KEY} characters"));
    lengths.chain(depths).chain(keys).collect()
}

fn measure(event: &Value, path: &str, limit: usize, size: fn(&Value) -> usize, unit: &str) -> Vec<String> {
    find(event, "the event", path)
        .into_iter()
        .map(|(place, value)| (place, size(value)))
        .filter(|(_, size)| *size > limit)
        .map(|(place, size)| {
            format!("{place} must have at most {limit} {unit}, else Sentry's Relay cuts it: {size}")
        })
        .collect()
}
