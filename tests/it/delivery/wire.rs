//! What goes over the wire; most of it is checked by the fake server's rules.

use serde_json::Value;

use crate::delivery::{PATIENCE, fail};
use crate::support::{Reporting, turn};

#[test]
fn an_envelope_is_gzipped_and_holds_one_event_with_what_servers_need() {
    let reporting = Reporting::start();
    let id = fail("the till is jammed");
    reporting.event();
    let request = reporting.server.requests().remove(0);
    assert_eq!(request.path, "/api/1/envelope/");
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    assert_eq!(request.header("content-type"), Some("application/x-sentry-envelope"));
    assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("faultwire/")));
    let auth = request.header("x-sentry-auth").unwrap();
    assert!(auth.contains("sentry_version=7") && auth.contains("sentry_client=faultwire/"), "{auth}");

    let body = request.text();
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [header, item, event] = &lines[..] else { panic!("three lines: {body}") };
    assert_eq!(header["event_id"], *id);
    assert!(header["sent_at"].is_string());
    assert_eq!(header["sdk"]["name"], "sentry.rust.faultwire");
    assert_eq!(header.get("dsn"), None);
    assert_eq!(item["type"], "event");
    assert_eq!(event["event_id"], *id);
    assert_eq!(event["platform"], "native");
    assert_eq!(reporting.server.violations(), [""; 0]);
}

#[test]
fn the_secret_half_of_an_old_dsn_stays_here() {
    let _turn = turn();
    let server = crate::fake::FakeServer::start();
    let dsn = server.dsn().replace('@', ":s3cretHalf@");
    let guard = faultwire::Config::new().dsn(dsn).init().unwrap();
    fail("with an old DSN");
    assert!(guard.flush(PATIENCE));
    server.expect_only(1);
    let request = server.requests().remove(0);
    let headers = format!("{:?}", request.headers);
    for place in [&headers, &request.path, &request.text(), &format!("{guard:?} {:?}", guard.stats())] {
        assert!(!place.contains("s3cretHalf"), "{place}");
    }
}
