//! What an envelope must look like for GlitchTip, Sentry and Bugsink all to keep it whole; one row or function a rule.

mod contexts;
mod event;
mod exception;
mod limits;
mod parts;
mod path;

use serde_json::Value;

use super::envelope::{Envelope, Item};
use super::time;
pub(super) use limits::{DEPTHS, LENGTHS};
use path::find;

/// Something that holds for the value at a path, wherever that path leads to one.
pub(super) struct Rule {
    /// In the notation of [`path::find`]; empty for the whole.
    at: &'static str,
    holds: fn(&Value) -> bool,
    pub(super) must: &'static str,
    /// What a server does with the value otherwise, and which server.
    otherwise: &'static str,
}

/// The rules of the envelope's header, which a server checks before it reads on.
pub(super) fn header(envelope: &Envelope) -> Vec<String> {
    let mut broken = check(&envelope.header, "the header", HEADER);
    for item in envelope.items.iter().filter(|item| ["event", "transaction"].contains(&item.kind())) {
        broken.extend(item.json().ok().and_then(|payload| ids_differ(&envelope.header, &payload)));
    }
    broken
}

pub(super) fn items(envelope: &Envelope) -> Vec<String> {
    let mut broken = Vec::from_iter(envelope.unreadable.clone());
    if envelope.items.len() > 1 {
        broken.push(format!(
            "an envelope must hold one item, not {}: Bugsink drops both of two events, GlitchTip all after an unknown one",
            envelope.items.len()
        ));
    }
    broken.extend(envelope.items.iter().flat_map(check_item));
    broken
}

/// Every rule that has the form of a row.
pub(super) fn rows() -> impl Iterator<Item = &'static Rule> {
    let of_envelopes = [HEADER, ITEM, CHECK_IN];
    let of_events = [event::RULES, event::EVENT_ONLY, event::TRANSACTION_ONLY];
    let of_parts = [exception::RULES, exception::STACK, parts::RULES, contexts::RULES];
    of_envelopes.into_iter().chain(of_events).chain(of_parts).flatten()
}

const HEADER: &[Rule] = &[
    Rule {
        at: "",
        holds: |header| header["sent_at"].as_str().is_some_and(|text| time::of_rfc3339(text).is_some()),
        must: "name `sent_at` in RFC 3339",
        otherwise: "GlitchTip answers 400 to another form, and Sentry cannot correct the clock",
    },
    Rule {
        at: "",
        holds: |header| has_text(&header["sdk"], "name") && has_text(&header["sdk"], "version"),
        must: "name `sdk` with name and version",
        otherwise: "GlitchTip answers 400",
    },
    Rule {
        at: "dsn",
        holds: |dsn| {
            let url = dsn.as_str().and_then(|dsn| url::Url::parse(dsn).ok());
            url.is_some_and(|url| url.password().is_none())
        },
        must: "be a DSN without its secret",
        otherwise: "the secret travels and is stored with every event",
    },
];

const ITEM: &[Rule] = &[
    Rule {
        at: "",
        holds: |header| header["type"].as_str().is_some_and(|kind| KNOWN_ITEMS.contains(&kind)),
        must: "name a known `type`",
        otherwise: "GlitchTip stops reading the envelope there",
    },
    Rule {
        at: "length",
        holds: Value::is_u64,
        must: "be a number of bytes",
        otherwise: "GlitchTip drops the item",
    },
];

const CHECK_IN: &[Rule] = &[
    Rule {
        at: "monitor_slug",
        holds: |slug| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            slug.as_str().is_some_and(|slug| (1..=50).contains(&slug.len()) && slug.chars().all(plain))
        },
        must: "be a slug of at most 50 characters",
        otherwise: "Sentry's Relay refuses the check-in",
    },
    Rule {
        at: "",
        holds: |check_in| check_in["check_in_id"].as_str().is_some_and(|id| is_hex(id, 32)),
        must: "have a `check_in_id`, a UUID",
        otherwise: "Sentry's Relay refuses it",
    },
    Rule {
        at: "",
        holds: |check_in| {
            let status = check_in["status"].as_str();
            ["in_progress", "ok", "error", "missed", "timeout"].map(Some).contains(&status)
        },
        must: "have a known `status`",
        otherwise: "Sentry takes it for unknown",
    },
    Rule {
        at: "duration",
        holds: |duration| duration.as_f64().is_some_and(|seconds| seconds >= 0.0),
        must: "be seconds",
        otherwise: "Sentry refuses the check-in",
    },
    Rule {
        at: "monitor_config",
        holds: |config| {
            let schedule = &config["schedule"];
            let units = ["year", "month", "week", "day", "hour", "minute"].map(Some);
            match schedule["type"].as_str() {
                Some("crontab") => has_text(schedule, "value"),
                Some("interval") => {
                    schedule["value"].as_u64() > Some(0) && units.contains(&schedule["unit"].as_str())
                }
                _ => false,
            }
        },
        must: "have a `schedule` by crontab or interval",
        otherwise: "Sentry's Relay refuses the check-in",
    },
    Rule {
        at: "monitor_config",
        holds: |config| {
            let whole = ["checkin_margin", "max_runtime", "failure_issue_threshold", "recovery_threshold"];
            whole.iter().all(|name| config[*name].is_null() || config[*name].as_u64() > Some(0))
        },
        must: "count in whole minutes and runs",
        otherwise: "Sentry ignores the monitor",
    },
];

/// What GlitchTip reads, if only to throw it away.
const KNOWN_ITEMS: &[&str] = &[
    "event",
    "transaction",
    "session",
    "sessions",
    "client_report",
    "attachment",
    "log",
    "check_in",
    "user_report",
    "profile",
    "span",
    "replay_event",
    "replay_recording",
];

/// The largest payload, in bytes, that Sentry's Relay takes, and for events Bugsink.
pub(super) fn size_limit(item: &Item) -> Option<usize> {
    match item.kind() {
        "event" | "transaction" => Some(1024 * 1024),
        "check_in" => Some(100 * 1024),
        "client_report" => Some(4 * 1024),
        _ => None,
    }
}

fn check_item(item: &Item) -> Vec<String> {
    let mut broken = check(&item.header, "the item's header", ITEM);
    if let Some(limit) = size_limit(item).filter(|limit| item.payload.len() > *limit) {
        broken.push(format!(
            "the {} must have at most {limit} bytes, else Sentry answers 413: {}",
            item.kind(),
            item.payload.len()
        ));
    }
    if !["event", "transaction", "check_in", "client_report"].contains(&item.kind()) {
        return broken;
    }
    match item.json() {
        Ok(payload) => broken.extend(check_payload(item.kind(), &payload)),
        // serde_json refuses lone surrogates, as GlitchTip does.
        Err(error) => broken.push(format!(
            "the {} must be JSON without lone surrogates, else every server drops it and answers 200: {error}",
            item.kind()
        )),
    }
    broken
}

fn check_payload(kind: &str, payload: &Value) -> Vec<String> {
    let name = format!("the {kind}");
    match kind {
        "event" => [check(payload, &name, event::EVENT_ONLY), check_common(payload, &name)].concat(),
        "transaction" => {
            [check(payload, &name, event::TRANSACTION_ONLY), check_common(payload, &name)].concat()
        }
        "check_in" => check(payload, &name, CHECK_IN),
        _ => Vec::new(),
    }
}

/// The rules that events and transactions share.
fn check_common(payload: &Value, name: &str) -> Vec<String> {
    let mut broken = path::nul_characters(payload);
    for rules in [event::RULES, exception::RULES, parts::RULES, contexts::RULES] {
        broken.extend(check(payload, name, rules));
    }
    for stack in exception::STACKS {
        broken.extend(check_below(payload, name, stack, exception::STACK));
    }
    broken.extend(limits::check(payload));
    broken
}

fn check(root: &Value, name: &str, rules: &[Rule]) -> Vec<String> {
    check_below(root, name, "", rules)
}

/// Checks rules whose paths begin at `base`; `name` is what the root is called.
fn check_below(root: &Value, name: &str, base: &str, rules: &[Rule]) -> Vec<String> {
    let broken = rules.iter().flat_map(|rule| {
        find(root, name, &format!("{base}.{}", rule.at))
            .into_iter()
            .filter(|(_, value)| !(rule.holds)(value))
            .map(|(place, value)| rule.violation(&place, value))
    });
    broken.collect()
}

impl Rule {
    fn violation(&self, place: &str, value: &Value) -> String {
        let levels = if self.at.is_empty() { 1 } else { 2 };
        format!("{place} must {}, else {}: {}", self.must, self.otherwise, summary(value, levels))
    }
}

/// A value without its deeper levels and the ends of its long texts.
fn summary(value: &Value, levels: usize) -> String {
    match value {
        Value::Object(_) if levels == 0 => "{..}".to_owned(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{key:?}: {}", summary(value, levels - 1)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(values) => format!("[{} values]", values.len()),
        scalar => format!("{:.60}", scalar.to_string()),
    }
}

fn ids_differ(header: &Value, payload: &Value) -> Option<String> {
    let plain = |id: &Value| id.as_str().map(|id| id.replace('-', "")).filter(|id| is_hex(id, 32));
    let (outer, inner) = (plain(&header["event_id"]), plain(&payload["event_id"]));
    let same = outer.is_some() && outer == inner;
    (!same).then(|| {
        format!(
            "the header and the payload must have the same `event_id`, a UUID (else GlitchTip answers 400 or drops the \
             event, and Bugsink 400), not {} and {}",
            header["event_id"], payload["event_id"]
        )
    })
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn has_text(object: &Value, key: &str) -> bool {
    object[key].as_str().is_some_and(|text| !text.is_empty())
}

fn has_only(object: &Value, known: &[&str]) -> bool {
    object.as_object().is_none_or(|object| object.keys().all(|key| known.contains(&key.as_str())))
}
