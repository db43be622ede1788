//! The set-ups: which layers stand around a router, and what its handler does.

use std::fmt;
use std::hint::black_box;
use std::net::SocketAddr;
use std::num::ParseIntError;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use faultwire::report::AuthFailure;
use faultwire::{Report, ReportLayer};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use tracing::Instrument as _;

use super::calls::{self, called};
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
    /// The same with a subscriber of `tracing`, without which spans cost nothing.
    Traced,
    /// The same after a login failed: from then on it looks where requests come from.
    Watching,
    /// The same, with no bodies captured.
    WithoutBodies,
    /// The same, and every report brings its stack.
    ReportingStacks,
    /// The same, and our layer listens to the log.
    Listening,
    /// The layers of sentry-tower, with a client.
    Peer,
    /// The same, and those of sentry-tracing listen.
    PeerListening,
    /// The same, and every event gets a stack.
    PeerStacks,
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
    /// Answers 200 with what a [`Report`] answers.
    AnswersAlike,
    /// Answers 500 to 599 with a text.
    Answers500,
    /// Returns a [`Report`] of a chain of three errors, of another kind than the last.
    Reports,
    /// Returns the same one again and again.
    Repeats,
    /// Returns a [`Report`] of a failed login, which answers 401.
    Refuses,
    /// Calls another service, whose client has no layer.
    Calls,
    /// The same through a layer that does nothing.
    CallsThroughEmpty,
    /// The same through `UpstreamLayer`.
    CallsThroughOurs,
    /// The same through the layer of tower-http that makes spans.
    CallsThroughPeer,
    /// Captures such a chain with the SDK and answers 500.
    Captures,
    /// Answers, and leaves a line of level `INFO` with a field.
    Informs,
    /// The same with level `DEBUG`, which nobody listens to.
    Debugs,
    /// Answers inside of a span with a field.
    Spans,
    /// No request at all: what `init` takes.
    Starts,
    /// No request either: a job that succeeds, beside the future alone.
    RunsJob,
    /// The same with check-ins.
    RunsMonitoredJob,
}

/// The outermost of a chain of three errors.
#[derive(Debug, thiserror::Error)]
#[error("order could not be loaded from {shelf}")]
struct OrderError {
    shelf: &'static str,
    source: StoreError,
}

/// The same without a name.
#[derive(Debug, thiserror::Error)]
#[error("order {id} could not be loaded")]
struct NoOrder {
    id: u64,
    source: StoreError,
}

#[derive(Debug, thiserror::Error)]
#[error("the quantity of the order is damaged")]
struct StoreError(#[source] ParseIntError);

impl SetUp {
    /// Every set-up, in the order of the tables.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        use Around::{
            Disabled, DisabledPeer, EmptyLayer, Listening, Nothing, Peer, PeerListening, PeerStacks,
            Reporting, ReportingStacks, Traced, Watching, WithoutBodies,
        };
        use Handler::{
            Answers, Answers500, AnswersAlike, Calls, CallsThroughEmpty, CallsThroughOurs, CallsThroughPeer,
            Captures, Debugs, Informs, ReadsAndAnswers, Refuses, Repeats, Reports, RunsJob, RunsMonitoredJob,
            Spans, Starts, YieldsAndAnswers,
        };

        let succeeding = [Nothing, EmptyLayer, Disabled, Reporting, Watching, Peer, DisabledPeer]
            .map(|around| (around, Answers));
        let reading = [Nothing, EmptyLayer, Disabled, WithoutBodies, Reporting, Peer]
            .map(|around| (around, ReadsAndAnswers));
        let yielding = [Nothing, EmptyLayer, Reporting, Peer].map(|around| (around, YieldsAndAnswers));
        let failing = [
            (Nothing, Answers500),
            (Reporting, Reports),
            (Reporting, Repeats),
            (Reporting, Refuses),
            (Reporting, AnswersAlike),
            (Peer, AnswersAlike),
            (Reporting, Answers500),
            (Peer, Captures),
            (ReportingStacks, Reports),
            (PeerStacks, Captures),
        ];
        let jobs =
            [(Nothing, RunsJob), (Disabled, RunsJob), (Reporting, RunsJob), (Reporting, RunsMonitoredJob)];
        let calling = [
            (Reporting, Calls),
            (Reporting, CallsThroughEmpty),
            (Reporting, CallsThroughOurs),
            (Traced, Calls),
            (Traced, CallsThroughPeer),
        ];
        let logging = [Listening, PeerListening]
            .into_iter()
            .flat_map(|around| [Answers, Informs, Debugs, Spans].map(|handler| (around, handler)));
        let starting = [Reporting, ReportingStacks, Peer, PeerStacks].map(|around| (around, Starts));
        succeeding
            .into_iter()
            .chain(reading)
            .chain(failing)
            .chain(yielding)
            .chain(jobs)
            .chain(calling)
            .chain(logging)
            .chain(starting)
            .map(|(around, handler)| Self { around, handler })
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::all().find(|set_up| set_up.name() == name)
    }

    pub(crate) fn request(self) -> Result<Request<Body>, http::Error> {
        let mut request = match self.handler {
            Handler::ReadsAndAnswers => incoming::post(),
            _ => incoming::get(),
        }?;
        if self.around == Around::Watching {
            let peer = SocketAddr::from(([198, 51, 100, 7], 50_000));
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        Ok(request)
    }

    pub(crate) fn name(self) -> String {
        format!("{:?}-{:?}", self.around, self.handler)
    }

    pub(crate) fn router(self) -> Router {
        let handler = match self.handler {
            Handler::Answers => get(answers),
            Handler::YieldsAndAnswers => get(yields_and_answers),
            Handler::ReadsAndAnswers => post(reads_and_answers),
            Handler::AnswersAlike => get(answers_alike),
            Handler::Answers500 => get(answers_500),
            Handler::Reports => get(reports),
            Handler::Repeats => get(repeats),
            Handler::Refuses => get(refuses),
            Handler::Captures => get(captures),
            Handler::Calls => get(async || called(calls::bare()).await),
            Handler::CallsThroughEmpty => get(async || called(calls::through_empty()).await),
            Handler::CallsThroughOurs => get(async || called(calls::through_ours()).await),
            Handler::CallsThroughPeer => get(async || called(calls::through_peer()).await),
            Handler::Informs => get(informs),
            Handler::Debugs => get(debugs),
            Handler::Spans => get(spans),
            Handler::Starts | Handler::RunsJob | Handler::RunsMonitoredJob => get(answers),
        };
        let router = Router::new().route("/orders/{id}", handler);
        let router = match self.around {
            Around::Nothing => router,
            Around::EmptyLayer => router.layer(EmptyLayer),
            Around::Disabled
            | Around::Reporting
            | Around::Traced
            | Around::Watching
            | Around::ReportingStacks
            | Around::WithoutBodies
            | Around::Listening => router.layer(ReportLayer::new()),
            Around::Peer | Around::PeerStacks | Around::PeerListening | Around::DisabledPeer => {
                router.layer(layers::peer())
            }
        };
        // What `axum::serve` does first, so that the layers are put on once and not for every request.
        router.with_state(())
    }
}

impl fmt::Display for SetUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let around = match self.around {
            Around::Nothing if self.handler == Handler::RunsJob => "an empty future",
            Around::Disabled if self.handler == Handler::RunsJob => "job(..).run(..), disabled",
            Around::Reporting if self.handler == Handler::RunsJob => "job(..).run(..)",
            Around::Reporting if self.handler == Handler::RunsMonitoredJob => "job(..).monitor(..).run(..)",
            Around::Nothing => "bare router",
            Around::EmptyLayer => "a layer that does nothing",
            Around::Disabled => "ReportLayer, disabled",
            Around::Reporting | Around::Traced => "ReportLayer",
            Around::Watching => "ReportLayer, logins watched",
            Around::WithoutBodies => "ReportLayer, bodies off",
            Around::ReportingStacks => "ReportLayer, stacks",
            Around::Listening => "ReportLayer, tracing_layer",
            Around::Peer => "sentry-tower",
            Around::PeerListening => "sentry-tower, sentry-tracing",
            Around::PeerStacks => "sentry-tower, stacks",
            Around::DisabledPeer => "sentry-tower, no DSN",
        };
        let handler = match self.handler {
            Handler::Answers | Handler::YieldsAndAnswers | Handler::ReadsAndAnswers => "",
            Handler::AnswersAlike => ": 200 with a report's response",
            Handler::Answers500 => ": status 500",
            Handler::Reports => ": report of three errors",
            Handler::Repeats => ": the same report again",
            Handler::Refuses => ": failed login",
            Handler::Captures => ": event of three errors",
            Handler::Calls => ": call without a layer",
            Handler::CallsThroughEmpty => ": call, a layer that does nothing",
            Handler::CallsThroughOurs => ": call, UpstreamLayer",
            Handler::CallsThroughPeer => ": call, tower-http's TraceLayer",
            Handler::Informs => ": info!",
            Handler::Debugs => ": debug!",
            Handler::Spans => ": info_span!",
            Handler::Starts => ": init",
            Handler::RunsJob | Handler::RunsMonitoredJob => "",
        };
        write!(f, "{around}{handler}")
    }
}

impl Handler {
    /// Whether the response is to be an error.
    pub(crate) fn fails(self) -> bool {
        match self {
            Self::Answers
            | Self::YieldsAndAnswers
            | Self::ReadsAndAnswers
            | Self::AnswersAlike
            | Self::Refuses
            | Self::RunsJob
            | Self::RunsMonitoredJob
            | Self::Calls
            | Self::CallsThroughEmpty
            | Self::CallsThroughOurs
            | Self::CallsThroughPeer
            | Self::Informs
            | Self::Debugs
            | Self::Spans
            | Self::Starts => false,
            Self::Answers500 | Self::Reports | Self::Repeats | Self::Captures => true,
        }
    }
}

/// How many frames were active where the last error was made.
pub(crate) static FRAMES: AtomicU32 = AtomicU32::new(0);
/// Each error is of another kind.
static KINDS: AtomicU32 = AtomicU32::new(0);

/// Runs a job that does nothing, or nothing but that.
pub(crate) async fn job(set_up: SetUp) -> StatusCode {
    let nothing = async { Ok::<_, Report>(black_box(StatusCode::OK)) };
    if set_up.around == Around::Nothing {
        return nothing.await.unwrap_or_default();
    }
    let job = faultwire::job("send_invoice").attempt(1).of(3);
    let job = match set_up.handler {
        Handler::RunsMonitoredJob => job.monitor("send-invoice", None),
        _ => job,
    };
    job.run(nothing).await.unwrap_or_default()
}

async fn answers() -> &'static str {
    "shipped"
}

async fn yields_and_answers() -> &'static str {
    tokio::task::yield_now().await;
    "shipped"
}

async fn informs() -> &'static str {
    tracing::info!(items = 3, "cart loaded");
    "shipped"
}

async fn debugs() -> &'static str {
    tracing::debug!(items = 3, "cart loaded");
    "shipped"
}

async fn spans() -> &'static str {
    answers().instrument(tracing::info_span!("cart", items = 3)).await
}

async fn reads_and_answers(body: Bytes) -> &'static str {
    black_box(body);
    "shipped"
}

async fn answers_alike() -> Response<Body> {
    let id = black_box("4bf92f3577b34da6a3ce929d0e0e4736");
    let mut problem = String::with_capacity(128);
    problem.push_str(r#"{"type":"about:blank","title":"Internal Server Error","status":500,"event_id":""#);
    problem.push_str(id);
    problem.push_str("\"}");
    let mut response = Response::new(Body::from(problem));
    let content_type = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    let id = HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static(""));
    response.headers_mut().insert(HeaderName::from_static("x-event-id"), id);
    response
}

/// Each of a hundred kinds, so that none is a storm.
async fn answers_500() -> (StatusCode, &'static str) {
    let kind = KINDS.fetch_add(1, Ordering::Relaxed).wrapping_rem(100) as u16;
    (StatusCode::from_u16(kind.saturating_add(500)).unwrap_or_default(), "lost")
}

async fn reports() -> Result<String, Report> {
    Ok(load_order(KINDS.fetch_add(1, Ordering::Relaxed))?.to_string())
}

async fn repeats() -> Result<String, Report> {
    let order = load_order(0).map_err(|error| NoOrder { id: 42, source: error.source });
    Ok(order?.to_string())
}

async fn refuses() -> Report {
    Report::auth(AuthFailure::BadCredentials).identifier(black_box("ada@example.org"))
}

async fn captures() -> (StatusCode, &'static str) {
    if let Err(error) = load_order(KINDS.fetch_add(1, Ordering::Relaxed)) {
        sentry::capture_event(sentry::event_from_error(&error));
    }
    (StatusCode::INTERNAL_SERVER_ERROR, "lost")
}

fn load_order(kind: u32) -> Result<u64, OrderError> {
    if FRAMES.load(Ordering::Relaxed) == 0 {
        // In the first request, which is not counted.
        let mut frames = 0_u32;
        backtrace::trace(|_| {
            frames = frames.saturating_add(1);
            true
        });
        FRAMES.store(frames, Ordering::Relaxed);
    }
    let stored = black_box("many");
    stored.parse().map_err(|error| OrderError { shelf: shelf(kind), source: StoreError(error) })
}

/// The name of one of 48 shelves. With as many kinds none is a storm.
fn shelf(kind: u32) -> &'static str {
    let begin = kind.wrapping_rem(48) as usize;
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    letters.get(begin..begin.saturating_add(4)).unwrap_or_default()
}
