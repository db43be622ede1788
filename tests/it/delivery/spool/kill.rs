//! `kill -9`, again and again, two processes at a time: what was counted as spooled arrives.
#![expect(clippy::print_stdout, reason = "what a child says, and figures, shown with --nocapture")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::thread;
use std::time::Instant;

use super::{Dir, child, spool};
use crate::delivery::{PATIENCE, eventually, fail, ids};
use crate::fake::{Answer, FakeServer};
use crate::support::turn;

/// Each kills two processes.
const ROUNDS: usize = 50;

#[test]
fn a_hundred_kills_lose_nothing_that_was_counted_as_spooled() {
    if let Some(task) = child::task() {
        return report_until_killed(&task);
    }
    let (_turn, dir, server) = (turn(), Dir::new(), FakeServer::start());
    let task = format!("{} {}", server.dsn(), dir.0.display());
    let test = "a_hundred_kills_lose_nothing_that_was_counted_as_spooled";
    let (mut spooled, mut times) = (BTreeSet::new(), Vec::new());
    for round in 0..ROUNDS {
        // A server that takes the event and whose answer never ends has it twice in the end.
        server.answer(match round % 3 {
            0 => Answer::Ok,
            1 => Answer::HangMidBody,
            _ => Answer::Status(503),
        });
        let spawn = || child::command(module_path!(), test, &task).spawn().unwrap();
        let both = [(spawn(), 5 + round), (spawn(), 60 - round)];
        let readers = both.map(|(child, lines)| thread::spawn(move || kill_after(child, lines)));
        for (id, time) in readers.into_iter().flat_map(|reader| reader.join().unwrap()) {
            spooled.insert(id);
            times.push(time);
        }
    }
    server.answer(Answer::Ok);
    let left = dir.envelopes().len();
    let guard = dir.config(&server.dsn()).backlog_rate(10_000).init().unwrap();
    eventually("the disk is empty", || spool(&guard).adopted > 0 && dir.envelopes().is_empty());

    let arrived = server.events();
    let mut copies = BTreeMap::<_, usize>::new();
    for event in &arrived {
        *copies.entry(event["event_id"].as_str().unwrap()).or_default() += 1;
    }
    let lost: Vec<_> = spooled.iter().filter(|id| !copies.contains_key(id.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), spooled.len());
    let (requests, twice) = (server.requests(), copies.values().filter(|copies| **copies > 1).count());
    assert!(twice > 0, "some were sent again, under the same id");
    times.sort_unstable();
    let percentile = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!(
        "{} kills: {} events counted as spooled, {left} left at the end, {} requests, {} events arrived, {twice} of \
         them more than once, 0 lost; capture to disk, under load: p50 {} µs, p99 {} µs",
        2 * ROUNDS,
        spooled.len(),
        ids(&requests).len(),
        copies.len(),
        percentile(50),
        percentile(99),
    );
    assert!(guard.flush(PATIENCE));
}

/// What the child said that is on disk, and after how many microseconds it was there.
fn kill_after(mut child: Child, lines: usize) -> Vec<(String, u64)> {
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let mut words = line.split(' ');
        if let (Some("spooled"), Some(id), Some(time)) = (words.next(), words.next(), words.next()) {
            said.push((id.to_owned(), time.parse().unwrap()));
        }
        if said.len() == lines {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success(), "it was killed");
    said
}

/// Says of each event when it is on disk, as fast as that goes.
fn report_until_killed(task: &str) {
    let (dsn, dir) = task.split_once(' ').unwrap();
    let guard = super::quiet().dsn(dsn).spool_dir(dir).init().unwrap();
    for n in 1.. {
        let started = Instant::now();
        let id = fail(format!("event {n}"));
        while spool(&guard).written < n {
            thread::yield_now();
        }
        println!("spooled {id} {}", started.elapsed().as_micros());
    }
}
