//! What is kept of a request while it runs: little, and nothing is formatted.

use http::header;
use http::{Request, Uri};

use crate::record::{ClientAddress, GRPC, Headers, RequestLine, Route};

pub(super) fn line<B>(
    request: &Request<B>,
    is_router_body: bool,
    client: Option<ClientAddress>,
) -> RequestLine {
    RequestLine {
        method: request.method().clone(),
        uri: uri(request).clone(),
        route: route(request, is_router_body),
        client,
    }
}

/// Keeps the headers, in the place where they stay: moving them costs more than the rest of the layer.
pub(super) fn keep_headers<B>(request: &Request<B>, headers: &mut Headers) {
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

fn route<B>(request: &Request<B>, is_router_body: bool) -> Route {
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
    Route::Path { around_router: is_router_body }
}
