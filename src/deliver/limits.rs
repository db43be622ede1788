//! What a server asks to keep back, by category: `X-Sentry-Rate-Limits` and `Retry-After`.

use std::time::{Duration, Instant};

/// No server gets more patience than this at a time.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// What Sentry asks for with a 429 that names no time.
pub(super) const LIMITED_WAIT: Duration = Duration::from_secs(60);

/// What Sentry's servers count and limit apart, as far as it is sent from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Error,
    Transaction,
    Monitor,
}

impl Category {
    pub(super) const ALL: [Self; 3] = [Self::Error, Self::Transaction, Self::Monitor];

    /// The category of an envelope's item.
    pub(super) fn of_item(kind: &str) -> Self {
        match kind {
            "transaction" => Self::Transaction,
            "check_in" => Self::Monitor,
            _ => Self::Error,
        }
    }

    /// Its name in the protocol.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Transaction => "transaction",
            Self::Monitor => "monitor",
        }
    }

    fn is_named(self, name: &str) -> bool {
        name == self.as_str() || (self == Self::Error && name == "default")
    }
}

/// Until when which category is kept back.
#[derive(Debug, Default)]
pub(super) struct Limits {
    error: Option<Instant>,
    transaction: Option<Instant>,
    monitor: Option<Instant>,
}

impl Limits {
    /// Keeps a category back. The longest limit counts.
    pub(super) fn hold(&mut self, category: Category, until: Instant) {
        let held = match category {
            Category::Error => &mut self.error,
            Category::Transaction => &mut self.transaction,
            Category::Monitor => &mut self.monitor,
        };
        *held = (*held).max(Some(until));
    }

    /// Until when a category is kept back, if it is.
    pub(super) fn held(&self, category: Category, now: Instant) -> Option<Instant> {
        let held = match category {
            Category::Error => self.error,
            Category::Transaction => self.transaction,
            Category::Monitor => self.monitor,
        };
        held.filter(|until| *until > now)
    }
}

/// Reads `seconds:category;category:scope, ..`: what is kept back, and for how long. No category means all of them;
/// what cannot be read, and categories that are not sent from here, are left out.
pub(super) fn read(header: &str) -> Vec<(Category, Duration)> {
    let mut limits = Vec::new();
    for limit in header.split(',') {
        let mut parts = limit.trim().split(':');
        let seconds = parts.next().and_then(|seconds| seconds.trim().parse().ok());
        let Some(wait) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) else {
            continue;
        };
        let names = parts.next().unwrap_or_default();
        let limited = |category: &Category| {
            names.trim().is_empty() || names.split(';').any(|name| category.is_named(name.trim()))
        };
        let held = Category::ALL.into_iter().filter(limited);
        limits.extend(held.map(|category| (category, wait.min(MAX_WAIT))));
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limits_are_read_per_category() {
        use Category::{Error, Monitor, Transaction};
        let seconds = |header: &str| {
            read(header).into_iter().map(|(category, wait)| (category, wait.as_secs())).collect::<Vec<_>>()
        };
        assert_eq!(seconds("60::key"), [(Error, 60), (Transaction, 60), (Monitor, 60)]);
        assert_eq!(
            seconds("60:transaction:key, 2700:default;error;security:organization:quota:custom"),
            [(Transaction, 60), (Error, 2700)]
        );
        assert_eq!(
            seconds("86400:transaction;span:organization"),
            [(Transaction, 86_400)],
            "as Bugsink says it"
        );
        assert_eq!(seconds("60:metric_bucket:organization"), [], "it is not sent from here");
        assert_eq!(seconds("nonsense, -5:error, 1e400:error, , 99999999:monitor"), [(Monitor, 86_400)]);
    }

    #[test]
    fn the_longest_limit_counts_until_it_is_over() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut limits = Limits::default();
        limits.hold(Category::Error, after(60));
        limits.hold(Category::Error, after(30));
        assert_eq!(limits.held(Category::Error, now), Some(after(60)));
        assert_eq!(limits.held(Category::Error, after(60)), None);
        assert_eq!(limits.held(Category::Transaction, now), None);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

        #[test]
        fn whatever_a_server_says_is_read_and_bounded(header in "[0-9a-z:;, .eE+-]{0,60}|\\PC{0,40}") {
            let limits = read(&header);
            let most = (header.matches(',').count().saturating_add(1)).saturating_mul(Category::ALL.len());
            proptest::prop_assert!(limits.len() <= most && limits.iter().all(|(_, wait)| *wait <= MAX_WAIT));
        }
    }
}
