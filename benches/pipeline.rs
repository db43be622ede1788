//! What an event costs on the processing thread: building it, the gate (scrubbing and mending), and packing it.
//!
//! Run with `cargo bench --bench pipeline`. A request fails in its handler each time, with twelve headers, a body of
//! JSON, a user and breadcrumbs; events are kept on disk, so that the thread packs them, too. Its time is what the
//! system says that it was running, so other threads and programs do not count. Without Linux there is no figure.

#![expect(clippy::print_stdout, reason = "the result is what this program is for")]
#![expect(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "a bench may fail loudly")]

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post;
use faultwire::{Config, Guard, Report, ReportLayer, User, current};
use http::{Request, header};
use tower::ServiceExt;

#[path = "cost/incoming.rs"]
#[expect(dead_code, reason = "shared with another bench")]
mod incoming;
#[path = "delivery/server.rs"]
#[expect(dead_code, reason = "shared with another bench")]
mod server;

const WARM_UP: u32 = 500;
const EVENTS: u32 = 10_000;
/// The issue's bar, in events a second of the thread's time.
const BAR: f64 = 10_000.0;

fn main() -> Result<(), Box<dyn Error>> {
    let server = server::Server::start(Duration::ZERO)?;
    let spool = std::env::temp_dir().join(format!("faultwire-pipeline-{}", std::process::id()));
    let guard = Config::new().dsn(server.dsn()).spool_dir(&spool).spool_sync(false).init()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let router = Router::new().route("/orders/{id}", post(fails)).layer(ReportLayer::new()).with_state(());
    let mut sent = 0_usize;
    let mut send = |count: u32| -> Result<(), Box<dyn Error>> {
        for _ in 0..count {
            let (mut parts, _) = incoming::post()?.into_parts();
            parts.extensions.insert(sent);
            parts.headers.insert(header::CONTENT_LENGTH, BODY.len().into());
            runtime.block_on(router.clone().oneshot(Request::from_parts(parts, Body::from(BODY))))?;
            sent += 1;
            while waiting(&guard) > 200 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        if guard.flush(Duration::from_secs(60)) { Ok(()) } else { Err("not all of them arrived".into()) }
    };
    send(WARM_UP)?;
    let before = running("faultwire");
    send(EVENTS)?;
    let Some((before, after)) = before.zip(running("faultwire")) else {
        println!("the time of a thread is not known here");
        return Ok(());
    };
    let [own, system] = [0, 1].map(|kind| (after[kind] - before[kind]) / EVENTS);
    let rate = 1.0 / own.as_secs_f64();
    let verdict = if rate < BAR { "FAIL" } else { "PASS" };
    println!("an event on the processing thread: {own:?}, {rate:.0} a second  at least {BAR}: {verdict}");
    println!("beside it, in the system, most of it for files of the spool: {system:?}");
    println!("{} captured, {} arrived", guard.stats().captured, server.arrived());
    drop(guard);
    Ok(std::fs::remove_dir_all(spool)?)
}

fn waiting(guard: &Guard) -> u64 {
    let stats = guard.stats();
    stats.captured - stats.sent - stats.dropped.total()
}

/// How long the thread of this name was running: itself, and in the system for it.
fn running(name: &str) -> Option<[Duration; 2]> {
    // The unit of these times on every Linux.
    let ticks = |ticks: &str| ticks.parse().ok().map(|ticks: u64| Duration::from_millis(ticks * 10));
    for task in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        if let Some((id, rest)) = stat.split_once(") ")
            && id.ends_with(&format!("({name}"))
        {
            let mut times = rest.split(' ').skip(11);
            return Some([ticks(times.next()?)?, ticks(times.next()?)?]);
        }
    }
    None
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
