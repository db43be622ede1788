//! The names under which a failure is found: its id, kind, level and origin.

use std::fmt;

use http::HeaderValue;
use sentry::types::Uuid;

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

    /// The id as text, without an allocation.
    pub(crate) fn encode(self, buffer: &mut [u8; 32]) -> &str {
        self.0.as_simple().encode_lower(buffer)
    }

    pub(crate) fn header_value(self) -> HeaderValue {
        // Hexadecimal digits are always a header's value.
        HeaderValue::from_str(self.encode(&mut [0; 32])).unwrap_or(HeaderValue::from_static(""))
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

    /// The kind with that tag's value.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all =
            [Self::Route, Self::Database, Self::Auth, Self::Job, Self::ThirdParty, Self::Panic, Self::Other];
        all.into_iter().find(|kind| kind.as_str() == name)
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
