//! One set-up in this process: sends it requests and counts what each takes from the thread it runs on.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use allocation_counter::measure;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use tower::ServiceExt;

use super::setup::{self, Around, FRAMES, Handler, SetUp};

/// The name of the function that callgrind counts.
pub(crate) const COUNTED: &str = "counted_poll";

/// How many requests are counted, and how many come before them. Those make what is made once, and leave the
/// library's queue, from which nothing is delivered, with room for the others.
pub(crate) fn requests(set_up: SetUp) -> (u32, u32) {
    match set_up {
        SetUp { handler: Handler::Starts, .. } => (1, 0),
        SetUp { around: Around::ReportingStacks | Around::PeerStacks, .. } => (50, 10),
        _ => (500, 520),
    }
}

/// Runs the set-up and prints its allocations, their bytes, the frames at a failure, and the microseconds that
/// the start took.
#[expect(clippy::print_stdout, reason = "the parent reads it there")]
pub(crate) fn run(set_up: SetUp) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut taken = Taken::default();
    let began = Instant::now();
    let starting = async { set_up.around.start() };
    if set_up.handler == Handler::Starts {
        let _reporting = runtime.block_on(counted(starting, &mut taken))?;
        println!("{} {} 0 {}", taken.allocations, taken.bytes, began.elapsed().as_micros());
        return Ok(());
    }
    let _reporting = runtime.block_on(starting)?;
    let router = set_up.router();
    runtime.block_on(async {
        let (counted_ones, others) = requests(set_up);
        for _ in 0..others {
            one(&router, set_up, set_up.request()?).await;
        }
        for _ in 0..counted_ones {
            let status = counted(one(&router, set_up, set_up.request()?), &mut taken).await;
            if status.is_server_error() != set_up.handler.fails() {
                return Err(format!("the answer is {status}").into());
            }
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    let stats = faultwire::stats();
    if stats.dropped.total() > 0 {
        return Err("records were turned away: their cost is not that of a failure".into());
    }
    if (stats.suppressed > 0) != (set_up.handler == Handler::Repeats) && stats.captured > 0 {
        return Err(format!("{} failures were counted and not sent", stats.suppressed).into());
    }
    println!("{} {} {} 0", taken.allocations, taken.bytes, FRAMES.load(Ordering::Relaxed));
    Ok(())
}

/// One request, or one job.
async fn one(router: &Router, set_up: SetUp, request: Request<Body>) -> StatusCode {
    match set_up.handler {
        Handler::RunsJob | Handler::RunsMonitoredJob => setup::job(set_up).await,
        _ => serve(router, request).await,
    }
}

/// One request from its arrival to the end of its response.
async fn serve(router: &Router, request: Request<Body>) -> StatusCode {
    let Ok(response) = router.clone().oneshot(request).await;
    response.status()
}

/// What requests took from the allocator.
#[derive(Default)]
struct Taken {
    allocations: u64,
    bytes: u64,
}

/// Counts the polls of a request and nothing between them.
async fn counted<T>(request: impl Future<Output = T>, taken: &mut Taken) -> T {
    let mut request = pin!(request);
    poll_fn(|cx| {
        let mut polled = Poll::Pending;
        let allocated = measure(|| polled = counted_poll(request.as_mut(), cx));
        taken.allocations = taken.allocations.saturating_add(allocated.count_total);
        taken.bytes = taken.bytes.saturating_add(allocated.bytes_total);
        polled
    })
    .await
}

/// What callgrind counts, from entering it to leaving it. So the poll may not become a jump out of it.
#[inline(never)]
fn counted_poll<T>(request: Pin<&mut dyn Future<Output = T>>, cx: &mut Context<'_>) -> Poll<T> {
    black_box(request.poll(cx))
}
