//! What the failing thread leaves behind: a [`Record`], and the plain types it is made of.
//!
//! Everything here is data. A record is filled with what only the failing thread knows (the error, its
//! location, the context, the SDK's scope) and becomes an event on our own thread (`report::build`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use sentry::types::Uuid;
use serde_json::Value;
use smallvec::SmallVec;

use crate::context::{Context, Facts};

/// Any error, boxed: what `?` and most of tower's middleware turn errors into.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Identifies one event: 32 lower-case hexadecimal digits, the same in the response's `x-event-id`
/// header, in the log and on the server.
///
/// # Example
/// ```
/// let report = faultwire::Report::new("the warehouse is closed");
/// assert_eq!(report.id().to_string().len(), 32);
/// # drop(report);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId(Uuid);

impl EventId {
    pub(crate) fn random() -> Self {
        Self(sentry::types::random_uuid())
    }

    pub(crate) fn uuid(self) -> Uuid {
        self.0
    }

    /// A number that is spread evenly over `0.0..1.0`, always the same for the same id.
    pub(crate) fn fraction(self) -> f64 {
        let (high, _) = self.0.as_u64_pair();
        // Bits 12..16 hold the UUID's version; the 52 below and above them are random.
        let bits = (high >> 16) as u32;
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

impl From<Uuid> for EventId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_simple(), f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What caused a failure: the tag `error.category` of its event.
///
/// # Example
/// ```
/// assert_eq!(faultwire::Kind::ThirdParty.as_str(), "third_party");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The code of a route.
    Route,
    /// A database, a cache or another store.
    Database,
    /// Authentication or authorisation.
    Auth,
    /// A background job.
    Job,
    /// Somebody else's service.
    ThirdParty,
    /// A panic.
    Panic,
    /// None of these.
    Other,
}

impl Kind {
    /// The tag's value: `route`, `database`, `auth`, `job`, `third_party`, `panic` or `other`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Database => "database",
            Self::Auth => "auth",
            Self::Job => "job",
            Self::ThirdParty => "third_party",
            Self::Panic => "panic",
            Self::Other => "other",
        }
    }
}

/// How bad a failure is. The default of a report is [`Level::Error`].
///
/// # Example
/// ```
/// use faultwire::{Report, report::Level};
/// # let report =
/// Report::new("stock and ledger differ").level(Level::Warning)
/// # ; drop(report);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// Of interest to developers only.
    Debug,
    /// Nothing is wrong.
    Info,
    /// Something will be wrong.
    Warning,
    /// Something failed.
    #[default]
    Error,
    /// Somebody should get up for it.
    Fatal,
}

/// Where a failure surfaced: the tag `error.origin` of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Request,
    Task,
    Process,
}

impl Origin {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Task => "task",
            Self::Process => "process",
        }
    }
}

/// Who was affected. Fields set here are sent as they are: setting one is the application's decision.
///
/// # Example
/// ```
/// use faultwire::User;
/// faultwire::current().user(User::id("42").username("ada"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub(crate) id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
}

impl User {
    /// A user known by the application's own id (sent up to 128 characters, Sentry's limit).
    #[must_use]
    pub fn id(id: impl fmt::Display) -> Self {
        Self { id: Some(id.to_string()), ..Self::default() }
    }

    /// Adds the name shown to people (up to 128 characters). Default: none.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// Adds the e-mail address (up to 75 characters). Default: none. This is personal data: it is sent
    /// because it was set here.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }
}

/// Something that happened on the way to a failure.
///
/// # Example
/// ```
/// use faultwire::report::Breadcrumb;
/// faultwire::current().breadcrumb("cart loaded");
/// faultwire::current().breadcrumb(Breadcrumb::new("charged").category("payment").data("cents", &1999));
/// ```
#[derive(Clone, Debug)]
pub struct Breadcrumb {
    pub(crate) timestamp: SystemTime,
    pub(crate) level: Level,
    pub(crate) category: Option<Cow<'static, str>>,
    pub(crate) message: String,
    pub(crate) data: BTreeMap<String, Value>,
}

impl Breadcrumb {
    /// A breadcrumb of level [`Level::Info`], now.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            timestamp: SystemTime::now(),
            level: Level::Info,
            category: None,
            message: message.into(),
            data: BTreeMap::new(),
        }
    }

    /// Groups breadcrumbs: `http`, `query`, `payment`. Default: none.
    #[must_use]
    pub fn category(mut self, category: impl Into<Cow<'static, str>>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Default: [`Level::Info`].
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Adds a value. One that cannot be serialized is replaced by the reason.
    #[must_use]
    pub fn data<T: serde::Serialize + ?Sized>(mut self, name: impl Into<String>, value: &T) -> Self {
        self.data.insert(name.into(), to_value(value));
        self
    }

    /// Roughly what it occupies, for the bound on a context's breadcrumbs.
    pub(crate) fn weight(&self) -> usize {
        let data: usize =
            self.data.iter().map(|(key, value)| key.len().saturating_add(value_weight(value))).sum();
        self.message.len().saturating_add(data).saturating_add(64)
    }
}

impl<T: Into<String>> From<T> for Breadcrumb {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

/// One link of an error chain that was walked on the failing thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The full path of the type, without generics; its last segment is what people see.
    pub(crate) type_name: Cow<'static, str>,
    pub(crate) message: String,
}

/// Why something failed.
#[derive(Debug)]
pub(crate) enum Cause {
    /// An error that we own; it is walked on our thread.
    Error { error: BoxError, type_name: &'static str },
    /// An error that somebody else keeps, outermost first.
    Chain(Vec<Link>),
    /// A panic, with what its hook saw.
    Panic(PanicInfo),
    /// A response of 500 or above that came without an error.
    Status,
}

/// What the panic hook sees.
#[derive(Clone, Debug)]
pub(crate) struct PanicInfo {
    pub(crate) message: String,
    pub(crate) location: Option<Place>,
    pub(crate) thread: Option<String>,
}

/// A place in the source.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) file: Cow<'static, str>,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl From<&'static Location<'static>> for Place {
    fn from(location: &'static Location<'static>) -> Self {
        Self { file: Cow::Borrowed(location.file()), line: location.line(), column: location.column() }
    }
}

/// Changes the finished event; the last word before the gate.
pub(crate) type EditEvent = Box<dyn FnOnce(&mut sentry::protocol::Event<'static>) + Send + Sync>;

/// Everything a `Report` says about a failure.
pub(crate) struct Details {
    pub(crate) id: EventId,
    pub(crate) cause: Cause,
    pub(crate) location: Option<Place>,
    /// The text of a backtrace that the error brought along.
    pub(crate) backtrace: Option<String>,
    /// The status and the text of the response that it becomes.
    pub(crate) answer: StatusCode,
    pub(crate) public: Option<String>,
    /// Set when somebody recorded the failure without taking it: an `Err` that goes on to the server.
    pub(crate) recorded: AtomicBool,
    pub(crate) kind: Option<Kind>,
    pub(crate) level: Option<Level>,
    pub(crate) critical: bool,
    pub(crate) always: bool,
    pub(crate) user: Option<User>,
    pub(crate) tags: Vec<(Cow<'static, str>, String)>,
    pub(crate) data: Vec<(Cow<'static, str>, Value)>,
    pub(crate) fingerprint: Option<Vec<String>>,
    pub(crate) edit: Option<EditEvent>,
}

impl Details {
    pub(crate) fn new(cause: Cause) -> Self {
        Self {
            id: EventId::random(),
            cause,
            location: None,
            backtrace: None,
            answer: StatusCode::INTERNAL_SERVER_ERROR,
            public: None,
            recorded: AtomicBool::new(false),
            kind: None,
            level: None,
            critical: false,
            always: false,
            user: None,
            tags: Vec::new(),
            data: Vec::new(),
            fingerprint: None,
            edit: None,
        }
    }
}

impl fmt::Debug for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Details")
            .field("id", &self.id)
            .field("cause", &self.cause)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// How a failure reached us: Sentry's `mechanism`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mechanism {
    pub(crate) name: &'static str,
    pub(crate) handled: bool,
}

/// One failure, on its way from the failing thread to ours.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) details: Box<Details>,
    pub(crate) timestamp: SystemTime,
    pub(crate) mechanism: Mechanism,
    pub(crate) origin: Origin,
    pub(crate) status: Option<StatusCode>,
    pub(crate) context: Context,
    /// What the context held when the failure happened.
    pub(crate) facts: Option<Arc<Facts>>,
    /// The hub that the failure happened under: its scope is the SDK's share of the context.
    pub(crate) hub: Option<Arc<sentry::Hub>>,
}

/// What is kept of a request until it succeeds: shared bytes only, nothing is copied or formatted.
#[derive(Debug)]
pub(crate) struct RequestSnapshot {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) route: Route,
    /// `sentry-trace` or `traceparent`, unread.
    pub(crate) trace: Option<HeaderValue>,
    pub(crate) headers: SmallVec<[(HeaderName, HeaderShown); 16]>,
}

/// A header as it will be shown.
#[derive(Clone, Debug)]
pub(crate) enum HeaderShown {
    Value(HeaderValue),
    Filtered,
}

/// What is known of the route of a request.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// The router's pattern: `/orders/{id}`.
    #[cfg(feature = "axum")]
    Matched(axum::extract::MatchedPath),
    /// A router had nothing for this path.
    #[cfg(feature = "axum")]
    Unmatched,
    /// The path is the name, as in gRPC: `/shop.Orders/Get`.
    Method,
    /// Only the path is known; `around_router` when a router further in knows more than we do.
    Path { around_router: bool },
}

/// `value` as JSON; one that cannot be serialized is replaced by the reason.
pub(crate) fn to_value<T: serde::Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| Value::String(format!("<not serializable: {error}>")))
}

/// Roughly what a value occupies. Counts without recursion, so that depth cannot hurt.
pub(crate) fn value_weight(value: &Value) -> usize {
    let mut pending = vec![value];
    let mut weight = 0_usize;
    while let Some(value) = pending.pop() {
        weight = weight.saturating_add(match value {
            Value::String(text) => text.len().saturating_add(8),
            Value::Array(items) => {
                pending.extend(items);
                8
            }
            Value::Object(fields) => {
                pending.extend(fields.values());
                fields.keys().map(|key| key.len().saturating_add(8)).sum()
            }
            _ => 8,
        });
    }
    weight
}

/// At most `max` bytes of `text`, cut between two characters.
pub(crate) fn truncated(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}
