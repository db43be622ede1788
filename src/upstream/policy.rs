//! Which failed calls are worth an event.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Which failed calls [`UpstreamLayer`](super::UpstreamLayer) reports. All of them leave a breadcrumb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportCalls {
    /// Responses of 500 and above, and calls without a response.
    #[default]
    ServerErrorsAndTransport,
    /// The same, but only when a host fails so often within a window, once in each. A window begins with its first
    /// failure. The event says how many there were.
    Threshold {
        /// From 1.
        failures: u32,
        /// How long they are counted.
        window: Duration,
    },
    /// None. The requests that fail by them are reported all the same.
    Off,
}

/// So many hosts are counted apart; of more, those whose window began first are forgotten.
const MAX_HOSTS: usize = 64;

/// The failures of hosts. Nobody asks before a call failed.
#[derive(Debug, Default)]
pub(super) struct Windows(Mutex<Vec<Window>>);

#[derive(Debug)]
struct Window {
    host: String,
    began: Instant,
    failures: u32,
}

impl ReportCalls {
    /// Whether this failure of `host` is reported; and how many there were, where that was the question.
    pub(super) fn decide(self, windows: &Windows, host: &str, now: Instant) -> Option<Option<u32>> {
        match self {
            Self::Off => None,
            Self::ServerErrorsAndTransport => Some(None),
            Self::Threshold { failures, window } => {
                let seen = windows.count(host, window, now);
                (seen == failures.max(1)).then_some(Some(seen))
            }
        }
    }
}

impl Windows {
    fn count(&self, host: &str, length: Duration, now: Instant) -> u32 {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|window| now.saturating_duration_since(window.began) < length);
        if let Some(window) = windows.iter_mut().find(|window| window.host == host) {
            window.failures = window.failures.saturating_add(1);
            return window.failures;
        }
        if windows.len() >= MAX_HOSTS {
            windows.remove(0);
        }
        windows.push(Window { host: host.to_owned(), began: now, failures: 1 });
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_reported_once_in_each_window_and_by_its_own_failures() {
        let (windows, start) = (Windows::default(), Instant::now());
        let threshold = ReportCalls::Threshold { failures: 3, window: Duration::from_secs(60) };
        let at = |seconds, host| threshold.decide(&windows, host, start + Duration::from_secs(seconds));
        assert_eq!(
            [at(0, "a"), at(1, "a"), at(1, "b"), at(2, "a"), at(3, "a")],
            [None, None, None, Some(Some(3)), None]
        );
        assert_eq!([at(60, "a"), at(61, "a"), at(62, "a")], [None, None, Some(Some(3))], "the next window");
        assert_eq!(ReportCalls::Off.decide(&windows, "a", start), None);
        assert_eq!(ReportCalls::default().decide(&windows, "a", start), Some(None));
    }

    #[test]
    fn a_thousand_hosts_take_the_place_of_64() {
        let (windows, start) = (Windows::default(), Instant::now());
        for host in 0..1000 {
            windows.count(&host.to_string(), Duration::from_secs(60), start);
        }
        assert_eq!(windows.0.lock().unwrap().len(), MAX_HOSTS);
    }
}
