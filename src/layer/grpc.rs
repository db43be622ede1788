//! How a call of gRPC ended: its status is in the headers, or in the trailers, of a response that is 200 for HTTP.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, StatusCode};
use percent_encoding::percent_decode_str;

use crate::record::{Cause, Details, Link};
use crate::report::chain;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The codes of gRPC (`google.rpc.Code`), by number; with what they would be in HTTP, by gRPC's own table.
const CODES: [(&str, StatusCode); 17] = [
    ("OK", StatusCode::OK),
    ("CANCELLED", StatusCode::REQUEST_TIMEOUT),
    ("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR),
    ("INVALID_ARGUMENT", StatusCode::BAD_REQUEST),
    ("DEADLINE_EXCEEDED", StatusCode::GATEWAY_TIMEOUT),
    ("NOT_FOUND", StatusCode::NOT_FOUND),
    ("ALREADY_EXISTS", StatusCode::CONFLICT),
    ("PERMISSION_DENIED", StatusCode::FORBIDDEN),
    ("RESOURCE_EXHAUSTED", StatusCode::TOO_MANY_REQUESTS),
    ("FAILED_PRECONDITION", StatusCode::BAD_REQUEST),
    ("ABORTED", StatusCode::CONFLICT),
    ("OUT_OF_RANGE", StatusCode::BAD_REQUEST),
    // A method that nobody has is the client's mistake, as a path is that no router knows.
    ("UNIMPLEMENTED", StatusCode::NOT_FOUND),
    ("INTERNAL", StatusCode::INTERNAL_SERVER_ERROR),
    ("UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE),
    ("DATA_LOSS", StatusCode::INTERNAL_SERVER_ERROR),
    ("UNAUTHENTICATED", StatusCode::UNAUTHORIZED),
];

/// How a call ended.
pub(super) struct Ended {
    pub(super) code: &'static str,
    /// What it would be in HTTP: 500 and above is the server's fault.
    pub(super) status: StatusCode,
    message: String,
}

impl Ended {
    /// What headers or trailers say. `None` if this is no end of a call.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        // There are few: looking at each is cheaper than a hash.
        let (_, status) = headers.iter().find(|(name, _)| **name == STATUS)?;
        let code = status.to_str().ok().and_then(|code| code.parse::<usize>().ok());
        // Unknown numbers are to be taken for UNKNOWN.
        let (code, status) = code
            .and_then(|code| CODES.get(code))
            .copied()
            .unwrap_or(("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR));
        let message = headers.get(MESSAGE).and_then(|message| message.to_str().ok()).unwrap_or_default();
        // Of whatever length it came, an event keeps some.
        let message = chain::text_of(&percent_decode_str(message).decode_utf8_lossy());
        Some(Self { code, status, message })
    }

    /// The failure, as far as the client was told of it.
    pub(super) fn details(&self) -> Details {
        let message = match self.message.as_str() {
            "" => self.code.to_owned(),
            message => format!("{}: {message}", self.code),
        };
        let link = Link { type_name: Cow::Borrowed("tonic::Status"), message };
        Details::new(Cause::Chain(vec![link]))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn ended(status: &'static str, message: &'static str) -> Option<Ended> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert(STATUS, HeaderValue::from_static(status));
        headers.insert(MESSAGE, HeaderValue::from_static(message));
        Ended::of(&headers)
    }

    #[test]
    fn a_status_is_read_and_the_servers_fault_told_from_the_clients() {
        assert!(Ended::of(&HeaderMap::new()).is_none());
        let failures =
            (0..17).filter(|code| ended(code.to_string().leak(), "").unwrap().status.is_server_error());
        assert_eq!(failures.collect::<Vec<_>>(), [2, 4, 13, 14, 15]);
        for odd in ["17", "-1", "", "x"] {
            assert_eq!(ended(odd, "").unwrap().code, "UNKNOWN");
        }
        let long: &'static str = "x".repeat(1 << 20).leak();
        assert!(ended("13", long).unwrap().message.len() < 1 << 15);
        let Cause::Chain(links) = ended("13", "no%20stock%0A").unwrap().details().cause else { panic!() };
        assert_eq!(links[0].message, "INTERNAL: no stock\n");
    }
}
