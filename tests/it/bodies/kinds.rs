//! Which bodies are shown: by content type, content encoding, setting and limit.

use std::io::Write as _;

use faultwire::Config;
use faultwire::config::Bodies;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::support::Reporting;

/// Whether a failure shows the body of a request of this type; `None` if it is only counted.
async fn is_shown(bodies: Bodies, content_types: &[&str], expected: Option<bool>) {
    let reporting = Reporting::with(|config| config.bodies(bodies));
    for content_type in content_types {
        send(shop(), post(content_type, "12345")).await;
    }
    for (event, content_type) in reporting.events(content_types.len()).iter().zip(content_types) {
        let name = content_type.split(';').next().unwrap();
        match expected {
            Some(true) => assert!(!shown(event).is_empty(), "{content_type}"),
            Some(false) => assert_no_body(event),
            None => assert_eq!(shown(event), format!("<5 bytes, {name}>")),
        }
        assert_eq!(note(event), COMPLETE, "{content_type}");
    }
}

const JSON_AND_FORM: [&str; 9] = [
    JSON,
    FORM,
    "application/json; charset=utf-8",
    "application/json ;charset=utf-8",
    "Application/JSON",
    "application/graphql-response+json",
    "application/vnd.api+json; version=1",
    "application/problem+json",
    "text/json",
];
const TEXTS: [&str; 9] = [
    "text/plain",
    "text/plain; charset=utf-8",
    "text/html",
    "text/csv",
    "application/xml",
    "application/soap+xml; action=x",
    "application/x-ndjson",
    "application/graphql",
    "multipart/form-data; boundary=x",
];
const BINARIES: [&str; 5] =
    ["application/octet-stream", "image/png", "application/pdf", "application/jsonx", "video/mp4"];
const GRPC: [&str; 5] = [
    "application/grpc",
    "application/grpc+proto",
    "application/grpc+json",
    "application/grpc-web+json",
    "application/grpc-web-text",
];

#[tokio::test]
async fn json_and_forms_are_shown_by_default() {
    is_shown(Bodies::default(), &JSON_AND_FORM, Some(true)).await;
}

#[tokio::test]
async fn by_default_nothing_else_is() {
    is_shown(Bodies::default(), &TEXTS, Some(false)).await;
    is_shown(Bodies::default(), &BINARIES, Some(false)).await;
}

#[tokio::test]
async fn all_adds_texts_and_counts_the_rest() {
    is_shown(Bodies::All, &JSON_AND_FORM, Some(true)).await;
    is_shown(Bodies::All, &TEXTS, Some(true)).await;
    is_shown(Bodies::All, &BINARIES, None).await;
}

#[tokio::test]
async fn grpc_is_never_shown() {
    is_shown(Bodies::default(), &GRPC, Some(false)).await;
    is_shown(Bodies::All, &GRPC, Some(false)).await;
}

#[tokio::test]
async fn off_and_a_limit_of_0_show_none() {
    is_shown(Bodies::Off, &[JSON, FORM, "text/plain", "image/png"], Some(false)).await;
    let none: fn(Config) -> Config = |config| config.bodies(Bodies::All).body_limit(0);
    let reporting = Reporting::with(none);
    for content_type in [JSON, "image/png"] {
        send(shop(), post(content_type, "12345")).await;
    }
    reporting.events(2).iter().for_each(assert_no_body);
}

#[tokio::test]
async fn a_body_without_a_type_or_without_bytes_is_not_shown() {
    let reporting = Reporting::with(|config| config.bodies(Bodies::All));
    send(shop(), Request::post("/orders").body(Body::from("12345")).unwrap()).await;
    send(shop(), post(JSON, Body::empty())).await;
    reporting.events(2).iter().for_each(assert_no_body);
}

#[tokio::test]
async fn a_packed_body_is_counted_and_not_shown() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(br#"{"password":"s3cret"}"#).unwrap();
    let packed = packed.finish().unwrap();
    let expected = format!("<{} bytes, gzip>", packed.len());
    let reporting = Reporting::start();
    for body in [Body::from(packed.clone()), in_frames(packed.chunks(7))] {
        let mut request = post(JSON, body);
        request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        send(shop(), request).await;
    }
    for event in reporting.events(2) {
        assert_eq!(shown(&event), expected);
        assert_eq!(note(&event), COMPLETE);
    }
}

#[tokio::test]
async fn an_encoding_that_changes_nothing_and_several_of_them_are_understood() {
    let reporting = Reporting::start();
    for encodings in [&["identity"][..], &["Identity"], &["identity", "br"], &["br, gzip"], &["<b>1</b>"]] {
        let mut request = post(FORM, "a=1");
        for encoding in encodings {
            request.headers_mut().append("content-encoding", encoding.parse().unwrap());
        }
        send(shop(), request).await;
    }
    let events = reporting.events(5);
    let shown: Vec<_> = events.iter().map(shown).collect();
    assert_eq!(shown, ["a=1", "a=1", "<3 bytes, br>", "<3 bytes, br, gzip>", "<3 bytes, unknown>"]);
}

#[tokio::test]
async fn a_body_is_cut_at_the_limit_and_the_event_says_so() {
    let reporting = Reporting::with(|config| config.body_limit(10));
    for body in ["note=12345", "note=123456"] {
        send(shop(), post(FORM, body)).await;
        send(shop(), post(FORM, in_frames(body.as_bytes().chunks(4)))).await;
    }
    let events = reporting.events(4);
    for event in &events {
        assert!(shown(event).starts_with("note="), "{}", shown(event));
    }
    // What may be half of a secret is not shown.
    assert_eq!([shown(&events[0]), shown(&events[3])], ["note=12345", "note=[Filtered]"]);
    assert_eq!([note(&events[0]), note(&events[1])], [COMPLETE; 2]);
    assert_eq!(note(&events[2]), (Some("cut"), [Some(10), Some(11), Some(11)]));
    assert_eq!(note(&events[3]), (Some("cut"), [Some(10), Some(11), None]));
}

#[tokio::test]
async fn what_servers_cut_is_called_cut_too() {
    let reporting = Reporting::with(|config| config.body_limit(100_000));
    send(shop(), post(FORM, format!("note={}", "x".repeat(9_000)))).await;
    let event = reporting.event();
    assert_eq!(shown(&event).len(), 8_192);
    assert_eq!(note(&event), (Some("cut"), [Some(9_005), Some(9_005), Some(9_005)]));
}

#[tokio::test]
async fn a_body_that_is_never_read_is_not_read_for_it() {
    let reporting = Reporting::start();
    let panics = [()].into_iter().map(|()| -> Result<Vec<u8>, std::io::Error> { panic!("read") });
    let unreadable = Body::from_stream(tokio_stream::iter(panics));
    for body in [Body::from("note=1"), unreadable] {
        let mut request = post(FORM, body);
        *request.uri_mut() = "/unread".parse().unwrap();
        send(shop(), request).await;
    }
    let events = reporting.events(2);
    for event in &events {
        assert_eq!(event["request"].get("data"), None);
    }
    assert_eq!(note(&events[0]), (Some("not_read"), [Some(0), Some(0), Some(6)]));
    assert_eq!(note(&events[1]), (Some("not_read"), [Some(0), Some(0), None]));
}

#[tokio::test]
async fn a_packed_body_that_is_never_read_shows_the_length_that_was_announced() {
    let reporting = Reporting::start();
    for body in [Body::from("packed"), in_frames(["packed"])] {
        let mut request = post(FORM, body);
        *request.uri_mut() = "/unread".parse().unwrap();
        request.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        send(shop(), request).await;
    }
    let events = reporting.events(2);
    assert_eq!(shown(&events[0]), "<6 bytes, gzip>");
    assert_eq!(events[1]["request"].get("data"), None);
    events.iter().for_each(|event| assert_eq!(note(event).0, Some("not_read")));
}

#[tokio::test]
async fn a_body_that_is_read_in_part_says_so() {
    let reporting = Reporting::start();
    let mut request = post(FORM, in_frames(["a=1&", "password=s3cret"]));
    *request.uri_mut() = "/first".parse().unwrap();
    send(shop(), request).await;
    let event = reporting.event();
    assert!(shown(&event).starts_with("a=1"), "{}", shown(&event));
    assert_eq!(note(&event), (Some("partly_read"), [Some(4), Some(4), None]));
}
