//! A disk that is really full, and one that is really read-only: a small one, or a limit on the size of files.

use std::process::Command;

use super::*;
use crate::deliver::spool::{SpoolError, Trouble};

/// Stores until the file system has enough, and says what it said.
fn fill(spool: &Spool, envelope: &[u8]) -> (Vec<Entry>, SpoolError) {
    let mut stored = Vec::new();
    loop {
        match spool.put(0, envelope) {
            Ok(entry) => stored.push(entry),
            Err(error) => return (stored, error),
        }
    }
}

#[track_caller]
fn assert_trouble(error: &SpoolError, expected: Trouble) {
    assert!(matches!(error, SpoolError::Disk { trouble, .. } if *trouble == expected), "{error}");
}

/// True if the child's test passed, false if there was nothing to run it on.
fn passes(mut child: Command) -> bool {
    let Ok(output) = child.output() else { return false };
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success() || !out.contains("running 1 test"), "{out}{err}");
    output.status.success()
}

#[test]
fn a_limit_on_the_size_of_files_refuses_what_is_larger() {
    if let Some(task) = child::task() {
        let spool = Spool::open(&Options::new(task, DESTINATION)).unwrap();
        spool.leave(0, b"small");
        assert_trouble(&spool.put(0, &[7; 10_000]).unwrap_err(), Trouble::NoSpace);
        assert_eq!(paths(spool.home()).len(), 2, "the lock and what fits");
        assert_eq!(spool.drain(), [b"small"]);
        return;
    }
    let dir = TempDir::new();
    let test = "a_limit_on_the_size_of_files_refuses_what_is_larger";
    // In blocks of 512 bytes, or of 1024. The signal that comes with it would end the process.
    let limit = "trap '' XFSZ && ulimit -f 8";
    assert!(passes(child::under_shell(limit, module_path!(), test, dir.0.to_str().unwrap())));
}

#[test]
fn a_full_disk_refuses_and_takes_again_what_there_is_room_for() {
    if let Some(task) = child::task() {
        let spool = Spool::open(&Options::new(task, DESTINATION)).unwrap();
        let envelope = [7; 4000];
        let (mut stored, error) = fill(&spool, &envelope);
        assert_trouble(&error, Trouble::NoSpace);
        assert!((10..=64).contains(&stored.len()), "{}", stored.len());
        assert_eq!(paths(spool.home()).len(), stored.len() + 1, "nothing torn is left");
        stored.pop().unwrap().remove();
        stored.push(spool.hold(0, &envelope));
        stored.pop().unwrap().quarantine("there is no room for the reason");
        let number = stored.len();
        drop(stored);
        assert_eq!(spool.drain(), vec![envelope; number]);
        return;
    }
    on_a_disk_of_its_own("size=256k", "a_full_disk_refuses_and_takes_again_what_there_is_room_for");
}

#[test]
fn a_read_only_disk_is_an_error_and_keeps_what_is_on_it() {
    if let Some(task) = child::task() {
        let remount = |how| {
            let mounted = Command::new("mount").args(["-o", how, &task]).status();
            assert!(mounted.unwrap().success());
        };
        let options = Options::new(&task, DESTINATION);
        Spool::open(&options).unwrap().leave(0, b"event");
        remount("remount,bind,ro");
        assert_trouble(&Spool::open(&options).unwrap_err(), Trouble::ReadOnly);
        remount("remount,bind,rw");
        assert_eq!(Spool::open(&options).unwrap().drain(), [b"event"]);
        return;
    }
    on_a_disk_of_its_own("size=256k", "a_read_only_disk_is_an_error_and_keeps_what_is_on_it");
}

/// Mounts one that only the child sees and that ends with it. Where users may not do that, nothing is tested.
fn on_a_disk_of_its_own(options: &str, test: &str) {
    let dir = TempDir::new();
    let path = dir.0.to_str().unwrap();
    let mount = format!("mount -t tmpfs -o {options} tmpfs '{path}'");
    let child = child::under_shell(&mount, module_path!(), test, path);
    let mut unshared = Command::new("unshare");
    unshared.args(["--map-root-user", "--mount"]).arg(child.get_program()).args(child.get_args());
    unshared.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if !passes(unshared) {
        skip(&format!("{test}: nothing can be mounted here (unshare --map-root-user --mount)"));
    }
}
