//! What one process leaves, the next one sends.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Dir, spool};
use crate::delivery::{PATIENCE, eventually, fail, ids};
use crate::fake::{Answer, FakeServer};
use crate::support::turn;

#[test]
fn the_next_process_sends_what_was_left_under_the_same_id() {
    let (_turn, dir, mut server) = (turn(), Dir::new(), FakeServer::start());
    let mut left = dir.leave(&mut server, &["one", "two", "three"]);
    assert_eq!(dir.envelopes().len(), 3);
    let guard = dir.report_to(&server.dsn());
    server.wait_events(3);
    eventually("it is counted", || guard.stats().sent == 3 && guard.stats().spooled == 0);
    let requests = server.requests();
    let mut arrived = ids(&requests);
    arrived.sort_unstable();
    left.sort_unstable();
    assert_eq!(arrived, left.iter().map(|id| Some(&**id)).collect::<Vec<_>>());
    assert!(requests.iter().all(|request| request.text().lines().next().unwrap().contains("sent_at")));
    assert!(dir.envelopes().is_empty());
    let stats = spool(&guard);
    assert_eq!((stats.adopted, stats.written, stats.waiting), (3, 0, 0));
}

#[test]
fn a_new_key_finds_what_the_old_one_left() {
    let (_turn, dir, server) = (turn(), Dir::new(), FakeServer::start());
    // The key begins with an f.
    let old = server.dsn().replacen("://f", "://0", 1);
    assert_ne!(old, server.dsn());
    let guard = dir.report_to(&old);
    let id = fail("the key is wrong");
    eventually("it is refused", || guard.stats().last_error.is_some());
    assert_eq!(guard.shutdown(PATIENCE).spooled, 1);
    let _guard = dir.report_to(&server.dsn());
    assert_eq!(server.wait_events(1)[0]["event_id"], *id);
}

#[test]
fn another_project_gets_nothing_of_it() {
    let (_turn, dir, mut server, other) = (turn(), Dir::new(), FakeServer::start(), FakeServer::start());
    dir.leave(&mut server, &["for the first"]);
    let guard = dir.report_to(&other.dsn());
    fail("for the other");
    assert!(guard.flush(PATIENCE));
    other.expect_only(1);
    drop(guard);
    assert_eq!(dir.envelopes().len(), 1);
}

#[test]
fn a_living_process_keeps_what_it_holds() {
    let (_turn, dir, server) = (turn(), Dir::new(), FakeServer::start());
    let first = dir.report_to(&server.dsn());
    server.answer(Answer::Status(503));
    fail("held by the first");
    eventually("it is on disk", || first.stats().spooled == 1);
    eventually("the server fails", || first.stats().last_error.is_some());
    let second = dir.report_to(&server.dsn());
    fail("held by the second");
    eventually("it is on disk", || second.stats().spooled == 1);
    assert_eq!((spool(&second).adopted, dir.envelopes().len()), (0, 2));
    // The second may take over what the first leaves, and then says so, too.
    assert_eq!(first.shutdown(PATIENCE).spooled, 1);
    assert!((1..=2).contains(&second.shutdown(PATIENCE).spooled));
    assert_eq!(dir.envelopes().len(), 2);
    server.answer(Answer::Ok);
    let third = dir.report_to(&server.dsn());
    server.wait_events(2);
    eventually("it is counted", || third.stats().sent == 2);
    assert_eq!(spool(&third).adopted, 2);
}

#[test]
fn a_secret_that_nobody_knew_when_it_was_written_does_not_leave() {
    let (_turn, dir, mut server) = (turn(), Dir::new(), FakeServer::start());
    let secret = "Xyzzy-Plugh-Plover";
    dir.leave(&mut server, &[&format!("the vault said {secret}")]);
    let _guard = dir.config(&server.dsn()).secret(secret).init().unwrap();
    let event = server.wait_events(1).remove(0).to_string();
    assert!(!event.contains(secret), "{event}");
    assert!(event.contains("the vault said [Filtered]"), "{event}");
    assert!(!server.requests()[0].text().contains(secret));
}

#[test]
fn what_holds_no_event_is_put_aside_and_holds_up_nothing() {
    let (_turn, dir, mut server) = (turn(), Dir::new(), FakeServer::start());
    dir.leave(&mut server, &["one", "two", "three", "whole"]);
    let mut envelopes = dir.envelopes();
    envelopes.sort_unstable();
    for (path, no_event) in envelopes.iter().zip(["[1, 2", "{}", r#"{"event_id": "not one"}"#]) {
        std::fs::write(path, sealed(no_event)).unwrap();
    }
    let guard = dir.report_to(&server.dsn());
    eventually("it is counted", || guard.stats().sent == 1 && spool(&guard).quarantined == 3);
    assert!(dir.envelopes().is_empty());
    let reasons = dir.quarantined();
    assert_eq!(reasons.len(), 3);
    assert!(reasons.iter().all(|(_, why)| why.contains("no event in it that can be read")), "{reasons:?}");
    server.expect_only(1);
}

/// An envelope as the spool writes it.
fn sealed(event: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let length = event.len();
    write!(gzip, "{{}}\n{{\"type\":\"event\",\"length\":{length}}}\n{event}\n").unwrap();
    let mut file = gzip.finish().unwrap();
    let number = u32::try_from(file.len()).unwrap().to_le_bytes();
    file.extend_from_slice(&number);
    let checksum = crc32fast::hash(&file);
    file.extend_from_slice(&checksum.to_le_bytes());
    file.extend_from_slice(b"FWS1");
    file
}
