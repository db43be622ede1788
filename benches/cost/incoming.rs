//! The request, made as hyper makes one: its values share the bytes that came in, and names that the `http`
//! crate does not know are copied.

use axum::body::{Body, Bytes};
use http::{HeaderName, HeaderValue, Request, Uri};

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

pub(crate) fn request() -> Result<Request<Body>, http::Error> {
    let mut head = Bytes::from([URI].into_iter().chain(HEADERS.map(|(_, value)| value)).collect::<String>());
    let mut request = Request::builder().uri(Uri::from_maybe_shared(head.split_to(URI.len()))?);
    for (name, value) in HEADERS {
        let value = HeaderValue::from_maybe_shared(head.split_to(value.len()))?;
        request = request.header(HeaderName::from_bytes(name.as_bytes())?, value);
    }
    request.body(Body::empty())
}
