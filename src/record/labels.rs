//! The names under which a failure is found: its id, kind, level and origin.

use std::cell::Cell;
use std::fmt;

use http::HeaderValue;
use sentry::types::Uuid;

thread_local! {
    /// Each thread counts from a random number of its own (SplitMix64, twice): asking for random bytes each time
    /// costs more than the rest of a failure that is only counted.
    static NUMBERS: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads the bits: the output function of SplitMix64. Different numbers stay different.
pub(crate) fn spread(number: u64) -> u64 {
    let number = (number ^ number.wrapping_shr(30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number.wrapping_shr(27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number.wrapping_shr(31)
}

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
    /// A new one, of the form of a random UUID.
    pub(crate) fn random() -> Self {
        let next = |numbers: &Cell<Option<(u64, u64)>>| {
            let (high, low) = numbers.get().unwrap_or_else(|| sentry::types::random_uuid().as_u64_pair());
            let state = (high.wrapping_add(STEP), low.wrapping_add(STEP));
            numbers.set(Some(state));
            Uuid::from_u64_pair(
                (spread(state.0) & !0xf000) | 0x4000,
                (spread(state.1) & !(0b11 << 62)) | (0b10 << 62),
            )
        };
        Self(NUMBERS.try_with(next).unwrap_or_else(|_| sentry::types::random_uuid()))
    }

    pub(crate) fn uuid(self) -> Uuid {
        self.0
    }

    /// The id as text, without an allocation.
    pub(crate) fn encode(self, buffer: &mut [u8; 32]) -> &str {
        self.0.as_simple().encode_lower(buffer)
    }

    pub(crate) fn header_value(self) -> HeaderValue {
        header_value(self.encode(&mut [0; 32]))
    }

    /// A number that is spread evenly over `0.0..1.0`, always the same for the same id.
    pub(crate) fn fraction(self) -> f64 {
        let (high, _) = self.0.as_u64_pair();
        // Bits 12..16 hold the UUID's version; the 52 below and above them are random.
        let bits = (high >> 16) as u32;
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

/// An id that is a text already, as a header's value.
pub(crate) fn header_value(id: &str) -> HeaderValue {
    // Hexadecimal digits always are one.
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static(""))
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
    Job,
    Task,
    /// A line of the log, outside of all of these.
    #[cfg_attr(not(feature = "logs"), expect(dead_code, reason = "nobody listens to the log"))]
    Log,
    Process,
}

impl Origin {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Job => "job",
            Self::Task => "task",
            Self::Log => "log",
            Self::Process => "process",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_random_uuids_and_never_the_same() {
        let many = || (0..10_000).map(|_| EventId::random()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(many)).collect();
        let ids: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.iter().all(|id| id.0.get_version_num() == 4));
        let below_half = ids.iter().filter(|id| id.fraction() < 0.5).count();
        // Ten standard deviations.
        assert!((19_000..=21_000).contains(&below_half), "{below_half}");
    }
}
