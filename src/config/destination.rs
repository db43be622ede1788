//! A destination: a server and project, and which events it takes.

use std::fmt;

use sentry::types::Dsn;

use super::{ConfigError, values};
use crate::deliver::Filter;
use crate::record::{Kind, Level};

/// A name is short: it stands in the log and in the labels of metrics.
const MAX_NAME: usize = 64;

/// A server and project that events go to, and which of them: those for which everything that is said here holds.
///
/// Transactions and check-ins have neither kind nor level; they go to destinations that ask for none.
///
/// # Example
/// ```
/// use faultwire::config::Destination;
/// use faultwire::{Kind, report::Level};
///
/// // What somebody should get up for, in a project whose alerts wake them.
/// let pager = Destination::new("pager", "https://key@errors.example.com/3").critical();
/// // A second server that is filled during a migration.
/// let next = Destination::new("next", "https://key@next.example.com/1");
/// let payments = Destination::new("payments", "https://key@errors.example.com/4")
///     .kinds([Kind::ThirdParty, Kind::Panic])
///     .level(Level::Error);
/// # drop((pager, next, payments));
/// ```
#[derive(Clone)]
#[must_use = "it takes nothing before `Config::destination`"]
pub struct Destination {
    pub(super) name: String,
    pub(super) dsn: Result<Dsn, ConfigError>,
    pub(super) filter: Filter,
    pub(super) client_reports: Option<bool>,
}

impl Destination {
    /// A destination that takes everything.
    ///
    /// The name stands in the log, in [`Stats`](crate::Stats) and in metrics: 1 to 64 letters, digits, `-`, `_` or
    /// `.`, another for each destination. `default` is that of `SENTRY_DSN`. The DSN is
    /// `https://<key>@<host>/<project>`.
    ///
    /// # Errors
    /// A name or a DSN that cannot be used is the error of [`Config::init`](crate::Config::init). It names the
    /// destination and never shows the DSN.
    ///
    /// ```
    /// use faultwire::{Config, config::Destination};
    ///
    /// let error = Config::new().destination(Destination::new("pager", "https://key@host")).init().unwrap_err();
    /// assert_eq!(error.variable(), "destination pager");
    /// assert_eq!(
    ///     error.to_string(),
    ///     "destination pager: the project is missing after the host (https://<key>@<host>/<project>)"
    /// );
    /// ```
    pub fn new(name: impl Into<String>, dsn: impl AsRef<str>) -> Self {
        let name = name.into();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_name = (1..=MAX_NAME).contains(&name.len()) && name.chars().all(allowed);
        let dsn = if is_name {
            values::dsn(dsn.as_ref()).map_err(|why| ConfigError::new(format!("destination {name}"), why))
        } else {
            // It is not shown: it may be the DSN.
            let why = "the name is not one of 1 to 64 letters, digits, -, _ or .";
            Err(ConfigError::new("destination", why))
        };
        Self { name, dsn, filter: Filter::default(), client_reports: None }
    }

    /// Only events of these kinds. Default: all. What is captured through the SDK is [`Kind::Other`].
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.filter.only.get_or_insert_default().extend(kinds);
        self
    }

    /// No events of these kinds. Default: none is left out.
    pub fn except(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.filter.except.extend(kinds);
        self
    }

    /// Only events that are at least as bad. Default: all.
    pub fn level(mut self, at_least: Level) -> Self {
        self.filter.at_least = Some(at_least);
        self
    }

    /// Only reports that are [`critical`](crate::Report::critical). Default: all.
    pub fn critical(mut self) -> Self {
        self.filter.critical = true;
        self
    }

    /// Whether the server is told, at most once a minute, how many events never came and why (Sentry's client
    /// reports). Default: true for `sentry.io`, else false: Bugsink and GlitchTip throw them away, a Sentry of your
    /// own counts them.
    pub fn client_reports(mut self, reports: bool) -> Self {
        self.client_reports = Some(reports);
        self
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Destination");
        match &self.dsn {
            Ok(_) => debug.field("name", &self.name).field("filter", &self.filter).finish_non_exhaustive(),
            Err(error) => debug.field("error", error).finish_non_exhaustive(),
        }
    }
}
