//! Failed calls of other services: recognised in any chain, told with what their reader needs, and without a value of
//! their URLs.
//!
//! A client's error is looked for where a report is made, because the answer depends on it (`clients`, `from_..`); what
//! it says becomes plain data: a URL its host and a pattern (`template`), a response what its headers say (`headers`).
//! The URLs that clients print never leave (`hide`). On our thread that data goes on the event (`show`), with the code
//! that the body of the response has (`excerpt`).
#![cfg_attr(not(feature = "full"), allow(dead_code, reason = "each client needs a part"))]

pub(crate) mod clients;
pub(crate) mod crumb;
mod excerpt;
#[cfg(feature = "hyper")]
mod from_hyper;
#[cfg(feature = "reqwest")]
mod from_reqwest;
#[cfg(feature = "tonic")]
mod from_tonic;
pub(crate) mod headers;
pub(crate) mod hide;
pub(crate) mod show;
pub(crate) mod template;

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};

use super::Report;
#[cfg(feature = "reqwest")]
use super::links::inside;
use crate::record::{
    BoxError, Cause, ResponseBody, ThirdPartyClass, ThirdPartyFailure, ThirdPartyPhase, truncated,
};
use crate::reporter;

pub(crate) use clients::{SIZES, known, look, look_closely};

/// The name of a service is no longer than this.
const MAX_SERVICE: usize = 64;
/// So many bytes of a body are kept until our thread has read the code in it.
const MAX_BODY: usize = 8 * 1024;

impl Report {
    /// A report of a failed call of somebody else's service, of kind [`Kind::ThirdParty`](crate::Kind::ThirdParty).
    /// `service` is what you call it (up to 64 bytes): `stripe`, `billing`. Its failures of one class are one issue,
    /// whatever the route.
    ///
    /// Errors of the clients whose features are on (`reqwest`, `reqwest-middleware`, `hyper`, `tonic`) are recognised by
    /// themselves and wherever they are in a chain, so a plain `?` does that too, and names the host. Here the timeouts
    /// of `tower` and `tokio` (features), `std::io::Error` and `hyper::Error` are recognised as well, which may be of
    /// anything elsewhere.
    ///
    /// # The answer
    ///
    /// | what failed | answer, unless [`status`](Self::status) says another |
    /// |---|---|
    /// | a timeout, in whatever phase | 504 |
    /// | 429 or 503 with `Retry-After` ([`upstream_response`](Self::upstream_response)) | 503 with that `Retry-After` |
    /// | no connection, any other status, a broken body | 502 |
    /// | the request could not be made; an error that nobody recognises | 500 |
    ///
    /// The status of the service itself is not passed on: its 404 says nothing about what your client asked for.
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    ///
    /// async fn charge(stripe: &reqwest::Client, id: u64) -> Result<String, Report> {
    ///     let failed = |error| Report::third_party("stripe", error);
    ///     let response = stripe.get(format!("https://api.stripe.com/v1/charges/{id}")).send().await.map_err(failed)?;
    ///     let (status, headers) = (response.status(), response.headers().clone());
    ///     let body = response.bytes().await.map_err(failed)?;
    ///     if !status.is_success() {
    ///         // What an error of `error_for_status` does not know: headers, and the code in the body.
    ///         return Err(Report::third_party("stripe", "no charge").upstream_response(status, &headers).upstream_body(&body));
    ///     }
    ///     Ok(String::from_utf8_lossy(&body).into_owned())
    /// }
    /// # let _ = charge;
    /// ```
    #[track_caller]
    pub fn third_party(service: impl Into<Cow<'static, str>>, error: impl Into<BoxError> + 'static) -> Self {
        let service = match service.into() {
            Cow::Borrowed(service) => Cow::Borrowed(truncated(service, MAX_SERVICE)),
            Cow::Owned(service) => Cow::Owned(truncated(&service, MAX_SERVICE).to_owned()),
        };
        let report = Self::from(error);
        let known = report.third_party_failure().is_some();
        let found = report.0.as_deref().filter(|_| !known).and_then(|details| match &details.cause {
            Cause::Error { error, .. } => reporter::shielded(|| look_closely(&**error)).flatten(),
            _ => None,
        });
        report.about_call(|failure| {
            if let Some(found) = found {
                *failure = found;
            }
            failure.service = Some(service);
        })
    }

    /// The request that failed, for what its error does not know. Of the URL the host and a pattern are kept:
    /// `https://api.stripe.com/v1/charges/{id}{?expand}`. Ids are replaced, the query keeps its names and no value, and
    /// credentials, keys and signatures are gone. A path alone (`/v1/charges/7`) is not enough.
    ///
    /// # Example
    /// ```
    /// # fn example(error: std::io::Error) {
    /// let url = "https://api.example.com/users/42?api_key=abc";
    /// faultwire::Report::third_party("accounts", error).upstream_request(http::Method::GET, url).send();
    /// # }
    /// ```
    pub fn upstream_request(self, method: Method, url: impl AsRef<str>) -> Self {
        let target = template::of_text(url.as_ref());
        self.about_call(|failure| {
            failure.method = Some(method);
            failure.target = target.or(failure.target.take());
        })
    }

    /// The response that failed: its status, and from its headers `Retry-After` and the id under which the provider
    /// knows the request (`request-id`, `x-amzn-requestid`, `cf-ray`, ..). No other header is read. A status of 400 or
    /// above decides what kind of failure it is.
    ///
    /// # Example
    /// ```
    /// # fn example(error: std::io::Error, response: http::Response<()>) {
    /// use faultwire::Report;
    ///
    /// Report::third_party("stripe", error).upstream_response(response.status(), response.headers()).send();
    /// # }
    /// ```
    pub fn upstream_response(self, status: StatusCode, headers: &HeaderMap) -> Self {
        let seen = of_response(status, headers);
        let content_type = headers::content_type(headers);
        self.about_call(|failure| {
            if let Some(body) = &mut failure.body {
                body.content_type = body.content_type.take().or_else(|| content_type.clone());
            } else if content_type.is_some() {
                failure.body = Some(ResponseBody { content_type, bytes: Box::default(), cut: false });
            }
            if seen.class != ThirdPartyClass::Other {
                (failure.class, failure.phase) = (seen.class, seen.phase);
            }
            failure.status = Some(status);
            failure.retry_after = seen.retry_after.or(failure.retry_after);
            failure.request_id = seen.request_id.or(failure.request_id.take());
        })
    }

    /// The body of that response: the provider's code for the failure is read from it (`error.code`, RFC 9457's `type`,
    /// `title` and `code`, OAuth's `error`, ..), and its beginning is shown, scrubbed, up to 512 bytes
    /// (not with [`Bodies::Off`](crate::config::Bodies::Off)). 8 KiB are looked at.
    ///
    /// # Example
    /// ```
    /// # fn example(error: std::io::Error) {
    /// let body = br#"{"error":{"code":"card_declined"}}"#;
    /// faultwire::Report::third_party("stripe", error).upstream_body(body).send();
    /// # }
    /// ```
    pub fn upstream_body(self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let kept = body.get(..body.len().min(MAX_BODY)).unwrap_or_default();
        let cut = kept.len() < body.len();
        self.about_call(|failure| {
            let content_type = failure.body.take().and_then(|body| body.content_type);
            failure.body = Some(ResponseBody { content_type, bytes: kept.into(), cut });
        })
    }

    /// How long the call took.
    ///
    /// # Example
    /// ```
    /// # fn example(error: std::io::Error, began: std::time::Instant) {
    /// faultwire::Report::third_party("stripe", error).elapsed(began.elapsed()).attempt(3).send();
    /// # }
    /// ```
    pub fn elapsed(self, elapsed: Duration) -> Self {
        self.about_call(|failure| failure.elapsed = Some(elapsed))
    }

    /// Which try of this call it was; the first is 1.
    pub fn attempt(self, attempt: u32) -> Self {
        self.about_call(|failure| failure.attempt = Some(attempt))
    }

    /// What is known of the failed call, for code that decides by it: whether to try again, and when. `None` if nothing
    /// of that kind is in the chain.
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    /// use faultwire::report::ThirdPartyClass;
    ///
    /// let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    /// let report = Report::third_party("billing", reset);
    /// let failure = report.third_party_failure().unwrap();
    /// assert_eq!(failure.class(), ThirdPartyClass::Connection);
    /// assert!(failure.is_retryable());
    /// # drop(report);
    /// ```
    #[must_use]
    pub fn third_party_failure(&self) -> Option<&ThirdPartyFailure> {
        self.0.as_ref()?.third_party()
    }

    fn about_call(self, say: impl FnOnce(&mut ThirdPartyFailure)) -> Self {
        self.say(|details| details.about_call(say))
    }
}

/// What a response says of a call.
pub(crate) fn of_response(status: StatusCode, headers: &HeaderMap) -> ThirdPartyFailure {
    let class = ThirdPartyClass::of_status(status);
    ThirdPartyFailure {
        phase: class.map_or(ThirdPartyPhase::Unknown, |_| ThirdPartyPhase::Status),
        class: class.unwrap_or_default(),
        status: Some(status),
        retry_after: headers::retry_after(headers),
        request_id: headers::request_id(headers),
        ..ThirdPartyFailure::default()
    }
}
