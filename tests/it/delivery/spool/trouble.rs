//! A disk in trouble: it is said once, and delivery goes on from memory.

use faultwire::Report;

use super::{Dir, child, spool};
use crate::delivery::{PATIENCE, eventually, fail};
use crate::fake::FakeServer;
use crate::support::turn;

#[test]
fn a_directory_that_cannot_be_used_is_no_error() {
    let (_turn, dir, server) = (turn(), Dir::new(), FakeServer::start());
    let file = dir.0.join("file");
    std::fs::write(&file, "in the way").unwrap();
    let guard = super::quiet().dsn(server.dsn()).spool_dir(&file).init().unwrap();
    for n in 0..10 {
        fail(format!("event {n}"));
    }
    assert!(guard.flush(PATIENCE));
    server.expect_only(10);
    let stats = guard.stats();
    assert_eq!((stats.sent, stats.spooled, stats.dropped.total()), (10, 0, 0));
    assert_eq!(spool(&guard).written, 0);
}

#[test]
fn a_directory_that_somebody_removes_is_made_again() {
    let (_turn, dir, mut server) = (turn(), Dir::new(), FakeServer::start());
    let guard = dir.report_to(&server.dsn());
    server.stop();
    fail("before");
    eventually("it is on disk", || spool(&guard).written == 1);
    std::fs::remove_dir_all(&dir.0).unwrap();
    fail("after");
    eventually("it is on disk", || spool(&guard).written == 2);
    assert_eq!(dir.envelopes().len(), 1);
    server.restart();
    assert!(guard.flush(PATIENCE));
    server.expect_only(2);
    eventually("nothing is left", || dir.envelopes().is_empty());
    assert_eq!(guard.stats().dropped.total(), 0);
}

#[test]
fn a_full_disk_is_said_once_and_what_is_on_it_is_counted() {
    const SAID: &str = "the spool cannot be used, events are in memory only";
    if let Some(task) = child::task() {
        let (dsn, dir) = task.split_once(' ').unwrap();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stdout);
        tracing::subscriber::set_global_default(log.finish()).unwrap();
        let guard = super::quiet().dsn(dsn).spool_dir(dir).init().unwrap();
        for n in 0..5 {
            Report::new(format!("small {n}")).send();
            Report::new(format!("large {n}")).data("noise", &noise()).send();
        }
        assert!(guard.flush(PATIENCE));
        let stats = guard.stats();
        assert_eq!((stats.sent, stats.spooled, stats.dropped.total()), (10, 0, 0), "{stats:?}");
        let spool = spool(&guard);
        assert_eq!((spool.written, spool.failed_writes), (5, 5), "{spool:?}");
        return;
    }
    let (_turn, dir, server) = (turn(), Dir::new(), FakeServer::start());
    let task = format!("{} {}", server.dsn(), dir.0.display());
    // Blocks of 512 bytes, or of 1024. The signal that comes with it would end the process.
    let limit = "trap '' XFSZ && ulimit -f 8";
    let test = "a_full_disk_is_said_once_and_what_is_on_it_is_counted";
    let output = child::under_shell(limit, module_path!(), test, &task).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches(SAID).count(), 1, "{said}");
    server.expect_only(10);
    assert!(dir.envelopes().is_empty());
}

/// Some kilobytes that gzip makes no shorter than half, and which look like words.
fn noise() -> String {
    let mut state = 1_u64;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"abcdefghijklmnopqrstuvwxyz      "[(state >> 59) as usize])
    };
    (0..14_000).map(letter).collect()
}
