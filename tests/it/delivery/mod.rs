//! From a failure to a server that has it: nothing is lost quietly, and the application is never hurt.

mod destinations;
mod health;
mod hooks;
mod hygiene;
mod lanes;
mod limits;
#[cfg(feature = "metrics")]
mod metrics;
mod retries;
mod sdk;
mod shutdown;
mod spool;
mod wire;

use std::time::{Duration, Instant};

use faultwire::Report;

use crate::fake::RequestSeen;

/// Longer than anything takes that goes well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One failure outside of any request; its event's id.
fn fail(text: impl Into<String>) -> String {
    Report::new(text.into()).send().to_string()
}

/// Waits until `condition` holds, for what nothing can be waited on directly.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The ids that arrived, `None` where the server never read so far.
fn ids(requests: &[RequestSeen]) -> Vec<Option<&str>> {
    requests.iter().map(|request| request.event_id.as_deref()).collect()
}
