//! [`ReportLayer`]: the one layer that turns failing requests into events.
//!
//! # When an event is made
//!
//! Exactly one for each request, at the first of these:
//! - the handler answers with a [`Report`](crate::Report) and a status of 500 or above;
//! - the response has a status of 500 or above and nobody said why: the event names the route;
//! - the service returns `Err(error)`;
//! - the handler panics: the client gets a 500 (gRPC: `grpc-status: 13`), the connection stays;
//! - the response's body fails after the headers were sent.
//!
//! None for responses below 500 (a report among them is counted), for requests that the client gave up, and
//! for what [`ReportLayer::ignore`] says.
//!
//! # Where it belongs
//!
//! On the router: `Router::new().route(..).layer(ReportLayer::new())`. There the pattern of the route is
//! known, and events are grouped by `GET /orders/{id}`. Around a router (or without axum) only the path is
//! known; its ids are replaced, and the event is tagged `route.source=path`.
//!
//! # Isolation
//!
//! Each request has its own [`Context`](crate::Context) and its own hub of the SDK, so that
//! `sentry::configure_scope` in a handler stays in its request. The hub starts from the scope of the SDK's
//! main hub. Calls of the SDK itself (`sentry::capture_message`) on threads that used the SDK before
//! [`init()`](crate::init()), outside of any request, stay silent: that is the SDK's own rule.
//!
//! # Request bodies
//!
//! An event shows the beginning of its request's body: of JSON (GraphQL included) and forms by default, see
//! [`Config::bodies`](crate::Config::bodies), up to [`Config::body_limit`](crate::Config::body_limit). A copy
//! is kept while the handler reads, and is freed when the response is complete. What the handler does not read
//! is not read for it; frames, sizes, trailers and errors pass as they are. If that is not the whole body, the
//! event is tagged `faultwire.body`: `cut` (at the limit), `partly_read` or `not_read`; the context of that
//! name has the numbers of bytes. A body that cannot be shown is counted: `<5120 bytes, gzip>`.
//!
//! Only the body types of axum and tonic are seen; on a router it is axum's. Bodies of gRPC never are.
//!
//! # Body types
//!
//! Panics become responses, and failing response streams are seen, for the body types of axum and tonic and for
//! `http_body_util::Full<Bytes>`. With any other body type a panic goes on unwinding after it was recorded.

mod answer;
#[cfg(any(feature = "axum", feature = "tonic"))]
mod body;
mod future;
mod request;
mod response;
mod service;
#[cfg(any(feature = "axum", feature = "tonic"))]
mod stream;
mod traces;

use std::fmt;
use std::sync::Arc;

use http::{Method, StatusCode};
use tower_layer::Layer;

pub use future::ReportFuture;
pub use service::ReportService;

use crate::record::RequestSnapshot;

/// Reports the failures of a service; see the [module](self) for when and where.
///
/// # Example
/// ```
/// use axum::{Router, routing::get};
/// use faultwire::{Report, ReportLayer};
///
/// async fn order() -> Result<String, Report> {
///     Ok(std::fs::read_to_string("/var/orders/1")?)
/// }
///
/// let app: Router = Router::new().route("/orders/{id}", get(order)).layer(ReportLayer::new());
/// # drop(app);
/// ```
#[derive(Clone, Default)]
pub struct ReportLayer {
    ignore: Option<Arc<Ignore>>,
}

type Ignore = dyn Fn(&RequestInfo<'_>, StatusCode) -> bool + Send + Sync;

impl ReportLayer {
    /// A layer that reports every failure.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out failures for which `ignore` says true; it is asked only when one would be reported.
    /// A service's `Err` and a panic count as 500. Default: none are left out.
    ///
    /// # Example
    /// ```
    /// # use faultwire::ReportLayer;
    /// let layer = ReportLayer::new()
    ///     .ignore(|request, status| request.path() == "/readyz" && status.as_u16() == 503);
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn ignore<F>(mut self, ignore: F) -> Self
    where
        F: Fn(&RequestInfo<'_>, StatusCode) -> bool + Send + Sync + 'static,
    {
        self.ignore = Some(Arc::new(ignore));
        self
    }
}

impl<S> Layer<S> for ReportLayer {
    type Service = ReportService<S>;

    fn layer(&self, inner: S) -> ReportService<S> {
        ReportService::new(inner, self.ignore.clone())
    }
}

impl fmt::Debug for ReportLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportLayer").field("ignore", &self.ignore.is_some()).finish()
    }
}

/// What [`ReportLayer::ignore`] may ask of a request.
#[derive(Debug)]
pub struct RequestInfo<'a>(&'a RequestSnapshot);

impl RequestInfo<'_> {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.0.line.method
    }

    /// The path as it came in, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.line.uri.path()
    }

    /// The pattern of the route, where a router said it: `/orders/{id}`.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        match &self.0.line.route {
            #[cfg(feature = "axum")]
            crate::record::Route::Matched(pattern) => Some(pattern.as_str()),
            _ => None,
        }
    }
}
