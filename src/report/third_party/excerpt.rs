//! What the body of a failing response says: the provider's code for it, and its beginning.

use serde_json::Value;

use super::template;
use crate::record::{ResponseBody, truncated};
use crate::scrub::scrub_body;

/// So many bytes of a body are shown; of a title, and of a code.
const MAX_SHOWN: usize = 512;
const MAX_TITLE: usize = 200;
const MAX_CODE: usize = 100;

/// What is told of a body. All of it was scrubbed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// `card_declined`, `invalid_grant`, `RESOURCE_EXHAUSTED`.
    pub(super) code: Option<String>,
    /// RFC 9457's `type`, or the provider's.
    pub(super) kind: Option<String>,
    pub(super) title: Option<String>,
    pub(super) text: String,
}

impl Excerpt {
    pub(super) fn of(body: &ResponseBody) -> Self {
        let is_json = matches!(body.bytes.trim_ascii_start().first(), Some(b'{' | b'['));
        let guessed = if is_json { "application/json" } else { "text/plain" };
        let content_type = body.content_type.as_deref().unwrap_or(guessed);
        let text = scrub_body(Some(content_type), &body.bytes, body.cut);
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let first = |paths: &[&str], is_one: fn(&Value) -> Option<String>| {
            paths.iter().find_map(|path| json.pointer(path).and_then(is_one))
        };
        Self {
            code: first(&CODES, code),
            kind: first(&KINDS, kind),
            title: first(&["/title", "/error/title", "/errors/0/title"], title),
            text: truncated(&text, MAX_SHOWN).to_owned(),
        }
    }
}

/// Where providers put their code, the most telling first: Stripe and OpenAI, JSON:API, OAuth (RFC 6749), Google, AWS.
const CODES: [&str; 11] = [
    "/error/code",
    "/error/status",
    "/code",
    "/error_code",
    "/errorCode",
    "/errors/0/code",
    "/errors/0/extensions/code",
    "/error",
    "/__type",
    "/Code",
    "/error/reason",
];
const KINDS: [&str; 3] = ["/error/type", "/type", "/errors/0/type"];

/// A word or a number; not a sentence, which may say anything.
fn code(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:#/".contains(&byte);
            let is_one = !text.is_empty() && text.len() <= MAX_CODE && text.bytes().all(harmless);
            is_one.then(|| text.clone())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The same, or a URL, of which the ids are replaced.
fn kind(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| *text != "about:blank")?;
    match template::of_text(text) {
        Some(target) => Some(target.to_string()),
        None => code(value),
    }
}

fn title(value: &Value) -> Option<String> {
    value.as_str().map(|text| truncated(text, MAX_TITLE).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(content_type: Option<&str>, body: &str) -> Excerpt {
        let content_type = content_type.map(str::to_owned);
        Excerpt::of(&ResponseBody { content_type, bytes: body.as_bytes().into(), cut: false })
    }

    #[test]
    fn the_codes_of_many_providers_are_found() {
        for (body, code, kind) in [
            (
                r#"{"error":{"code":"card_declined","type":"card_error"}}"#,
                Some("card_declined"),
                Some("card_error"),
            ),
            (r#"{"error":"invalid_grant","error_description":"x"}"#, Some("invalid_grant"), None),
            (r#"{"error":{"code":8,"status":"RESOURCE_EXHAUSTED"}}"#, Some("8"), None),
            (r#"{"errors":[{"code":"42"}]}"#, Some("42"), None),
            (r#"{"__type":"com.amazon#Throttling"}"#, Some("com.amazon#Throttling"), None),
            (
                r#"{"type":"https://a.example/probs/7","title":"No credit","code":"out_of_credit"}"#,
                Some("out_of_credit"),
                Some("https://a.example/probs/{id}"),
            ),
            (r#"{"type":"about:blank","error":"Something about Ada went wrong"}"#, None, None),
            ("<html>", None, None),
            ("", None, None),
        ] {
            let excerpt = excerpt(None, body);
            assert_eq!((excerpt.code.as_deref(), excerpt.kind.as_deref()), (code, kind), "{body}");
        }
    }

    #[test]
    fn what_is_shown_is_scrubbed_and_short() {
        let shown = excerpt(
            Some("application/json"),
            r#"{"code":"denied","api_key":"sk_live_abc","email":"ada@example.org"}"#,
        );
        assert!(!shown.text.contains("sk_live") && !shown.text.contains("ada@"), "{}", shown.text);
        assert_eq!(shown.code.as_deref(), Some("denied"));
        assert_eq!(excerpt(Some("text/plain"), &"é".repeat(2000)).text.len(), MAX_SHOWN);
        assert_eq!(excerpt(Some("image/png"), "png").text, "<3 bytes, image/png>");
    }
}
