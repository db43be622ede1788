//! Whatever else is in the directories: nothing is read that is not an envelope, nothing is removed that is not ours.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::super::seal::seal;
use super::*;
use crate::deliver::spool::{SpoolError, Trouble};

/// The directory of a process that died and left one envelope.
fn dead(dir: &TempDir) -> PathBuf {
    let spool = dir.open();
    spool.leave(1, b"good");
    spool.home().to_owned()
}

fn envelope_name(sequence: u64) -> String {
    Key { lane: 0, stamp: 1_800_000_000_000, sequence }.file_name()
}

/// Why the files in the quarantine are there.
fn reasons(dir: &TempDir) -> Vec<String> {
    let texts = paths(&dir.quarantine()).into_iter().filter(|path| path.extension().is_some());
    texts.map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn a_file_that_is_torn_at_any_byte_goes_to_the_quarantine() {
    let sealed = seal(b"an envelope that the power failed on");
    for length in 0..sealed.len() {
        for zeroed in [false, true] {
            let dir = TempDir::new();
            let mut torn = sealed[..length].to_vec();
            if zeroed {
                torn.resize(sealed.len(), 0);
            }
            fs::write(dead(&dir).join(envelope_name(0)), &torn).unwrap();
            let spool = dir.open();
            assert_eq!(spool.drain(), [b"good"], "torn at {length}");
            assert_eq!(spool.counts().quarantined, 1);
            assert_eq!(fs::read(&dir.quarantined()[0]).unwrap(), torn, "people may want to look at it");
            assert!(reasons(&dir)[0].contains("torn"));
        }
    }
}

#[test]
fn a_file_with_a_changed_byte_goes_to_the_quarantine() {
    let dir = TempDir::new();
    let mut changed = seal(b"an envelope");
    changed[3] ^= 1;
    fs::write(dead(&dir).join(envelope_name(0)), changed).unwrap();
    assert_eq!(dir.open().drain(), [b"good"]);
    assert!(reasons(&dir)[0].ends_with(".envelope\": the checksum is wrong\n"), "{:?}", reasons(&dir));
}

#[test]
fn what_was_being_written_when_a_process_died_is_removed() {
    let dir = TempDir::new();
    let unfinished = Key { lane: 0, stamp: 1, sequence: 2 }.unfinished_name();
    fs::write(dead(&dir).join(unfinished), b"an env").unwrap();
    let spool = dir.open();
    assert_eq!(spool.drain(), [b"good"]);
    assert_eq!((spool.counts().unfinished, spool.counts().quarantined), (1, 0));
    assert_eq!(paths(&dir.destination()), [spool.home()]);
}

#[test]
fn foreign_files_go_to_the_quarantine_unread() {
    let dir = TempDir::new();
    let process = dead(&dir);
    let names: [&[u8]; 6] = [b"notes.txt", b".nfs0001", b"\xff\xfe", b"a\nb", &[b'x'; 255], b"LOCK"];
    for name in names {
        fs::write(process.join(OsStr::from_bytes(name)), b"foreign").unwrap();
    }
    let pipe = process.join(envelope_name(1)); // opening it would wait for ever
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    drop(UnixListener::bind(process.join("socket")).unwrap());
    let huge = File::create(process.join(envelope_name(2))).unwrap();
    huge.set_len(1 << 40).unwrap();

    let spool = Spool::open(&dir.options().max_bytes(1 << 50)).unwrap();
    assert_eq!(spool.drain(), [b"good"]);
    assert_eq!(spool.counts().quarantined, 9);
    assert_eq!(paths(&dir.destination()).len(), 2, "this process and the quarantine");
    assert!(reasons(&dir).iter().any(|reason| reason.contains("longer than any envelope")));
    drop(spool);
    let spool = dir.open();
    spool.adopt();
    assert_eq!(spool.counts().quarantined, 0, "once is enough");
}

#[test]
fn empty_files_occupy_something_too() {
    let dir = TempDir::new();
    let process = dead(&dir);
    for sequence in 1..=10 {
        fs::write(process.join(envelope_name(sequence)), b"").unwrap();
    }
    let spool = Spool::open(&dir.options().max_bytes(4 * 4096)).unwrap();
    spool.adopt();
    assert_eq!((spool.counts().files, spool.counts().bytes, spool.counts().left), (4, 4 * 4096, 4));
}

#[test]
fn a_foreign_directory_stays_where_it_is() {
    let dir = TempDir::new();
    let process = dead(&dir);
    fs::create_dir(process.join(envelope_name(1))).unwrap();
    fs::write(process.join(envelope_name(1)).join("precious"), b"").unwrap();
    fs::create_dir(dir.destination().join("precious")).unwrap();
    fs::write(dir.0.join("precious"), b"").unwrap();
    for expected in [vec![b"good".to_vec()], vec![]] {
        let spool = dir.open();
        assert_eq!(spool.drain(), expected);
        assert_eq!(spool.counts().quarantined, 0);
    }
    assert!(process.join(envelope_name(1)).join("precious").exists());
    assert!(dir.destination().join("precious").exists() && dir.0.join("precious").exists());
}

#[test]
fn no_link_is_followed_below_the_directory() {
    let dir = TempDir::new();
    let outside = TempDir::new();
    let precious = outside.0.join("precious");
    fs::write(&precious, seal(b"precious")).unwrap();
    let elsewhere = outside.0.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join(envelope_name(1)), seal(b"elsewhere")).unwrap();

    let process = dead(&dir);
    symlink(&precious, process.join(envelope_name(1))).unwrap();
    symlink(&precious, process.join(envelope_name(2) + ".tmp")).unwrap();
    symlink("/nowhere", process.join("broken")).unwrap();
    symlink(&elsewhere, dir.destination().join(name::new_process(1))).unwrap();
    symlink(&elsewhere, dir.0.join("fedcba9876543210")).unwrap();
    let locked = dead(&dir);
    fs::remove_file(locked.join("lock")).unwrap();
    symlink(&precious, locked.join("lock")).unwrap();

    let spool = dir.open();
    assert_eq!(spool.drain(), [b"good"], "the other one has a lock that is none");
    assert_eq!(spool.counts().quarantined, 3);
    assert_eq!(fs::read(&precious).unwrap(), seal(b"precious"));
    assert_eq!(paths(&elsewhere).len(), 1);
    assert!(locked.exists());
}

#[test]
fn a_link_in_place_of_the_destination_or_the_quarantine_is_refused() {
    let (dir, outside) = (TempDir::new(), TempDir::new());
    symlink(&outside.0, dir.destination()).unwrap();
    let refused = Spool::open(&dir.options());
    assert!(matches!(refused, Err(SpoolError::NotADirectory(path)) if path == dir.destination()));
    fs::remove_file(dir.destination()).unwrap();

    let spool = dir.open();
    symlink(&outside.0, dir.quarantine()).unwrap();
    spool.hold(0, b"event").quarantine("why");
    spool.adopt();
    assert_eq!((spool.counts().quarantined, spool.counts().failed_removals), (0, 1));
    assert!(paths(&outside.0).is_empty());
    assert_eq!(dir.all(), [b"event"], "it could not be moved; another process finds it");
    assert!(spool.next_backlog().is_none(), "and this one does not try for ever");
}

#[test]
fn an_envelope_that_is_replaced_while_it_waits_is_not_read() {
    let dir = TempDir::new();
    let spool = dir.open();
    let secret = dir.0.join("secret");
    fs::write(&secret, seal(b"secret")).unwrap();
    for replace in [
        |path: &Path, secret: &Path| symlink(secret, path).unwrap(),
        |path: &Path, _: &Path| fs::create_dir(path).unwrap(),
        |path: &Path, _: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
    ] {
        spool.leave(0, b"event");
        let path = paths(spool.home()).into_iter().find(|path| !path.ends_with("lock")).unwrap();
        fs::remove_file(&path).unwrap();
        replace(&path, &secret);
        assert!(spool.next_backlog().is_none());
    }
    assert_eq!((spool.counts().quarantined, spool.counts().files), (3, 0));
    assert_eq!(fs::read(&secret).unwrap(), seal(b"secret"));
}

#[test]
fn something_else_in_place_of_the_directory_is_an_error() {
    let dir = TempDir::new();
    fs::write(dir.0.join("file"), b"").unwrap();
    symlink("nowhere", dir.0.join("broken")).unwrap();
    for name in ["file", "file/below", "broken"] {
        let opened = Spool::open(&Options::new(dir.0.join(name), DESTINATION));
        assert!(matches!(opened, Err(SpoolError::NotADirectory(_))), "{name}: {opened:?}");
    }
    fs::write(dir.destination(), b"").unwrap();
    assert!(matches!(Spool::open(&dir.options()), Err(SpoolError::NotADirectory(_))));
}

#[test]
fn a_directory_that_is_removed_meanwhile_is_an_error_and_opening_makes_it_again() {
    let dir = TempDir::new();
    let spool = dir.open();
    spool.leave(0, b"waiting");
    let held = spool.hold(0, b"held");
    fs::remove_dir_all(&dir.0).unwrap();
    let refused = spool.put(0, b"event");
    assert!(matches!(refused, Err(SpoolError::Disk { trouble: Trouble::Gone, .. })), "{refused:?}");
    assert!(spool.next_backlog().is_none());
    held.remove();
    spool.adopt();
    let counts = spool.counts();
    assert_eq!((counts.files, counts.bytes, counts.vanished, counts.failed_writes), (0, 0, 1, 1));
    let again = dir.open();
    again.leave(0, b"event");
    assert_eq!(again.drain(), [b"event"]);
}

#[test]
fn another_users_directory_is_refused() {
    let dir = TempDir::new();
    let process = dead(&dir);
    if chown(&process, Some(65_533), None).is_err() {
        return skip("only root can give a directory to another user");
    }
    let spool = dir.open();
    assert!(spool.drain().is_empty(), "nothing of another user is sent");
    drop(spool);
    chown(dir.destination(), Some(65_533), None).unwrap();
    let refused = Spool::open(&dir.options());
    assert!(matches!(refused, Err(SpoolError::NotOurs(path)) if path == dir.destination()));
    assert_eq!(paths(&dir.destination()), [process], "nothing is left in it");
}
