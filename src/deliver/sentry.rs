//! A server that speaks Sentry's protocol: what is posted to it, and what its answers mean.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use ::sentry::types::Dsn;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Outgoing;
use super::post::{Answer, Poster};
use crate::report::build::{SDK_NAME, SDK_VERSION};
use crate::scrub::scrub_text;

/// GlitchTip answers everybody 403 for 30 s after one request with a wrong key.
const REFUSED_WAIT: Duration = Duration::from_secs(35);
/// What Sentry asks for with a 429 that names no time.
const LIMITED_WAIT: Duration = Duration::from_secs(60);
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(300);

/// One server and project.
#[derive(Debug)]
pub(crate) struct Destination {
    poster: Poster,
    url: String,
    auth: String,
    /// The URL without the key, for people.
    name: String,
}

/// What became of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server has it; nothing more before the time is over, if one is given.
    Accepted { hold: Option<Duration> },
    /// Not now.
    Later { hold: Duration, why: String },
    /// Not this event, ever.
    Rejected { why: String },
}

impl Destination {
    pub(crate) fn new(dsn: &Dsn, poster: Poster) -> Self {
        let client = concat!("faultwire/", env!("CARGO_PKG_VERSION"));
        // The secret half of an old DSN is of no use to any server of today, so it stays here.
        let auth =
            format!("Sentry sentry_key={}, sentry_version=7, sentry_client={client}", dsn.public_key());
        let url = dsn.envelope_api_url().to_string();
        let name = format!("{}://{}:{}/{}", dsn.scheme(), dsn.host(), dsn.port(), dsn.project_id());
        Self { poster, url, auth, name }
    }

    /// The server and project, without the key.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Posts one item in an envelope of its own.
    pub(crate) fn send(&self, item: &Outgoing) -> Outcome {
        let envelope = match envelope(item, SystemTime::now()) {
            Ok(envelope) => envelope,
            Err(error) => return Outcome::Rejected { why: format!("cannot be encoded: {error}") },
        };
        match self.poster.post(&self.url, &self.auth, &envelope) {
            Ok(answer) => outcome(&answer, item.attempts),
            Err(error) => {
                let why = error.to_string();
                // It may name a proxy, with its password.
                let why = scrub_text(&why).unwrap_or(why);
                Outcome::Later { hold: backoff(item.attempts), why }
            }
        }
    }
}

/// The envelope: its header, the item's header, the item; gzipped. One item an envelope, because Bugsink
/// and GlitchTip drop what stands beside an event.
fn envelope(item: &Outgoing, now: SystemTime) -> std::io::Result<Vec<u8>> {
    let sent_at = OffsetDateTime::from(now).format(&Rfc3339).map_err(std::io::Error::other)?;
    let mut header = json!({ "sent_at": sent_at, "sdk": { "name": SDK_NAME, "version": SDK_VERSION } });
    if let (Some(id), Some(fields)) = (item.event_id, header.as_object_mut()) {
        fields.insert("event_id".to_owned(), id.simple().to_string().into());
    }
    let item_header = json!({ "type": item.kind, "length": item.payload.len() });
    let mut gzip = GzEncoder::new(Vec::with_capacity(item.payload.len() / 3), Compression::fast());
    writeln!(gzip, "{header}")?;
    writeln!(gzip, "{item_header}")?;
    gzip.write_all(&item.payload)?;
    gzip.write_all(b"\n")?;
    gzip.finish()
}

fn outcome(answer: &Answer, attempts: u32) -> Outcome {
    let limited = answer.rate_limits.as_deref().and_then(error_limit);
    let why = format!("the server answered {}", answer.status);
    match answer.status {
        200..=299 => Outcome::Accepted { hold: limited },
        429 => Outcome::Later { hold: answer.retry_after.or(limited).unwrap_or(LIMITED_WAIT), why },
        // A wrong key, a wrong project, a wrong address: somebody will mend it.
        300..=399 | 401 | 403 | 404 => {
            Outcome::Later { hold: answer.retry_after.unwrap_or(REFUSED_WAIT), why }
        }
        408 | 425 | 500..=599 => {
            Outcome::Later { hold: answer.retry_after.or(limited).unwrap_or_else(|| backoff(attempts)), why }
        }
        _ => Outcome::Rejected { why },
    }
}

/// How long `X-Sentry-Rate-Limits` (`seconds:category;category:scope, ..`) keeps errors back. No category
/// means all of them; the longest counts.
fn error_limit(limits: &str) -> Option<Duration> {
    limits
        .split(',')
        .filter_map(|limit| {
            let mut parts = limit.trim().split(':');
            let seconds: f64 = parts.next()?.trim().parse().ok()?;
            let categories = parts.next().unwrap_or_default();
            let errors =
                categories.is_empty() || categories.split(';').any(|c| matches!(c, "error" | "default"));
            let wait = Duration::try_from_secs_f64(seconds).ok()?;
            errors.then_some(wait.min(Duration::from_secs(24 * 60 * 60)))
        })
        .max()
}

/// 0.5 s, 1 s, 2 s, .. 5 min, each up to a quarter shorter, so that a fleet does not come back as one.
fn backoff(attempts: u32) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(attempts.min(16))).min(MAX_BACKOFF);
    let jitter = crate::record::EventId::random().fraction() / 4.0;
    doubled.mul_f64(1.0 - jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limits_are_read_per_category() {
        assert_eq!(error_limit("60::key, 2700:default;error:organization"), Some(Duration::from_secs(2700)));
        assert_eq!(error_limit("86400:transaction;span:organization"), None);
        assert_eq!(error_limit("nonsense, -5:error, 1e400:error"), None);
    }

    #[test]
    fn the_backoff_grows_and_is_bounded() {
        for attempts in 0..40 {
            let wait = backoff(attempts);
            assert!(wait >= FIRST_BACKOFF.mul_f64(0.75) && wait <= MAX_BACKOFF, "{attempts}: {wait:?}");
        }
        assert!(backoff(9) > backoff(0));
    }

    #[test]
    fn answers_mean_what_the_servers_mean() {
        let outcome_of = |status, retry_after: Option<u64>, limits: Option<&str>| {
            let retry_after = retry_after.map(Duration::from_secs);
            outcome(&Answer { status, retry_after, rate_limits: limits.map(str::to_owned) }, 0)
        };
        let held = |outcome: Outcome| match outcome {
            Outcome::Later { hold, .. } => Some(hold.as_secs()),
            Outcome::Accepted { hold } => hold.map(|hold| hold.as_secs()),
            Outcome::Rejected { .. } => None,
        };
        assert_eq!(outcome_of(200, None, None), Outcome::Accepted { hold: None });
        assert_eq!(held(outcome_of(200, None, Some("60:error:key"))), Some(60));
        assert_eq!(held(outcome_of(429, Some(7), Some("60::key"))), Some(7));
        assert_eq!(held(outcome_of(429, None, Some("30::key"))), Some(30));
        assert_eq!(held(outcome_of(429, None, None)), Some(60));
        assert_eq!(held(outcome_of(403, None, None)), Some(35));
        assert_eq!(held(outcome_of(503, None, None)), Some(0));
        for status in [400, 413, 422] {
            assert!(matches!(outcome_of(status, None, None), Outcome::Rejected { .. }), "{status}");
        }
    }
}
