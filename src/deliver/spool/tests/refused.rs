//! A file system that refuses: every error is typed, costs no envelope that is stored, and passes.

use std::io;

use super::super::system::{Os, System};
use super::fake::{CALLS, Call, Fake};
use super::*;
use crate::deliver::spool::{SpoolError, Trouble};

const ENOENT: i32 = 2;
const EIO: i32 = 5;
const EACCES: i32 = 13;
const EMFILE: i32 = 24;
const EFBIG: i32 = 27;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const ENOSYS: i32 = 38;
const ESTALE: i32 = 116;
const EDQUOT: i32 = 122;

/// As Linux numbers them.
const ERRORS: [(i32, Trouble); 10] = [
    (ENOENT, Trouble::Gone),
    (EIO, Trouble::Other),
    (EACCES, Trouble::Denied),
    (EMFILE, Trouble::Other),
    (EFBIG, Trouble::NoSpace),
    (ENOSPC, Trouble::NoSpace),
    (EROFS, Trouble::ReadOnly),
    (ENOSYS, Trouble::NoLocks),
    (ESTALE, Trouble::Gone),
    (EDQUOT, Trouble::NoSpace),
];

#[track_caller]
fn trouble<T: std::fmt::Debug>(refused: Result<T, SpoolError>) -> Trouble {
    match refused {
        Err(SpoolError::Disk { trouble, .. }) => trouble,
        other => panic!("{other:?}"),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn errors_are_told_apart() {
    for (number, expected) in ERRORS {
        let dir = TempDir::new();
        let system = Fake::new();
        let spool = Spool::open_fake(&dir.options(), &system);
        system.refuse(Call::Create, number, 0);
        assert_eq!(trouble(spool.put(0, b"event")), expected, "{number}");
        let error = spool.put(0, b"event").unwrap_err();
        assert!(error.to_string().contains(&io::Error::from_raw_os_error(number).to_string()), "{error}");
        assert_eq!(spool.counts().failed_writes, 2);
    }
}

#[test]
fn a_write_that_fails_anywhere_leaves_nothing_and_the_next_one_may_succeed() {
    for sync in [false, true] {
        for call in [Call::Create, Call::Write, Call::Sync, Call::Rename, Call::SyncDir] {
            for torn in [0, 1, 5, 16, 17, 1000] {
                let dir = TempDir::new();
                let system = Fake::new();
                let spool = Spool::open_fake(&dir.options().sync(sync), &system);
                let waiting = spool.hold(0, b"waiting");
                system.refuse(call, ENOSPC, torn);
                if !sync && matches!(call, Call::Sync | Call::SyncDir) {
                    spool.leave(0, b"event");
                    continue; // nothing is synced unless it is asked for
                }
                assert_eq!(trouble(spool.put(0, b"event")), Trouble::NoSpace);
                assert_eq!(paths(spool.home()).len(), 2, "the lock and one envelope: {call:?} {torn}");
                assert_eq!((spool.counts().files, spool.counts().bytes), (1, 4096));
                system.relent();
                spool.leave(0, b"event");
                drop(waiting);
                assert_eq!(spool.drain(), [b"waiting".as_slice(), b"event"]);
            }
        }
    }
}

#[test]
fn no_error_of_any_call_costs_what_is_stored() {
    for call in CALLS {
        for (number, _) in ERRORS {
            let dir = TempDir::new();
            let dead = dir.open();
            dead.leave(0, b"left");
            fs::write(dead.home().join("foreign"), b"").unwrap();
            drop(dead);

            let system = Fake::new();
            system.clocks.set_wall(Os.wall());
            system.refuse(call, number, 3);
            let opened = Spool::open_in(&dir.options(), Arc::clone(&system) as Arc<_>);
            system.relent();
            let spool = opened.unwrap_or_else(|_| Spool::open_fake(&dir.options(), &system));
            spool.leave(1, b"waiting");
            let (held, aside) = (spool.hold(2, b"held"), spool.hold(2, b"aside"));
            system.refuse(call, number, 3);
            let mut expected = vec![b"held".to_vec(), b"left".to_vec(), b"waiting".to_vec()];
            match spool.put(1, b"put") {
                Ok(entry) => {
                    drop(entry);
                    expected.insert(2, b"put".to_vec());
                }
                Err(error) => assert!(matches!(error, SpoolError::Disk { .. })),
            }
            spool.adopt();
            for _ in 0..10 {
                drop(spool.next_backlog());
            }
            aside.quarantine("why");
            drop((held, spool));
            system.relent();

            let later = dir.open();
            let mut found = later.drain();
            // What could not be moved or read is where people look for it, or comes once more.
            let aside = dir.quarantined().into_iter().filter_map(|path| unseal(fs::read(path).unwrap()).ok());
            found.extend(aside);
            found.retain(|envelope| envelope != b"aside");
            found.sort();
            assert_eq!(found, expected, "{call:?} {number}");
        }
    }
}

#[test]
fn what_cannot_be_moved_is_not_adopted_yet() {
    let dir = TempDir::new();
    dir.open().leave(0, b"event");
    let system = Fake::new();
    system.clocks.set_wall(Os.wall());
    let spool = Spool::open_fake(&dir.options(), &system);
    system.refuse(Call::Rename, EACCES, 0);
    spool.adopt();
    let counts = spool.counts();
    assert_eq!((counts.files, counts.adopted, counts.failed_removals), (0, 0, 1));
    system.relent();
    spool.adopt();
    assert_eq!(spool.drain(), [b"event"]);
}

/// Knows no modes, and does not say so.
struct Modeless;

impl System for Modeless {
    fn make_private(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_directory_that_stays_open_to_others_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new();
    fs::create_dir(dir.destination()).unwrap();
    fs::set_permissions(dir.destination(), fs::Permissions::from_mode(0o755)).unwrap();
    let refused = Spool::open_in(&dir.options(), Arc::new(Modeless));
    assert!(matches!(refused, Err(SpoolError::Exposed(path)) if path == dir.destination()));
    assert!(paths(&dir.destination()).is_empty(), "nothing is left in it");
}

#[test]
fn a_file_that_cannot_be_read_does_not_block_the_others_for_ever() {
    let dir = TempDir::new();
    let system = Fake::new();
    let spool = Spool::open_fake(&dir.options(), &system);
    spool.leave(0, b"unreadable");
    spool.leave(1, b"event");
    system.refuse(Call::Read, EIO, 0);
    assert!(spool.next_backlog().is_none());
    assert!(spool.next_backlog().is_none());
    assert_eq!(spool.counts().waiting, 2, "it may pass");
    assert!(spool.next_backlog().is_none());
    assert_eq!((spool.counts().waiting, spool.counts().quarantined), (1, 1));
    system.relent();
    assert_eq!(spool.drain(), [b"event"]);
    assert_eq!(spool.counts().failed_reads, 4);
}

#[test]
fn an_envelope_that_cannot_be_removed_is_not_sent_again_by_this_process() {
    let dir = TempDir::new();
    let system = Fake::new();
    let spool = Spool::open_fake(&dir.options(), &system);
    let entry = spool.hold(0, b"event");
    system.refuse(Call::RemoveFile, EROFS, 0);
    entry.remove();
    assert!(spool.next_backlog().is_none());
    assert_eq!((spool.counts().removed, spool.counts().failed_removals, spool.counts().files), (0, 1, 0));
}

/// Runs as a user whom modes bind.
#[test]
fn modes_that_forbid_are_errors_and_pass() {
    use std::os::unix::fs::PermissionsExt as _;
    if let Some(task) = child::task() {
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let dir = Path::new(&task);
        let options = Options::new(dir.join("spool"), DESTINATION);
        mode(dir, 0o500);
        assert_eq!(trouble(Spool::open(&options)), Trouble::Denied);
        mode(dir, 0o700);
        let spool = Spool::open(&options).unwrap();
        spool.leave(0, b"waiting");
        mode(spool.home(), 0o500);
        assert_eq!(trouble(spool.put(0, b"event")), Trouble::Denied);
        mode(spool.home(), 0o700);
        spool.leave(0, b"event");
        for path in paths(spool.home()).iter().filter(|path| !path.ends_with("lock")).take(1) {
            mode(path, 0o000);
        }
        assert!(spool.next_backlog().is_none());
        assert_eq!(spool.counts().failed_reads, 1);
        assert!(spool.next_backlog().is_none(), "once more, it may pass");
        assert_eq!(spool.drain(), [b"event"]);
        assert_eq!(spool.counts().quarantined, 1);
        return;
    }
    use std::os::unix::process::CommandExt as _;
    let dir = TempDir::new();
    let test = "modes_that_forbid_are_errors_and_pass";
    let mut command = child::command(module_path!(), test, dir.0.to_str().unwrap());
    if std::os::unix::fs::chown(&dir.0, Some(65_534), Some(65_534)).is_ok() {
        command.uid(65_534).gid(65_534); // modes do not bind root
    }
    match command.output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => skip(&format!("the test's own program cannot be run as another user: {error}")),
    }
}
