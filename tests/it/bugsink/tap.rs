//! A proxy that hands every byte on and remembers it: what was really sent, and what was really answered.
#![expect(clippy::arithmetic_side_effects, reason = "the counts of a test are small")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::Value;

/// How long a test waits for what should happen at once; the server is a real one, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Tap {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

/// One request with its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The type of the envelope's one item.
    pub(super) kind: String,
    pub(super) event_id: String,
    /// The item as it was in the gzipped body.
    pub(super) payload: Value,
    pub(super) status: u16,
    /// The head of the answer, in lower case.
    pub(super) answer: String,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    connections: Vec<Connection>,
    /// So many answers are still to be withheld.
    cut: usize,
    dropped: bool,
}

/// What becomes of a part of an answer.
enum Fate {
    HandedOn,
    Withheld,
    /// It was the last part of an answer that is withheld.
    Cut,
}

#[derive(Default)]
struct Connection {
    sent: Vec<u8>,
    answered: Vec<u8>,
}

impl Tap {
    /// Between the client and this server.
    pub(super) fn before(server: SocketAddr) -> Tap {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let tap = Tap { address: listener.local_addr().unwrap(), shared: Arc::default() };
        let shared = Arc::clone(&tap.shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.lock().dropped {
                    break;
                }
                relay(client.unwrap(), TcpStream::connect(server).unwrap(), &shared);
            }
        });
        tap
    }

    /// The next answers never reach the client: its connections are closed instead, after the server is done.
    pub(super) fn cut_answers(&self, n: usize) {
        self.shared.lock().cut = n;
    }

    /// Waits for so many answers.
    #[track_caller]
    pub(super) fn wait_answers(&self, n: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.lock();
        while state.answers() < n {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for {n} answers, but there are {:#?}", state.exchanges());
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Every request that was answered, connection by connection.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.shared.lock().exchanges()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.lock().dropped = true;
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a part of an answer.
    fn answer(&self, connection: usize, bytes: &[u8]) -> Fate {
        let mut state = self.lock();
        let earlier = state.answers();
        state.connections[connection].answered.extend(bytes);
        let complete = state.answers() > earlier;
        self.changed.notify_all();
        match state.cut {
            0 => Fate::HandedOn,
            _ if !complete => Fate::Withheld,
            _ => {
                state.cut -= 1;
                Fate::Cut
            }
        }
    }
}

impl State {
    fn answers(&self) -> usize {
        self.connections.iter().map(|connection| messages(&connection.answered).len()).sum()
    }

    fn exchanges(&self) -> Vec<Exchange> {
        let pairs = self.connections.iter().flat_map(|connection| {
            messages(&connection.sent).into_iter().zip(messages(&connection.answered))
        });
        pairs.map(|((_, sent), (answer, _))| exchange(sent, answer)).collect()
    }
}

fn relay(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let connection = {
        let mut state = shared.lock();
        state.connections.push(Connection::default());
        state.connections.len() - 1
    };
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
    let requests = Arc::clone(shared);
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(n @ 1..) = from_client.read(&mut buffer) {
            requests.lock().connections[connection].sent.extend(&buffer[..n]);
            if to_server.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        // Errors: the connection is gone already, which is as good.
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let answers = Arc::clone(shared);
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(n @ 1..) = from_server.read(&mut buffer) {
            match answers.answer(connection, &buffer[..n]) {
                Fate::HandedOn if to_client.write_all(&buffer[..n]).is_ok() => {}
                Fate::Withheld => {}
                _ => break,
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = from_server.shutdown(Shutdown::Both);
    });
}

/// The complete messages of one direction: head and body. Both sides always send a length.
fn messages(mut bytes: &[u8]) -> Vec<(&str, &[u8])> {
    const END: &[u8] = b"\r\n\r\n";
    let mut messages = Vec::new();
    while let Some(end) = bytes.windows(END.len()).position(|window| window == END) {
        let (head, rest) = bytes.split_at(end + END.len());
        let head = std::str::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
        });
        let Some((body, rest)) = rest.split_at_checked(length.unwrap_or(0)) else { break };
        messages.push((head, body));
        bytes = rest;
    }
    messages
}

fn exchange(sent: &[u8], answer: &str) -> Exchange {
    let mut envelope = String::new();
    GzDecoder::new(sent).read_to_string(&mut envelope).unwrap();
    let mut lines = envelope.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let [header, item, payload] = std::array::from_fn(|_| lines.next().expect("an envelope with one item"));
    assert_eq!(lines.next(), None, "an envelope with one item");
    Exchange {
        kind: item["type"].as_str().unwrap().to_owned(),
        event_id: header["event_id"].as_str().unwrap_or_default().to_owned(),
        payload,
        status: answer.split(' ').nth(1).unwrap().parse().unwrap(),
        answer: answer.to_ascii_lowercase(),
    }
}
