//! A report as a response of axum.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{Extensions, HeaderValue};

use super::{EVENT_ID_HEADER, Report, problem_json};
use crate::context::current;
use crate::record::Details;
use crate::reporter;

impl IntoResponse for Report {
    /// Answers with problem+json and leaves the report for the layer.
    fn into_response(self) -> Response {
        let Some(details) = &self.0 else { return Response::default() };
        let body = problem_json(details.answer, details.public.as_deref(), details.id);
        let content_type = [(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        let response = (details.answer, content_type, body).into_response();
        self.attach(response)
    }
}

impl Report {
    /// Answers with a response of your own and leaves the report for the layer: your status, your body, and
    /// the header `x-event-id`.
    ///
    /// # Example
    /// ```
    /// use axum::response::{Html, IntoResponse, Response};
    /// use faultwire::Report;
    /// use http::StatusCode;
    ///
    /// async fn page() -> Response {
    ///     match std::fs::read_to_string("/var/www/index.html") {
    ///         Ok(page) => Html(page).into_response(),
    ///         Err(error) => {
    ///             Report::new(error).attach((StatusCode::BAD_GATEWAY, Html("<h1>We are back soon</h1>")))
    ///         }
    ///     }
    /// }
    /// # drop(page());
    /// ```
    pub fn attach(mut self, response: impl IntoResponse) -> Response {
        let mut response = response.into_response();
        let id = self.id();
        if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().insert(EVENT_ID_HEADER, id);
        }
        let Some(details) = self.take() else { return response };
        match current().park(details) {
            Ok(replaced) => count_discarded(replaced.is_some()),
            Err(details) => {
                response.extensions_mut().insert(Travelling(Arc::new(Mutex::new(Some(details)))));
            }
        }
        response
    }
}

/// A report that became a response where no context was in reach; the layer finds it in the response.
#[derive(Clone)]
struct Travelling(Arc<Mutex<Option<Box<Details>>>>);

/// The report that travels with a response.
pub(crate) fn take_travelling(extensions: &mut Extensions) -> Option<Box<Details>> {
    let travelling = extensions.remove::<Travelling>()?;
    travelling.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn count_discarded(discarded: bool) {
    if discarded && let Some(reporter) = reporter::global() {
        reporter.counters.discarded.add(1);
    }
}

impl Drop for Travelling {
    fn drop(&mut self) {
        // The last copy of a response that no layer saw.
        if Arc::strong_count(&self.0) == 1 {
            let parked = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            count_discarded(parked.is_some());
        }
    }
}

impl fmt::Debug for Travelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Travelling").finish_non_exhaustive()
    }
}
