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
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let mut rest = Some(name);
        self.name_in_pieces(|piece| rest = rest.and_then(|rest| rest.strip_prefix(piece)));
        rest == Some("")
    }

    pub(crate) fn name_in_pieces(&self, mut emit: impl FnMut(&str)) {
        let path = self.line.uri.path();
        match &self.line.route {
            #[cfg(feature = "axum")]
            Route::Matched(pattern) => with_method(&self.line.method, pattern.as_str(), emit),
            #[cfg(feature = "axum")]
            Route::Unmatched => with_method(&self.line.method, "<unmatched>", emit),
            Route::Method => emit(path),
            Route::Path { .. } => {
                with_method(&self.line.method, "", &mut emit);
                normalise_path(path, emit);
            }
        }
    }
}

fn with_method(method: &Method, name: &str, mut emit: impl FnMut(&str)) {
    emit(method.as_str());
    emit(" ");
    emit(name);
}

#[cfg(test)]
mod tests {
    use super::super::{Headers, RequestLine};
    use super::*;

    fn request(path: &'static str, route: Route) -> RequestSnapshot {
        let line = RequestLine { method: Method::POST, uri: http::Uri::from_static(path), route };
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
