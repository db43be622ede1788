//! What the inbox answers: the page, the stream of events, or why not.
//!
//! The page may run its own script and style, known by their hashes, and speak to its own address; nothing else
//! is allowed, and the browser holds it to text nodes (`require-trusted-types-for`).

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::request::Refused;
use super::store::{Next, Store};

const PAGE: &str = include_str!("inbox.html");

/// On every answer. The hashes are those of the page's script and style; a test computes them anew.
const HEADERS: &str = "Content-Security-Policy: default-src 'none'; \
    script-src 'sha256-soW6DghXc9xfNUpIA77LQRxtO/7nashhmoRyT2eB4jA='; \
    style-src 'sha256-ZbmPFBl6FMcsxM+0JppDdlwsi6dJVbes29UqEm8NMyY='; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cache-Control: no-store\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Connection: close\r\n";

/// A stream in which nothing happens says so, and finds out whether anybody still listens.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn page(to: impl Write) -> io::Result<()> {
    whole(to, "200 OK", "text/html; charset=utf-8", PAGE)
}

/// Server-sent events: `about`, what is kept, `live`, and then what happens, until the inbox closes or the
/// reader is gone. A reader who comes back with the last id it saw gets what followed.
pub(super) fn stream(mut to: impl Write, store: &Store, last_id: Option<&str>) -> io::Result<()> {
    let _busy = store.busy();
    write!(to, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{HEADERS}\r\nretry: 1000\n\n")?;
    let number = |id: &str| id.strip_prefix(store.name())?.strip_prefix('-')?.parse().ok();
    let mut seen = last_id.and_then(number).unwrap_or_default();
    let mut about: Option<Arc<str>> = None;
    let mut live = false;
    let mut message = Vec::new();
    loop {
        message.clear();
        match store.next(about.as_ref(), seen, if live { HEARTBEAT } else { Duration::ZERO }) {
            Next::About(text) => {
                write!(message, "event: about\ndata: {text}\n\n")?;
                about = Some(text);
            }
            Next::Event(number, payload) => {
                // One line: compact JSON has no line break.
                write!(message, "id: {}-{number}\ndata: ", store.name())?;
                message.extend_from_slice(&payload);
                message.extend_from_slice(b"\n\n");
                seen = number;
            }
            Next::Nothing if live => message.extend_from_slice(b":\n\n"),
            Next::Nothing => {
                message.extend_from_slice(b"event: live\ndata: {}\n\n");
                live = true;
            }
            Next::Closed => return Ok(()),
        }
        to.write_all(&message)?;
    }
}

pub(super) fn refuse(to: impl Write, why: Refused) -> io::Result<()> {
    let (status, text) = match why {
        Refused::Malformed => ("400 Bad Request", "This is no HTTP request.\n"),
        Refused::ForeignHost => {
            ("403 Forbidden", "The inbox answers to localhost, 127.0.0.1 and [::1] only.\n")
        }
        Refused::ForeignOrigin => {
            ("403 Forbidden", "The inbox answers to its own page only: type its address to open it.\n")
        }
        Refused::Method => ("405 Method Not Allowed\r\nAllow: GET", "The inbox is for reading.\n"),
        Refused::Unknown => ("404 Not Found", "There is only the page, /, and its stream, /events.\n"),
        Refused::TooLong => ("431 Request Header Fields Too Large", "The head of the request is too long.\n"),
    };
    whole(to, status, "text/plain; charset=utf-8", text)
}

fn whole(mut to: impl Write, status: &str, content_type: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{HEADERS}\r\n"
    );
    to.write_all(head.as_bytes())?;
    to.write_all(body.as_bytes())
}
