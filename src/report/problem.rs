//! The body of an error response: RFC 9457 problem+json, which tells the client what it may know.

use http::StatusCode;

use crate::record::EventId;
use crate::scrub::scrub_text;

/// `{"type":"about:blank","title":..,"status":..,"event_id":..}`, with `detail` where the application gave
/// one. Never the error's text. Written by hand: it is all that a failure writes on the request's thread.
pub(crate) fn problem_json(status: StatusCode, detail: Option<&str>, id: EventId) -> String {
    let mut problem = String::with_capacity(128);
    problem.push_str(r#"{"type":"about:blank","title":""#);
    // The titles of RFC 9110 hold nothing that JSON escapes.
    problem.push_str(status.canonical_reason().unwrap_or("Error"));
    problem.push_str(r#"","status":"#);
    problem.push_str(status.as_str());
    if let Some(detail) = detail {
        let detail = scrub_text(detail).unwrap_or_else(|| detail.to_owned());
        problem.push_str(r#","detail":"#);
        problem.push_str(&serde_json::Value::String(detail).to_string());
    }
    problem.push_str(r#","event_id":""#);
    problem.push_str(id.encode(&mut [0; 32]));
    problem.push_str("\"}");
    problem
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_status_and_every_detail_makes_valid_json() {
        let id = EventId::random();
        for status in (100..1000).filter_map(|code| StatusCode::from_u16(code).ok()) {
            for detail in [None, Some(""), Some("a \"quoted\"\n\u{0} line")] {
                let problem: Value = serde_json::from_str(&problem_json(status, detail, id)).unwrap();
                assert_eq!(problem["status"], status.as_u16());
                assert_eq!(problem["title"], status.canonical_reason().unwrap_or("Error"));
                assert_eq!(
                    (&problem["detail"], &problem["event_id"]),
                    (&json!(detail), &json!(id.to_string()))
                );
            }
        }
    }
}
