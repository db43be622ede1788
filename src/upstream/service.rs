//! The layer around a client that is a tower service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use http::{Request, Response, Uri};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::Choices;
use super::call::{Running, begin};
use crate::record::CalledUrl;

/// The service of [`UpstreamLayer`](super::UpstreamLayer).
#[derive(Clone)]
pub struct UpstreamService<S> {
    inner: S,
    choices: Arc<Choices>,
}

impl<S> UpstreamService<S> {
    pub(super) fn new(inner: S, choices: Arc<Choices>) -> Self {
        Self { inner, choices }
    }
}

impl<S, B, R> Service<Request<B>> for UpstreamService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: fmt::Display + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = UpstreamFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> UpstreamFuture<S::Future> {
        let uri = request.uri();
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let url = || CalledUrl::Uri(uri.clone());
        let running = begin(&self.choices, request.method(), authority, || place(uri), url);
        if let Some(running) = &running {
            running.tell(request.headers_mut());
        }
        UpstreamFuture { inner: self.inner.call(request), running }
    }
}

fn place(uri: &Uri) -> (&str, u16) {
    let own = || if uri.scheme_str() == Some("https") { 443 } else { 80 };
    (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or_else(own))
}

impl<S: fmt::Debug> fmt::Debug for UpstreamService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`UpstreamService`].
    pub struct UpstreamFuture<F> {
        #[pin]
        inner: F,
        // `None` when the layer steps aside, and after the end.
        running: Option<Running>,
    }
}

impl<F, R, E> Future for UpstreamFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: fmt::Display + 'static,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx));
        if let Some(running) = this.running.take() {
            match &answer {
                Ok(response) => running.answered(response.status(), response.headers()),
                Err(error) => running.failed(error),
            }
        }
        Poll::Ready(answer)
    }
}

impl<F> fmt::Debug for UpstreamFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamFuture").field("running", &self.running.is_some()).finish_non_exhaustive()
    }
}
