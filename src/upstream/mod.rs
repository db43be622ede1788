//! [`UpstreamLayer`]: what an application's calls of other services leave behind, and when one is an event.
//!
//! It goes around a client: a tower service that takes `http::Request` and answers `http::Response` (hyper-util's
//! client, tonic's channel), or, with the feature `reqwest-middleware`, a client of reqwest.
//!
//! # What each call leaves
//!
//! A breadcrumb of the running request or task: method, host, path with ids replaced, status or kind of failure, and
//! how long it took until the headers of the response were there. Also when the call failed, or nobody waited for it
//! any more. Nothing of it is formatted until something fails.
//!
//! # When one is an event
//!
//! By [`ReportCalls`]: by default a response of 500 or above, and no response at all. In a request under
//! [`ReportLayer`](crate::ReportLayer) or a [`job`](crate::job()) it waits until that ends. If the request or job fails by
//! the call (its [`Report`](crate::Report) has the error of a client in its chain, or was made by
//! [`Report::third_party`](crate::Report::third_party), with the same host and kind of failure), the two are one event,
//! which knows what both know; so are the call and a line of the log that carries its error. If not, the call is an event
//! of its own, also if the request went well: a retry or a fallback hides a failing service from its clients, not from you. Calls of one request that fail at one host by the
//! same kind are one event, with the number of tries. Elsewhere a failed call is an event at once, and a
//! report that is made of its error is another one, of the same issue.
//!
//! tonic's channel adds the host where nobody sees it: give the client its origin (`with_origin`), or name the service.
//!
//! A failure while the body is read is not seen here, nor a status of gRPC that comes in trailers: their errors are recognised
//! wherever they are reported.
//!
//! # Trace headers
//!
//! `sentry-trace` and `baggage` (trace id, release, environment, public key of the project; or, of the baggage that came
//! with the trace of the request or job, what begins with `sentry-`), and `traceparent` if the running request came with
//! one, go with calls of the hosts of [`UpstreamLayer::trace`] and with no others; a client that follows redirects takes
//! them along. They say whether the trace is kept: as [`traces_sample_rate`](crate::Config::traces_sample_rate) decided
//! it for the running request, or else as it came. A request that has `sentry-trace` keeps its own.
//!
//! Calls of the servers to which events are sent are let through and nothing else.

mod call;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
mod policy;
mod service;
mod trace;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

pub use policy::ReportCalls;
pub use service::{UpstreamFuture, UpstreamService};

use self::policy::Windows;

/// Watches the calls of a client; see the [module](self) for what they leave and when one is an event.
///
/// # Example
/// ```
/// use faultwire::UpstreamLayer;
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::ServiceBuilder;
///
/// # fn main() {
/// let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
/// let client = ServiceBuilder::new().layer(UpstreamLayer::new().trace(["*.shop.internal"])).service(client);
/// # drop(client); }
/// ```
///
/// The same as a middleware of reqwest:
/// ```no_run
/// use faultwire::UpstreamLayer;
///
/// let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(UpstreamLayer::new()).build();
/// # drop(client);
/// ```
#[derive(Clone, Default)]
pub struct UpstreamLayer {
    choices: Arc<Choices>,
}

#[derive(Clone, Default)]
struct Choices {
    service: Option<Cow<'static, str>>,
    report: ReportCalls,
    trace: Vec<trace::Host>,
    windows: Arc<Windows>,
}

impl UpstreamLayer {
    /// A layer that reports responses of 500 and above and failures to get one, and adds no header.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What you call the service behind this client, as in [`Report::third_party`](crate::Report::third_party). Default:
    /// each host is a service.
    #[must_use]
    pub fn service(mut self, service: impl Into<Cow<'static, str>>) -> Self {
        self.choose(|choices| choices.service = Some(service.into()));
        self
    }

    /// Which failed calls are reported. Default: [`ReportCalls::ServerErrorsAndTransport`].
    #[must_use]
    pub fn report(mut self, report: ReportCalls) -> Self {
        self.choose(|choices| choices.report = report);
        self
    }

    /// The hosts that are told the running trace: `orders.internal`, or `*.internal` for all below it; without a port,
    /// and an address of IPv6 in brackets. A trace's id connects what the receiver stores with what you store; name
    /// your own services only. Default: none.
    ///
    /// Whether a client follows redirects is decided below this layer, and it takes the headers along: to hosts that
    /// are not named here, too. Where such a service may send you elsewhere, let the client follow none
    /// (`reqwest::redirect::Policy::none()`), or follow them outside of this layer.
    #[must_use]
    pub fn trace(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.choose(|choices| {
            choices.trace.extend(hosts.into_iter().filter_map(|host| trace::Host::new(&host.into())));
        });
        self
    }

    fn choose(&mut self, choose: impl FnOnce(&mut Choices)) {
        choose(Arc::make_mut(&mut self.choices));
    }
}

impl<S> Layer<S> for UpstreamLayer {
    type Service = UpstreamService<S>;

    fn layer(&self, inner: S) -> UpstreamService<S> {
        UpstreamService::new(inner, Arc::clone(&self.choices))
    }
}

impl fmt::Debug for UpstreamLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamLayer")
            .field("service", &self.choices.service)
            .field("report", &self.choices.report)
            .field("trace", &self.choices.trace)
            .finish()
    }
}
