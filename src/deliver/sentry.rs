//! A server that speaks Sentry's protocol: what is posted to it, and what its answers mean.

use std::io::Read as _;
use std::time::{Duration, SystemTime};

use ::sentry::types::Dsn;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Outgoing;
use super::gzip::gzip;
use super::limits::{self, Category};
use super::post::{Answer, Poster};
use super::retry::Verdict;
use crate::record::truncated;
use crate::report::build::{SDK_NAME, SDK_VERSION};
use crate::scrub::scrub_text;

/// More of what a server says about an event is not shown.
const MAX_WORDS: usize = 200;
/// What is kept and unpacks to more than this was not packed here.
const MAX_KEPT: u64 = 64 * 1024 * 1024;

/// One server and project.
#[derive(Debug)]
pub(crate) struct Server {
    poster: Poster,
    url: String,
    auth: String,
    /// The URL without the key, for people.
    name: String,
}

/// What came of one request.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) verdict: Verdict,
    /// What the server wants to be kept back, whatever else it says.
    pub(super) limits: Vec<(Category, Duration)>,
    /// Scrubbed: it is for people.
    pub(super) why: String,
    /// It would take less of it.
    pub(super) too_large: bool,
    /// What the server's clock said.
    pub(super) date: Option<SystemTime>,
}

impl Server {
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
    pub(super) fn send(&self, item: &Outgoing) -> Reply {
        let envelope = match envelope(item, Some(SystemTime::now())) {
            Ok(envelope) => envelope,
            Err(error) => {
                return Reply::without_answer(Verdict::Rejected, &format!("cannot be encoded: {error}"));
            }
        };
        match self.poster.post(&self.url, &self.auth, &envelope) {
            Ok(answer) => Reply::to(&answer),
            Err(error) => Reply::without_answer(Verdict::Failed { wait: None }, &error.to_string()),
        }
    }
}

/// The envelope: its header, the item's header, the item; gzipped. One item an envelope, because Bugsink
/// and GlitchTip drop what stands beside an event.
fn envelope(item: &Outgoing, sent_at: Option<SystemTime>) -> std::io::Result<Vec<u8>> {
    let mut header = json!({ "sdk": { "name": SDK_NAME, "version": SDK_VERSION } });
    if let Some(fields) = header.as_object_mut() {
        if let Some(id) = item.event_id {
            fields.insert("event_id".to_owned(), id.simple().to_string().into());
        }
        if let Some(sent_at) = sent_at {
            let sent_at = OffsetDateTime::from(sent_at).format(&Rfc3339).map_err(std::io::Error::other)?;
            fields.insert("sent_at".to_owned(), sent_at.into());
        }
    }
    let item_header = json!({ "type": item.kind, "length": item.payload.len() });
    let head = format!("{header}\n{item_header}\n");
    gzip(&[head.as_bytes(), &item.payload, b"\n"])
}

/// The envelope as it is kept: without a time of sending, which is known when it is sent. `None` for what is not
/// kept: a check-in says how things are now, and transactions are many.
pub(super) fn kept(item: &Outgoing) -> Option<Vec<u8>> {
    if item.kind != "event" {
        return None;
    }
    envelope(item, None).ok()
}

/// The event in what was kept. `None` if there is none.
pub(super) fn event_in(kept: &[u8]) -> Option<Vec<u8>> {
    let mut envelope = Vec::new();
    GzDecoder::new(kept).take(MAX_KEPT).read_to_end(&mut envelope).ok()?;
    let mut lines = envelope.splitn(3, |byte| *byte == b'\n');
    let (_, item, rest) = (lines.next()?, lines.next()?, lines.next()?);
    let header: Value = serde_json::from_slice(item).ok()?;
    let length = usize::try_from(header.get("length")?.as_u64()?).ok()?;
    (header.get("type")?.as_str()? == "event").then(|| rest.get(..length).map(<[u8]>::to_vec))?
}

impl Reply {
    fn without_answer(verdict: Verdict, why: &str) -> Self {
        // It may name a proxy, with its password.
        let why = scrub_text(why).unwrap_or_else(|| why.to_owned());
        Self { verdict, limits: Vec::new(), why, too_large: false, date: None }
    }

    pub(super) fn panicked() -> Self {
        Self::without_answer(Verdict::Failed { wait: None }, "the request panicked")
    }

    /// What an answer means.
    fn to(answer: &Answer) -> Self {
        let wait = answer.retry_after;
        let verdict = match answer.status {
            200..=299 => Verdict::Accepted,
            429 => Verdict::Limited,
            408 | 425 | 500..=599 => Verdict::Failed { wait },
            // It is about this event; any other would be about all of them.
            400 | 413 | 422 => Verdict::Rejected,
            _ => Verdict::Refused { wait },
        };
        let why = match words(&answer.words) {
            _ if verdict == Verdict::Accepted => String::new(),
            Some(words) => format!("the server answered {}: {words}", answer.status),
            None => format!("the server answered {}", answer.status),
        };
        let too_large = answer.status == 413;
        let mut reply = Self { verdict, limits: Vec::new(), why, too_large, date: answer.date };
        reply.limits = answer.rate_limits.as_deref().map(limits::read).unwrap_or_default();
        // Where it does not say what for, it is for everything. A way that is closed is held by itself.
        let is_held = matches!(verdict, Verdict::Failed { .. } | Verdict::Refused { .. });
        if let (Some(wait), None, false) = (wait, &answer.rate_limits, is_held) {
            reply.limits.extend(Category::ALL.map(|category| (category, wait)));
        }
        if answer.status == 429 && answer.rate_limits.is_none() && wait.is_none() {
            reply.limits.extend(Category::ALL.map(|category| (category, limits::LIMITED_WAIT)));
        }
        reply
    }
}

/// What a server says about a bad request, on one line.
fn words(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let json = serde_json::from_str::<Value>(&text).ok();
    let named = json.as_ref().and_then(|json| {
        ["detail", "error", "message"].into_iter().find_map(|name| json.get(name)?.as_str())
    });
    let line = named.unwrap_or(&text).split_whitespace().collect::<Vec<_>>().join(" ");
    // Scrubbed before it is cut, so that no half of a secret is left that nobody recognises.
    let line = scrub_text(&line).unwrap_or(line);
    Some(truncated(&line, MAX_WORDS).to_owned()).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use ::sentry::types::Uuid;

    use super::*;

    fn reply_to(status: u16, retry_after: Option<u64>, rate_limits: Option<&str>, body: &str) -> Reply {
        Reply::to(&Answer {
            status,
            retry_after: retry_after.map(Duration::from_secs),
            rate_limits: rate_limits.map(str::to_owned),
            date: None,
            words: body.as_bytes().to_vec(),
        })
    }

    fn held(reply: &Reply) -> Vec<(&'static str, u64)> {
        reply.limits.iter().map(|(category, wait)| (category.as_str(), wait.as_secs())).collect()
    }

    #[test]
    fn what_is_kept_comes_back_and_only_events_are_kept() {
        let item = |kind| Outgoing {
            event_id: Some(Uuid::nil()),
            kind,
            payload: b"{\"a\":\"\\n\"}".to_vec(),
            title: String::new(),
        };
        let event = item("event");
        let kept = kept(&event).unwrap();
        assert_eq!(event_in(&kept), Some(event.payload));
        assert!(super::kept(&item("transaction")).is_none());
        assert!(super::kept(&item("check_in")).is_none());
        let other = envelope(&item("transaction"), None).unwrap();
        for no_event in [&b""[..], b"no gzip", &kept[..kept.len() / 2], &other] {
            assert_eq!(event_in(no_event), None);
        }
    }

    #[test]
    fn answers_mean_what_the_servers_mean() {
        let verdict = |status| reply_to(status, None, None, "").verdict;
        for status in [200, 202] {
            assert_eq!(verdict(status), Verdict::Accepted, "{status}");
        }
        for status in [408, 425, 500, 502, 503, 504, 599] {
            assert_eq!(verdict(status), Verdict::Failed { wait: None }, "{status}");
        }
        for status in [301, 401, 402, 403, 404, 405, 407, 410] {
            assert_eq!(verdict(status), Verdict::Refused { wait: None }, "{status}");
        }
        for status in [400, 413, 422] {
            assert_eq!(verdict(status), Verdict::Rejected, "{status}");
        }
        let wait = Some(Duration::from_secs(7));
        assert_eq!(reply_to(503, Some(7), None, "").verdict, Verdict::Failed { wait });
        assert_eq!(reply_to(403, Some(7), None, "").verdict, Verdict::Refused { wait });
    }

    #[test]
    fn limits_hold_at_any_status_what_they_name_and_else_everything() {
        let everything = |seconds| vec![("error", seconds), ("transaction", seconds), ("monitor", seconds)];
        let limits = |status, retry_after, rate_limits| held(&reply_to(status, retry_after, rate_limits, ""));
        assert_eq!(limits(200, None, None), []);
        assert_eq!(limits(200, None, Some("86400:transaction;span:organization")), [("transaction", 86_400)]);
        assert_eq!(limits(503, None, Some("60:error:key")), [("error", 60)]);
        assert_eq!(limits(429, Some(7), Some("60:error:key")), [("error", 60)], "the header says more");
        assert_eq!(limits(429, Some(7), None), everything(7));
        assert_eq!(limits(200, Some(7), None), everything(7));
        assert_eq!(limits(429, None, None), everything(60), "as Sentry means it");
        assert_eq!(limits(429, None, Some("60::key")), everything(60));
    }

    #[test]
    fn the_servers_words_are_read_scrubbed_and_short() {
        let why = |body: &str| reply_to(400, None, None, body).why;
        assert_eq!(why(""), "the server answered 400");
        let detail = r#"{"detail": "Invalid\n envelope header"}"#;
        assert_eq!(why(detail), "the server answered 400: Invalid envelope header");
        assert_eq!(why("bad password=hunter2"), "the server answered 400: bad password=[Filtered]");
        assert!(why(&"x".repeat(10_000)).len() < 300);
    }
}
