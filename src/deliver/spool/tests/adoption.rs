//! What dead processes left is taken over, each envelope by one process.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::Child;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use super::super::system::{Os, System};
use super::fake::{Clocks, Fake};
use super::*;
use crate::deliver::spool::Evicted;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn the_next_process_goes_on_where_the_last_one_ended() {
    let dir = TempDir::new();
    let clocks = Clocks::new();
    let open = || Spool::open_fake(&dir.options(), &Fake::with(Arc::clone(&clocks)));
    let first = open();
    for (lane, envelope) in [(1, b"b1"), (0, b"a1"), (1, b"b2")] {
        first.leave(lane, envelope);
    }
    drop(first);
    clocks.pass(Duration::from_secs(1));
    let second = open();
    second.leave(1, b"b3");
    second.adopt();
    assert_eq!(dir.envelopes().len(), 1, "the dead one's directory is gone");
    let counts = second.counts();
    assert_eq!((counts.adopted, counts.files, counts.waiting, counts.bytes), (3, 4, 4, 4 * 4096));
    drop(second);
    assert_eq!(open().drain(), [b"a1", b"b1", b"b2", b"b3"], "in the order in which they were put");
}

#[test]
fn a_child_that_is_being_spawned_does_not_keep_the_directory() {
    let dir = TempDir::new();
    let first = dir.open();
    first.leave(0, b"event");
    let inherited = first.0.home.lock.try_clone().unwrap();
    drop(first);
    assert_eq!(dir.open().drain(), [b"event"]);
    drop(inherited);
}

#[test]
fn what_a_living_process_has_is_its_own() {
    let dir = TempDir::new();
    let (first, second) = (dir.open(), dir.open());
    first.leave(0, b"first");
    second.adopt();
    assert!(second.next_backlog().is_none());
    assert_eq!(first.drain(), [b"first"]);
}

#[test]
fn other_destinations_are_left_alone() {
    let dir = TempDir::new();
    let other = Options::new(&dir.0, "fedcba9876543210");
    Spool::open(&other).unwrap().leave(0, b"theirs");
    let spool = dir.open();
    spool.adopt();
    assert!(spool.next_backlog().is_none());
    assert_eq!(Spool::open(&other).unwrap().drain(), [b"theirs"]);
}

#[test]
fn a_process_that_dies_later_is_found_while_there_is_nothing_else_to_do() {
    let dir = TempDir::new();
    let clocks = Clocks::new();
    let open = || Spool::open_fake(&dir.options(), &Fake::with(Arc::clone(&clocks)));
    let (spool, other) = (open(), open());
    assert!(spool.next_backlog().is_none());
    other.leave(0, b"event");
    drop(other);
    assert!(spool.next_backlog().is_none(), "not every time");
    clocks.pass(Duration::from_secs(300));
    assert_eq!(spool.drain(), [b"event"]);
}

#[test]
fn what_does_not_fit_waits_for_room_and_nothing_is_evicted_for_it() {
    let dir = TempDir::new();
    let clocks = Clocks::new();
    let options = dir.options().max_bytes(3 * 4096);
    let open = || {
        clocks.pass(Duration::from_secs(1));
        Spool::open_fake(&options, &Fake::with(Arc::clone(&clocks)))
    };
    let (first, second) = (open(), open());
    for number in 0..3 {
        clocks.pass(Duration::from_secs(1));
        first.leave(1, &[1, number]);
        second.leave(1, &[2, number]);
    }
    drop((first, second));
    let third = open();
    third.adopt();
    assert_eq!((third.counts().adopted, third.counts().left), (3, 3));
    assert_eq!(dir.all().len(), 6);
    let (taken, _) = third.next_backlog().unwrap();
    taken.remove();
    third.adopt();
    assert_eq!((third.counts().adopted, third.counts().left), (4, 2));
    assert_eq!(third.drain().len(), 3);
    clocks.pass(Duration::from_secs(300));
    assert_eq!(third.drain().len(), 2);
    assert_eq!(third.counts().evicted, Evicted::default());
}

#[test]
fn crash_loops_do_not_fill_the_disk() {
    let dir = TempDir::new();
    let clocks = Clocks::new();
    let mut evicted = 0;
    for generation in 0..10_u8 {
        clocks.pass(Duration::from_secs(1));
        let options = dir.options().max_bytes(4 * 4096);
        let spool = Spool::open_fake(&options, &Fake::with(Arc::clone(&clocks)));
        for number in 0..4 {
            spool.leave(1, &[generation, number]);
        }
        spool.adopt(); // too late: there is no room
        assert!(dir.all().len() <= 8, "as much again as for one process: {:?}", dir.all());
        evicted += spool.counts().evicted.for_bytes;
    }
    assert_eq!(evicted, 32);
    let kept: BTreeSet<_> = dir.all().into_iter().map(|envelope| envelope[0]).collect();
    assert_eq!(kept, BTreeSet::from([8, 9]), "the oldest made room");
}

#[test]
fn destinations_that_nobody_sends_to_any_more_are_forgotten_after_30_days() {
    let dir = TempDir::new();
    let clocks = Clocks::new();
    let open = |name: &str| Spool::open_fake(&Options::new(&dir.0, name), &Fake::with(Arc::clone(&clocks)));
    let abandoned = open("fedcba9876543210");
    abandoned.leave(0, b"event");
    abandoned.hold(0, b"refused").quarantine("why");
    drop(abandoned);
    let living = open("aaaabbbbccccdddd");
    living.leave(0, b"living");
    let lock = paths(&dir.0.join("fedcba9876543210"))[0].join("lock");
    fs::remove_file(&lock).unwrap();
    clocks.pass(29 * DAY);
    open(DESTINATION).adopt();
    assert!(!lock.exists(), "nobody who would adopt there is kept from it");
    assert_eq!(paths(&dir.0.join("fedcba9876543210")).len(), 2);
    clocks.pass(2 * DAY);
    let spool = open(DESTINATION);
    spool.adopt();
    assert_eq!(spool.counts().evicted, Evicted { for_age: 1, ..Evicted::default() });
    assert!(paths(&dir.0.join("fedcba9876543210/quarantine")).is_empty());
    assert_eq!(paths(&dir.0.join("fedcba9876543210")).len(), 1);
    assert_eq!(paths(living.home()).len(), 2, "the living look after their own");
}

#[test]
fn threads_that_open_and_adopt_at_once_share_everything_and_lose_nothing() {
    for _ in 0..20 {
        let dir = TempDir::new();
        for process in 0..6_u8 {
            let spool = dir.open();
            (0..20).for_each(|number| spool.leave(number % 3, &[process, number]));
        }
        let (start, all_have_taken) = (Barrier::new(10), Barrier::new(10));
        let taken = thread::scope(|scope| {
            let adopt = || {
                start.wait();
                let spool = dir.open();
                let taken: Vec<_> = std::iter::from_fn(|| spool.next_backlog()).collect();
                all_have_taken.wait();
                taken
                    .into_iter()
                    .map(|(entry, envelope)| {
                        entry.remove();
                        envelope
                    })
                    .collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..10).map(|_| scope.spawn(adopt)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(taken.len(), 120);
        assert_eq!(taken.into_iter().collect::<BTreeSet<_>>().len(), 120);
        assert_eq!(dir.envelopes(), BTreeMap::new());
    }
}

#[test]
fn ten_processes_that_start_at_once_adopt_each_envelope_once() {
    if let Some(task) = child::task() {
        return adopt_and_wait(Path::new(&task));
    }
    let dir = TempDir::new();
    for process in 0..5_u8 {
        let spool = dir.open();
        (0..40).for_each(|number| spool.leave(number % 3, &[process, number]));
    }
    let task = dir.0.to_str().unwrap();
    let test = "ten_processes_that_start_at_once_adopt_each_envelope_once";
    let start = |_| child::command(module_path!(), test, task).spawn().unwrap();
    let mut children: Vec<Child> = (0..10).map(start).collect();
    let mut outputs: Vec<_> =
        children.iter_mut().map(|child| BufReader::new(child.stdout.take().unwrap()).lines()).collect();
    for output in &mut outputs {
        assert!(output.by_ref().any(|line| line.unwrap().ends_with("ready")));
    }
    for child in &mut children {
        child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }
    let adopted = |output: &mut io::Lines<_>| -> Vec<String> {
        let lines = output.by_ref().map(Result::unwrap).take_while(|line| line != "done");
        lines.filter_map(|line| line.strip_prefix("adopted ").map(str::to_owned)).collect()
    };
    let adopted: Vec<String> = outputs.iter_mut().flat_map(adopted).collect();
    assert_eq!(adopted.len(), 200);
    assert_eq!(adopted.iter().collect::<BTreeSet<_>>().len(), 200);
    for mut child in children {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(dir.all().len(), 200, "and what they did not deliver is still there");
}

/// What one of the ten does.
fn adopt_and_wait(dir: &Path) {
    let mut out = io::stdout();
    let mut lines = io::stdin().lines();
    let spool = Spool::open(&Options::new(dir, DESTINATION)).unwrap();
    writeln!(out, "ready").unwrap();
    lines.next();
    let adopted: Vec<_> = std::iter::from_fn(|| spool.next_backlog()).collect();
    for (_, envelope) in &adopted {
        writeln!(out, "adopted {envelope:?}").unwrap();
    }
    writeln!(out, "done").unwrap();
    lines.next(); // the end: nobody may adopt what is ours before
}

/// Another process takes this one's directory for a dead one's while it is being made.
struct Rival {
    left: Mutex<u32>,
    held: Mutex<Vec<File>>,
    behaviour: fn(&Path, &mut Vec<File>) -> io::Result<File>,
}

impl System for Rival {
    fn open_lock(&self, path: &Path) -> io::Result<File> {
        let mut left = self.left.lock().unwrap();
        if *left == 0 {
            return Os.open_lock(path);
        }
        *left -= 1;
        (self.behaviour)(path, &mut self.held.lock().unwrap())
    }
}

#[test]
fn a_process_whose_new_directory_is_taken_for_a_dead_ones_makes_another() {
    fn lock(path: &Path, held: &mut Vec<File>) -> io::Result<File> {
        let lock = Os.open_lock(path)?;
        lock.try_lock()?;
        held.push(lock);
        Os.open_lock(path)
    }
    fn remove_before(path: &Path, _: &mut Vec<File>) -> io::Result<File> {
        fs::remove_dir(path.parent().unwrap())?;
        Os.open_lock(path)
    }
    fn remove_after(path: &Path, _: &mut Vec<File>) -> io::Result<File> {
        let opened = Os.open_lock(path)?;
        fs::remove_dir_all(path.parent().unwrap())?;
        Ok(opened)
    }
    for behaviour in [lock, remove_before, remove_after] {
        let dir = TempDir::new();
        let rival = Rival { left: Mutex::new(3), held: Mutex::default(), behaviour };
        let spool = Spool::open_in(&dir.options(), Arc::new(rival)).unwrap();
        spool.leave(0, b"event");
        assert_eq!(spool.drain(), [b"event"]);
        let always = Rival { left: Mutex::new(u32::MAX), held: Mutex::default(), behaviour };
        assert!(Spool::open_in(&dir.options(), Arc::new(always)).is_err(), "not for ever");
    }
}
