//! The spool is bounded, and what makes room is what matters least.

use std::io::Write as _;
use std::time::{Duration, Instant};

use super::fake::Fake;
use super::*;
use crate::deliver::spool::{DEFAULT_MAX_BYTES, Evicted, SpoolError};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const BLOCK: u64 = 4096;

fn of_blocks(dir: &TempDir, blocks: u64) -> Spool {
    Spool::open(&dir.options().max_bytes(blocks * BLOCK)).unwrap()
}

#[test]
fn the_last_lane_makes_room_first_and_in_it_the_oldest() {
    let dir = TempDir::new();
    let spool = of_blocks(&dir, 4);
    for (lane, envelope) in [(2, b"c1"), (1, b"b1"), (2, b"c2"), (0, b"a1")] {
        spool.leave(lane, envelope);
    }
    spool.leave(1, b"b2");
    assert_eq!(dir.all(), [b"a1", b"b1", b"b2", b"c2"]);
    spool.leave(0, b"a2");
    spool.leave(1, b"b3");
    assert_eq!(dir.all(), [b"a1", b"a2", b"b2", b"b3"]);
    assert_eq!(spool.counts().evicted, Evicted { for_bytes: 3, for_files: 0, for_age: 0 });
    assert_eq!(spool.drain(), [b"a1", b"a2", b"b2", b"b3"]);
}

#[test]
fn what_goes_first_never_makes_room_for_what_goes_last() {
    let dir = TempDir::new();
    let spool = of_blocks(&dir, 2);
    spool.leave(0, b"a1");
    spool.leave(1, b"b1");
    assert!(matches!(spool.put(2, b"c1"), Err(SpoolError::Full)));
    assert!(matches!(spool.put(1, &[0; 5000]), Err(SpoolError::Full)), "not even if a part of it could go");
    assert_eq!(dir.all(), [b"a1", b"b1"]);
    assert_eq!((spool.counts().refused, spool.counts().evicted), (2, Evicted::default()));
}

#[test]
fn what_somebody_answers_for_is_never_evicted() {
    let dir = TempDir::new();
    let spool = of_blocks(&dir, 2);
    let held = spool.hold(2, b"c1");
    spool.leave(2, b"c2");
    spool.leave(0, b"a1");
    assert_eq!(dir.all(), [b"a1", b"c1"]);
    let also_held = spool.next_backlog().unwrap();
    assert!(matches!(spool.put(0, b"a2"), Err(SpoolError::Full)));
    drop(held);
    spool.leave(0, b"a3");
    assert_eq!(dir.all(), [b"a1", b"a3"]);
    drop(also_held);
}

#[test]
fn a_large_envelope_makes_as_many_go_as_it_needs() {
    let dir = TempDir::new();
    let spool = of_blocks(&dir, 8);
    for number in 0..8 {
        spool.leave(1, &[number]);
    }
    spool.leave(1, &[9; 3 * 4096]);
    assert_eq!((spool.counts().files, spool.counts().evicted.for_bytes), (5, 4));
    assert_eq!(spool.counts().bytes, 8 * BLOCK);
}

#[test]
fn the_default_holds_an_outage_of_15_000_events_and_the_next_process_takes_them_over() {
    const EVENTS: u32 = 15_000;
    assert!(u64::from(EVENTS) * 2 * BLOCK <= DEFAULT_MAX_BYTES, "also when each is twice as large");
    let dir = TempDir::new();
    let spool = dir.open();
    for number in 0..EVENTS {
        let mut envelope = [0; 4000];
        envelope[..4].copy_from_slice(&number.to_be_bytes());
        spool.leave(1, &envelope);
    }
    drop(spool);
    let started = Instant::now();
    let spool = dir.open();
    let opened = started.elapsed();
    spool.adopt();
    let adopted = started.elapsed();
    assert_eq!((spool.counts().adopted, spool.counts().evicted), (u64::from(EVENTS), Evicted::default()));
    for number in 0..EVENTS {
        let (entry, envelope) = spool.next_backlog().unwrap();
        assert_eq!(envelope[..4], number.to_be_bytes(), "the oldest first");
        entry.remove();
    }
    let drained = started.elapsed();
    let _ = writeln!(
        std::io::stderr(),
        "\n{EVENTS} envelopes: opened in {opened:.1?}, adopted after {adopted:.1?}, read and removed after {drained:.1?}"
    );
}

#[test]
fn the_number_of_files_is_bounded_too() {
    let dir = TempDir::new();
    let mut options = dir.options();
    options.limits.files = 3;
    let spool = Spool::open(&options).unwrap();
    for number in 0..5 {
        spool.leave(1, &[number]);
    }
    assert_eq!(dir.all(), [[2], [3], [4]]);
    assert_eq!(spool.counts().evicted, Evicted { for_files: 2, ..Evicted::default() });
}

#[test]
fn nothing_gets_older_than_30_days() {
    let dir = TempDir::new();
    let system = Fake::new();
    let spool = Spool::open_fake(&dir.options(), &system);
    spool.leave(1, b"old");
    system.clocks.pass(20 * DAY);
    spool.leave(1, b"new");
    system.clocks.pass(10 * DAY);
    let (entry, envelope) = spool.next_backlog().unwrap();
    assert_eq!(envelope, b"new");
    drop(entry);
    assert_eq!(dir.all(), [b"new"]);

    system.clocks.pass(20 * DAY);
    spool.leave(1, b"newer"); // nobody asks for the backlog while the server is away
    assert_eq!(dir.all(), [b"newer"]);
    assert_eq!(spool.counts().evicted, Evicted { for_age: 2, ..Evicted::default() });
}

#[test]
fn the_quarantine_is_bounded_by_number_bytes_and_age() {
    let dir = TempDir::new();
    let system = Fake::new();
    let spool = Spool::open_fake(&dir.options(), &system);
    let quarantined = || dir.quarantined().len();
    for number in 0..120_u8 {
        system.clocks.pass(Duration::from_secs(1));
        spool.hold(1, &[number]).quarantine("refused");
    }
    assert_eq!((quarantined(), paths(&dir.quarantine()).len()), (100, 200));
    let newest = unseal(fs::read(dir.quarantined().last().unwrap()).unwrap()).unwrap();
    assert_eq!(newest, [119], "the oldest make room");

    for _ in 0..3 {
        system.clocks.pass(Duration::from_secs(1));
        spool.hold(1, &vec![1; 7 * 1024 * 1024]).quarantine("large");
    }
    assert_eq!(quarantined(), 2, "16 MiB");
    system.clocks.pass(31 * DAY);
    spool.adopt();
    assert_eq!(paths(&dir.quarantine()).len(), 0);
    assert_eq!(spool.counts().quarantined, 123);
}
