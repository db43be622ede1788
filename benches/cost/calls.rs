//! A call of another service from a handler. The client answers at once: what is counted is the layer around it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::{Context, Poll};

use faultwire::UpstreamLayer;
use http::{Request, Response, Uri};
use tower::{Layer, Service, ServiceExt};
use tower_http::trace::TraceLayer;

use super::layers::EmptyLayer;

/// Answers 200.
#[derive(Clone, Debug)]
pub(crate) struct Client;

impl Service<Request<String>> for Client {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<String>) -> Self::Future {
        black_box(request);
        ready(Ok(Response::new(String::new())))
    }
}

/// Each client is shared by all requests, as an application has it.
pub(crate) fn bare() -> Client {
    Client
}

pub(crate) fn through_empty()
-> impl Service<Request<String>, Response = Response<String>, Error = Infallible, Future: Send> + Send {
    EmptyLayer.layer(Client)
}

pub(crate) fn through_ours()
-> impl Service<Request<String>, Response = Response<String>, Error = Infallible, Future: Send> + Send {
    thread_local! {
        static LAYER: UpstreamLayer = UpstreamLayer::new().trace(["*.shop.internal"]);
    }
    LAYER.with(|layer| layer.layer(Client))
}

pub(crate) fn through_peer()
-> impl Service<Request<String>, Response: Send, Error = Infallible, Future: Send> + Send {
    TraceLayer::new_for_http().layer(Client)
}

/// Makes one call.
pub(crate) async fn called<S>(client: S) -> &'static str
where
    S: Service<Request<String>, Error = Infallible> + Send,
    S::Future: Send,
{
    let mut request = Request::new(String::new());
    *request.uri_mut() = black_box(Uri::from_static("https://api.example.com/v1/charges/42?expand=card"));
    let Ok(answer) = client.oneshot(request).await;
    black_box(answer);
    "shipped"
}
