//! The name of a request: one law for events, for counting, and for comparing.

use http::Method;

use super::{RequestSnapshot, Route, normalise_path};

impl RequestSnapshot {
    /// The name under which servers group requests: `GET /orders/{id}`.
    pub(crate) fn name(&self) -> String {
        let mut name = String::new();
        self.name_in_pieces(|piece| name.push_str(piece));
        name
    }

    /// Whether that is the name, without making it.
    #[inline]
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let (method, path) = self.named_by();
        let name = match method {
            Some(method) => name.strip_prefix(method.as_str()).and_then(|rest| rest.strip_prefix(' ')),
            None => Some(name),
        };
        match (name, path) {
            (Some(name), Path::Pattern(pattern)) => name == pattern,
            (Some(name), Path::OfRequest(path)) => {
                let mut rest = Some(name);
                normalise_path(path, |piece| rest = rest.and_then(|rest| rest.strip_prefix(piece)));
                rest == Some("")
            }
            (None, _) => false,
        }
    }

    pub(crate) fn name_in_pieces(&self, mut emit: impl FnMut(&str)) {
        let (method, path) = self.named_by();
        if let Some(method) = method {
            emit(method.as_str());
            emit(" ");
        }
        match path {
            Path::Pattern(pattern) => emit(pattern),
            Path::OfRequest(path) => normalise_path(path, emit),
        }
    }

    #[inline]
    fn named_by(&self) -> (Option<&Method>, Path<'_>) {
        let method = Some(&self.line.method);
        match &self.line.route {
            #[cfg(feature = "axum")]
            Route::Matched(pattern) => (method, Path::Pattern(pattern.as_str())),
            #[cfg(feature = "axum")]
            Route::Unmatched => (method, Path::Pattern("<unmatched>")),
            Route::Method => (None, Path::Pattern(self.line.target.path())),
            Route::Path { .. } => (method, Path::OfRequest(self.line.target.path())),
        }
    }
}

/// What stands for the path in a request's name.
enum Path<'a> {
    /// The same for all requests of the route.
    Pattern(&'a str),
    /// One that may hold ids.
    OfRequest(&'a str),
}

#[cfg(test)]
mod tests {
    use super::super::{Headers, RequestLine, RequestTarget};
    use super::*;

    fn request(path: &'static str, route: Route) -> RequestSnapshot {
        let mut target = RequestTarget::new();
        target.set(&http::Uri::from_static(path));
        let line = RequestLine { method: Method::POST, target, route, client: None };
        RequestSnapshot { line, headers: Headers::new() }
    }

    #[test]
    fn a_name_is_the_same_made_or_compared() {
        for (request, name) in [
            (request("/orders/42", Route::Path { around_router: false }), "POST /orders/{id}"),
            (request("/shop.Orders/Get", Route::Method), "/shop.Orders/Get"),
            #[cfg(feature = "axum")]
            (request("/orders/42", Route::Unmatched), "POST <unmatched>"),
        ] {
            assert_eq!(request.name(), name);
            assert!(request.is_named(name));
            assert!(
                !request.is_named(name.strip_suffix(|_| true).unwrap())
                    && !request.is_named(&format!("{name}x"))
            );
        }
    }
}
