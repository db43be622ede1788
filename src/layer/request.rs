//! What is kept of a request while it runs: little, and nothing is formatted.

use std::any::TypeId;

use http::header;
use http::{Request, Uri};

use crate::record::{ClientAddress, GRPC, RequestSnapshot, Route};

/// Fills in the snapshot where it stays: moving it costs more than the rest of the layer.
#[inline]
pub(super) fn keep<B: 'static>(
    request: &Request<B>,
    client: Option<ClientAddress>,
    snapshot: &mut RequestSnapshot,
) {
    let RequestSnapshot { line, headers } = snapshot;
    line.method.clone_from(request.method());
    line.target.set(uri(request));
    line.route = route(request);
    line.client = client;
    headers.keep(request.headers());
}

/// The URI as the client sent it; a nested router takes its prefix off.
fn uri<B>(request: &Request<B>) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions().get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    request.uri()
}

fn route<B: 'static>(request: &Request<B>) -> Route {
    #[cfg(feature = "axum")]
    {
        use axum::extract::{MatchedPath, OriginalUri};

        if let Some(pattern) = request.extensions().get::<MatchedPath>() {
            return Route::Matched(pattern.clone());
        }
        // A router leaves this mark on every request that comes in, also where it has nothing for it.
        if request.extensions().get::<OriginalUri>().is_some() {
            return Route::Unmatched;
        }
    }
    let content_type = request.headers().get(header::CONTENT_TYPE);
    if content_type.is_some_and(|value| value.as_bytes().starts_with(GRPC.as_bytes())) {
        return Route::Method;
    }
    Route::Path { around_router: is_axum_body::<B>() }
}

fn is_axum_body<B: 'static>() -> bool {
    #[cfg(feature = "axum")]
    {
        TypeId::of::<B>() == TypeId::of::<axum::body::Body>()
    }
    #[cfg(not(feature = "axum"))]
    {
        let _ = TypeId::of::<B>();
        false
    }
}
