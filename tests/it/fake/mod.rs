//! A fake error server on the loopback interface: it answers as it is told, records what it receives, and
//! notices what GlitchTip, Sentry or Bugsink would have dropped, changed or choked on.
//!
//! The real servers answer 200 to events that they then throw away, so a 200 proves nothing. This one keeps a list of
//! violations instead, and a test whose server still holds one when it is dropped fails.
#![expect(clippy::panic, clippy::expect_used, reason = "a test may fail loudly, its helpers too")]
#![expect(clippy::arithmetic_side_effects, reason = "sizes and times of tests are small")]
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON value reads as null")]

mod answer;
mod envelope;
mod http;
mod intake;
mod listener;
mod rules;
mod selftest;
mod state;
mod time;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use serde_json::Value;

pub(crate) use answer::Answer;
use listener::Listener;
pub(crate) use state::RequestSeen;
use state::{Shared, State};

/// The public key of every fake project; a real server refuses keys that are not UUIDs.
pub(crate) const KEY: &str = "f1e2d3c4b5a697887766554433221100";

pub(crate) struct FakeServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// `None` while the server is stopped.
    listener: Option<Listener>,
}

impl FakeServer {
    /// A listening server that answers [`Answer::Ok`].
    pub(crate) fn start() -> FakeServer {
        let shared = Arc::new(Shared::default());
        let listener = Listener::on_a_free_port(&shared);
        FakeServer { address: listener.address(), shared, listener: Some(listener) }
    }

    pub(crate) fn dsn(&self) -> String {
        dsn(self.address)
    }

    /// A DSN whose port refuses connections, for as long as the process lives.
    pub(crate) fn refused_dsn() -> String {
        dsn(listener::bind_a_free_port().1)
    }

    /// What every request is answered from now on.
    pub(crate) fn answer(&self, answer: Answer) {
        self.shared.lock().standing = answer;
    }

    /// What the next requests are answered, one each; after them the standing answer counts again.
    pub(crate) fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.lock().next.extend(answers);
    }

    /// Every POST so far, in order of arrival, whatever was answered.
    ///
    /// [`Answer::HangBeforeRead`] never sees the request, and [`Answer::Reset`] only its head.
    pub(crate) fn requests(&self) -> Vec<RequestSeen> {
        self.shared.lock().requests.clone()
    }

    /// The payload of every `event` item that was answered 200, in order, repetitions included.
    ///
    /// As on a real server the event is there before the answer, and stays even if the answer breaks off.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.shared.lock().events.clone()
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Waits for at least `n` events.
    ///
    /// # Panics
    /// After 10 s, naming what did arrive.
    #[track_caller]
    pub(crate) fn wait_events(&self, n: usize) -> Vec<Value> {
        self.wait(&format!("{n} events"), |state| (state.events.len() >= n).then(|| state.events.clone()))
    }

    /// Waits for at least `n` requests; panics as [`FakeServer::wait_events`] does.
    #[track_caller]
    pub(crate) fn wait_requests(&self, n: usize) -> Vec<RequestSeen> {
        self.wait(&format!("{n} requests"), |state| {
            (state.requests.len() >= n).then(|| state.requests.clone())
        })
    }

    /// Waits for at least `n` accepted connections; panics as [`FakeServer::wait_events`] does.
    #[track_caller]
    pub(crate) fn wait_connections(&self, n: usize) {
        self.wait(&format!("{n} connections"), |state| (state.connections >= n).then_some(()));
    }

    /// Waits for `n` events and requires that there are no more; flush the client before, so that none is under way.
    #[track_caller]
    pub(crate) fn expect_only(&self, n: usize) -> Vec<Value> {
        let events = self.wait_events(n);
        assert!(events.len() == n, "expected {n} events, but there are {}", state::titles(&events));
        events
    }

    /// The rules broken so far.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.shared.lock().violations.clone()
    }

    /// Takes the violations away, for a test that provokes one on purpose.
    pub(crate) fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().violations)
    }

    /// Closes every connection and refuses new ones, until [`FakeServer::restart`].
    pub(crate) fn stop(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.stop(&self.shared);
        }
    }

    /// Listens again, on the same port.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.listener = Some(Listener::on(self.address, &self.shared));
    }

    #[track_caller]
    fn wait<T>(&self, what: &str, ready: impl FnMut(&State) -> Option<T>) -> T {
        match self.shared.wait(ready) {
            Ok(found) => found,
            Err(arrived) => panic!("waited for {what}, but there are {arrived}"),
        }
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.stop();
        let violations = self.take_violations();
        if !violations.is_empty() && !thread::panicking() {
            panic!(
                "a real server would not have kept what the fake server got:\n- {}",
                violations.join("\n- ")
            );
        }
    }
}

fn dsn(address: SocketAddr) -> String {
    format!("http://{KEY}@{address}/1")
}
