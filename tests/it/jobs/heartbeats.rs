//! Heartbeats: one call after each run that succeeded, none after others, and nobody waits for it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faultwire::job;
use faultwire::job::Job;

use super::End::{Fails, Panics, Succeeds};
use super::{cancel, run};
use crate::support::Reporting;

/// A server that answers each request with the next of these statuses, then 200, and keeps the first lines.
struct Monitor {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Monitor {
    fn start(statuses: impl IntoIterator<Item = u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let kept = Arc::clone(&seen);
        let mut statuses = statuses.into_iter().collect::<Vec<_>>().into_iter();
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while reader.read_line(&mut head).unwrap() > 2 {}
                kept.lock().unwrap().push(head);
                let status = statuses.next().unwrap_or(200);
                let answer =
                    format!("HTTP/1.1 {status} Fake\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                (&stream).write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { address, seen }
    }

    fn url(&self) -> String {
        format!("http://{}/api/0/organizations/acme/heartbeat_check/s3cret-of-the-monitor/", self.address)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn beating(url: &str) -> Job {
    job("nightly").heartbeat(url.to_owned())
}

#[track_caller]
fn flushed(reporting: &Reporting) {
    assert!(reporting.guard.flush(Duration::from_secs(10)), "{:?}", reporting.guard.stats());
}

#[tokio::test]
async fn a_heartbeat_is_called_once_after_success_and_never_after_failure() {
    let (reporting, monitor) = (Reporting::start(), Monitor::start([]));
    drop(run(beating(&monitor.url()), Fails).await);
    drop(run(beating(&monitor.url()), Panics).await);
    cancel(beating(&monitor.url())).await;
    flushed(&reporting);
    assert!(monitor.seen().is_empty());
    for runs in 1..=2 {
        assert!(run(beating(&monitor.url()), Succeeds).await.is_ok());
        flushed(&reporting);
        assert_eq!(monitor.seen().len(), runs);
    }
    let head = &monitor.seen()[0];
    let path = "/api/0/organizations/acme/heartbeat_check/s3cret-of-the-monitor/";
    assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
    assert!(head.to_lowercase().contains("content-length: 0"), "uWSGI waits for a body otherwise: {head}");
    let jobs = reporting.guard.stats().jobs;
    assert_eq!((jobs.heartbeats, jobs.failed_heartbeats, jobs.dropped_heartbeats), (2, 0, 0));
    reporting.events(2);
}

#[tokio::test]
async fn one_that_fails_is_called_once_more_and_then_counted() {
    let (reporting, monitor) = (Reporting::start(), Monitor::start([503, 200, 500, 404]));
    for calls in [2, 4] {
        assert!(run(beating(&monitor.url()), Succeeds).await.is_ok());
        flushed(&reporting);
        assert_eq!(monitor.seen().len(), calls);
    }
    let jobs = reporting.guard.stats().jobs;
    assert_eq!((jobs.heartbeats, jobs.failed_heartbeats), (1, 1));
}

#[test]
fn nobody_waits_for_a_monitor_that_hangs() {
    let reporting = Reporting::start();
    // The system accepts connections to it, and nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let url = |monitor: u32| format!("http://ada:hunter2@{address}/s3cret/{monitor}?token=s3cret");
    for monitor in 0..300 {
        assert!(beating(&url(monitor)).run_blocking(|| Ok::<_, faultwire::Report>(())).is_ok());
    }
    let jobs = reporting.guard.stats().jobs;
    assert!(jobs.dropped_heartbeats >= 300 - 256 - 1, "bounded: {jobs:?}");
    assert!(!reporting.guard.flush(Duration::ZERO), "they are still waiting");
    let said = format!("{:?} {:?}", reporting.guard.stats(), beating(&url(0)));
    assert!(!said.contains("s3cret") && !said.contains("hunter2"), "{said}");
    reporting.guard.shutdown(Duration::ZERO);
    drop(listener);
}

/// The path that a monitor's next caller asks for, and the caller.
fn next_call(listener: &TcpListener) -> (String, TcpStream) {
    let (stream, _) = listener.accept().unwrap();
    let mut head = String::new();
    let mut reader = BufReader::new(&stream);
    while reader.read_line(&mut head).unwrap() > 2 {}
    (head.split(' ').nth(1).unwrap().to_owned(), stream)
}

#[test]
fn one_that_waits_already_takes_no_second_place_and_one_that_fails_lets_others_pass() {
    let reporting = Reporting::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let beats = |path: &str| {
        let job = beating(&format!("http://{address}{path}"));
        assert!(job.run_blocking(|| Ok::<_, faultwire::Report>(())).is_ok());
    };
    let answer = |mut stream: TcpStream, status: u16| {
        let answer = format!("HTTP/1.1 {status} Fake\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
    };
    beats("/broken");
    let (path, caller) = next_call(&listener);
    assert_eq!(path, "/broken");
    beats("/healthy");
    beats("/healthy");
    answer(caller, 503);
    for (expected, status) in [("/healthy", 200), ("/broken", 503)] {
        let (path, caller) = next_call(&listener);
        assert_eq!(path, expected, "what failed is behind the others");
        answer(caller, status);
    }
    flushed(&reporting);
    let jobs = reporting.guard.stats().jobs;
    assert_eq!((jobs.heartbeats, jobs.failed_heartbeats, jobs.merged_heartbeats), (1, 1, 1), "{jobs:?}");
}
