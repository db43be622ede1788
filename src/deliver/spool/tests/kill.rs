//! `kill -9`, again and again: what `put` has returned is there afterwards, byte for byte, until it is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::thread;
use std::time::Instant;

use super::*;

const KILLS: u64 = 100;
/// Envelopes pile up over so many deaths before somebody looks: the processes between adopt from each other.
const TOGETHER: u64 = 5;

/// What a process said about an envelope before it died.
#[derive(Clone, Copy, PartialEq)]
enum Said {
    Stored,
    Removing,
    Removed,
}

#[test]
fn a_hundred_kills_lose_nothing_that_was_stored() {
    if let Some(task) = child::task() {
        return put_until_killed(&task);
    }
    let dir = TempDir::new();
    let (mut said, mut times) = (BTreeMap::new(), Vec::new());
    let (mut stored, mut adopted, mut unfinished) = (0, 0, 0);
    for round in 1..=KILLS {
        run_and_kill(&dir, round, &mut said, &mut times);
        if round % TOGETHER == 0 {
            let spool = dir.open();
            let found = spool.drain();
            stored += said.len();
            check(&std::mem::take(&mut said), found);
            assert_eq!(spool.counts().quarantined, 0, "death tears nothing");
            adopted += spool.counts().adopted;
            unfinished += spool.counts().unfinished;
        }
    }
    assert!(adopted > 0, "there was something to lose");
    times.sort_unstable();
    let percentile = |percent: usize| times[(times.len() - 1) * percent / 100] / 1000;
    let _ = writeln!(
        io::stderr(),
        "\n{KILLS} kills, {stored} envelopes of 4 KiB stored, {adopted} left and found, {unfinished} being \
         written; put: p50 {} µs, p99 {} µs",
        percentile(50),
        percentile(99),
    );
}

/// What is there is what was stored and not removed. What a process was at when it died may be there or not.
#[track_caller]
fn check(said: &BTreeMap<u64, Said>, found: Vec<Vec<u8>>) {
    let number = found.len();
    let found: BTreeSet<u64> = found.iter().map(|envelope| number_of(envelope)).collect();
    assert_eq!(found.len(), number, "nothing is there twice");
    for (id, said) in said {
        match said {
            Said::Stored => assert!(found.contains(id), "{id:x} is lost"),
            Said::Removed => assert!(!found.contains(id), "{id:x} came back"),
            Said::Removing => {}
        }
    }
}

fn run_and_kill(dir: &TempDir, round: u64, said: &mut BTreeMap<u64, Said>, times: &mut Vec<u64>) {
    let task = format!("{round} {}", dir.0.display());
    let test = "a_hundred_kills_lose_nothing_that_was_stored";
    let mut child = child::command(module_path!(), test, &task).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut until_kill = Some(1 + RandomState::new().hash_one(round) % 300);
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        let words: Vec<&str> = line.strip_suffix('\n').unwrap_or_default().split(' ').collect();
        let id = |id: &str| u64::from_str_radix(id, 16).unwrap();
        match words[..] {
            // Another thread may have taken it from the backlog before this one could say so.
            ["stored", of, time] => {
                said.entry(id(of)).or_insert(Said::Stored);
                times.push(time.parse().unwrap());
            }
            ["removing", of] => drop(said.insert(id(of), Said::Removing)),
            ["removed", of] => drop(said.insert(id(of), Said::Removed)),
            _ => {} // the harness', or cut off
        }
        line.clear();
        until_kill = until_kill.and_then(|lines| lines.checked_sub(1));
        if until_kill == Some(0) {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success(), "it was killed");
}

/// Three threads store; of each four envelopes one is held, one is removed, two wait, and one that waits is removed.
fn put_until_killed(task: &str) {
    let (round, dir) = task.split_once(' ').unwrap();
    let round: u64 = round.parse().unwrap();
    let spool = Spool::open(&Options::new(dir, DESTINATION)).unwrap();
    spool.adopt();
    let put = |thread: u64| {
        let mut held = Vec::new();
        for number in 0.. {
            let id = round << 32 | thread << 24 | number;
            let envelope = envelope(id);
            let started = Instant::now();
            let entry = spool.put(u8::try_from(number % 3).unwrap(), &envelope).unwrap();
            say(&format!("stored {id:x} {}\n", started.elapsed().as_nanos()));
            match number % 4 {
                0 => held.push(entry),
                1 => remove(id, entry),
                2 => drop(entry),
                _ => {
                    drop(entry);
                    if let Some((entry, envelope)) = spool.next_backlog() {
                        remove(number_of(&envelope), entry);
                    }
                }
            }
        }
    };
    thread::scope(|scope| (0..3).for_each(|thread| drop(scope.spawn(move || put(thread)))));
}

fn remove(id: u64, entry: Entry) {
    say(&format!("removing {id:x}\n"));
    entry.remove();
    say(&format!("removed {id:x}\n"));
}

fn say(line: &str) {
    io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

/// 4 KiB that are like those of no other id.
fn envelope(id: u64) -> Vec<u8> {
    (0..512_u64).flat_map(|word| (id ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes()).collect()
}

#[track_caller]
fn number_of(found: &[u8]) -> u64 {
    let id = u64::from_le_bytes(*found.first_chunk().unwrap());
    assert_eq!(found, envelope(id), "every byte is the same");
    id
}
