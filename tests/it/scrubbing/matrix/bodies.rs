//! Bodies of every shape, for every name.

use faultwire::sentry;
use faultwire::sentry::protocol::{Event, Request};
use serde_json::json;

use super::{Cell, Row};
use crate::scrubbing::DEFAULT;
use crate::scrubbing::canary::{ALL, Canary, PLAIN};
use crate::scrubbing::plant::KEPT;

/// The names of the measurement of the peers.
pub(super) const NAMES: [&str; 36] = [
    "password",
    "passwd",
    "pwd",
    "new_password",
    "password_confirmation",
    "passwordConfirmation",
    "secret",
    "client_secret",
    "secret_key",
    "api_key",
    "apiKey",
    "x-api-key",
    "token",
    "access_token",
    "accessToken",
    "refresh_token",
    "id_token",
    "csrf_token",
    "jwt",
    "authorization",
    "session_id",
    "sessionId",
    "private_key",
    "privateKey",
    "credentials",
    "otp",
    "mfa_code",
    "pin",
    "cvv",
    "cvc",
    "card_number",
    "cardNumber",
    "ssn",
    "iban",
    "date_of_birth",
    "aws_secret_access_key",
];

/// How a body with this name and value, and the harmless one, is written.
type Write = fn(name: &str, value: &str, plain: bool) -> Vec<u8>;

const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data; boundary=XX";

/// In the order of the measurement of the peers, then what else there is.
const SHAPES: [(&str, &str, Write); 17] = [
    ("JSON, flat", JSON, |name, value, _| json!({"note": KEPT, name: value}).to_string().into()),
    ("JSON, depth 2", JSON, |name, value, _| {
        json!({"a": {"b": {name: value, "note": KEPT}}}).to_string().into()
    }),
    ("JSON, inside a list", JSON, |name, value, _| {
        json!({"list": [1, [{"note": KEPT}, {name: [value]}]]}).to_string().into()
    }),
    ("JSON, top-level array", JSON, |name, value, _| {
        json!([{name: value}, {"note": KEPT}]).to_string().into()
    }),
    ("form", "application/x-www-form-urlencoded", |name, value, _| {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("note", KEPT).append_pair(name, value).append_pair(&format!("user[{name}]"), value);
        form.finish().into()
    }),
    ("multipart", MULTIPART, |name, value, _| {
        let part = |name: &str, value: &str| {
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        format!("{}{}--XX--\r\n", part(name, value), part("note", KEPT)).into()
    }),
    ("GraphQL variables", JSON, |name, value, _| {
        let query = format!("mutation($v: String!) {{ save({name}: $v) {{ id }} }}");
        json!({"query": query, "variables": {"input": {name: value, "note": KEPT}}}).to_string().into()
    }),
    ("JSON inside a JSON string", JSON, |name, value, _| {
        let inner = json!({name: value, "note": KEPT}).to_string();
        json!({"payload": json!({"inner": inner}).to_string()}).to_string().into()
    }),
    ("text/plain name=value", "text/plain", |name, value, plain| match plain {
        true => format!("note={KEPT} {name}={value} x=1").into(),
        false => format!("note={KEPT} {name}={} x=1", json!(value)).into(),
    }),
    ("JSON, cut off", JSON, |name, value, _| {
        let whole = json!([{"note": KEPT}, {name: [value, value]}]).to_string();
        whole.as_bytes()[..whole.len() - 6].to_vec()
    }),
    ("JSON, invalid", JSON, |name, value, _| {
        format!("{{note: '{KEPT}', \"a\": undefined, \"{name}\": {},}} trailing", json!(value)).into()
    }),
    ("JSON, a document each line", "application/x-ndjson", |name, value, _| {
        format!("{}\n{}\n", json!({name: value}), json!({"note": KEPT})).into()
    }),
    ("JSON, two of a name", JSON, |name, value, _| {
        format!("{{\"{name}\":{0},\"note\":\"{KEPT}\",\"{name}\":{0}}}", json!(value)).into()
    }),
    ("JSON, escaped name and value", JSON, |name, value, _| {
        let escaped =
            |text: &str| text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect::<String>();
        format!("{{\"{}\":\"{}\",\"note\":\"{KEPT}\"}}", escaped(name), escaped(value)).into()
    }),
    ("XML", "application/xml", |name, value, _| {
        let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        format!("<r><note>{KEPT}</note><{name}>{value}</{name}><u {name}=\"{value}\"/></r>").into()
    }),
    ("invalid UTF-8", JSON, |name, value, _| {
        let mut body = b"{\"a\":\"\xff\xfe\",".to_vec();
        body.extend(format!("\"{name}\":{},\"note\":\"{KEPT}\",\"b\":\"", json!(value)).bytes());
        body.extend(b"\xc3\"}");
        body
    }),
    ("UTF-16", "application/json; charset=utf-16", |name, value, _| {
        let json = json!({name: value, "note": KEPT}).to_string();
        json.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }),
];

pub(super) fn rows() -> Vec<Row> {
    let rows = SHAPES.iter().map(|(shape, content_type, write)| {
        let cells = NAMES.iter().enumerate().map(|(number, name)| {
            // Each kind of value takes its turn here; each under each name in the test below.
            let which = number % ALL.len();
            let body = write(name, ALL[which].value, which < PLAIN);
            Cell::new(*name, ALL[which], move || report(content_type, &body))
        });
        Row { keeps: *shape != "UTF-16", ..Row::new(shape, cells.collect()) }
    });
    rows.collect()
}

/// One event with this body. As long as the layer does not keep bodies, the body is shown by the same function that
/// it will use, and given to an event of the SDK.
fn report(content_type: &str, body: &[u8]) {
    let request = Request { data: Some(DEFAULT.body(Some(content_type), body)), ..Request::default() };
    sentry::capture_event(Event { request: Some(request), ..Event::default() });
}

#[test]
fn every_kind_of_value_is_hidden_under_every_name_in_every_shape() {
    for (shape, content_type, write) in SHAPES {
        for name in NAMES {
            for (which, canary) in ALL.iter().enumerate() {
                let body = write(name, canary.value, which < PLAIN);
                let shown = DEFAULT.body(Some(content_type), &body);
                let said = || format!("{shape}, {name}: {}\nbecomes {shown}", String::from_utf8_lossy(&body));
                assert_eq!(canary.left_in(shown.as_bytes()), None::<String>, "{}", said());
                assert!(shown.contains(KEPT) || shape == "UTF-16", "{}", said());
                // A body may also come to the gate as it is, in an event of the SDK.
                let raw: Canary = *canary;
                let text = String::from_utf8_lossy(&body);
                if shape != "UTF-16" && shape != "multipart" {
                    assert_eq!(
                        raw.left_in(DEFAULT.text(&text).as_bytes()),
                        None::<String>,
                        "as a text, {}",
                        said()
                    );
                }
            }
        }
    }
}
