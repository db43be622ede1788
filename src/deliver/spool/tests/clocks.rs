//! A clock that is set, or wrong, costs neither order nor events.

use std::time::Duration;

use super::fake::{Clocks, Fake};
use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NOW: u64 = 1_800_000_000_000;
const BEFORE: u64 = NOW - 300 * 24 * 60 * 60 * 1000;
const AFTER: u64 = NOW + 300 * 24 * 60 * 60 * 1000;

fn open(dir: &TempDir, clocks: &Arc<Clocks>) -> Spool {
    Spool::open_fake(&dir.options(), &Fake::with(Arc::clone(clocks)))
}

#[test]
fn order_survives_a_clock_that_is_set_back_or_forward() {
    let dir = TempDir::new();
    let clocks = Clocks::new();
    let spool = open(&dir, &clocks);
    for (number, wall) in [NOW, BEFORE, NOW, 0, AFTER, NOW, u64::MAX, 1].into_iter().enumerate() {
        clocks.set_wall(wall);
        spool.leave(1, &[u8::try_from(number).unwrap()]);
    }
    drop(spool);
    clocks.set_wall(NOW);
    let spool = open(&dir, &clocks);
    spool.adopt();
    clocks.set_wall(0);
    spool.leave(1, &[8]);
    let expected: Vec<_> = (0..=8).map(|number| vec![number]).collect();
    assert_eq!(spool.drain(), expected);
}

#[test]
fn a_clock_that_is_set_makes_nothing_older_in_the_process() {
    let dir = TempDir::new();
    let clocks = Clocks::new();
    let spool = open(&dir, &clocks);
    for wall in [NOW, BEFORE, AFTER, 0, u64::MAX] {
        spool.leave(1, b"event");
        clocks.set_wall(wall);
        clocks.pass(Duration::from_secs(2 * 60 * 60));
    }
    assert_eq!(spool.drain().len(), 5);
    assert_eq!(spool.counts().evicted.for_age, 0);
    clocks.set_wall(BEFORE);
    spool.leave(1, b"event");
    clocks.pass(30 * DAY);
    assert_eq!(spool.drain().len(), 0, "what really passes counts");
}

#[test]
fn an_age_that_cannot_be_true_is_none() {
    for (written, read) in [(0, NOW), (AFTER, NOW), (NOW, 4_000_000_000_000), (u64::MAX, NOW), (NOW, 0)] {
        let dir = TempDir::new();
        let clocks = Clocks::new();
        clocks.set_wall(written);
        open(&dir, &clocks).leave(1, b"event");
        clocks.set_wall(read);
        let spool = open(&dir, &clocks);
        spool.adopt();
        assert_eq!(spool.counts().adopted, 1, "written at {written}, read at {read}");
        clocks.pass(29 * DAY);
        drop(spool);
        let spool = open(&dir, &clocks);
        spool.adopt();
        assert_eq!(spool.counts().adopted, 1);
        clocks.pass(2 * DAY);
        assert!(spool.drain().is_empty(), "from then on it ages like others");
        assert_eq!(spool.counts().evicted.for_age, 1);
    }
}

#[test]
fn an_age_goes_on_from_process_to_process() {
    let dir = TempDir::new();
    let clocks = Clocks::new();
    open(&dir, &clocks).leave(1, b"event");
    for day in 1..=30 {
        clocks.pass(DAY);
        let spool = open(&dir, &clocks);
        spool.adopt();
        assert_eq!(spool.counts().adopted, 1, "day {day}");
    }
    clocks.pass(DAY);
    let spool = open(&dir, &clocks);
    spool.adopt();
    assert_eq!((spool.counts().evicted.for_age, dir.all().len()), (1, 0));
}
