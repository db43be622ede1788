//! Who may ask, and for what: a `GET` for the page or the events, by a page of the inbox itself.
//!
//! Every web page that a developer has open can send requests to loopback addresses. A name that somebody points
//! at 127.0.0.1 (DNS rebinding) is known by its `Host`, a foreign page by its `Origin` or `Sec-Fetch-Site`.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use httparse::{EMPTY_HEADER, Error, Header, Request, Status};

/// Browsers send the cookies of every program on `localhost`.
const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 100;
/// From the first byte to the last one of the head.
const SLOWEST_HEAD: Duration = Duration::from_secs(5);

#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    Page,
    Events { last_id: Option<String> },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Refused {
    Malformed,
    ForeignHost,
    ForeignOrigin,
    Method,
    Unknown,
    TooLong,
}

/// Reads and judges a request.
pub(super) fn read(mut connection: &TcpStream) -> io::Result<Result<Asked, Refused>> {
    let started = Instant::now();
    let (mut head, mut part) = (Vec::new(), [0; 2048]);
    loop {
        let left = SLOWEST_HEAD.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        connection.set_read_timeout(Some(left))?;
        let read = connection.read(&mut part)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(part.get(..read).unwrap_or_default());
        if let Some(judged) = judge(&head) {
            return Ok(judged);
        }
        if head.len() > MAX_HEAD {
            return Ok(Err(Refused::TooLong));
        }
    }
}

/// Takes what the other side still sends, a little of it and for a moment.
pub(super) fn read_rest(mut connection: &TcpStream) -> io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut part = [0; 2048];
    for _ in 0..32 {
        if connection.read(&mut part)? == 0 {
            break;
        }
    }
    Ok(())
}

/// `None` as long as the head is not complete.
fn judge(head: &[u8]) -> Option<Result<Asked, Refused>> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    match request.parse(head) {
        Ok(Status::Complete(_)) => Some(judge_complete(&request)),
        Ok(Status::Partial) => None,
        Err(Error::TooManyHeaders) => Some(Err(Refused::TooLong)),
        Err(_) => Some(Err(Refused::Malformed)),
    }
}

fn judge_complete(request: &Request<'_, '_>) -> Result<Asked, Refused> {
    let host = only(request.headers, "host").filter(|host| is_loopback(host)).ok_or(Refused::ForeignHost)?;
    let own = |origin: &str| origin.strip_prefix("http://").is_some_and(|at| at.eq_ignore_ascii_case(host));
    let direct = |site: &str| matches!(site, "same-origin" | "none");
    let all =
        |name, fine: &dyn Fn(&str) -> bool| values(request.headers, name).all(|text| text.is_some_and(fine));
    if !all("origin", &own) || !all("sec-fetch-site", &direct) {
        return Err(Refused::ForeignOrigin);
    }
    if request.method != Some("GET") {
        return Err(Refused::Method);
    }
    match request.path.map(|path| path.split('?').next().unwrap_or(path)) {
        Some("/") => Ok(Asked::Page),
        Some("/events") => {
            Ok(Asked::Events { last_id: only(request.headers, "last-event-id").map(str::to_owned) })
        }
        _ => Err(Refused::Unknown),
    }
}

/// `localhost`, 127.0.0.0/8 or `[::1]`, at any port.
fn is_loopback(host: &str) -> bool {
    let is_port = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
        || name == "[::1]"
        || name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
}

/// The texts of every header of that name; `None` for one that is no text.
fn values<'a>(headers: &'a [Header<'_>], name: &'a str) -> impl Iterator<Item = Option<&'a str>> {
    let named = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| std::str::from_utf8(header.value).ok().map(str::trim))
}

/// The header of that name, if there is exactly one.
fn only<'a>(headers: &'a [Header<'_>], name: &'a str) -> Option<&'a str> {
    let mut values = values(headers, name);
    values.next().filter(|_| values.next().is_none()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(request_line: &str, headers: &[&str]) -> Result<Asked, Refused> {
        let head = format!("{request_line} HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n"));
        judge(head.as_bytes()).expect("a complete head")
    }

    #[test]
    fn only_loopback_names_are_hosts() {
        for host in ["localhost", "LOCALHOST:8970", "127.0.0.1", "127.8.9.10:1", "[::1]", "[::1]:8970"] {
            assert_eq!(asked("GET /", &[&format!("Host: {host}")]), Ok(Asked::Page), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com:8970",
            "127.0.0.1.example.com",
            "example.com:127.0.0.1",
            "128.0.0.1",
            "0.0.0.0:8970",
            "[::]:8970",
            "::1",
            "127.1",
            "localhost:8970@example.com",
            "localhost:8970:8970",
        ] {
            assert_eq!(asked("GET /", &[&format!("Host: {host}")]), Err(Refused::ForeignHost), "{host}");
        }
        assert_eq!(asked("GET /", &["Accept: */*"]), Err(Refused::ForeignHost), "no host at all");
        assert_eq!(asked("GET /", &["Host: localhost", "Host: localhost"]), Err(Refused::ForeignHost));
    }

    #[test]
    fn only_its_own_page_may_ask() {
        let from = |header: &str| asked("GET /events", &["Host: localhost:8970", header]);
        for own in ["Origin: http://localhost:8970", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"] {
            assert_eq!(from(own), Ok(Asked::Events { last_id: None }), "{own}");
        }
        for foreign in [
            "Origin: null",
            "Origin: http://localhost:3000",
            "Origin: http://localhost",
            "Origin: https://localhost:8970",
            "Origin: http://127.0.0.1:8970",
            "Origin: https://example.com",
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-site",
        ] {
            assert_eq!(from(foreign), Err(Refused::ForeignOrigin), "{foreign}");
        }
    }

    #[test]
    fn there_are_two_things_to_get() {
        let host = &["Host: localhost"];
        assert_eq!(asked("GET /?a=b", host), Ok(Asked::Page));
        for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT"] {
            assert_eq!(asked(&format!("{method} /"), host), Err(Refused::Method));
        }
        for path in ["/index.html", "//", "/events/", "http://localhost/", "/../", "*"] {
            assert_eq!(asked(&format!("GET {path}"), host), Err(Refused::Unknown), "{path}");
        }
        let again = asked("GET /events", &["Host: localhost", "Last-Event-ID: a-7"]);
        assert_eq!(again, Ok(Asked::Events { last_id: Some("a-7".to_owned()) }));
    }

    #[test]
    fn half_a_head_is_waited_for_and_a_bad_one_is_not() {
        assert_eq!(judge(b"GET / HTTP/1.1\r\nHost: local"), None);
        assert_eq!(judge(b"\x16\x03\x01\x02"), Some(Err(Refused::Malformed)));
        let many = "a: b\r\n".repeat(MAX_HEADERS + 1);
        assert_eq!(judge(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()), Some(Err(Refused::TooLong)));
    }
}
