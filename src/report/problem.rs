//! The body of an error response: RFC 9457 problem+json, which tells the client what it may know.

use http::StatusCode;
use serde_json::json;

use crate::record::EventId;
use crate::scrub::scrub_text;

/// `{"type":"about:blank","title":..,"status":..,"event_id":..}`, with `detail` where the application gave
/// one. Never the error's text.
pub(crate) fn problem_json(status: StatusCode, detail: Option<&str>, id: EventId) -> String {
    let mut problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "event_id": id.to_string(),
    });
    if let (Some(detail), Some(fields)) = (detail, problem.as_object_mut()) {
        fields.insert("detail".to_owned(), scrub_text(detail).unwrap_or_else(|| detail.to_owned()).into());
    }
    problem.to_string()
}
