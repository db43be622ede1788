//! The listening socket and its threads: one that accepts, and one for each connection.

use std::io::BufReader;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::panic;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::answer::{Answer, Next};
use super::state::Shared;
use super::{http, intake};

pub(super) struct Listener {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Listener {
    pub(super) fn on_a_free_port(shared: &Arc<Shared>) -> Listener {
        let (socket, address) = bind_a_free_port();
        Listener::run(socket, address, shared)
    }

    pub(super) fn on(address: SocketAddr, shared: &Arc<Shared>) -> Listener {
        let socket = TcpListener::bind(address).expect("the port that was ours is free");
        Listener::run(socket, address, shared)
    }

    fn run(socket: TcpListener, address: SocketAddr, shared: &Arc<Shared>) -> Listener {
        shared.resume();
        let shared = Arc::clone(shared);
        Listener { address, accepting: spawn(move || accept(&socket, &shared)) }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns when every thread has ended and the port refuses connections.
    pub(super) fn stop(self, shared: &Shared) {
        shared.stop();
        // Wakes the thread that blocks in `accept`.
        drop(TcpStream::connect(self.address));
        join(self.accepting);
    }
}

/// A free port below the range from which the kernel picks ports for others, and never the same twice in a process:
/// nobody is given it while its server is stopped.
pub(super) fn bind_a_free_port() -> (TcpListener, SocketAddr) {
    const PORTS: std::ops::Range<u16> = 10_000..32_768;
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let spread = process::id().wrapping_mul(101);
    for _ in PORTS {
        let offset = spread.wrapping_add(u32::from(TAKEN.fetch_add(1, Ordering::Relaxed)));
        let port = PORTS.start + (offset % PORTS.len() as u32) as u16;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if let Ok(listener) = TcpListener::bind(address) {
            return (listener, address);
        }
    }
    panic!("no free port for a fake server");
}

fn accept(socket: &TcpListener, shared: &Arc<Shared>) {
    let mut connections = Vec::<JoinHandle<()>>::new();
    for stream in socket.incoming() {
        // A client that left before it was accepted.
        let Ok(stream) = stream else { continue };
        let Some(number) = shared.open(&stream) else { break };
        let shared = Arc::clone(shared);
        connections.retain(|thread| !thread.is_finished());
        connections.push(spawn(move || {
            serve(&stream, number, &shared);
            shared.close(number);
        }));
    }
    connections.into_iter().for_each(join);
}

/// Serves one connection, until either side closes it.
fn serve(stream: &TcpStream, connection: usize, shared: &Shared) {
    let mut reader = BufReader::new(stream);
    loop {
        // Looks without reading: the next answer may be to read nothing at all.
        let more = !reader.buffer().is_empty() || stream.peek(&mut [0]).is_ok_and(|available| available > 0);
        if !more {
            return;
        }
        let arrived = Instant::now();
        let answer = shared.next_answer();
        let request = match answer {
            Answer::HangBeforeRead => return shared.until_stopped(),
            Answer::Reset => http::read_head_only(stream),
            _ => http::read(&mut reader),
        };
        let Ok(request) = request else { return };
        let verdict = intake::judge(&request);
        shared.update(|state| {
            if request.method == "POST" {
                state.requests.push(verdict.seen(&request, arrived, connection));
            }
            if answer != Answer::Reset {
                state.violations.extend(verdict.violations.iter().cloned());
            }
            if answer.accepts() && verdict.status == 200 {
                state.events.extend(verdict.event.clone());
            }
        });
        match answer.give(stream, &request, &verdict, shared) {
            Ok(Next::Request) => {}
            Ok(Next::Close) | Err(_) => return,
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().name("fake server".to_owned()).spawn(work).expect("a thread")
}

/// A panic in a thread of the server is a panic of the test, unless that one panics already.
fn join(thread: JoinHandle<()>) {
    if let Err(cause) = thread.join()
        && !thread::panicking()
    {
        panic::resume_unwind(cause);
    }
}
