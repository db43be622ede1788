//! Contexts: GlitchTip types the well-known ones, and loses every field that it does not know.

use crate::deliver::json::{Fields, Json};

/// The typed contexts, and the fields that GlitchTip keeps of each (its event schema, December 2025).
const TYPES: &[(&str, &[&str])] = &[
    ("os", &["name", "version", "build", "kernel_version", "rooted", "raw_description"]),
    ("runtime", &["name", "version", "raw_description"]),
    ("browser", &["name", "version"]),
    ("response", &["status_code"]),
    ("state", &["state"]),
    ("replay", &["replay_id"]),
    ("culture", &["calendar", "display_name", "locale", "is_24_hour_format", "timezone"]),
    ("cloud_resource", &["cloud", "host"]),
    ("trace", &["trace_id", "span_id", "parent_span_id", "op", "status", "exclusive_time", "tags", "origin"]),
    (
        "app",
        &[
            "app_start_time",
            "device_app_hash",
            "build_type",
            "app_identifier",
            "app_name",
            "app_version",
            "app_build",
            "app_memory",
        ],
    ),
    (
        "device",
        &[
            "name",
            "family",
            "model",
            "model_id",
            "arch",
            "manufacturer",
            "brand",
            "memory_size",
            "free_memory",
            "usable_memory",
            "storage_size",
            "free_storage",
            "boot_time",
            "timezone",
            "processor_count",
            "cpu_description",
            "processor_frequency",
        ],
    ),
    (
        "gpu",
        &[
            "name",
            "version",
            "id",
            "vendor_id",
            "vendor_name",
            "memory_size",
            "api_type",
            "multi_threaded_rendering",
        ],
    ),
];

/// Moves the fields that a typed context would lose to a context of our own name beside it, and drops a
/// trace whose ids no server reads.
pub(super) fn mend(event: &mut Fields<'_>) {
    let Some(Json::Object(contexts)) = event.get_mut("contexts") else { return };
    contexts.retain(|_, context| context.as_object().is_some());
    let mut moved = Vec::new();
    for (name, context) in contexts.iter_mut() {
        let Json::Object(fields) = context else { continue };
        let kind = fields.get("type").and_then(Json::as_str).unwrap_or(name);
        let Some((_, known)) = TYPES.iter().find(|(known, _)| *known == kind) else { continue };
        let rest = fields.split_off(|field| field == "type" || known.contains(&field));
        if !rest.is_empty() {
            moved.push((format!("{name}_more").into(), Json::Object(rest)));
        }
    }
    contexts.extend(moved);
    if contexts.get("trace").is_some_and(|trace| !has_ids(trace)) {
        contexts.remove("trace");
    }
}

fn has_ids(trace: &Json<'_>) -> bool {
    let hex = |field: &str, length: usize| {
        let id = trace.get(field).and_then(Json::as_str).unwrap_or_default();
        id.len() == length && id.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    hex("trace_id", 32) && hex("span_id", 16)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_typed_context_would_lose_stands_beside_it() {
        let mut event = Json::from(json!({"contexts": {
            "rust": {"type": "runtime", "name": "rustc", "channel": "stable"},
            "response": {"status_code": 500, "headers": {"a": "b"}},
            "cart": {"items": 3},
            "odd": "text",
            "trace": {"trace_id": "short", "span_id": "0"},
        }}));
        mend(event.as_object_mut().unwrap());
        assert_eq!(
            event.to_value(),
            json!({"contexts": {
                "rust": {"type": "runtime", "name": "rustc"},
                "rust_more": {"channel": "stable"},
                "response": {"status_code": 500},
                "response_more": {"headers": {"a": "b"}},
                "cart": {"items": 3},
            }})
        );
    }
}
