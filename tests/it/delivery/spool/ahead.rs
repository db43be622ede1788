//! Written before it is sent, and gone when the server has it.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;

use super::{Dir, spool};
use crate::delivery::{PATIENCE, eventually, fail};
use crate::fake::{Answer, FakeServer};
use crate::support::turn;

#[test]
fn an_event_is_on_disk_before_the_server_hears_of_it_and_gone_afterwards() {
    let (_turn, dir, server) = (turn(), Dir::new(), FakeServer::start());
    let guard = dir.report_to(&server.dsn());
    server.answer(Answer::OkAfter(Duration::from_secs(1)));
    let id = fail("no stock");
    server.wait_requests(1);
    let kept = dir.envelopes();
    assert_eq!(kept.len(), 1, "the answer is still on its way");
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&*kept[0]), mode(kept[0].parent().unwrap())), (0o600, 0o700));
    let mut envelope = String::new();
    GzDecoder::new(&*std::fs::read(&kept[0]).unwrap()).read_to_string(&mut envelope).unwrap();
    assert!(envelope.contains(&id) && envelope.contains("no stock"), "{envelope}");
    assert!(!envelope.contains("sent_at"), "{envelope}");
    assert_eq!(guard.stats().spooled, 1);

    assert!(guard.flush(PATIENCE));
    assert!(dir.envelopes().is_empty());
    let stats = spool(&guard);
    assert_eq!((stats.written, stats.events, stats.failed_writes), (1, 0, 0));
    server.expect_only(1);
    assert_eq!(guard.shutdown(PATIENCE).spooled, 0);
}

#[test]
fn what_a_server_refuses_for_good_is_put_aside_with_its_words() {
    let (_turn, dir, server) = (turn(), Dir::new(), FakeServer::start());
    let guard = dir.report_to(&server.dsn());
    server.answer_next([Answer::StatusWithBody(400, r#"{"detail":"bad password=hunter2"}"#.to_owned())]);
    fail("refused");
    assert!(guard.flush(PATIENCE));
    let quarantined = dir.quarantined();
    assert_eq!(quarantined.len(), 1);
    assert!(quarantined[0].1.contains("the server answered 400: bad password=[Filtered]"), "{quarantined:?}");
    assert!(dir.envelopes().is_empty());
    let stats = guard.stats();
    assert_eq!((stats.dropped.rejected, stats.spooled, spool(&guard).quarantined), (1, 0, 1));
}

#[test]
fn what_is_too_large_is_sent_smaller_and_then_put_aside() {
    let (_turn, dir, server) = (turn(), Dir::new(), FakeServer::start());
    let guard = dir.report_to(&server.dsn());
    for (refusals, put_aside) in [(1, 0), (2, 1)] {
        server.answer_next(vec![Answer::Status(413); refusals]);
        faultwire::Report::new("large").data("rows", &"x".repeat(2_000)).send();
        assert!(guard.flush(PATIENCE));
        assert_eq!((dir.quarantined().len(), dir.envelopes().len()), (put_aside, 0));
    }
    assert_eq!((guard.stats().sent, guard.stats().dropped.rejected), (1, 1));
}

#[test]
fn nobody_waits_for_a_server_that_is_away_when_everything_is_on_disk() {
    let (_turn, dir, mut server) = (turn(), Dir::new(), FakeServer::start());
    server.stop();
    let guard = dir.report_to(&server.dsn());
    for n in 0..20 {
        fail(format!("event {n}"));
    }
    eventually("the connection is refused", || guard.stats().last_error.is_some());
    let started = Instant::now();
    let summary = guard.shutdown(PATIENCE);
    assert!(started.elapsed() < PATIENCE / 4, "{:?}", started.elapsed());
    assert_eq!((summary.sent, summary.spooled, summary.lost), (0, 20, 0));
    assert_eq!(dir.envelopes().len(), 20);
    let stats = faultwire::stats();
    assert_eq!((stats.spooled, stats.dropped.total()), (20, 0), "also afterwards");
}

#[test]
fn what_hangs_at_the_end_is_on_disk_and_an_answer_that_comes_late_still_counts_there() {
    let (_turn, dir, server) = (turn(), Dir::new(), FakeServer::start());
    let guard = dir.report_to(&server.dsn());
    server.answer(Answer::OkAfter(Duration::from_millis(1_500)));
    fail("late");
    server.wait_requests(1);
    let summary = guard.shutdown(Duration::from_millis(50));
    assert_eq!((summary.sent, summary.spooled, summary.lost), (0, 1, 0));
    eventually("the server has it, so nobody sends it again", || dir.envelopes().is_empty());
}
