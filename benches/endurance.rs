//! A million requests: whether what they take is given back.
//!
//! Run with `cargo bench --bench endurance`; it takes a minute or less, and ends with code 1 when a bar is missed. Half
//! of the requests say a user, a tag and a breadcrumb, a quarter something to the SDK's scope, a tenth is given up in the
//! middle, and a tenth leaves a task behind. First on one thread, where the allocator is asked what is left. Then on
//! four, where one in a thousand fails, too, and the system is asked how much of the process is in memory (on Linux).

#![expect(clippy::print_stdout, reason = "the result is what this program is for")]
#![expect(clippy::arithmetic_side_effects, reason = "a bench may fail loudly")]

use std::convert::Infallible;
use std::error::Error;
use std::ops::Range;
use std::pin::pin;
use std::process::ExitCode;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use faultwire::sentry;
use faultwire::{Config, Guard, Report, ReportLayer, User, current};
use http::{Request, StatusCode};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tower::{Service, ServiceExt};

const REQUESTS: usize = 1_000_000;
/// Before anything is counted: what is made once.
const FIRST: usize = 50_000;
const THREADS: usize = 4;
/// The caches of the allocators of as many threads move by that.
const MOST_RESIDENT: usize = 2 * 1024 * 1024;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let guard = Config::new().init()?;
    let app = Router::new()
        .route("/orders/{n}", get(async |Path(n): Path<usize>| serve(n).await))
        .route("/failing/{n}", get(async |Path(n): Path<usize>| fail(n).await))
        .layer(ReportLayer::new());

    let runtime = Builder::new_current_thread().build()?;
    runtime.block_on(run(app.clone(), "orders", 0..FIRST));
    let began = Instant::now();
    let taken = measure(|| runtime.block_on(run(app.clone(), "orders", 0..REQUESTS)));
    println!(
        "one thread: {REQUESTS} requests in {:.1?}, {} allocations, {} of them left with {} bytes",
        began.elapsed(),
        taken.count_total,
        taken.count_current,
        taken.bytes_current
    );
    let mut holds = (taken.count_current, taken.bytes_current) == (0, 0);

    let runtime = Builder::new_multi_thread().worker_threads(THREADS).build()?;
    on_all(&runtime, &app, FIRST);
    settle(&guard);
    let (began, before) = (Instant::now(), resident());
    on_all(&runtime, &app, REQUESTS);
    settle(&guard);
    let grown = resident().saturating_sub(before);
    println!("four threads: {REQUESTS} requests in {:.1?}, {grown} bytes more in memory", began.elapsed());
    holds &= grown <= MOST_RESIDENT;

    let stats = guard.stats();
    let verdict = if holds { "PASS" } else { "FAIL" };
    println!("{} failed, {} were given up", stats.captured, stats.cancelled);
    println!("at most nothing is left, and {MOST_RESIDENT} bytes more in memory: {verdict}");
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn on_all(runtime: &Runtime, app: &Router, requests: usize) {
    let each = requests / THREADS;
    let part = |thread: usize| runtime.spawn(run(app.clone(), "failing", thread * each..(thread + 1) * each));
    let parts: Vec<_> = (0..THREADS).map(part).collect();
    for part in parts {
        drop(runtime.block_on(part));
    }
}

async fn run(app: Router, path: &str, numbers: Range<usize>) {
    for n in numbers {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = format!("/{path}/{n}").parse().unwrap_or_default();
        if n.is_multiple_of(10) {
            give_up(app.clone(), request);
        } else {
            let Ok::<Response, Infallible>(_) = app.clone().oneshot(request).await;
        }
        if n.is_multiple_of(64) {
            // Lets the tasks run that requests left behind.
            yield_now().await;
        }
    }
}

/// Until our thread has dealt with what failed.
fn settle(guard: &Guard) {
    let _all = guard.flush(Duration::from_secs(60));
}

/// Begins the request, and drops it.
fn give_up(mut app: Router, request: Request<Body>) {
    let running = pin!(app.call(request));
    let _is_pending = running.poll(&mut Context::from_waker(Waker::noop()));
}

async fn serve(n: usize) {
    if n.is_multiple_of(2) {
        current().user(User::id(n)).tag("plan", "pro").breadcrumb("signed in");
    }
    if n % 4 == 1 {
        sentry::configure_scope(|scope| scope.set_tag("shop", "berlin"));
    }
    if n % 10 == 1 {
        drop(faultwire::spawn(async {
            yield_now().await;
            current().tag("task", "done");
        }));
    }
    yield_now().await;
}

async fn fail(n: usize) -> Result<StatusCode, Report> {
    serve(n).await;
    if n % 1_000 == 7 { Err(Report::new("no stock")) } else { Ok(StatusCode::OK) }
}

/// The memory of this process that is resident, in bytes; 0 where nobody says.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4096
}
