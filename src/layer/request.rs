//! What is kept of a request while it runs: shared bytes, no copies, nothing formatted.

use http::header::{self, HeaderName};
use http::{HeaderValue, Request, Uri};
use smallvec::SmallVec;

use crate::record::{HeaderShown, RequestSnapshot, Route};

/// Headers whose values are shown. Others appear by name, with `[Filtered]`.
///
/// None of these identifies or authorises anybody. `origin` and `referer` lose what they carry when they
/// are shown (`report::decorate`).
const SHOWN: &[HeaderName] = &[
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::ORIGIN,
    header::REFERER,
    header::TE,
    header::USER_AGENT,
];

/// The same for names without a constant.
const SHOWN_BY_NAME: &[&str] =
    &["sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user", "traceparent", "x-request-id"];

/// More headers than this are not kept.
const MAX_HEADERS: usize = 64;

const SENTRY_TRACE: &str = "sentry-trace";
const TRACEPARENT: &str = "traceparent";

pub(super) fn snapshot<B>(request: &Request<B>, is_router_body: bool) -> RequestSnapshot {
    let mut headers = SmallVec::new();
    let mut trace: Option<&HeaderValue> = None;
    for (name, value) in request.headers().iter().take(MAX_HEADERS) {
        if name == SENTRY_TRACE || (name == TRACEPARENT && trace.is_none()) {
            trace = Some(value);
        }
        let shown = !value.is_sensitive() && is_shown(name);
        headers.push((
            name.clone(),
            if shown { HeaderShown::Value(value.clone()) } else { HeaderShown::Filtered },
        ));
    }
    RequestSnapshot {
        method: request.method().clone(),
        uri: uri(request).clone(),
        route: route(request, is_router_body),
        trace: trace.cloned(),
        headers,
    }
}

pub(super) fn is_grpc<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn is_shown(name: &HeaderName) -> bool {
    SHOWN.contains(name) || SHOWN_BY_NAME.contains(&name.as_str())
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
    if is_grpc(request) { Route::Method } else { Route::Path { around_router: is_router_body } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_by_allow_list_and_never_when_marked_sensitive() {
        let mut agent = HeaderValue::from_static("curl/8");
        agent.set_sensitive(true);
        let request = Request::builder()
            .header("x-request-id", "r-1")
            .header("authorization", "Bearer x")
            .header("user-agent", agent)
            .body(())
            .unwrap();
        let shown: Vec<_> = snapshot(&request, false)
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_string(), matches!(value, HeaderShown::Value(_))))
            .collect();
        let expected = [("x-request-id", true), ("authorization", false), ("user-agent", false)];
        assert_eq!(shown, expected.map(|(name, shown)| (name.to_owned(), shown)));
    }
}
