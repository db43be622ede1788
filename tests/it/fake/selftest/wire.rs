//! Tests of what the intake refuses before it looks at an event: target, key, encoding, size.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::FakeServer;
use super::{Client, KEY, PATH, Response, auth, envelope, good_event};

/// Posts a good event in an unusual way; returns the answer and the only violation, if there is one.
fn post_with(path: &str, headers: &str, body: &[u8]) -> (Response, Option<String>) {
    let server = FakeServer::start();
    let mut client = Client::of(&server);
    client.post_with(path, headers, body);
    let response = client.response().expect("an answer");
    assert_eq!(server.events().len(), usize::from(response.status == 200));
    let mut violations = server.take_violations();
    let last = violations.pop();
    assert!(violations.is_empty(), "{violations:?} and {last:?}");
    (response, last)
}

fn assert_refused(path: &str, headers: &str, body: &[u8], status: u16, violation: &str) {
    let (response, found) = post_with(path, headers, body);
    assert_eq!(response.status, status, "{violation}");
    assert!(found.as_ref().is_some_and(|found| found.contains(violation)), "{found:?} is not {violation:?}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory")
}

#[test]
fn plain_gzip_and_chunked_bodies_are_read() {
    let body = envelope(&good_event());
    for (headers, body) in [("", body.clone()), ("Content-Encoding: GZIP\r\n", gzip(&body))] {
        let (response, violation) = post_with(PATH, &format!("{headers}{}", auth()), &body);
        assert_eq!((response.status, violation), (200, None));
    }
    let server = FakeServer::start();
    let mut client = Client::of(&server);
    client.send(format!("POST {PATH} HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\n\r\n", auth()).as_bytes());
    for part in body.chunks(700) {
        client.send(&[format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat());
    }
    client.send(b"0\r\n\r\n");
    assert_eq!(client.response().expect("an answer").status, 200);
    assert_eq!(server.requests()[0].body, body);
}

#[test]
fn wrong_targets_are_refused() {
    let body = envelope(&good_event());
    assert_refused("/api/1/envelope", &auth(), &body, 301, "GlitchTip redirects");
    assert_refused("/api/1/store/", &auth(), &body, 404, "the path must be");
    let server = FakeServer::start();
    let mut client = Client::of(&server);
    client.send(format!("GET {PATH} HTTP/1.1\r\n{}\r\n", auth()).as_bytes());
    assert_eq!(client.response().expect("an answer").status, 405);
    assert!(server.requests().is_empty());
    assert!(server.take_violations()[0].contains("must be POST"));
}

#[test]
fn keys_are_checked() {
    let body = envelope(&good_event());
    let sentry = |fields: &str| format!("X-Sentry-Auth: Sentry {fields}\r\n");
    assert_refused(PATH, "", &body, 403, "there must be an `X-Sentry-Auth");
    assert_refused(PATH, &sentry("sentry_version=7"), &body, 500, "must have a sentry_key");
    assert_refused(PATH, &sentry(&format!("sentry_key={KEY}")), &body, 200, "sentry_version=7");
    let secret = sentry(&format!("sentry_key={KEY},sentry_version=7,sentry_secret=s"));
    assert_refused(PATH, &secret, &body, 200, "sentry_secret");
    let (response, violation) = post_with(PATH, &sentry("sentry_key=wrong, sentry_version=7"), &body);
    assert_eq!((response.status, response.body.as_str()), (403, r#"{"detail":"Denied"}"#));
    assert_eq!(violation, None);
}

#[test]
fn unreadable_bodies_are_refused() {
    let body = envelope(&good_event());
    let encoded = |name: &str| format!("Content-Encoding: {name}\r\n{}", auth());
    assert_refused(PATH, &encoded("zstd"), &body, 400, "content-encoding \"zstd\"");
    assert_refused(PATH, &encoded("gzip"), &body, 400, "broken gzip");
    assert_refused(PATH, &auth(), &gzip(&body), 400, "the envelope's header must be JSON");
    assert_refused(PATH, &encoded("gzip"), &gzip(&[b' '; 2_700_000]), 413, "unpack to less than");
    assert_refused(PATH, &format!("Expect: 100-continue\r\n{}", auth()), &body, 200, "no `Expect`");
}

#[test]
fn an_event_over_one_mebibyte_is_refused() {
    let mut event = good_event();
    // Numbers, so that only the size is wrong.
    event["extra"]["order"]["items"] = vec![0; 600_000].into();
    assert_refused(PATH, &auth(), &envelope(&event), 413, "must have at most 1048576 bytes");
}
