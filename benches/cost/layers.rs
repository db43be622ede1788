//! What stands around the router beside `ReportLayer`, and the clients that report.

use std::any::Any;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use faultwire::config::{Bodies, StackTraces};
use faultwire::report::AuthFailure;
use faultwire::{Config, Report};
use http::Request;
use pin_project_lite::pin_project;
use sentry::{ClientOptions, Envelope, Transport};
use sentry_tower::{NewSentryLayer, SentryHttpLayer};
use tower::layer::util::Stack;
use tower::{Layer, Service};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::setup::Around;

/// Nobody listens there, and of the requests that succeed nothing is sent.
const DSN: &str = "http://key@127.0.0.1:9/1";

impl Around {
    /// Sets up reporting as this needs it, for as long as the result lives.
    pub(crate) fn start(self) -> Result<Box<dyn Any>, Box<dyn Error>> {
        let options = ClientOptions::new().transport(Arc::new(Nowhere));
        Ok(match self {
            Self::Nothing | Self::EmptyLayer | Self::Disabled => Box::new(()),
            Self::Reporting => Box::new(ours(StackTraces::First).init()?),
            Self::Traced => {
                tracing_subscriber::registry().init();
                Box::new(ours(StackTraces::First).init()?)
            }
            Self::Watching => {
                let guard = ours(StackTraces::First).init()?;
                Report::auth(AuthFailure::Forbidden).send();
                Box::new(guard)
            }
            Self::ReportingStacks => Box::new(ours(StackTraces::Always).init()?),
            Self::WithoutBodies => Box::new(ours(StackTraces::First).bodies(Bodies::Off).init()?),
            Self::Listening => {
                tracing_subscriber::registry().with(faultwire::tracing_layer()).init();
                Box::new(ours(StackTraces::First).init()?)
            }
            Self::Peer => Box::new(sentry::init(options.dsn(DSN))),
            Self::PeerListening => {
                // As its documentation says: each layer with the levels that are for it.
                tracing_subscriber::registry()
                    .with(sentry_tracing::SpanLayer::new().with_filter(LevelFilter::INFO))
                    .with(sentry_tracing::BreadcrumbLayer::new().with_filter(LevelFilter::INFO))
                    .with(sentry_tracing::ErrorLayer::new().with_filter(LevelFilter::ERROR))
                    .init();
                Box::new(sentry::init(options.dsn(DSN)))
            }
            Self::PeerStacks => Box::new(sentry::init(options.dsn(DSN).attach_stacktrace(true))),
            Self::DisabledPeer => Box::new(sentry::init(options)),
        })
    }
}

fn ours(stacks: StackTraces) -> Config {
    Config::new().dsn(DSN).shutdown_timeout(Duration::ZERO).stack_traces(stacks)
}

/// sentry-tower's layers, in the order that its documentation asks for and as one layer for axum.
pub(crate) fn peer() -> Stack<SentryHttpLayer, NewSentryLayer<Request<Body>>> {
    Stack::new(SentryHttpLayer::new(), NewSentryLayer::new_from_top())
}

/// The end of every envelope. The SDK's own transports hand them to a thread of theirs; that they are not even
/// dropped here leaves the destruction out of the peer's cost, as it is left out of ours.
struct Nowhere;

impl Transport for Nowhere {
    fn send_envelope(&self, envelope: Envelope) {
        std::mem::forget(envelope);
    }
}

/// A layer that does nothing.
#[derive(Clone, Debug)]
pub(crate) struct EmptyLayer;

impl<S> Layer<S> for EmptyLayer {
    type Service = EmptyService<S>;

    fn layer(&self, inner: S) -> EmptyService<S> {
        EmptyService { inner }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct EmptyService<S> {
    inner: S,
}

impl<S: Service<R>, R> Service<R> for EmptyService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = EmptyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> EmptyFuture<S::Future> {
        EmptyFuture { inner: self.inner.call(request) }
    }
}

pin_project! {
    #[derive(Debug)]
    pub(crate) struct EmptyFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future> Future for EmptyFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().inner.poll(cx)
    }
}
