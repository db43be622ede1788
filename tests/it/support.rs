//! What the tests share: reporting to a fake server, one test at a time.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use faultwire::config::{StackTraces, Storm};
use faultwire::{Config, Guard};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::delivery::PATIENCE;
use crate::fake::FakeServer;

/// Reporting is global to the process, so tests that report take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A test's turn, until it is dropped.
pub(crate) struct Turn(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

pub(crate) fn turn() -> Turn {
    Turn(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Reporting that runs, and the server it reports to. Unless a test says otherwise every failure is sent, and
/// only panics bring a stack: reading this program's debug information takes a while.
pub(crate) struct Reporting {
    pub(crate) server: FakeServer,
    pub(crate) guard: Guard,
    _turn: Turn,
}

impl Reporting {
    pub(crate) fn start() -> Self {
        Self::with(|config| config)
    }

    pub(crate) fn with(change: impl FnOnce(Config) -> Config) -> Self {
        let turn = turn();
        let server = FakeServer::start();
        let config = Config::new().dsn(server.dsn()).environment("test").release("shop@1.2.3");
        let config = config.storm(Storm::Off).stack_traces(StackTraces::Off);
        let guard = change(config).init().unwrap();
        Self { server, guard, _turn: turn }
    }

    /// Exactly `n` events arrived, and nothing else is on its way; in the order in which they happened.
    #[track_caller]
    pub(crate) fn events(&self, n: usize) -> Vec<Value> {
        self.deliver_all();
        in_order(self.server.expect_only(n))
    }

    /// Everything that arrived, in the same order.
    #[track_caller]
    pub(crate) fn all_events(&self) -> Vec<Value> {
        self.deliver_all();
        in_order(self.server.wait_events(0))
    }

    #[track_caller]
    fn deliver_all(&self) {
        // A thousand events are many for an unoptimised build on a machine with other things to do.
        let delivered = self.guard.flush(PATIENCE.saturating_mul(6));
        assert!(delivered, "everything is delivered: {:?}", self.guard.stats());
    }

    /// The one event that arrived.
    #[track_caller]
    pub(crate) fn event(&self) -> Value {
        self.events(1).remove(0)
    }
}

fn in_order(mut events: Vec<Value>) -> Vec<Value> {
    events.sort_by(|a, b| a["timestamp"].as_f64().partial_cmp(&b["timestamp"].as_f64()).unwrap());
    events
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "shop.example.com").body(Body::empty()).unwrap()
}

/// The whole body as text; the error that ends it instead, if one does.
pub(crate) async fn text(response: Response<Body>) -> Result<String, axum::Error> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

/// The outermost exception of an event.
#[track_caller]
pub(crate) fn exception(event: &Value) -> &Value {
    event["exception"]["values"].as_array().and_then(|values| values.last()).expect("an exception")
}

/// The frames of the outermost exception, innermost last.
#[track_caller]
pub(crate) fn frames(event: &Value) -> &[Value] {
    exception(event)["stacktrace"]["frames"].as_array().expect("a stack")
}

pub(crate) fn event_id(response: &Response<Body>) -> String {
    response.headers()["x-event-id"].to_str().unwrap().to_owned()
}

/// An error that panics when it is printed.
#[derive(Debug)]
pub(crate) struct Unprintable;

impl fmt::Display for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("printed")
    }
}

impl Error for Unprintable {}
