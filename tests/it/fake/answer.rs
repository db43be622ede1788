//! The ways in which a server may answer, and what each does to the socket.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::http::Request;
use super::intake::Verdict;
use super::state::Shared;

/// How one request is answered.
///
/// Every answer that means "200" turns into the 400, 403, 404 or 413 of a real server if the request deserves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answer {
    #[default]
    Ok,
    /// 200 with this `X-Sentry-Rate-Limits`, as Bugsink does.
    OkWithRateLimits(String),
    /// 200 with this `Date`.
    OkWithDate(String),
    /// 200 after so long.
    OkAfter(Duration),
    Status(u16),
    StatusWithBody(u16, String),
    TooMany {
        retry_after: Option<String>,
        rate_limits: Option<String>,
    },
    /// Reads the request and never answers; the socket stays open until the server stops.
    Hang,
    /// Leaves the request unread; the socket stays open until the server stops.
    HangBeforeRead,
    /// Closes the socket while the body is unread, which makes the kernel send RST.
    Reset,
    #[expect(clippy::enum_variant_names, reason = "it says what is missing")]
    CloseWithoutAnswer,
    /// 200 that promises to keep the connection, which is then closed, as uWSGI does.
    CloseAfterAnswerSilently,
    /// 200 with a part of the body that it promises, then nothing.
    HangMidBody,
    /// The answer arrives at one byte a second.
    SlowLoris,
    /// Something that is not HTTP, then the end of the connection.
    Garbage,
    /// 200 with a body of this many bytes.
    HugeBody(usize),
}

/// What becomes of the connection.
pub(super) enum Next {
    Request,
    Close,
}

impl Answer {
    /// Whether a server that answers so has taken the event.
    pub(super) fn accepts(&self) -> bool {
        match self {
            Answer::Ok
            | Answer::OkWithRateLimits(_)
            | Answer::OkWithDate(_)
            | Answer::OkAfter(_)
            | Answer::CloseAfterAnswerSilently
            | Answer::HangMidBody
            | Answer::HugeBody(_) => true,
            Answer::Status(status) | Answer::StatusWithBody(status, _) => *status == 200,
            _ => false,
        }
    }

    pub(super) fn give(
        &self,
        mut stream: &TcpStream,
        request: &Request,
        verdict: &Verdict,
        shared: &Shared,
    ) -> io::Result<Next> {
        let Some(response) = self.response(verdict) else {
            match self {
                Answer::Hang => shared.until_stopped(),
                Answer::Garbage => stream.write_all(b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n")?,
                _ => {}
            }
            return Ok(Next::Close);
        };
        let bytes = response.bytes();
        match self {
            Answer::SlowLoris => {
                for byte in bytes {
                    stream.write_all(&[byte])?;
                    if shared.stopped_within(Duration::from_secs(1)) {
                        break;
                    }
                }
                Ok(Next::Close)
            }
            Answer::OkAfter(pause) if shared.stopped_within(*pause) => Ok(Next::Close),
            Answer::HangMidBody if verdict.status == 200 => {
                let (sent, _withheld) = bytes.split_at(bytes.len() - 500);
                stream.write_all(sent)?;
                shared.until_stopped();
                Ok(Next::Close)
            }
            _ => {
                stream.write_all(&bytes)?;
                let close = *self == Answer::CloseAfterAnswerSilently || request.wants_close();
                Ok(if close { Next::Close } else { Next::Request })
            }
        }
    }

    /// `None` if there is none, or none that is HTTP.
    fn response(&self, verdict: &Verdict) -> Option<Response> {
        if self.accepts() && verdict.status != 200 {
            return Some(verdict.response());
        }
        match self {
            Answer::Ok | Answer::CloseAfterAnswerSilently | Answer::SlowLoris => Some(verdict.response()),
            Answer::OkWithRateLimits(limits) => {
                Some(verdict.response().with("X-Sentry-Rate-Limits", Some(limits)))
            }
            Answer::OkWithDate(date) => Some(verdict.response().with("Date", Some(date))),
            Answer::OkAfter(_) => Some(verdict.response()),
            Answer::Status(status) => Some(Response::new(*status, "")),
            Answer::StatusWithBody(status, body) => Some(Response::new(*status, body)),
            Answer::TooMany { retry_after, rate_limits } => Some(
                Response::new(429, "Too Many Requests")
                    .with("Retry-After", retry_after.as_deref())
                    .with("X-Sentry-Rate-Limits", rate_limits.as_deref()),
            ),
            Answer::HangMidBody => Some(Response::new(200, &"x".repeat(1000))),
            Answer::HugeBody(length) => Some(Response::new(200, &"x".repeat(*length))),
            Answer::Hang
            | Answer::HangBeforeRead
            | Answer::Reset
            | Answer::CloseWithoutAnswer
            | Answer::Garbage => None,
        }
    }
}

/// One HTTP response; the reason phrase is free, and no client may look at it.
pub(super) struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Response {
    pub(super) fn new(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.to_owned() }
    }

    pub(super) fn with(mut self, name: &'static str, value: Option<&str>) -> Response {
        self.headers.extend(value.map(|value| (name, value.to_owned())));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} Fake\r\nContent-Length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}
