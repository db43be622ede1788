//! Bodies of every shape, for every name, on their way through the layer.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post as on_post;
use faultwire::config::Bodies;
use faultwire::{Report, ReportLayer};
use http::Request;
use serde_json::json;
use tower::ServiceExt as _;

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

/// Of what says nothing of its form, or the wrong thing.
const LIES: [(&str, &str, usize); 4] = [
    ("JSON, called a form", "application/x-www-form-urlencoded", 0),
    ("JSON, called a text", "text/plain", 3),
    ("a form, called JSON", JSON, 4),
    ("XML, called a text", "text/plain", 14),
];

pub(super) fn rows() -> Vec<Row> {
    let rows = SHAPES.iter().map(|(shape, content_type, write)| {
        let row = row(shape, move |name, value, plain| sent(content_type, write(name, value, plain).into()));
        Row { keeps: *shape != "UTF-16", ..row }
    });
    let lies = LIES.iter().map(|(lie, content_type, shape)| {
        let write = SHAPES[*shape].2;
        row(lie, move |name, value, plain| sent(content_type, write(name, value, plain).into()))
    });
    let in_chunks = row("JSON, in chunks of unknown number", |name, value, plain| {
        let body = SHAPES[1].2(name, value, plain);
        let chunks: Vec<_> =
            body.chunks(7).map(|chunk| Ok::<_, Infallible>(Bytes::copy_from_slice(chunk))).collect();
        sent(JSON, Body::from_stream(tokio_stream::iter(chunks)));
    });
    let cut = |limit: &'static str, content_type, write: Write| {
        let row = row(limit, move |name, value, plain| {
            let mut body = write(name, value, plain);
            // The limit falls into the value, behind the half of it.
            let secret = memchr::memmem::find(&body, &value.as_bytes()[..6]).unwrap();
            let blank = LIMIT.saturating_sub(secret).saturating_sub(value.len() * 3 / 4);
            body.splice(1..1, vec![b' '; blank]);
            sent(content_type, body.into());
        });
        Row { configure: |config| config.bodies(Bodies::All).body_limit(LIMIT), ..row }
    };
    let json: Write = |name, value, _| format!("{{ \"note\":\"{KEPT}\",\"{name}\":{}}}", json!(value)).into();
    let text: Write = |name, value, _| format!("  note={KEPT} {name}={} x=1", json!(value)).into();
    let cut = [
        cut("JSON, cut at the limit in the secret", JSON, json),
        cut("a text, cut there", "text/plain", text),
    ];
    rows.chain(lies).chain([in_chunks]).chain(cut).collect()
}

/// What is kept of a body that is cut.
const LIMIT: usize = 256;

/// A row with a cell for each name. Each kind of value takes its turn here; each under each name in the test below.
fn row(name: &'static str, send: impl Fn(&str, &str, bool) + Clone + 'static) -> Row {
    let cells = NAMES.iter().enumerate().map(|(number, name)| {
        let (which, send) = (number % ALL.len(), send.clone());
        Cell::new(*name, ALL[which], move || send(name, ALL[which].value, which < PLAIN))
    });
    Row { configure: |config| config.bodies(Bodies::All), ..Row::new(name, cells.collect()) }
}

/// One request with this body, which a handler reads before it fails.
fn sent(content_type: &str, body: Body) {
    let app: Router = Router::new()
        .route("/orders", on_post(async |_: Bytes| Err::<(), _>(Report::new("no stock"))))
        .layer(ReportLayer::new());
    let request = Request::post("/orders").header("content-type", content_type).body(body).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(app.oneshot(request)).unwrap().status(), 500);
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
