//! When a job is to run, and what is told of each of its runs: Sentry's monitors and check-ins.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sentry::protocol::{MonitorIntervalUnit, MonitorSchedule, SpanId, TraceId};

use super::EventId;

/// What Sentry's Relay takes of a slug.
const MAX_SLUG: usize = 50;
const MINUTE: u64 = 60;

/// When a job is to run, for the server to know when it does not: Sentry's monitor, made or changed by each
/// check-in.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use faultwire::job::Schedule;
///
/// let nightly = Schedule::crontab("0 3 * * *")?
///     .time_zone("Europe/Berlin")
///     .margin(Duration::from_secs(5 * 60))
///     .max_runtime(Duration::from_secs(30 * 60));
/// let hourly = Schedule::every(Duration::from_secs(60 * 60));
///
/// assert!("three in the morning".parse::<Schedule>().is_err());
/// # drop((nightly, hourly));
/// # Ok::<(), faultwire::job::ScheduleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule(Arc<Plan>);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) when: MonitorSchedule,
    /// In minutes, as Sentry counts.
    pub(crate) margin: Option<u64>,
    pub(crate) max_runtime: Option<Duration>,
    pub(crate) time_zone: Option<Cow<'static, str>>,
    pub(crate) failure_threshold: Option<u64>,
    pub(crate) recovery_threshold: Option<u64>,
}

impl Schedule {
    /// By a crontab expression of five fields: `0 3 * * *`.
    ///
    /// # Errors
    /// What is none.
    pub fn crontab(expression: &str) -> Result<Self, ScheduleError> {
        let expression = expression.trim();
        let when =
            MonitorSchedule::from_crontab(expression).map_err(|_| ScheduleError(expression.to_owned()))?;
        Ok(Self::of(when))
    }

    /// Again and again after so long, rounded up to minutes.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self::of(MonitorSchedule::Interval { value: minutes(interval), unit: MonitorIntervalUnit::Minute })
    }

    fn of(when: MonitorSchedule) -> Self {
        Self(Arc::new(Plan {
            when,
            margin: None,
            max_runtime: None,
            time_zone: None,
            failure_threshold: None,
            recovery_threshold: None,
        }))
    }

    /// How late it may begin before it counts as missed, rounded up to minutes. Default: the server's (Sentry: 1
    /// minute).
    #[must_use]
    pub fn margin(self, margin: Duration) -> Self {
        self.change(|plan| plan.margin = Some(minutes(margin)))
    }

    /// How long it may run before it counts as failed, rounded up to minutes. Default: the server's (Sentry: 30
    /// minutes). Here it is what [`Job::overruns_after`](crate::job::Job::overruns_after) is, unless that says
    /// otherwise.
    #[must_use]
    pub fn max_runtime(self, max: Duration) -> Self {
        self.change(|plan| plan.max_runtime = Some(max))
    }

    /// The time zone of the expression, by its name in the tz database. Default: the server's (Sentry: UTC).
    #[must_use]
    pub fn time_zone(self, name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        self.change(|plan| plan.time_zone = Some(name))
    }

    /// After how many failed runs in a row the server makes an issue of it. Default: the server's (Sentry: 1).
    #[must_use]
    pub fn failure_threshold(self, runs: u32) -> Self {
        self.change(|plan| plan.failure_threshold = Some(u64::from(runs)))
    }

    /// After how many good runs in a row that issue is resolved. Default: the server's (Sentry: 1).
    #[must_use]
    pub fn recovery_threshold(self, runs: u32) -> Self {
        self.change(|plan| plan.recovery_threshold = Some(u64::from(runs)))
    }

    fn change(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.0
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    /// The same as [`Schedule::crontab`].
    fn from_str(expression: &str) -> Result<Self, ScheduleError> {
        Self::crontab(expression)
    }
}

/// A text that is no crontab expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleError(String);

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no crontab expression of five fields", self.0)
    }
}

impl Error for ScheduleError {}

/// Rounded up, and never none at all.
pub(crate) fn minutes(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    seconds.div_ceil(MINUTE).max(1)
}

/// A monitor: its name, and when it is to run where somebody said it.
#[derive(Debug)]
pub(crate) struct Monitor {
    pub(crate) slug: String,
    pub(crate) schedule: Option<Schedule>,
}

impl Monitor {
    pub(crate) fn new(slug: &str, schedule: Option<Schedule>) -> Self {
        Self { slug: mended_slug(slug), schedule }
    }
}

/// A slug that Sentry takes: lower-case letters, digits, `-` and `_`, up to 50.
fn mended_slug(slug: &str) -> String {
    let mend = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_alphanumeric() || c == '_' => c,
        _ => '-',
    };
    let mended: String = slug.trim().chars().take(MAX_SLUG).map(mend).collect();
    if mended.is_empty() { "job".to_owned() } else { mended }
}

/// One check-in of a monitor.
#[derive(Debug)]
pub(crate) struct CheckIn {
    pub(crate) id: EventId,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) status: CheckInStatus,
    /// Known at the end.
    pub(crate) duration: Option<Duration>,
    pub(crate) trace: Option<(TraceId, SpanId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckInStatus {
    InProgress,
    Ok,
    Error,
}

impl CheckInStatus {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_mended_to_what_sentry_takes() {
        for (given, mended) in [
            ("nightly", "nightly"),
            ("Send Invoice/é", "send-invoice--"),
            ("", "job"),
            ("  ", "job"),
            (&"x".repeat(80), &"x".repeat(50)),
        ] {
            assert_eq!(mended_slug(given), mended);
        }
    }

    #[test]
    fn times_are_rounded_up_to_minutes() {
        for (seconds, expected) in [(0, 1), (1, 1), (60, 1), (61, 2), (3600, 60)] {
            assert_eq!(minutes(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(minutes(Duration::from_millis(60_001)), 2);
    }

    #[test]
    fn a_crontab_has_five_fields() {
        for good in ["0 3 * * *", "*/5 * * * 1-5", " 0 0 1 1 * "] {
            assert!(Schedule::crontab(good).is_ok(), "{good}");
        }
        for bad in ["", "* * * *", "61 * * * *", "@daily", "* * * * * *"] {
            assert!(Schedule::crontab(bad).is_err(), "{bad}");
        }
    }
}
