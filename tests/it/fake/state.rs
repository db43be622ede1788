//! What the server's threads and the test share: the answers to give, and everything seen so far.

use std::collections::{HashMap, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Answer;

/// How long a test waits for something that should happen at once, before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// One POST as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct RequestSeen {
    pub(crate) arrived: Instant,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// From the envelope's header.
    pub(crate) event_id: Option<String>,
    /// Decompressed; as it came if that was not possible.
    pub(crate) body: Vec<u8>,
    /// Which connection it came on, counted from 1.
    pub(crate) connection: usize,
}

impl RequestSeen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) standing: Answer,
    pub(super) next: VecDeque<Answer>,
    pub(super) requests: Vec<RequestSeen>,
    pub(super) events: Vec<Value>,
    pub(super) violations: Vec<String>,
    pub(super) connections: usize,
    open: HashMap<usize, TcpStream>,
    stopping: bool,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// The first `Some` that `ready` returns; after [`PATIENCE`] a description of what did arrive.
    pub(super) fn wait<T>(&self, mut ready: impl FnMut(&State) -> Option<T>) -> Result<T, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        loop {
            if let Some(found) = ready(&state) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(state.arrivals());
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn next_answer(&self) -> Answer {
        let mut state = self.lock();
        state.next.pop_front().unwrap_or_else(|| state.standing.clone())
    }

    /// Registers a new connection under its number, so that [`Shared::stop`] can close it; `None` once stopping.
    pub(super) fn open(&self, stream: &TcpStream) -> Option<usize> {
        let handle = stream.try_clone().expect("a second handle of the connection");
        let mut number = None;
        self.update(|state| {
            if !state.stopping {
                state.connections += 1;
                state.open.insert(state.connections, handle);
                number = Some(state.connections);
            }
        });
        number
    }

    pub(super) fn close(&self, connection: usize) {
        self.lock().open.remove(&connection);
    }

    /// Ends every connection and wakes every thread that waits in [`Shared::stopped_within`].
    pub(super) fn stop(&self) {
        self.update(|state| {
            state.stopping = true;
            for stream in state.open.values() {
                // Fails only if the peer is gone already, which is as good.
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }

    pub(super) fn resume(&self) {
        self.lock().stopping = false;
    }

    pub(super) fn until_stopped(&self) {
        let waiting = self.changed.wait_while(self.lock(), |state| !state.stopping);
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits this long, or until the server stops; true if it did.
    pub(super) fn stopped_within(&self, pause: Duration) -> bool {
        let waiting = self.changed.wait_timeout_while(self.lock(), pause, |state| !state.stopping);
        waiting.unwrap_or_else(PoisonError::into_inner).0.stopping
    }
}

impl State {
    fn arrivals(&self) -> String {
        format!(
            "{}; {} requests on {} connections; violations: {:?}",
            titles(&self.events),
            self.requests.len(),
            self.connections,
            self.violations
        )
    }
}

/// "2 events: [`Type: value`, ..]", for messages of failing tests.
pub(super) fn titles(events: &[Value]) -> String {
    format!("{} events: {:?}", events.len(), events.iter().map(title).collect::<Vec<_>>())
}

fn title(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match event["exception"]["values"].as_array().and_then(|values| values.last()) {
        Some(outermost) => format!("{}: {}", text(&outermost["type"]), text(&outermost["value"])),
        None => text(&event["logentry"]["formatted"]),
    }
}
