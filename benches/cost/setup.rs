//! The set-ups: which layers stand around a router, and what its handler does.

use std::fmt;
use std::hint::black_box;
use std::num::ParseIntError;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use faultwire::{Report, ReportLayer};
use http::{Request, StatusCode};

use super::incoming;
use super::layers::{self, EmptyLayer};

/// One of the things that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetUp {
    pub(crate) around: Around,
    pub(crate) handler: Handler,
}

/// What stands around the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    Nothing,
    /// A layer that does nothing: what axum takes for having one at all.
    EmptyLayer,
    /// `ReportLayer` without `init`.
    Disabled,
    /// `ReportLayer`, reporting.
    Reporting,
    /// The same, with no bodies captured.
    WithoutBodies,
    /// The layers of sentry-tower, with a client.
    Peer,
    /// The same without a DSN.
    DisabledPeer,
}

/// What the handler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    Answers,
    /// The same, but it is pending once before.
    YieldsAndAnswers,
    /// The same, but it reads the request's body before.
    ReadsAndAnswers,
    /// Answers 500 with a text.
    Answers500,
    /// Returns a [`Report`] of a chain of three errors.
    Reports,
    /// Captures such a chain with the SDK and answers 500.
    Captures,
}

/// The outermost of a chain of three errors.
#[derive(Debug, thiserror::Error)]
#[error("order {id} could not be loaded")]
struct OrderError {
    id: u64,
    source: StoreError,
}

#[derive(Debug, thiserror::Error)]
#[error("the quantity of the order is damaged")]
struct StoreError(#[source] ParseIntError);

impl SetUp {
    /// Every set-up, in the order of the tables.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        use Around::{Disabled, DisabledPeer, EmptyLayer, Nothing, Peer, Reporting, WithoutBodies};
        use Handler::{Answers, Answers500, Captures, ReadsAndAnswers, Reports, YieldsAndAnswers};

        let succeeding =
            [Nothing, EmptyLayer, Disabled, Reporting, Peer, DisabledPeer].map(|around| (around, Answers));
        let reading = [Nothing, EmptyLayer, Disabled, WithoutBodies, Reporting, Peer]
            .map(|around| (around, ReadsAndAnswers));
        let yielding = [Nothing, EmptyLayer, Reporting, Peer].map(|around| (around, YieldsAndAnswers));
        let failing =
            [(Nothing, Answers500), (Reporting, Reports), (Reporting, Answers500), (Peer, Captures)];
        succeeding
            .into_iter()
            .chain(reading)
            .chain(failing)
            .chain(yielding)
            .map(|(around, handler)| Self { around, handler })
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::all().find(|set_up| set_up.name() == name)
    }

    pub(crate) fn request(self) -> Result<Request<Body>, http::Error> {
        match self.handler {
            Handler::ReadsAndAnswers => incoming::post(),
            _ => incoming::get(),
        }
    }

    pub(crate) fn name(self) -> String {
        format!("{:?}-{:?}", self.around, self.handler)
    }

    pub(crate) fn router(self) -> Router {
        let handler = match self.handler {
            Handler::Answers => get(answers),
            Handler::YieldsAndAnswers => get(yields_and_answers),
            Handler::ReadsAndAnswers => post(reads_and_answers),
            Handler::Answers500 => get(answers_500),
            Handler::Reports => get(reports),
            Handler::Captures => get(captures),
        };
        let router = Router::new().route("/orders/{id}", handler);
        let router = match self.around {
            Around::Nothing => router,
            Around::EmptyLayer => router.layer(EmptyLayer),
            Around::Disabled | Around::Reporting | Around::WithoutBodies => router.layer(ReportLayer::new()),
            Around::Peer | Around::DisabledPeer => router.layer(layers::peer()),
        };
        // What `axum::serve` does first, so that the layers are put on once and not for every request.
        router.with_state(())
    }
}

impl fmt::Display for SetUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let around = match self.around {
            Around::Nothing => "bare router",
            Around::EmptyLayer => "a layer that does nothing",
            Around::Disabled => "ReportLayer, disabled",
            Around::Reporting => "ReportLayer",
            Around::WithoutBodies => "ReportLayer, bodies off",
            Around::Peer => "sentry-tower",
            Around::DisabledPeer => "sentry-tower, no DSN",
        };
        let handler = match self.handler {
            Handler::Answers | Handler::YieldsAndAnswers | Handler::ReadsAndAnswers => "",
            Handler::Answers500 => ": status 500",
            Handler::Reports => ": report of three errors",
            Handler::Captures => ": event of three errors",
        };
        write!(f, "{around}{handler}")
    }
}

impl Handler {
    /// The status of the response.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Answers | Self::YieldsAndAnswers | Self::ReadsAndAnswers => StatusCode::OK,
            Self::Answers500 | Self::Reports | Self::Captures => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

async fn answers() -> &'static str {
    "shipped"
}

async fn yields_and_answers() -> &'static str {
    tokio::task::yield_now().await;
    "shipped"
}

async fn reads_and_answers(body: Bytes) -> &'static str {
    black_box(body);
    "shipped"
}

async fn answers_500() -> (StatusCode, &'static str) {
    (StatusCode::INTERNAL_SERVER_ERROR, "lost")
}

async fn reports() -> Result<String, Report> {
    Ok(load_order()?.to_string())
}

async fn captures() -> (StatusCode, &'static str) {
    if let Err(error) = load_order() {
        sentry::capture_event(sentry::event_from_error(&error));
    }
    (StatusCode::INTERNAL_SERVER_ERROR, "lost")
}

fn load_order() -> Result<u64, OrderError> {
    let stored = black_box("many");
    stored.parse().map_err(|error| OrderError { id: 42, source: StoreError(error) })
}
