//! A server that counts POSTs and answers each after a pause.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    answered: AtomicUsize,
}

impl Server {
    pub(crate) fn start(pause: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let server = Self { address: listener.local_addr()?, seen: Arc::default() };
        let seen = Arc::clone(&server.seen);
        // They end with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || serve(&stream, pause, &seen));
            }
        });
        Ok(server)
    }

    pub(crate) fn dsn(&self) -> String {
        format!("http://f1e2d3c4b5a697887766554433221100@{}/1", self.address)
    }

    /// Requests that were answered.
    pub(crate) fn arrived(&self) -> usize {
        self.seen.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn wait_for_a_request(&self) {
        while self.seen.requests.load(Ordering::Relaxed) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn serve(mut stream: &TcpStream, pause: Duration, seen: &Seen) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            if line == "\r\n" {
                break;
            }
        }
        io::copy(&mut (&mut reader).take(length), &mut io::sink())?;
        seen.requests.fetch_add(1, Ordering::Relaxed);
        if !pause.is_zero() {
            thread::sleep(pause);
        }
        // Before the client knows it.
        seen.answered.fetch_add(1, Ordering::Relaxed);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")?;
    }
}
