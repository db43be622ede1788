//! The rules of contexts: own data belongs into a context with a name of our own.

use serde_json::Value;

use super::{Rule, has_only, is_hex};

pub(super) const RULES: &[Rule] = &[
    Rule {
        at: "contexts",
        holds: Value::is_object,
        must: "be an object, as `contexts` is",
        otherwise: "GlitchTip drops the event",
    },
    Rule {
        at: "contexts.*",
        holds: Value::is_object,
        must: "be an object, as every context is",
        otherwise: "Sentry's Relay drops it, and GlitchTip no longer types the others",
    },
    Rule {
        at: "contexts",
        holds: |contexts| {
            let contexts = contexts.as_object();
            contexts.is_none_or(|contexts| contexts.iter().all(|(name, context)| keeps_type(name, context)))
        },
        must: "put into device, os, runtime, .. and trace only the fields of these types",
        otherwise: "GlitchTip loses the others",
    },
    Rule {
        at: "contexts.trace",
        holds: |trace| {
            let hex = |key: &str, length| trace[key].as_str().is_some_and(|id| is_hex(id, length));
            hex("trace_id", 32)
                && hex("span_id", 16)
                && (trace["parent_span_id"].is_null() || hex("parent_span_id", 16))
        },
        must: "have a trace_id of 32 and span ids of 16 hexadecimal digits",
        otherwise: "Sentry's Relay removes the trace",
    },
];

/// Whether GlitchTip knows all fields of the context, if it knows its type.
fn keeps_type(name: &str, context: &Value) -> bool {
    let kind = context["type"].as_str().unwrap_or(name);
    TYPES
        .iter()
        .filter(|(known, _)| *known == kind)
        .all(|(_, fields)| has_only(context, &[&["type"], *fields].concat()))
}

/// The typed contexts and the fields that GlitchTip keeps of each.
#[rustfmt::skip]
const TYPES: &[(&str, &[&str])] = &[
    ("device", &[
        "name", "family", "model", "model_id", "arch", "battery_level", "orientation", "manufacturer", "brand",
        "screen_resolution", "screen_height_pixels", "screen_width_pixels", "screen_density", "screen_dpi", "online",
        "charging", "low_memory", "simulator", "memory_size", "free_memory", "usable_memory", "storage_size",
        "free_storage", "external_storage_size", "external_free_storage", "boot_time", "timezone", "language",
        "processor_count", "cpu_description", "processor_frequency", "device_type", "battery_status",
        "device_unique_identifier", "supports_vibration", "supports_accelerometer", "supports_gyroscope",
        "supports_audio", "supports_location_service",
    ]),
    ("os", &["name", "version", "build", "kernel_version", "rooted", "theme", "raw_description"]),
    ("runtime", &["name", "version", "raw_description"]),
    ("app", &[
        "app_start_time", "device_app_hash", "build_type", "app_identifier", "app_name", "app_version", "app_build",
        "app_memory", "in_foreground",
    ]),
    ("browser", &["name", "version"]),
    ("gpu", &[
        "name", "version", "id", "vendor_id", "vendor_name", "memory_size", "api_type", "multi_threaded_rendering",
        "npot_support", "max_texture_size", "graphics_shader_level", "supports_draw_call_instancing",
        "supports_ray_tracing", "supports_compute_shaders", "supports_geometry_shaders",
    ]),
    ("state", &["state"]),
    ("culture", &["calendar", "display_name", "locale", "is_24_hour_format", "timezone"]),
    ("cloud_resource", &["cloud", "host"]),
    ("trace", &[
        "trace_id", "span_id", "parent_span_id", "op", "status", "exclusive_time", "client_sample_rate", "tags",
        "dynamic_sampling_context", "origin",
    ]),
    ("replay", &["replay_id"]),
    ("response", &["status_code"]),
];
