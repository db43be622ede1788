//! The requests, made as hyper makes them: their values share the bytes that came in, names that the `http` crate
//! does not know are copied, and a body comes as parts of what was read from the connection.

use std::array;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body::{Frame, SizeHint};

const URI: &str = "/orders/42?expand=items";

/// What a browser behind a proxy sends.
const HEADERS: [(&str, &str); 12] = [
    ("host", "shop.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "https://shop.example.com/orders"),
    ("authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl"),
    ("cookie", "session=7f9c2ba4e88f827d616045507605853e; theme=dark"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-proto", "https"),
    ("x-request-id", "0198a1f2-7c3e-7d51-9c1b-2f4e5d6a7b8c"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
];

/// What a body adds to them.
const BODY_HEADERS: [(&str, &str); 2] = [("content-type", "application/json"), ("content-length", "8192")];
const BODY: usize = 8 * 1024;
/// Of the body this much comes with the headers: what is left of hyper's first read of 8 KiB.
const WITH_HEADERS: usize = 7 * 1024;

pub(crate) fn get() -> Result<Request<Body>, http::Error> {
    request(Method::GET, &[], Body::empty())
}

/// With 8 KiB of JSON.
pub(crate) fn post() -> Result<Request<Body>, http::Error> {
    let mut first = Bytes::from(format!("[\"{}\"]", "x".repeat(BODY - 4)));
    let second = Bytes::copy_from_slice(&first.split_off(WITH_HEADERS));
    let body = Received { left: BODY, frames: [first, second].into_iter() };
    request(Method::POST, &BODY_HEADERS, Body::new(body))
}

fn request(method: Method, more: &[(&str, &str)], body: Body) -> Result<Request<Body>, http::Error> {
    let headers = HEADERS.iter().chain(more);
    let values = headers.clone().map(|(_, value)| *value);
    let mut head = Bytes::from([URI].into_iter().chain(values).collect::<String>());
    let mut request =
        Request::builder().method(method).uri(Uri::from_maybe_shared(head.split_to(URI.len()))?);
    for (name, value) in headers {
        let value = HeaderValue::from_maybe_shared(head.split_to(value.len()))?;
        request = request.header(HeaderName::from_bytes(name.as_bytes())?, value);
    }
    request.body(body)
}

/// A body of which all is there already.
struct Received {
    left: usize,
    frames: array::IntoIter<Bytes, 2>,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.frames.next();
        self.left = self.left.saturating_sub(frame.as_ref().map_or(0, Bytes::len));
        Poll::Ready(frame.map(|frame| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}
