//! The service: starts a context for each request, or steps aside.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::choices::{self, Choices};
use super::future::ReportFuture;
use super::response::Active;
use super::traces::Traces;
use super::{client_ip, request};
use crate::auth;
use crate::context::{Context, in_request};
use crate::panics;
use crate::record::{ClientIp, Route};
use crate::reporter;

/// The service of [`ReportLayer`](super::ReportLayer).
#[derive(Clone)]
pub struct ReportService<S> {
    inner: S,
    choices: Option<Arc<Choices>>,
}

impl<S> ReportService<S> {
    pub(super) fn new(inner: S, choices: Option<Arc<Choices>>) -> Self {
        Self { inner, choices }
    }
}

impl<S, B, R> Service<Request<B>> for ReportService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: fmt::Display + 'static,
    B: 'static,
    R: 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ReportFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    // Inlined into axum's wrapper, the future would be made in one place and moved to another.
    #[inline(never)]
    fn call(&mut self, request: Request<B>) -> ReportFuture<S::Future> {
        let Some(reporter) = reporter::global() else {
            return ReportFuture::passing(self.inner.call(request));
        };
        // A layer further out is at work on this request already.
        if in_request() {
            return ReportFuture::passing(self.inner.call(request));
        }
        reporter.counters.requests.0.add(1);
        // Nobody asks, unless events are to say it, or a login failed.
        let client = if auth::is_watching() || reporter.settings.client_ip != ClientIp::Off {
            let own = self.choices.as_ref().map_or(&[][..], |choices| &choices.proxies);
            client_ip::address_of(&request, [own, &reporter.settings.proxies])
        } else {
            None
        };
        let settings = &reporter.settings;
        let traces = Traces { rate: settings.traces_sample_rate, trusts_sampled: settings.trusts_sampled };
        let (context, hub) = Context::for_request(reporter, |snapshot| {
            request::keep(&request, client, snapshot);
            if matches!(snapshot.line.route, Route::Path { around_router: true }) {
                warn_around_router();
            }
        });
        let traced = if traces.rate > 0.0 { traces.start(&context) } else { None };
        // Nothing large goes through `run`, where it would be moved at each step.
        let (mut request, mut future) = (Some(request), None);
        #[cfg(any(feature = "axum", feature = "tonic"))]
        if let Some(request) = &mut request {
            super::body::tee(request, &context);
        }
        let mut active = Active {
            context,
            hub,
            choices: self.choices.clone(),
            caught: None,
            panic: None,
            is_answered: false,
            reported: false,
            gave_body: false,
            traced,
        };
        let user = self.choices.as_ref().and_then(|choices| choices.user.as_deref());
        let called = active.run(|| {
            if let Some(request) = request.take() {
                future = Some(match user {
                    Some(user) => self.inner.call(choices::note_user(user, request)),
                    None => self.inner.call(request),
                });
            }
        });
        active.caught = called.err().map(Box::new);
        active.panic = panics::seen();
        ReportFuture::active(future, active)
    }
}

fn warn_around_router() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            target: "faultwire",
            "ReportLayer is around a router, where the route's pattern is out of reach: events are grouped by \
             path. Put it on the router, with `Router::layer`."
        );
    }
}

impl<S: fmt::Debug> fmt::Debug for ReportService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportService").field("inner", &self.inner).finish_non_exhaustive()
    }
}
