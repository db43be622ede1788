//! What an event costs on the processing thread: building it, the gate (scrubbing and mending), and packing it.
//!
//! Run with `cargo bench --bench pipeline`. Two rows: an error by itself, and one in the handler of a request with
//! fourteen headers, a body of JSON, a user and breadcrumbs. There is no server, so that nothing else runs: an event is
//! built, passes the gate and is counted. The thread's time is what the system says that it was running; packing is
//! measured beside it, on what the event is as JSON. Without Linux there is no figure.

#![expect(clippy::print_stdout, reason = "the result is what this program is for")]
#![expect(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "a bench may fail loudly")]

use std::error::Error;
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post;
use faultwire::{Config, Guard, Report, ReportLayer, User, current};
use flate2::{Compress, Compression, FlushCompress};
use http::{Request, header};
use tower::ServiceExt;

#[path = "cost/incoming.rs"]
#[expect(dead_code, reason = "shared with another bench")]
mod incoming;

const EVENTS: usize = 1_000;
const ROUNDS: usize = 10;
/// In events a second of one core.
const BAR: f64 = 10_000.0;

fn main() -> Result<(), Box<dyn Error>> {
    let last = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&last);
    let guard = Config::new()
        .client_options(|options| {
            options.before_send(move |event| {
                if let Ok(mut seen) = seen.lock() {
                    seen.get_or_insert_with(|| event.clone());
                }
                Some(event)
            })
        })
        .init()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let router = Router::new().route("/orders/{id}", post(fails)).layer(ReportLayer::new()).with_state(());
    let row = |what, fail: &mut dyn FnMut(usize) -> Result<(), Box<dyn Error>>| {
        let built = processed(&guard, fail)?;
        // The first had a stack.
        drop(last.lock().map(|mut last| last.take()));
        fail(ROUNDS * EVENTS)?;
        finish(&guard);
        let event = last.lock().ok().and_then(|mut last| last.take()).ok_or("no event was built")?;
        let json = serde_json::to_vec(&event)?;
        let packed = packed(&json)?;
        let rate = 1.0 / (built + packed).as_secs_f64();
        let verdict = if rate < BAR { "FAIL" } else { "PASS" };
        println!("{what}, {} bytes: built and let through in {built:?}, packed in {packed:?}", json.len());
        println!("    {rate:.0} a second of one core  at least {BAR}: {verdict}");
        Ok::<_, Box<dyn Error>>(())
    };
    row("an error by itself", &mut |number| {
        Report::new(OrderError::new(number)).send();
        Ok(())
    })?;
    row("an error of a request", &mut |number| {
        let (mut parts, _) = incoming::post()?.into_parts();
        parts.extensions.insert(number);
        parts.headers.insert(header::CONTENT_LENGTH, BODY.len().into());
        runtime.block_on(router.clone().oneshot(Request::from_parts(parts, Body::from(BODY))))?;
        Ok(())
    })
}

/// The processing thread's time for one event, in the best of some rounds: the machine does other things, too.
fn processed(
    guard: &Guard,
    fail: &mut dyn FnMut(usize) -> Result<(), Box<dyn Error>>,
) -> Result<Duration, Box<dyn Error>> {
    let mut best = Duration::MAX;
    // The first starts the thread.
    fail(0)?;
    finish(guard);
    for round in 0..ROUNDS {
        let before = running("faultwire").ok_or("the time of a thread is not known here")?;
        for number in 0..EVENTS {
            fail(round * EVENTS + number)?;
            while waiting(guard) > 200 {
                std::thread::yield_now();
            }
        }
        finish(guard);
        let after = running("faultwire").ok_or("the time of a thread is not known here")?;
        best = best.min((after - before) / u32::try_from(EVENTS)?);
    }
    Ok(best)
}

fn finish(guard: &Guard) {
    while waiting(guard) > 0 {
        std::thread::yield_now();
    }
}

/// What was captured and did not pass the gate yet.
fn waiting(guard: &Guard) -> u64 {
    let stats = guard.stats();
    stats.captured - stats.logged
}

/// How long the thread of this name was running.
fn running(name: &str) -> Option<Duration> {
    let mut tasks = std::fs::read_dir("/proc/self/task").ok()?.flatten().map(|task| task.path());
    let is_it = |comm: String| comm.trim_end() == name;
    let task = tasks.find(|task| std::fs::read_to_string(task.join("comm")).is_ok_and(is_it))?;
    let times = std::fs::read_to_string(task.join("schedstat")).ok()?;
    times.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// The time of packing as `src/deliver/gzip.rs` does it: with a compressor that is kept.
fn packed(json: &[u8]) -> Result<Duration, Box<dyn Error>> {
    let mut deflate = Compress::new(Compression::fast(), false);
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..EVENTS {
            deflate.reset();
            let mut packed = Vec::with_capacity(json.len());
            deflate.compress_vec(json, &mut packed, FlushCompress::Finish)?;
            black_box((packed, crc32fast::hash(json)));
        }
        best = best.min(start.elapsed() / u32::try_from(EVENTS)?);
    }
    Ok(best)
}

const BODY: &str = r#"{"order":42,"customer":{"reference":7,"segment":"returning","password":"hunter2"},
"items":[{"sku":"SKU-00049","title":"Enamel mug, blue, 300 ml","quantity":2,"unitPrice":12.5}],
"delivery":{"carrier":"post","note":"leave it at the door, please","express":false}}"#;

async fn fails(request: Request<Body>) -> Result<String, Report> {
    let number = request.extensions().get::<usize>().copied().unwrap_or_default();
    let _: Bytes = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    let context = current();
    context.user(User::id("4711")).tag("region", "eu-central-1");
    context.breadcrumb("the cart was loaded").breadcrumb("GET https://stock.example.org/items/49: 200");
    context.breadcrumb("the order was stored");
    Err(OrderError::new(number))?
}

/// An issue of its own.
#[derive(Debug, thiserror::Error)]
#[error("order {order} could not be loaded")]
struct OrderError {
    order: String,
    source: std::io::Error,
}

impl OrderError {
    fn new(number: usize) -> Self {
        // Letters, since numbers are left out of what makes an issue.
        let letters =
            (0..6_u32).map(|digit| char::from(b"ghijklmnopqrstuvwxyz"[number / 20_usize.pow(digit) % 20]));
        Self { order: letters.collect(), source: std::io::Error::from(std::io::ErrorKind::TimedOut) }
    }
}
