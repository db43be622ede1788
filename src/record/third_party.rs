//! What is known of a call of somebody else's service that failed. Never a value of its query, nor its credentials.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};

use super::Fault;

/// What is known of a failed call of another service: see
/// [`Report::third_party_failure`](crate::Report::third_party_failure).
///
/// Its `Display` names the service, what happened and the call:
/// `stripe answered 503 Service Unavailable (POST https://api.stripe.com/v1/charges/{id})`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThirdPartyFailure {
    /// As the application calls it.
    pub(crate) service: Option<Cow<'static, str>>,
    /// Whose error it is: `reqwest`, `tonic`, ...; `None` if no link of the chain is known.
    pub(crate) client: Option<&'static str>,
    pub(crate) phase: ThirdPartyPhase,
    pub(crate) class: ThirdPartyClass,
    pub(crate) method: Option<Method>,
    pub(crate) target: Option<Target>,
    pub(crate) status: Option<StatusCode>,
    /// The name of gRPC's status: `UNAVAILABLE`.
    pub(crate) grpc: Option<&'static str>,
    pub(crate) retry_after: Option<Duration>,
    /// The header that names the request in the provider's log, and its value.
    pub(crate) request_id: Option<(&'static str, String)>,
    pub(crate) elapsed: Option<Duration>,
    pub(crate) attempt: Option<u32>,
    /// How many calls failed before this was worth a report.
    pub(crate) failures: Option<u32>,
    pub(crate) body: Option<ResponseBody>,
}

/// Where a call went, without what varies and what is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) scheme: Cow<'static, str>,
    /// Empty where a client adds it later, as tonic's channel does.
    pub(crate) host: String,
    /// `None` if it is the scheme's own.
    pub(crate) port: Option<u16>,
    /// `/v1/charges/{id}{?expand}`.
    pub(crate) template: String,
}

/// The beginning of the body of a response, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResponseBody {
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: Box<[u8]>,
    pub(crate) cut: bool,
}

impl ThirdPartyFailure {
    /// What the application calls the service, where it said so.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// How far the call came.
    #[must_use]
    pub fn phase(&self) -> ThirdPartyPhase {
        self.phase
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> ThirdPartyClass {
        self.class
    }

    /// The host that was called.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.target.as_ref().map(|target| target.host.as_str()).filter(|host| !host.is_empty())
    }

    /// The path that was called, with ids replaced and the names of its query: `/v1/charges/{id}{?expand}`.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        self.target.as_ref().map(|target| target.template.as_str())
    }

    /// The status that the service answered, if it answered.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// How long the service asks to be left alone (`Retry-After`), up to a day.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the same call may succeed later. Whether it was carried out already is another question: without a
    /// response nobody knows.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.class.is_retryable()
    }

    /// Who has to do something about it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.class.fault()
    }

    /// The service as it is named on issues: what the application calls it, else its host, else the client.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        match (&self.service, &self.target, self.client) {
            (Some(service), ..) => Cow::Borrowed(service),
            (None, Some(target), _) if !target.host.is_empty() => target.authority(),
            (None, _, client) => Cow::Borrowed(client.unwrap_or("third party")),
        }
    }

    /// The status that tells its kind best: that of gRPC, else of HTTP.
    pub(crate) fn code(&self) -> Option<&str> {
        self.grpc.or_else(|| self.status.as_ref().map(StatusCode::as_str))
    }

    /// The answer of a request that failed by this; `None` if the fault is our own.
    pub(crate) fn answer(&self) -> Option<StatusCode> {
        match self.class {
            ThirdPartyClass::InvalidRequest | ThirdPartyClass::Other if self.status.is_none() => None,
            ThirdPartyClass::Timeout => Some(StatusCode::GATEWAY_TIMEOUT),
            ThirdPartyClass::RateLimited | ThirdPartyClass::Unavailable if self.retry_after.is_some() => {
                Some(StatusCode::SERVICE_UNAVAILABLE)
            }
            _ => Some(StatusCode::BAD_GATEWAY),
        }
    }

    /// Whether both tell of one host and kind of failure.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.class == other.class && self.is_same_place(other) == Some(true)
    }

    /// Whether both may tell of one call, as far as either says.
    pub(crate) fn may_be_same(&self, other: &Self) -> bool {
        // The response said 500, and its body was no JSON.
        let is_vague = |class| matches!(class, ThirdPartyClass::Other | ThirdPartyClass::Decode);
        let class = self.class == other.class || is_vague(self.class) || is_vague(other.class);
        class && self.is_same_place(other) != Some(false)
    }

    /// `None` where one of them does not say.
    fn is_same_place(&self, other: &Self) -> Option<bool> {
        match (&self.target, &other.target) {
            (Some(one), Some(other)) if !one.host.is_empty() && !other.host.is_empty() => {
                Some(one.authority() == other.authority())
            }
            _ => Some(self.service.as_ref()? == other.service.as_ref()?),
        }
    }

    /// Adds what another observer of the same call knows.
    pub(crate) fn complete(&mut self, other: Self) {
        if self.class == ThirdPartyClass::Other {
            (self.class, self.phase) = (other.class, other.phase);
        }
        self.service = self.service.take().or(other.service);
        self.client = self.client.or(other.client);
        self.method = self.method.take().or(other.method);
        self.target = self.target.take().or(other.target);
        self.status = self.status.or(other.status);
        self.grpc = self.grpc.or(other.grpc);
        self.retry_after = self.retry_after.or(other.retry_after);
        self.request_id = self.request_id.take().or(other.request_id);
        self.elapsed = self.elapsed.or(other.elapsed);
        self.attempt = self.attempt.or(other.attempt);
        self.failures = self.failures.or(other.failures);
        self.body = self.body.take().or(other.body);
    }
}

impl fmt::Display for ThirdPartyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.name())?;
        match (self.phase, self.grpc, self.status) {
            (ThirdPartyPhase::Status, Some(code), _) => write!(f, "answered {code}")?,
            (ThirdPartyPhase::Status, None, Some(status)) => write!(f, "answered {status}")?,
            _ => f.write_str(self.happened())?,
        }
        match (&self.method, &self.target) {
            (Some(method), Some(target)) => write!(f, " ({method} {target})"),
            (None, Some(target)) => write!(f, " ({target})"),
            _ => Ok(()),
        }
    }
}

impl ThirdPartyFailure {
    fn happened(&self) -> &'static str {
        use ThirdPartyPhase::{Body, Connect};

        match (self.class, self.phase) {
            (ThirdPartyClass::Dns, _) => "was not found: its name is not known",
            (ThirdPartyClass::Connection, Connect) => "cannot be reached",
            (ThirdPartyClass::Connection, Body) => "ended the connection before the end of the body",
            (ThirdPartyClass::Connection, _) => "ended the connection",
            (ThirdPartyClass::Tls, _) => "cannot be trusted: TLS failed",
            (ThirdPartyClass::Timeout, Connect) => "was not connected in time",
            (ThirdPartyClass::Timeout, _) => "did not answer in time",
            (ThirdPartyClass::Redirect, _) => "redirects without end",
            (ThirdPartyClass::Decode, _) => "answered something else than was expected",
            (ThirdPartyClass::InvalidRequest, _) => "was not called: the request is none",
            (ThirdPartyClass::Cancelled, _) => "was not waited for",
            _ => "failed",
        }
    }
}

impl Target {
    /// The host, and the port if it is not the scheme's own.
    pub(crate) fn authority(&self) -> Cow<'_, str> {
        match self.port {
            Some(port) => Cow::Owned(format!("{}:{port}", self.host)),
            None => Cow::Borrowed(&self.host),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.host.is_empty() {
            write!(f, "{}://{}", self.scheme, self.authority())?;
        }
        f.write_str(&self.template)
    }
}

/// How far a call of another service came: the tag `upstream.phase` of its event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ThirdPartyPhase {
    /// The request could not be made: a URL that is none, a header that is not allowed.
    Build,
    /// The host's name was looked up.
    Dns,
    /// A connection was made.
    Connect,
    /// TLS was agreed on.
    Tls,
    /// The request was sent, and no response had come.
    Request,
    /// A redirection was followed.
    Redirect,
    /// A response came whose status says that it failed.
    Status,
    /// The body of a response was read.
    Body,
    /// The body was there and was not understood.
    Decode,
    /// Nobody said.
    #[default]
    Unknown,
}

impl ThirdPartyPhase {
    /// The tag's value: `build`, `dns`, `connect`, `tls`, `request`, `redirect`, `status`, `body`, `decode` or
    /// `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Request => "request",
            Self::Redirect => "redirect",
            Self::Status => "status",
            Self::Body => "body",
            Self::Decode => "decode",
            Self::Unknown => "unknown",
        }
    }
}

/// What kind of failure of another service it is: the tag `error.type` of its event. Those of one service and one
/// class are one issue, whatever the route.
///
/// # Example
/// ```
/// use faultwire::report::ThirdPartyClass;
///
/// assert_eq!(ThirdPartyClass::RateLimited.as_str(), "rate_limited");
/// assert!(ThirdPartyClass::Timeout.is_retryable());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ThirdPartyClass {
    /// The host's name is not known.
    Dns,
    /// No connection, or one that ended: refused, unreachable, reset, closed in the middle of a body.
    Connection,
    /// No agreement on TLS: an unknown authority, an expired certificate, another host's.
    Tls,
    /// It took too long, at whatever [`ThirdPartyPhase`]; 408, 504, gRPC's `DEADLINE_EXCEEDED`.
    Timeout,
    /// It says itself that it cannot be had now: 503, gRPC's `UNAVAILABLE`.
    Unavailable,
    /// It was called too often: 429, gRPC's `RESOURCE_EXHAUSTED`.
    RateLimited,
    /// Any other status of 500 or above; gRPC's `INTERNAL`, `UNKNOWN`, `DATA_LOSS`, `ABORTED`.
    ServerError,
    /// Our credentials are missing, wrong or not enough: 401, 403, 407.
    Unauthorized,
    /// It takes the request for a wrong one: any other status of 400 to 499.
    Rejected,
    /// It redirects without end, or to where nobody may go.
    Redirect,
    /// What it answered is not what was expected: another type, broken JSON, a broken encoding.
    Decode,
    /// The request could not be made.
    InvalidRequest,
    /// Somebody stopped waiting: gRPC's `CANCELLED`.
    Cancelled,
    /// None of these.
    #[default]
    Other,
}

impl ThirdPartyClass {
    /// The tag's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Unauthorized => "unauthorized",
            Self::Rejected => "rejected",
            Self::Redirect => "redirect",
            Self::Decode => "decode",
            Self::InvalidRequest => "invalid_request",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Dns
                | Self::Connection
                | Self::Timeout
                | Self::Unavailable
                | Self::RateLimited
                | Self::ServerError
        )
    }

    /// Who has to do something about it.
    #[must_use]
    pub const fn fault(self) -> Fault {
        match self {
            Self::Rejected | Self::Redirect | Self::Decode | Self::InvalidRequest | Self::Other => {
                Fault::Code
            }
            _ => Fault::Infrastructure,
        }
    }

    /// The class of a response by its status.
    pub(crate) fn of_status(status: StatusCode) -> Option<Self> {
        Some(match status.as_u16() {
            408 | 504 => Self::Timeout,
            503 => Self::Unavailable,
            429 => Self::RateLimited,
            401 | 403 | 407 => Self::Unauthorized,
            400..=499 => Self::Rejected,
            500.. => Self::ServerError,
            _ => return None,
        })
    }
}
