//! How many errors arrive, and how fast, beside the SDK's default transport, in one run.
//!
//! Run with `cargo bench --bench delivery`. It prints what it measured and decides nothing: these are times, of this
//! machine and of whatever else runs on it. Servers and clients share the machine over the loopback interface.
//!
//! The peer is the SDK as it comes, with its transport over `ureq`; the one over `reqwest` works the same way (one
//! thread, one request at a time, 30 envelopes). Every error is an issue of its own.

#![expect(clippy::print_stdout, reason = "the result is what this program is for")]
#![expect(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "a bench may fail loudly")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use faultwire::ReportLayer;
use tower::ServiceExt;

#[path = "delivery/clients.rs"]
mod clients;
#[path = "delivery/server.rs"]
mod server;

use self::clients::Client;
use self::server::Server;

/// Nobody waits for longer than this for what may never come.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:58} {:>10} {:>16}", "", "faultwire", "the SDK's own");
    let at_once = Duration::ZERO;
    row("20 000 in a burst, the server answers at once: arrived", at_once, |run| {
        run.burst(20_000).arrived()
    })?;
    row("2 000 a second for 5 s, at once: arrived of 10 000", at_once, |run| run.paced(2_000, 5).arrived())?;
    row("the same as fast as it is delivered: events a second", at_once, |run| run.rate(10_000))?;
    row("the same, each on disk before it is sent", at_once, |run| run.spooling()?.rate(10_000))?;
    let slow = Duration::from_millis(50);
    row("300 a second for 5 s, 50 ms an answer: arrived of 1 500", slow, |run| run.paced(300, 5).arrived())?;
    row("the same: events a second", slow, |run| run.rate(500))?;
    let hanging = Duration::from_secs(5);
    row("the server hangs for 5 s: the end with 1 event, in ms", hanging, |run| run.end(1))?;
    row("the server hangs for 5 s: the end with 10 000, in ms", hanging, |run| run.end(10_000))?;
    // The panics are counted, not shown.
    std::panic::set_hook(Box::new(|_| {}));
    row("the same: the slowest of 1 000 panics answered, in us", hanging, |run| run.panics(1_000))?;
    Ok(())
}

/// Measures one thing for both clients, each with a server of its own that takes `pause` for an answer.
fn row(
    what: &str,
    pause: Duration,
    measure: impl Fn(&mut Run) -> Option<u128>,
) -> Result<(), Box<dyn Error>> {
    let mut figures = Vec::new();
    for start in [Client::faultwire, Client::sdk] {
        let server = Server::start(pause)?;
        let mut run = Run { client: Some(start(&server)?), server, captured: 0 };
        figures.push(measure(&mut run).map_or_else(|| "-".to_owned(), |figure| figure.to_string()));
    }
    println!("{what:58} {:>10} {:>16}", figures[0], figures[1]);
    Ok(())
}

struct Run {
    client: Option<Client>,
    server: Server,
    captured: usize,
}

impl Run {
    fn capture(&mut self) {
        if let Some(client) = &self.client {
            client.capture(self.captured);
            self.captured += 1;
        }
    }

    /// The same with a spool, in the directory of the build. `None` for a client that has none.
    fn spooling(&mut self) -> Option<&mut Self> {
        let Some(Client::Faultwire(_)) = self.client.take() else { return None };
        self.client = Client::spooling(&self.server, Path::new(env!("CARGO_TARGET_TMPDIR"))).ok();
        Some(self)
    }

    fn burst(&mut self, n: usize) -> &mut Self {
        (0..n).for_each(|_| self.capture());
        self
    }

    fn paced(&mut self, per_second: u32, seconds: u32) -> &mut Self {
        let begin = Instant::now();
        for n in 0..per_second * seconds {
            let due = begin + Duration::from_secs(1) * n / per_second;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.capture();
        }
        self
    }

    /// How many arrive in the end.
    fn arrived(&mut self) -> Option<u128> {
        if let Some(client) = self.client.take() {
            client.flush(PATIENCE);
        }
        Some(self.server.arrived() as u128)
    }

    /// How many arrive a second, when so many wait at most that none is turned away. `None` for a client that does
    /// not tell what waits.
    fn rate(&mut self, n: usize) -> Option<u128> {
        self.client.as_ref()?.waiting()?;
        let begin = Instant::now();
        while self.captured < n {
            if self.client.as_ref()?.waiting()? < 1_000 {
                self.capture();
            } else {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.client.as_ref()?.flush(PATIENCE);
        let arrived = self.server.arrived();
        (arrived == n).then(|| arrived as u128 * 1_000 / begin.elapsed().as_millis())
    }

    /// The slowest answer to a request whose handler panics. The SDK has none for it: it is not compared.
    fn panics(&self, n: usize) -> Option<u128> {
        let Client::Faultwire(_) = self.client.as_ref()? else { return None };
        // An index that is out of bounds.
        let app = Router::new().route("/", get(async || [0][std::hint::black_box(1)].to_string()));
        let app = app.layer(ReportLayer::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
        let answered = (0..n).map(|_| {
            let began = Instant::now();
            let response = runtime.block_on(app.clone().oneshot(Request::new(Body::empty())));
            response.is_ok_and(|response| response.status() == 500).then(|| began.elapsed().as_micros())
        });
        answered.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// How long the end takes when so many wait.
    fn end(&mut self, n: usize) -> Option<u128> {
        for _ in 0..n {
            // In the queues, not turned away before.
            while self.client.as_ref()?.unprocessed().is_some_and(|waiting| waiting > 1_000) {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.capture();
        }
        self.server.wait_for_a_request();
        let begin = Instant::now();
        drop(self.client.take());
        Some(begin.elapsed().as_millis())
    }
}
