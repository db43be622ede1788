//! One set-up in this process: sends it requests and counts what each takes from the thread it runs on.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use allocation_counter::measure;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use tower::ServiceExt;

use super::setup::SetUp;

/// Requests that are not counted: they make what is made once.
const WARM_UP: u32 = 100;
/// Requests that are. All failures together fit into the library's queue, so that none is turned away although
/// nothing is delivered.
pub(crate) const REQUESTS: u32 = 1_000;
/// The name of the function that callgrind counts.
pub(crate) const COUNTED: &str = "counted_poll";

/// Runs the set-up and prints its allocations and their bytes.
#[expect(clippy::print_stdout, reason = "the parent reads it there")]
pub(crate) fn run(set_up: SetUp) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let _reporting = set_up.around.start()?;
    let router = set_up.router();
    let mut taken = Taken::default();
    runtime.block_on(async {
        for _ in 0..WARM_UP {
            serve(&router, set_up.request()?).await;
        }
        for _ in 0..REQUESTS {
            let status = counted(serve(&router, set_up.request()?), &mut taken).await;
            if status != set_up.handler.status() {
                return Err(format!("the answer is {status}").into());
            }
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    if faultwire::stats().dropped.total() > 0 {
        return Err("records were turned away: their cost is not that of a failure".into());
    }
    println!("{} {}", taken.allocations, taken.bytes);
    Ok(())
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
async fn counted(request: impl Future<Output = StatusCode>, taken: &mut Taken) -> StatusCode {
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
fn counted_poll(
    request: Pin<&mut dyn Future<Output = StatusCode>>,
    cx: &mut Context<'_>,
) -> Poll<StatusCode> {
    black_box(request.poll(cx))
}
