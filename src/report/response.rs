//! A report as an HTTP response, and how it gets from there to the layer.

#[cfg(feature = "tonic")]
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Extensions, HeaderValue, Response};

use super::{EVENT_ID_HEADER, Report, problem_json, request_id};
use crate::context::{current, park};
use crate::record::{Details, header_value};
use crate::reporter;

impl Report {
    /// The report as a response with any body that is made of a `String`, and left for the layer. In axum
    /// `IntoResponse` does this.
    ///
    /// # Example
    /// ```
    /// use bytes::Bytes;
    /// use faultwire::Report;
    /// use http_body_util::Full;
    ///
    /// let response = Report::new("the warehouse is closed").into_http::<Full<Bytes>>();
    /// assert_eq!(response.status(), 500);
    /// assert_eq!(response.headers()["content-type"], "application/problem+json");
    /// ```
    pub fn into_http<B: From<String>>(mut self) -> Response<B> {
        self.follow();
        let retry_after = self.0.as_ref().and_then(|said| said.retry_after());
        let mut id = [0; 32];
        let id = self.id().encode(&mut id);
        let (status, problem) = match &self.0 {
            Some(said) => {
                let problem =
                    |of: Option<&str>| problem_json(said.answer, said.added().public.as_deref(), id, of);
                (said.answer, request_id::lend(&current(), problem))
            }
            None => Default::default(),
        };
        let mut response = Response::new(B::from(problem));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        self.leave(response, header_value(id))
    }

    /// Leaves the report for the layer and gives the response the header `x-event-id`; its status and its
    /// body stay yours. For axum see `attach`.
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    ///
    /// let page = http::Response::builder().status(502).body("<h1>We are back soon</h1>");
    /// # fn example(page: http::Response<&str>, error: std::io::Error) {
    /// let response = Report::new(error).attach_to(page);
    /// # }
    /// # drop(page);
    /// ```
    pub fn attach_to<B>(mut self, response: Response<B>) -> Response<B> {
        self.follow();
        let id = self.id().header_value();
        self.leave(response, id)
    }

    /// Gives a task's panic the id under which the panic was reported.
    #[inline]
    fn follow(&mut self) {
        if let Some(details) = self.0.as_deref_mut()
            && details.is_of_a_task_that_panicked()
            && let Some(id) = current().panicked()
        {
            details.id = id;
            details.fate.record();
        }
    }

    fn leave<B>(mut self, mut response: Response<B>, id: HeaderValue) -> Response<B> {
        let Some(details) = self.0.take() else { return response };
        response.headers_mut().insert(EVENT_ID_HEADER, id);
        match park(details) {
            Ok(replaced) => count_discarded(replaced.is_some_and(|details| is_open(&details))),
            Err(details) => {
                response.extensions_mut().insert(Travelling(Arc::new(Mutex::new(Some(details)))));
            }
        }
        response
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponse for Report {
    /// Answers with problem+json and leaves the report for the layer.
    fn into_response(self) -> axum::response::Response {
        self.into_http()
    }
}

#[cfg(feature = "axum")]
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
    pub fn attach(self, response: impl axum::response::IntoResponse) -> axum::response::Response {
        self.attach_to(response.into_response())
    }
}

/// A report that became a response where no context was in reach; the layer finds it in the response.
#[derive(Clone, Debug)]
pub(super) struct Travelling(Arc<Mutex<Option<Box<Details>>>>);

/// The same on its way with a status of gRPC, where nothing but an error has room.
#[cfg(feature = "tonic")]
impl std::error::Error for Travelling {}

#[cfg(feature = "tonic")]
impl fmt::Display for Travelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a report")
    }
}

/// What travels with a response, to go on with a status of gRPC.
#[cfg(feature = "tonic")]
pub(super) fn travelling(extensions: &mut Extensions) -> Option<Arc<Travelling>> {
    extensions.remove::<Travelling>().map(Arc::new)
}

/// The report that travels with a response.
#[inline]
pub(crate) fn take_travelling(extensions: &mut Extensions) -> Option<Box<Details>> {
    if extensions.is_empty() {
        return None;
    }
    let travelling = extensions.remove::<Travelling>();
    #[cfg(feature = "tonic")]
    let travelling = travelling.or_else(|| {
        let status: &dyn std::error::Error = extensions.get::<tonic::Status>()?;
        status.source()?.downcast_ref::<Travelling>().cloned()
    });
    let travelling = travelling?;
    travelling.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Drop for Travelling {
    fn drop(&mut self) {
        // The last copy of a response that no layer saw.
        if Arc::strong_count(&self.0) == 1 {
            let unseen = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            count_discarded(unseen.is_some_and(|details| is_open(&details)));
        }
    }
}

fn is_open(details: &Details) -> bool {
    !details.fate.is_decided()
}

fn count_discarded(discarded: bool) {
    if discarded && let Some(reporter) = reporter::global() {
        reporter.counters.discarded.add(1);
    }
}
