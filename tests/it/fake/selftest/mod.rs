//! Tests of the fake server itself, over plain sockets: a rule that never fires would let a bad event pass unseen.

mod answers;
mod rules;
mod wire;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{FakeServer, KEY, time};

const EVENT_ID: &str = "0123456789abcdef0123456789abcdef";
const PATH: &str = "/api/1/envelope/";

/// A connection to the server that can send anything.
struct Client {
    reader: BufReader<TcpStream>,
}

struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    fn of(server: &FakeServer) -> Client {
        let stream = TcpStream::connect(server.address).expect("the server listens");
        Client { reader: BufReader::new(stream) }
    }

    fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    fn send(&self, bytes: &[u8]) {
        self.stream().write_all(bytes).expect("the server takes the request");
    }

    fn post(&self, body: &[u8]) {
        self.post_with(PATH, &auth(), body);
    }

    /// `headers` end in a line break each.
    fn post_with(&self, path: &str, headers: &str, body: &[u8]) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat());
    }

    fn response(&mut self) -> io::Result<Response> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
        let mut body = vec![0; length.parse().expect("a number")];
        self.reader.read_exact(&mut body)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Ok(Response { status, head, body: String::from_utf8(body).expect("text") })
    }
}

fn auth() -> String {
    format!("X-Sentry-Auth: Sentry sentry_key={KEY}, sentry_version=7, sentry_client=fake/1\r\n")
}

/// Sends one envelope over a connection of its own and returns the answer.
fn post(server: &FakeServer, body: &[u8]) -> Response {
    let mut client = Client::of(server);
    client.post(body);
    client.response().expect("an answer")
}

fn envelope(event: &Value) -> Vec<u8> {
    framed(&good_header(), "event", &event.to_string())
}

fn framed(header: &Value, kind: &str, payload: &str) -> Vec<u8> {
    format!("{header}\n{{\"type\":\"{kind}\",\"length\":{}}}\n{payload}\n", payload.len()).into_bytes()
}

fn good_header() -> Value {
    json!({
        "event_id": EVENT_ID,
        "sent_at": "2026-02-28T23:59:59.123456Z",
        "sdk": { "name": "faultwire", "version": "0.1.0" },
        "dsn": format!("http://{KEY}@localhost/1"),
    })
}

/// An event in which every rule finds something to check.
fn good_event() -> Value {
    let stack = json!({ "frames": [{
        "function": "shop::checkout::pay",
        "filename": "src/checkout.rs",
        "lineno": 42,
        "colno": 7,
        "in_app": true,
        "vars": { "attempt": "2" },
    }] });
    json!({
        "event_id": EVENT_ID,
        "timestamp": time::now(),
        "platform": "native",
        "level": "error",
        "release": "shop@1.2.3+abc",
        "environment": "production",
        "dist": "arm64",
        "logger": "shop::checkout",
        "server_name": "web-1",
        "transaction": "POST /orders/{id}/pay",
        "culprit": "shop::checkout::pay",
        "fingerprint": ["{{ default }}", "payment"],
        "logentry": { "formatted": "payment failed" },
        "sdk": { "name": "faultwire", "version": "0.1.0" },
        "tags": { "error.category": "third_party" },
        "extra": { "order": { "items": [1, 2] } },
        "modules": { "axum": "0.8.1" },
        "debug_meta": { "images": [] },
        "exception": { "values": [{
            "type": "PaymentError",
            "value": "card refused",
            "module": "shop::payment",
            "thread_id": 1,
            "mechanism": { "type": "generic", "handled": true },
            "stacktrace": stack,
        }] },
        "threads": { "values": [{ "id": 1, "stacktrace": stack }] },
        "breadcrumbs": { "values": [{
            "timestamp": "2026-02-28T23:59:59+01:00",
            "type": "http",
            "category": "upstream",
            "level": "info",
            "message": "POST https://bank.example/",
            "data": { "status_code": 402 },
        }] },
        "request": {
            "url": "http://shop.example/orders/7/pay",
            "method": "POST",
            "query_string": "retry=1",
            "cookies": { "session": "[Filtered]", "theme": "[Filtered]" },
            "headers": { "Accept": "*/*" },
            "env": { "REMOTE_ADDR": "192.0.2.1" },
            "data": { "amount": 12 },
            "body_size": 13,
        },
        "user": { "id": "u1", "username": "ann", "email": "[Filtered]", "ip_address": "192.0.2.1", "data": { "plan": "pro" } },
        "contexts": {
            "os": { "name": "Linux", "type": "os" },
            "rust": { "name": "rustc", "version": "1.95", "type": "runtime" },
            "response": { "status_code": 500 },
            "trace": { "trace_id": EVENT_ID, "span_id": "0123456789abcdef" },
            "payment": { "provider": "bank", "attempts": [1, 2] },
        },
    })
}
