//! Bodies of requests, by their content type.

use super::found::Found;
use super::multipart;
use super::spans::looks_like_json;
use super::xml::is_xml;
use super::{MASK, Scrubber, into_text};

/// What a content type says about the form of a body.
enum Form<'a> {
    Json,
    Pairs,
    Multipart { boundary: Option<&'a str> },
    Xml,
    Text,
    Binary,
    Unsaid,
}

impl<'a> Form<'a> {
    fn of(content_type: Option<&'a str>) -> Self {
        let Some(content_type) = content_type else { return Self::Unsaid };
        let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let essence = essence.trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let ends = |suffix: &str| {
            essence
                .len()
                .checked_sub(suffix.len())
                .and_then(|at| essence.get(at..))
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
        };
        if ends("json") || is("application/x-ndjson") || is("application/jsonl") || is("application/graphql")
        {
            Self::Json
        } else if is("application/x-www-form-urlencoded") {
            Self::Pairs
        } else if is("multipart/form-data") || is("multipart/mixed") {
            let boundary = parameters.split(';').find_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
            });
            Self::Multipart { boundary: boundary.filter(|boundary| !boundary.is_empty()) }
        } else if ends("xml") || is("text/html") {
            Self::Xml
        } else if is("text/csv") || is("text/tab-separated-values") {
            // Names are far from their values.
            Self::Binary
        } else if essence.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/")) {
            Self::Text
        } else if essence.is_empty() {
            Self::Unsaid
        } else {
            Self::Binary
        }
    }
}

impl Scrubber {
    /// What may be shown of a body. `cut` says that bytes are missing at its end.
    pub(super) fn show_body(
        &self,
        content_type: Option<&str>,
        body: &[u8],
        cut: bool,
        found: &mut Found,
    ) -> String {
        let binary = || format!("<{} bytes, {}>", body.len(), short(content_type));
        if body.is_empty() {
            return String::new();
        }
        let form = Form::of(content_type);
        let whole = if cut { self.without_half(body) } else { body };
        let is_json = matches!(form, Form::Json);
        let scrubbed = match form {
            Form::Binary => return binary(),
            Form::Multipart { boundary } => {
                let Some(fields) = multipart::fields(self, whole, boundary, found) else { return binary() };
                Some(fields)
            }
            _ if is_binary(body) => return binary(),
            Form::Pairs => self.form(whole, found),
            Form::Xml => self.xml(whole, found),
            Form::Json => self.json(whole, found),
            Form::Text | Form::Unsaid => self.any(whole, found),
        };
        let mut shown = into_text(scrubbed.unwrap_or_else(|| whole.to_vec()));
        // What was told wins over every form.
        if let Some(forgotten) = self.told.forgotten(shown.as_bytes(), is_json, found) {
            shown = into_text(forgotten);
        }
        if whole.len() < body.len() && !shown.ends_with(MASK) {
            shown.push_str(MASK);
        }
        shown
    }

    /// A body that was cut may end in half a secret, which nobody recognises.
    fn without_half<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        let whole = body.get(..self.told.half(body).unwrap_or(body.len())).unwrap_or_default();
        without_half(whole)
    }

    /// A text whose form nobody says.
    pub(super) fn any(&self, text: &[u8], found: &mut Found) -> Option<Vec<u8>> {
        if looks_like_json(text) {
            self.json(text, found)
        } else if let Some(fields) = multipart::sniffed(self, text, found) {
            Some(fields)
        } else if is_xml(text) {
            self.xml(text, found)
        } else {
            self.plain(text, found)
        }
    }
}

fn short(content_type: Option<&str>) -> String {
    let essence =
        content_type.and_then(|content_type| content_type.split(';').next()).unwrap_or_default().trim();
    let known = |c: char| c.is_ascii_alphanumeric() || "/.+-".contains(c);
    if essence.is_empty() || essence.len() > 64 || !essence.chars().all(known) {
        "unknown type".to_owned()
    } else {
        essence.to_owned()
    }
}

/// Texts have no control characters but for white space; UTF-16 is full of zeros.
fn is_binary(body: &[u8]) -> bool {
    let control = |byte: &u8| matches!(byte, 0..=8 | 14..=26 | 28..=31);
    // No early end inside of a block, so that the compiler makes it a comparison of many bytes at once.
    let least = |block: &[u8]| block.iter().fold(u8::MAX, |least, byte| least.min(*byte));
    body.chunks(256).any(|block| least(block) < b' ' && block.iter().any(control))
}

/// Tokens that are longer are recognised without their end.
const LONGEST_HALF: usize = 128;

/// Its last word goes; of a URL with a password, everything behind the scheme.
fn without_half(body: &[u8]) -> &[u8] {
    let run =
        body.iter().rev().take_while(|byte| !byte.is_ascii_whitespace() && !b"\"<>".contains(byte)).count();
    let start = body.len().saturating_sub(run);
    let scheme = body.get(start..).and_then(|run| memchr::memmem::rfind(run, b"://"));
    if let Some(scheme) = scheme {
        let authority = start.saturating_add(scheme).saturating_add(3);
        let url = body.get(authority..).unwrap_or_default();
        let password =
            url.iter().position(|byte| *byte == b':').and_then(|colon| url.get(colon..)).unwrap_or_default();
        let is_port =
            password.iter().skip(1).find(|byte| !byte.is_ascii_digit()).is_none_or(|byte| *byte == b'/');
        // Once the host was reached, only the last word may be half.
        if !url.contains(&b'@') && !is_port {
            return body.get(..authority).unwrap_or_default();
        }
    }
    let ends_word = |byte: &u8| byte.is_ascii_whitespace() || b"\"'<>&;,(){}[]=:?".contains(byte);
    let mut half = body.iter().rev().take(LONGEST_HALF).take_while(|byte| !ends_word(byte)).count();
    // Groups of digits are one number.
    while half > 0 {
        let rest = body.get(..body.len().saturating_sub(half)).unwrap_or_default();
        let [head @ .., b' ' | b'-'] = rest else { break };
        let digits = head.iter().rev().take(6).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let group = head.len().saturating_sub(digits);
        if digits == 0 || !head.get(group..).unwrap_or_default().iter().any(u8::is_ascii_digit) {
            break;
        }
        half = half.saturating_add(digits).saturating_add(1);
    }
    body.get(..body.len().saturating_sub(half)).unwrap_or_default()
}
