//! [`ReportLayer`]: the one layer that turns failing requests into events.
//!
//! # When an event is made
//!
//! Exactly one for each request, at the first of these:
//! - the handler answers with a [`Report`](crate::Report) and a status of 500 or above;
//! - the response has a status of 500 or above and nobody said why: the event names the route;
//! - the service returns `Err(error)`;
//! - the handler panics: the client gets a 500 (gRPC: `grpc-status: 13`), the connection stays;
//! - a call of gRPC ends, in its headers or trailers, as `UNKNOWN`, `DEADLINE_EXCEEDED`, `INTERNAL`, `UNAVAILABLE` or
//!   `DATA_LOSS`;
//! - the response's body fails after the headers were sent. One whose size is known is taken for whole: a proxied
//!   answer with its `content-length`, a file.
//!
//! None for responses below 500 (a report among them is counted), unless [`ReportLayer::report_if`]; for requests that
//! are given up before they are answered (they are counted), unless [`ReportLayer::report_cancelled`], or they had failed
//! before; for what [`ReportLayer::ignore`] says; and for what only follows from a failure that was reported in the same
//! request: a 5xx without a report after [`Report::send`](crate::Report::send), a `JoinError` of a task that
//! [took the context along](crate::WithContext) and panicked. Such a response has the id of that event.
//!
//! # Clients that leave
//!
//! A client that leaves before it is answered gives its request up: the service's future is dropped, or the body fails
//! that the handler reads, over HTTP/1 as over HTTP/2. A report (or a service's `Err` in a box) whose chain holds that
//! very error of the body is taken for what it is: the request is counted as given up, whatever it answers; and so is a
//! refusal (400 to 499) without a report, an extractor's. Everything else that the application fails by stays a failure:
//! an error of its own, a body over a limit or against the protocol, a report that is [sent](crate::Report::send),
//! critical, of another service, or to be sent [always](crate::Report::always).
//!
//! That is known only of bodies that are looked into, see below. Of others (by default files and multipart; all with
//! [`Bodies::Off`](crate::config::Bodies::Off)) such an error is a failure like any other: a connection to somebody
//! else says the same when it breaks off.
//!
//! # Where it belongs
//!
//! On the router: `Router::new().route(..).layer(ReportLayer::new())`. There the pattern of the route is
//! known, and events are grouped by `GET /orders/{id}`. Around a router (or without axum) only the path is
//! known; its ids are replaced, and the event is tagged `route.source=path`.
//!
//! Middleware outside of it is outside of the request: a timeout there is a request that is given up, and what it logs
//! or reports is an event of its own, without route and user. Of two layers the outer one works, and the choices of the
//! inner one are not asked. What a WebSocket does after the upgrade axum runs in a task of its own: it is in the context
//! of its request with [`Context::scope`](crate::Context::scope).
//!
//! # Isolation
//!
//! Each request has its own [`Context`](crate::Context) and its own hub of the SDK, so that
//! `sentry::configure_scope` in a handler stays in its request. The hub starts from the scope of the SDK's
//! main hub; its breadcrumbs are copied when a request leaves its first one through the SDK. Calls of the SDK itself
//! (`sentry::capture_message`) on threads that used the SDK before [`init()`](crate::init()), outside of any request, stay
//! silent: that is the SDK's own rule.
//!
//! # Traces
//!
//! A request has one trace: that of the OpenTelemetry span that is active when something first asks for it (feature
//! `opentelemetry`), else that of its `sentry-trace` or `traceparent`, else a new one. While a span is active, events,
//! [`trace_headers`](crate::Context::trace_headers) and the headers of [`UpstreamLayer`](crate::UpstreamLayer) name it,
//! whatever the request came with; with OpenTelemetry's propagator both are the same trace. A panic, an `Err` of the
//! service, a body that fails and a bare 5xx are met in the layer, where a span inside of the handler is over: their
//! events name the span around the layer, or else the request's trace.
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
mod choices;
mod client_ip;
mod failure;
mod future;
mod grpc;
mod left;
#[cfg(feature = "axum")]
mod reason;
mod request;
mod response;
mod service;
#[cfg(any(feature = "axum", feature = "tonic"))]
mod stream;
mod traces;

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{Method, StatusCode};
use tower_layer::Layer;

pub use ipnet::IpNet;

pub use future::ReportFuture;
pub use service::ReportService;

use self::choices::Choices;
use crate::record::{RequestSnapshot, User};

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
    choices: Option<Arc<Choices>>,
}

impl ReportLayer {
    /// A layer that reports every failure.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out failures for which `ignore` says true; it is asked only when one would be reported.
    /// A service's `Err` and a panic count as 500, and codes of gRPC as what they would be in HTTP (`UNAVAILABLE` as 503).
    /// Default: none are left out.
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
        self.choose(|choices| choices.ignore = Some(Arc::new(ignore)));
        self
    }

    /// Reports an answer of 400 to 499, too, if `report` says true for it: a 422 of your own client's, a 408 of a timeout
    /// layer. It is a warning, unless a [`Report`](crate::Report) says otherwise; what a short answer in axum says is its
    /// last breadcrumb, as the reason of an extractor's rejection. [`ignore`](Self::ignore) is asked after it. Codes of gRPC
    /// count as what they would be in HTTP. Default: the mistakes of clients are not reported.
    ///
    /// # Example
    /// ```
    /// # use faultwire::ReportLayer;
    /// let layer = ReportLayer::new()
    ///     .report_if(|request, status| status.as_u16() == 422 && request.path().starts_with("/internal/"));
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn report_if<F>(mut self, report: F) -> Self
    where
        F: Fn(&RequestInfo<'_>, StatusCode) -> bool + Send + Sync + 'static,
    {
        self.choose(|choices| choices.report_if = Some(Arc::new(report)));
        self
    }

    /// Says who a request is from, by what it brings: a header, an extension that middleware outside of this layer left.
    /// [`Context::user`](crate::Context::user) wins over it, which middleware and handlers inside call, from anywhere.
    /// Default: nobody is known.
    ///
    /// It is asked before the service gets the request, for each: afterwards the request is gone, and a copy would cost
    /// more. So let it be quick, and leave to `Context::user` what has to be looked up.
    ///
    /// # Example
    /// ```
    /// use faultwire::{ReportLayer, User};
    ///
    /// #[derive(Clone)]
    /// struct Session { user_id: u64 }
    ///
    /// let layer = ReportLayer::new().user(|parts| {
    ///     let session = parts.extensions.get::<Session>()?;
    ///     Some(User::id(session.user_id))
    /// });
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn user<F>(mut self, user: F) -> Self
    where
        F: Fn(&Parts) -> Option<User> + Send + Sync + 'static,
    {
        self.choose(|choices| choices.user = Some(Arc::new(user)));
        self
    }

    /// Makes a request that is given up before it is answered an event, a warning: the client left, or a timeout outside
    /// of this layer ended it. Each route is one issue; [`ignore`](Self::ignore) is asked with 499. Default: such
    /// requests are counted ([`Stats::cancelled`](crate::Stats::cancelled)).
    ///
    /// A client that leaves in the middle of its body is one, too ([when that is known](self#clients-that-leave)); one that
    /// leaves while its answer is on the way is none: that is how streams end.
    ///
    /// # Example
    /// ```
    /// # use faultwire::ReportLayer;
    /// let layer = ReportLayer::new()
    ///     .report_cancelled()
    ///     .ignore(|request, status| status.as_u16() == 499 && request.path().starts_with("/poll"));
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn report_cancelled(mut self) -> Self {
        self.choose(|choices| choices.reports_cancelled = true);
        self
    }

    /// The networks of your reverse proxies and load balancers (CIDRs). A request that comes from one of them comes
    /// from whom it says: from the last address in `X-Forwarded-For` that is no such proxy; `Forwarded` (RFC 7239)
    /// counts where the other is missing, so proxies that set only that one must remove the other. Default: those of
    /// [`Config::trusted_proxies`](crate::Config::trusted_proxies), to which these are added; without any, the headers,
    /// which everybody can send, are not read.
    ///
    /// It is needed where logins are watched ([`Report::auth`](crate::Report::auth)), and where events say the address
    /// ([`Config::client_ip`](crate::Config::client_ip)).
    /// The peer's own address is known in axum, with `into_make_service_with_connect_info::<SocketAddr>()`.
    ///
    /// # Example
    /// ```
    /// use faultwire::ReportLayer;
    /// use faultwire::layer::IpNet;
    ///
    /// let balancers: IpNet = "10.0.0.0/16".parse()?;
    /// let layer = ReportLayer::new().trusted_proxies([balancers]);
    /// # drop(layer);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = impl Into<IpNet>>) -> Self {
        self.choose(|choices| choices.proxies.extend(proxies.into_iter().map(Into::into)));
        self
    }

    fn choose(&mut self, choose: impl FnOnce(&mut Choices)) {
        choose(Arc::make_mut(self.choices.get_or_insert_default()));
    }
}

impl<S> Layer<S> for ReportLayer {
    type Service = ReportService<S>;

    fn layer(&self, inner: S) -> ReportService<S> {
        ReportService::new(inner, self.choices.clone())
    }
}

impl fmt::Debug for ReportLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let choices = self.choices.as_deref();
        f.debug_struct("ReportLayer")
            .field("ignore", &choices.is_some_and(|choices| choices.ignore.is_some()))
            .field("report_if", &choices.is_some_and(|choices| choices.report_if.is_some()))
            .field("user", &choices.is_some_and(|choices| choices.user.is_some()))
            .field("report_cancelled", &choices.is_some_and(|choices| choices.reports_cancelled))
            .field("trusted_proxies", &choices.map_or(&[][..], |choices| &choices.proxies))
            .finish()
    }
}

/// What [`ReportLayer::ignore`] and [`ReportLayer::report_if`] may ask of a request.
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
        self.0.line.target.path()
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
