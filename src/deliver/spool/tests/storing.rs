//! What is put comes back, and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::thread;

use super::super::seal::MAX_ENVELOPE;
use super::*;
use crate::deliver::spool::SpoolError;

#[test]
fn what_is_put_is_on_disk_until_it_is_removed() {
    let dir = TempDir::new();
    let spool = dir.open();
    let first = spool.hold(1, b"first");
    let second = spool.hold(1, b"second");
    assert_eq!(dir.all(), [b"first".to_vec(), b"second".to_vec()]);
    assert_eq!((spool.counts().files, spool.counts().bytes, spool.counts().waiting), (2, 8192, 0));
    assert!(spool.next_backlog().is_none(), "somebody answers for both");
    first.remove();
    assert_eq!(dir.all(), [b"second"]);
    second.remove();
    let counts = spool.counts();
    assert_eq!((counts.files, counts.bytes, counts.written, counts.removed), (0, 0, 2, 2));
}

#[test]
fn an_envelope_that_nobody_holds_comes_back_once_at_a_time() {
    let dir = TempDir::new();
    let spool = dir.open();
    spool.leave(1, b"event");
    assert_eq!(spool.counts().waiting, 1);
    let (entry, envelope) = spool.next_backlog().unwrap();
    assert_eq!((&*envelope, entry.lane()), (&b"event"[..], 1));
    assert!(spool.next_backlog().is_none());
    drop(entry); // whoever had it could not deliver it, or panicked
    let (entry, envelope) = spool.next_backlog().unwrap();
    assert_eq!(envelope, b"event");
    entry.remove();
    assert!(spool.next_backlog().is_none() && dir.all().is_empty());
}

#[test]
fn the_backlog_goes_by_lanes_and_the_oldest_first() {
    let dir = TempDir::new();
    let spool = dir.open();
    for (lane, envelope) in [(2, b"e"), (0, b"a"), (1, b"c"), (2, b"f"), (1, b"d"), (0, b"b")] {
        spool.leave(lane, envelope);
    }
    assert_eq!(spool.drain(), [b"a", b"b", b"c", b"d", b"e", b"f"]);
}

#[test]
fn a_process_takes_nothing_with_it() {
    let dir = TempDir::new();
    let spool = dir.open();
    let entry = spool.hold(0, b"event");
    drop(spool);
    assert_eq!(dir.envelopes().len(), 1, "who holds an envelope keeps the directory locked");
    assert!(dir.open().next_backlog().is_none());
    entry.remove();
    assert!(dir.envelopes().is_empty(), "nothing is left of a process that leaves nothing");
}

#[test]
fn envelopes_of_any_size_are_stored_and_larger_ones_refused() {
    let dir = TempDir::new();
    let spool = dir.open();
    let largest = vec![7; MAX_ENVELOPE];
    spool.leave(0, b"");
    spool.leave(0, &largest);
    let too_large = vec![7; MAX_ENVELOPE + 1];
    assert!(
        matches!(spool.put(0, &too_large), Err(SpoolError::TooLarge { bytes }) if bytes == too_large.len())
    );
    assert_eq!(spool.counts().refused, 1);
    assert_eq!(spool.drain(), [vec![], largest]);

    let small = Spool::open(&dir.options().max_bytes(8192)).unwrap();
    small.leave(0, &[7; 8180]);
    assert!(
        matches!(small.put(0, &[7; 8181]), Err(SpoolError::TooLarge { .. })),
        "with its checksum it is more"
    );
    assert_eq!(small.counts().files, 1, "and makes nobody go");
}

#[test]
fn only_this_user_can_read_it() {
    let dir = TempDir::new();
    let base = dir.0.join("made/here");
    let spool = Spool::open(&Options::new(&base, DESTINATION)).unwrap();
    let entry = spool.hold(0, b"event");
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    for path in [&base, &dir.0.join("made"), &base.join(DESTINATION), spool.home()] {
        assert_eq!(mode(path), 0o700, "{}", path.display());
    }
    for path in paths(spool.home()) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    entry.quarantine("why");
    assert_eq!(mode(&base.join(DESTINATION).join("quarantine")), 0o700);
    for path in paths(&base.join(DESTINATION).join("quarantine")) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_directory_that_was_open_to_others_is_closed() {
    let dir = TempDir::new();
    fs::create_dir_all(dir.quarantine()).unwrap();
    let open = fs::Permissions::from_mode(0o777);
    for path in [&dir.0, &dir.destination(), &dir.quarantine()] {
        fs::set_permissions(path, open.clone()).unwrap();
    }
    let spool = dir.open();
    spool.hold(0, b"event").quarantine("why");
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir.destination()), mode(&dir.quarantine())), (0o700, 0o700));
    assert_eq!(mode(&dir.0), 0o777, "what the operator made is the operator's affair");
}

#[test]
fn a_name_holds_no_more_than_a_destination_and_numbers() {
    let dir = TempDir::new();
    for name in ["", "..", "/etc", "a/b", "key@host", "0123456", "ABCDEF0123", &"a".repeat(65)] {
        let opened = Spool::open(&Options::new(&dir.0, name));
        assert!(matches!(opened, Err(SpoolError::Destination)), "{name:?}");
    }
    assert!(paths(&dir.0).is_empty());
}

#[test]
fn the_operators_own_link_to_the_directory_is_followed() {
    let dir = TempDir::new();
    fs::create_dir(dir.0.join("disk")).unwrap();
    std::os::unix::fs::symlink("disk", dir.0.join("spool")).unwrap();
    let spool = Spool::open(&Options::new(dir.0.join("spool"), DESTINATION)).unwrap();
    assert!(spool.home().starts_with(dir.0.join("disk")));
    spool.leave(0, b"event");
    assert_eq!(spool.drain(), [b"event"]);
}

#[test]
fn with_sync_all_is_the_same() {
    let dir = TempDir::new();
    let spool = Spool::open(&dir.options().sync(true)).unwrap();
    spool.leave(0, b"event");
    drop(spool);
    assert_eq!(dir.open().drain(), [b"event"]);
}

#[test]
fn threads_put_and_take_at_the_same_time() {
    const EACH: usize = 200;
    let dir = TempDir::new();
    let spool = dir.open();
    let taken = thread::scope(|scope| {
        let putting = (0..4).map(|thread| {
            let spool = spool.clone();
            scope.spawn(move || {
                for number in 0..EACH {
                    let lane = u8::try_from(number % 3).unwrap();
                    spool.leave(lane, format!("{thread} {number}").as_bytes());
                }
            })
        });
        let putting: Vec<_> = putting.collect();
        let taking: Vec<_> = (0..2).map(|_| scope.spawn(|| spool.drain())).collect();
        putting.into_iter().for_each(|thread| thread.join().unwrap());
        taking.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let mut all = [taken, spool.drain()].concat();
    all.sort();
    let number = all.len();
    all.dedup();
    assert_eq!((number, all.len()), (4 * EACH, 4 * EACH));
    assert_eq!((spool.counts().files, spool.counts().bytes), (0, 0));
    assert!(Arc::strong_count(&spool.0) == 1);
}
