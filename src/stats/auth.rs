//! The counters of failed logins.

use serde::Serialize;

use super::Counter;
use crate::record::AuthFailure;

/// Failed logins since `init`, by [`AuthFailure`](crate::report::AuthFailure), and what the watch made of them.
///
/// # Example
/// ```
/// let auth = faultwire::stats().auth;
/// println!("{} failed logins, {} wrong passwords", auth.total(), auth.bad_credentials);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuthStats {
    /// Wrong passwords, unknown accounts.
    pub bad_credentials: u64,
    /// Tokens outside of their time.
    pub expired_token: u64,
    /// Tokens that are not ours.
    pub bad_signature: u64,
    /// Forms without their anti-forgery token.
    pub csrf: u64,
    /// Wrong or missing second factors.
    pub mfa: u64,
    /// Accounts that may not try any more.
    pub locked: u64,
    /// Missing rights.
    pub forbidden: u64,
    /// Identity providers that did not answer; each was an error too.
    pub provider_down: u64,
    /// Unusable keys of our own; each was an error too.
    pub misconfigured: u64,
    /// Events that told of brute force: one for each change of an incident.
    pub signals: u64,
    /// Failed logins that were not looked at: more than 1 024 came while our thread was busy.
    pub unwatched: u64,
    /// Incidents that were not told: 64 others were going on.
    pub untold: u64,
}

impl AuthStats {
    /// The failed logins of all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_kind().into_iter().map(|(_, failures)| failures).fold(0, u64::saturating_add)
    }

    pub(super) fn by_kind(&self) -> [(AuthFailure, u64); 9] {
        [
            (AuthFailure::BadCredentials, self.bad_credentials),
            (AuthFailure::ExpiredToken, self.expired_token),
            (AuthFailure::BadSignature, self.bad_signature),
            (AuthFailure::Csrf, self.csrf),
            (AuthFailure::Mfa, self.mfa),
            (AuthFailure::Locked, self.locked),
            (AuthFailure::Forbidden, self.forbidden),
            (AuthFailure::ProviderDown, self.provider_down),
            (AuthFailure::Misconfigured, self.misconfigured),
        ]
    }
}

/// The living side of [`AuthStats`].
#[derive(Debug, Default)]
pub(crate) struct AuthCounters {
    failures: [Counter; 9],
    pub(crate) signals: Counter,
    pub(crate) unwatched: Counter,
    pub(crate) untold: Counter,
}

impl AuthCounters {
    pub(crate) fn add(&self, failure: AuthFailure) {
        if let Some(counter) = self.failures.get(failure as usize) {
            counter.add(1);
        }
    }

    pub(super) fn read(&self) -> AuthStats {
        let count = |failure: AuthFailure| self.failures.get(failure as usize).map_or(0, Counter::get);
        AuthStats {
            bad_credentials: count(AuthFailure::BadCredentials),
            expired_token: count(AuthFailure::ExpiredToken),
            bad_signature: count(AuthFailure::BadSignature),
            csrf: count(AuthFailure::Csrf),
            mfa: count(AuthFailure::Mfa),
            locked: count(AuthFailure::Locked),
            forbidden: count(AuthFailure::Forbidden),
            provider_down: count(AuthFailure::ProviderDown),
            misconfigured: count(AuthFailure::Misconfigured),
            signals: self.signals.get(),
            unwatched: self.unwatched.get(),
            untold: self.untold.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_counter() {
        let counters = AuthCounters::default();
        for (at, failure) in AuthFailure::ALL.into_iter().enumerate() {
            (0..=at).for_each(|_| counters.add(failure));
        }
        let stats = counters.read();
        for ((failure, counted), (at, expected)) in
            stats.by_kind().into_iter().zip(AuthFailure::ALL.iter().enumerate())
        {
            assert_eq!((failure, counted), (*expected, at as u64 + 1));
        }
        assert_eq!(stats.total(), 45);
        let body = serde_json::to_value(stats).unwrap();
        assert!(AuthFailure::ALL.iter().all(|failure| body[failure.as_str()].is_u64()), "{body}");
    }
}
