//! The inbox: what it shows, to whom, and that nobody waits for it.
#![expect(clippy::arithmetic_side_effects, reason = "positions inside a text that is in memory")]

mod chromium;
mod page;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use faultwire::config::{StackTraces, Storm};
use faultwire::{Config, Guard, Report};
use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::support::{Reporting, turn};

/// Reporting to nowhere, with an inbox at that address.
fn start(addr: &str) -> (Guard, SocketAddr) {
    let config = Config::new()
        .environment("test")
        .release("shop@1.2.3")
        .storm(Storm::Off)
        .stack_traces(StackTraces::Off);
    let guard = config.inbox(addr).init().unwrap();
    let addr = guard.inbox().unwrap();
    (guard, addr)
}

fn flush(guard: &Guard) {
    assert!(guard.flush(Duration::from_secs(60)), "{:?}", guard.stats());
}

fn send(addr: SocketAddr, request: &str) -> TcpStream {
    let mut connection = TcpStream::connect(addr).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // A connection too many may be closed by now.
    drop(connection.write_all(request.as_bytes()));
    connection
}

/// The whole answer to a request: its status, headers and body.
fn ask(addr: SocketAddr, request: &str) -> (u16, BTreeMap<String, String>, String) {
    let mut answer = String::new();
    send(addr, request).read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    (status, headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(), body.to_owned())
}

fn status(addr: SocketAddr, request: &str) -> u16 {
    ask(addr, &format!("{request}\r\n\r\n")).0
}

fn stream(addr: SocketAddr, more: &str) -> TcpStream {
    send(addr, &format!("GET /events HTTP/1.1\r\nHost: {addr}\r\n{more}\r\n"))
}

/// Reads until this text came, which it must.
fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let (mut read, mut part) = (Vec::new(), [0; 65_536]);
    loop {
        let tail = read.len().saturating_sub(text.len() + part.len());
        if read[tail..].windows(text.len()).any(|window| window == text.as_bytes()) {
            return String::from_utf8(read).unwrap();
        }
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "the stream ended before {text:?}: {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&part[..length]);
    }
}

/// Everything that the inbox shows to whoever comes.
pub(crate) fn shown(addr: SocketAddr) -> String {
    read_until(&mut stream(addr, ""), "event: live\n")
}

/// What the inbox keeps.
fn kept(addr: SocketAddr) -> Vec<Value> {
    events(&shown(addr))
}

fn events(text: &str) -> Vec<Value> {
    let messages = text.split("\n\n").filter(|message| message.starts_with("id: "));
    messages.map(|message| serde_json::from_str(message.split_once("\ndata: ").unwrap().1).unwrap()).collect()
}

#[test]
fn what_would_be_sent_is_shown_scrubbed() {
    let _turn = turn();
    let (guard, addr) = start("127.0.0.1:0");
    let id = Report::new("the till is jammed").data("password", &"hunter2").send();
    flush(&guard);
    let shown = read_until(&mut stream(addr, ""), "event: live\n");
    assert!(shown.contains(r#"{"destination":null,"environment":"test","release":"shop@1.2.3"}"#), "{shown}");
    let [event] = &events(&shown)[..] else { panic!("one event: {shown}") };
    assert_eq!(event["event_id"], id.to_string());
    assert_eq!(event["extra"]["password"], "[Filtered]");
    assert!(!shown.contains("hunter2"));
}

#[test]
fn what_is_sent_is_shown_as_it_is_sent() {
    let reporting = Reporting::with(|config| config.inbox("localhost:0"));
    let addr = reporting.guard.inbox().unwrap();
    let mut live = stream(addr, "");
    assert!(read_until(&mut live, "event: live\n").contains("\"destination\":\"http"));
    Report::new("the till is jammed").send();
    let shown = read_until(&mut live, "}\n\n");
    assert_eq!(events(&shown), [reporting.event()]);
}

#[test]
fn whoever_comes_back_gets_what_it_missed() {
    let _turn = turn();
    let (guard, addr) = start("127.0.0.1:0");
    for text in ["one", "two", "three"] {
        Report::new(text).send();
    }
    flush(&guard);
    let text = read_until(&mut stream(addr, ""), "event: live\n");
    let ids: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    let again = |id: &str| {
        events(&read_until(&mut stream(addr, &format!("Last-Event-ID: {id}\r\n")), "event: live\n")).len()
    };
    assert_eq!([again(ids[0]), again(ids[2])], [2, 0]);
    assert_eq!([again("2"), again("another-2"), again("")], [3; 3], "of another process");
}

#[test]
fn foreign_names_and_foreign_pages_are_refused() {
    let _turn = turn();
    let (_guard, addr) = start("127.0.0.1:0");
    for path in ["/", "/events"] {
        let ask = |headers: &str| status(addr, &format!("GET {path} HTTP/1.1\r\n{headers}"));
        for host in [format!("{addr}.example.com"), format!("example.com:{}", addr.port()), String::new()] {
            assert_eq!(ask(&format!("Host: {host}")), 403, "{host}");
        }
        for foreign in ["Origin: https://example.com", "Origin: null", "Sec-Fetch-Site: cross-site"] {
            assert_eq!(ask(&format!("Host: {addr}\r\n{foreign}")), 403, "{foreign}");
        }
    }
    assert_eq!(status(addr, &format!("GET / HTTP/1.1\r\nHost: {addr}\r\nOrigin: http://{addr}")), 200);
    assert_eq!(status(addr, &format!("GET / HTTP/1.1\r\nHost: localhost:{}", addr.port())), 200);
}

#[test]
fn there_is_nothing_to_change_and_nothing_else_to_get() {
    let _turn = turn();
    let (_guard, addr) = start("127.0.0.1:0");
    let ask = |line: &str| status(addr, &format!("{line} HTTP/1.1\r\nHost: {addr}"));
    assert_eq!([ask("POST /events"), ask("HEAD /"), ask("OPTIONS /"), ask("DELETE /")], [405; 4]);
    assert_eq!([ask("GET /favicon.ico"), ask("GET /../etc/passwd")], [404; 2]);
    assert_eq!(status(addr, "nonsense"), 400);
    assert_eq!(ask(&format!("GET / HTTP/1.1\r\nCookie: {}", "x".repeat(20_000))), 431);
}

#[test]
fn every_answer_forbids_to_keep_embed_or_share_it() {
    let _turn = turn();
    let (_guard, addr) = start("127.0.0.1:0");
    let events = read_until(&mut stream(addr, ""), "\r\n\r\n").to_lowercase();
    for request in
        [format!("GET / HTTP/1.1\r\nHost: {addr}"), "GET / HTTP/1.1\r\nHost: example.com".to_owned()]
    {
        let (_, headers, _) = ask(addr, &format!("{request}\r\n\r\n"));
        assert!(!headers.keys().any(|name| name.starts_with("access-control-")), "{headers:?}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(headers[name], value);
            assert!(events.contains(&format!("{name}: {value}\r\n")), "{events}");
        }
        let policy = &headers["content-security-policy"];
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        for part in ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "connect-src 'self'"]
        {
            assert!(policy.contains(part), "{policy}");
        }
    }
}

#[test]
fn the_policy_allows_exactly_the_script_and_the_style_of_the_page() {
    let _turn = turn();
    let (_guard, addr) = start("127.0.0.1:0");
    let (_, headers, page) = ask(addr, &format!("GET / HTTP/1.1\r\nHost: {addr}\r\n\r\n"));
    let policy = &headers["content-security-policy"];
    for name in ["script", "style"] {
        let (_, rest) = page.split_once(&format!("<{name}>")).unwrap();
        let (text, after) = rest.split_once(&format!("</{name}>")).unwrap();
        assert!(!after.contains(&format!("<{name}")), "one {name}");
        let hash = BASE64.encode(digest(&SHA256, text.as_bytes()).as_ref());
        let expected = format!("{name}-src 'sha256-{hash}';");
        assert!(policy.contains(&expected), "src/inbox/answer.rs must say {expected}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for forbidden in
        ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", " style=", "https://"]
    {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn what_an_inbox_says_of_itself_is_scrubbed_too() {
    let _turn = turn();
    let config = Config::new().environment("shop of tuesday-lantern").secret("tuesday-lantern");
    let guard = config.inbox("127.0.0.1:0").init().unwrap();
    let said = read_until(&mut stream(guard.inbox().unwrap(), ""), "event: live\n");
    assert!(said.contains("shop of [Filtered]") && !said.contains("tuesday"), "{said}");
}

#[test]
fn an_address_that_others_reach_or_another_program_has_is_an_error() {
    let _turn = turn();
    let error = |addr: &str| {
        let error = Config::new().inbox(addr).init().unwrap_err();
        assert_eq!(error.variable(), "FAULTWIRE_INBOX");
        error.to_string()
    };
    for addr in ["0.0.0.0:8970", "[::]:8970", "192.168.1.7:8970", "[::ffff:127.0.0.1]:8970"] {
        assert!(error(addr).contains("not a loopback address"), "{}", error(addr));
    }
    for addr in ["8970", "127.0.0.1", "example.com:8970", "127.0.0.1:70000", "on"] {
        assert!(error(addr).contains("such as 127.0.0.1:8970"), "{}", error(addr));
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = error(&listener.local_addr().unwrap().to_string());
    assert!(busy.contains("in use by another program"), "{busy}");
    let from_environment =
        Config::from_lookup(|name| (name == "FAULTWIRE_INBOX").then(|| "0.0.0.0:1".into()));
    assert_eq!(from_environment.unwrap_err().variable(), "FAULTWIRE_INBOX");
}

#[test]
fn it_is_off_unless_asked_for() {
    let _turn = turn();
    assert_eq!(Config::new().init().unwrap().inbox(), None);
    assert_eq!(Config::new().enabled(false).inbox("127.0.0.1:0").init().unwrap().inbox(), None);
}

#[test]
fn it_ends_with_the_guard_after_showing_the_last_event() {
    let _turn = turn();
    let (guard, addr) = start("127.0.0.1:0");
    let mut live = stream(addr, "");
    read_until(&mut live, "event: live\n");
    let id = Report::new("the last words").send();
    let began = Instant::now();
    drop(guard);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let mut rest = String::new();
    live.read_to_string(&mut rest).unwrap();
    assert_eq!(events(&rest)[0]["event_id"], id.to_string());
    drop(TcpListener::bind(addr).expect("the port is free"));
}

#[test]
fn the_next_init_at_the_same_address_goes_on_with_the_page() {
    let _turn = turn();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (first, addr) = start(&free);
    Report::new("before").send();
    flush(&first);
    let mut live = stream(addr, "");
    read_until(&mut live, "event: live\n");

    let second = Config::new().environment("second").inbox(&free).init().unwrap();
    assert_eq!(second.inbox(), Some(addr));
    read_until(&mut live, "\"environment\":\"second\"");
    drop(first);
    Report::new("after").send();
    read_until(&mut live, "\"value\":\"after\"");
    assert_eq!(kept(addr).len(), 2);
    drop(second);
    drop(TcpListener::bind(addr).expect("the port is free"));
    let (_third, addr) = start(&free);
    assert_eq!(kept(addr).len(), 0, "a new inbox");
}

#[tokio::test]
async fn a_reader_who_does_not_read_holds_nothing_up_and_is_cut() {
    let _turn = turn();
    let (guard, addr) = start("127.0.0.1:0");
    // The system would take a lot on its behalf.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut asleep = socket.connect(addr).await.unwrap().into_std().unwrap();
    asleep.set_nonblocking(false).unwrap();
    asleep.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(asleep, "GET /events HTTP/1.1\r\nHost: {addr}\r\n\r\n").unwrap();
    read_until(&mut asleep, "event: live\n");
    let note = "a long note ".repeat(600);
    let mut slowest = Duration::ZERO;
    for number in 0..2_500 {
        let began = Instant::now();
        Report::new("the till is jammed").data("note", &note).send();
        slowest = slowest.max(began.elapsed());
        if number % 500 == 499 {
            flush(&guard);
        }
    }
    assert_eq!(guard.stats().dropped.total(), 0, "{:?}", guard.stats());
    // Whoever waited for the reader would wait for 2 s.
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let kept = kept(addr);
    assert_eq!(kept.len(), 2_000);

    // It reads nothing; that it was cut shows when it can no longer write.
    let began = Instant::now();
    while asleep.write_all(b"x").is_ok() {
        assert!(began.elapsed() < Duration::from_secs(20), "it was not cut");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut part = vec![0; 1024 * 1024];
    let mut got = 0;
    loop {
        match asleep.read(&mut part) {
            Ok(0) => break,
            Ok(length) => got += length,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "after {got} bytes");
                break;
            }
        }
    }
    assert!(got < 2_000 * note.len(), "cut after {got} bytes");
}

#[test]
fn one_connection_too_many_is_turned_away_until_another_ends() {
    let _turn = turn();
    let (_guard, addr) = start("127.0.0.1:0");
    let mut all: Vec<_> = (0..32).map(|_| stream(addr, "")).collect();
    for stream in &mut all {
        read_until(stream, "event: live\n");
    }
    let answered = || {
        let mut answer = String::new();
        let mut connection = send(addr, &format!("GET / HTTP/1.1\r\nHost: {addr}\r\n\r\n"));
        connection.read_to_string(&mut answer).is_ok_and(|length| length > 0)
    };
    assert!(!answered());
    drop(all);
    let began = Instant::now();
    // The streams that nobody reads are noticed when something is written.
    while !answered() {
        Report::new("the till is jammed").send();
        assert!(began.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
}
