//! Bodies: scrubbed as what their content type says they are; what cannot be read is not shown.

use serde_json::{Value, json};

use super::{scrub_event, scrub_query};

/// The body as text without its secrets. `cut` says that bytes are missing at its end.
pub(crate) fn scrub_body(content_type: Option<&str>, body: &[u8], cut: bool) -> String {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let media_type = media_type.to_ascii_lowercase();
    let scrubbed = match media_type.as_str() {
        "application/x-www-form-urlencoded" => std::str::from_utf8(body).ok().map(scrub_query),
        json if !cut && (json.ends_with("/json") || json.ends_with("+json")) => scrub_json(body),
        _ => None,
    };
    scrubbed.unwrap_or_else(|| format!("<{} bytes, {media_type}>", body.len()))
}

fn scrub_json(body: &[u8]) -> Option<String> {
    // `scrub_event` masks what lies inside of a field.
    let mut wrapped = json!({ "data": serde_json::from_slice::<Value>(body).ok()? });
    scrub_event(&mut wrapped);
    Some(wrapped.get("data")?.to_string())
}
