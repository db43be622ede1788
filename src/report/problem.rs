//! The body of an error response: RFC 9457 problem+json, which tells the client what it may know.

use http::StatusCode;

use crate::scrub::scrub_text;

/// What most of them begin with.
const INTERNAL: &str = r#"{"type":"about:blank","title":"Internal Server Error","status":500"#;

/// `{"type":"about:blank","title":..,"status":..,"event_id":..,"request_id":..}`, with `detail` where the application
/// gave one, and without `request_id` outside of a request. Never the error's text. Written by hand: it is all that a failure writes on the request's thread. Its
/// capacity is its length, so that it becomes a body as it is.
pub(crate) fn problem_json(
    status: StatusCode,
    detail: Option<&str>,
    id: &str,
    request_id: Option<&str>,
) -> String {
    let (event_id, end) = (r#","event_id":""#, "\"}");
    // It is plain, see `request_id`.
    let (and_request_id, request_id) = request_id.map_or(("", ""), |id| (r#"","request_id":""#, id));
    if status == StatusCode::INTERNAL_SERVER_ERROR && detail.is_none() {
        return joined([INTERNAL, event_id, id, and_request_id, request_id, end]);
    }
    let detail = detail.map(|detail| {
        let detail = scrub_text(detail).unwrap_or_else(|| detail.to_owned());
        format!(r#","detail":{}"#, serde_json::Value::String(detail))
    });
    // The titles of RFC 9110 hold nothing that JSON escapes.
    let title = status.canonical_reason().unwrap_or("Error");
    let (begin, code) = (r#"{"type":"about:blank","title":""#, r#"","status":"#);
    let detail = detail.as_deref().unwrap_or_default();
    joined([begin, title, code, status.as_str(), detail, event_id, id, and_request_id, request_id, end])
}

#[inline]
fn joined<const N: usize>(parts: [&str; N]) -> String {
    let length = parts.iter().fold(0_usize, |length, part| length.saturating_add(part.len()));
    let mut joined = String::with_capacity(length);
    for part in parts {
        joined.push_str(part);
    }
    joined
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_status_and_every_detail_makes_valid_json() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        for status in (100..1000).filter_map(|code| StatusCode::from_u16(code).ok()) {
            for (detail, request) in
                [(None, None), (Some(""), Some("7f-9c")), (Some("a \"quoted\"\n\u{0} line"), Some("7f-9c"))]
            {
                let problem: Value =
                    serde_json::from_str(&problem_json(status, detail, id, request)).unwrap();
                assert_eq!(problem.get("request_id").and_then(Value::as_str), request);
                assert_eq!(problem["status"], status.as_u16());
                assert_eq!(problem["title"], status.canonical_reason().unwrap_or("Error"));
                assert_eq!((&problem["detail"], &problem["event_id"]), (&json!(detail), &json!(id)));
            }
        }
    }
}
