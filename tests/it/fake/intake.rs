//! What the intake of a real server would do with a request: its status, its answer, and the rules that were broken.

use std::time::Instant;

use serde_json::Value;

use super::KEY;
use super::answer::Response;
use super::envelope::{Envelope, Item};
use super::http::{self, Packed, Request};
use super::rules;
use super::state::RequestSeen;

const PATH: &str = "/api/1/envelope/";

pub(super) struct Verdict {
    pub(super) status: u16,
    reply: String,
    location: Option<&'static str>,
    event_id: Option<String>,
    body: Vec<u8>,
    pub(super) event: Option<Value>,
    pub(super) violations: Vec<String>,
}

/// Judges all of a request, even if its first line is enough to refuse it.
pub(super) fn judge(request: &Request) -> Verdict {
    let mut verdict = Verdict {
        status: 200,
        reply: String::new(),
        location: None,
        event_id: None,
        body: request.body.clone(),
        event: None,
        violations: Vec::new(),
    };
    verdict.judge_target(request);
    verdict.judge_auth(request.header("x-sentry-auth"));
    verdict.judge_body(request);
    verdict
}

impl Verdict {
    pub(super) fn response(&self) -> Response {
        Response::new(self.status, &self.reply).with("Location", self.location)
    }

    pub(super) fn seen(&self, request: &Request, arrived: Instant, connection: usize) -> RequestSeen {
        RequestSeen {
            arrived,
            path: request.path.clone(),
            headers: request.headers.clone(),
            event_id: self.event_id.clone(),
            body: self.body.clone(),
            connection,
        }
    }

    fn judge_target(&mut self, request: &Request) {
        if request.method != "POST" {
            self.violate(format!("the method must be POST, not {}", request.method));
            self.refuse(405, "");
        } else if request.path == PATH.trim_end_matches('/') {
            self.violate(format!(
                "the path must be {PATH}: GlitchTip redirects {}, which loses a POST",
                request.path
            ));
            self.location = Some(PATH);
            self.refuse(301, "");
        } else if request.path != PATH {
            self.violate(format!("the path must be {PATH}, not {}", request.path));
            self.refuse(404, "");
        }
        if request.header("expect").is_some() {
            self.violate("there must be no `Expect` header: uWSGI waits for the body without answering it");
        }
    }

    /// A key that is well-formed but wrong is refused and breaks no rule: the library can only use what it is given.
    fn judge_auth(&mut self, header: Option<&str>) {
        let Some(fields) = header.and_then(|header| header.strip_prefix("Sentry ")) else {
            self.violate(
                "there must be an `X-Sentry-Auth: Sentry ..` header: GlitchTip and Sentry refuse the rest",
            );
            return self.refuse(403, r#"{"detail":"Denied"}"#);
        };
        let field = |name| {
            let mut fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        if field("sentry_version") != Some("7") {
            self.violate("X-Sentry-Auth must say sentry_version=7, the protocol of envelopes");
        }
        if field("sentry_secret").is_some() {
            self.violate(
                "X-Sentry-Auth must not carry a sentry_secret: it is no longer used, and it is a secret",
            );
        }
        match field("sentry_key") {
            None => {
                self.violate("X-Sentry-Auth must have a sentry_key: GlitchTip answers 500 without one");
                self.refuse(500, "<h1>Server Error (500)</h1>");
            }
            Some(key) if key != KEY => self.refuse(403, r#"{"detail":"Denied"}"#),
            Some(_) => {}
        }
    }

    fn judge_body(&mut self, request: &Request) {
        match http::unpack(request) {
            Ok(body) => self.body = body,
            Err(Packed::TooLarge) => {
                self.violate("the body must unpack to less than 2.5 MiB, the limit of GlitchTip");
                return self.refuse(413, "Decompressed size exceeded limit of 2621440 bytes");
            }
            Err(Packed::Unreadable(why)) => {
                self.violate(format!(
                    "the body must be plain or gzip: it has {why}, which GlitchTip or Bugsink refuses"
                ));
                return self.refuse(400, INVALID_HEADER);
            }
        }
        let envelope = match Envelope::parse(&self.body) {
            Ok(envelope) => envelope,
            Err(why) => {
                self.violate(why);
                return self.refuse(400, INVALID_HEADER);
            }
        };
        self.event_id = envelope.header["event_id"].as_str().map(str::to_owned);
        let header = rules::header(&envelope);
        if !header.is_empty() {
            self.refuse(400, INVALID_HEADER);
        }
        let too_large = |item: &Item| rules::size_limit(item).is_some_and(|limit| item.payload.len() > limit);
        if envelope.items.iter().any(too_large) {
            self.refuse(413, "Max size exceeded");
        }
        self.event = envelope.items.iter().find(|item| item.is_event()).and_then(|item| item.json().ok());
        self.violations.extend(header);
        self.violations.extend(rules::items(&envelope));
        if self.status == 200 {
            self.reply = match &self.event_id {
                Some(id) => format!(r#"{{"id":"{id}"}}"#),
                None => "{}".to_owned(),
            };
        }
    }

    fn violate(&mut self, violation: impl Into<String>) {
        self.violations.push(violation.into());
    }

    /// The first reason to refuse a request is the one that the client hears.
    fn refuse(&mut self, status: u16, reply: &str) {
        if self.status == 200 {
            self.status = status;
            self.reply = reply.to_owned();
        }
    }
}

const INVALID_HEADER: &str = r#"{"detail":"Invalid envelope header"}"#;
