//! The rules of an event's own fields: identity, time, level, tags, grouping, message.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::super::time;
use super::{Rule, has_only, has_text, is_hex};

const DAY: f64 = 24.0 * 60.0 * 60.0;

/// What Sentry takes as "now or before", in seconds from now.
const TIMESTAMPS: RangeInclusive<f64> = -30.0 * DAY..=60.0;

pub(super) const LEVELS: &[&str] = &["debug", "info", "warning", "error", "fatal"];

/// What Sentry's Relay knows, `other` excepted, which is what it makes of the rest.
const PLATFORMS: &[&str] = &[
    "as3",
    "c",
    "cfml",
    "cocoa",
    "csharp",
    "elixir",
    "go",
    "groovy",
    "haskell",
    "java",
    "javascript",
    "native",
    "node",
    "objc",
    "perl",
    "php",
    "python",
    "ruby",
];

/// What some server stores, and `message`, which has a rule of its own; `errors`, `template` and a bare `stacktrace`
/// only do harm.
const FIELDS: &[&str] = &[
    "_meta",
    "breadcrumbs",
    "contexts",
    "culprit",
    "debug_meta",
    "dist",
    "environment",
    "event_id",
    "exception",
    "extra",
    "fingerprint",
    "level",
    "logentry",
    "logger",
    "message",
    "modules",
    "platform",
    "release",
    "request",
    "sdk",
    "server_name",
    "tags",
    "threads",
    "timestamp",
    "transaction",
    "transaction_info",
    "type",
    "user",
];

pub(super) const EVENT_ONLY: &[Rule] = &[
    Rule {
        at: "",
        holds: |event| event.get("message").is_none(),
        must: "have `logentry.formatted` and no `message`",
        otherwise: "Sentry's schema refuses it, and with it Bugsink in strict mode",
    },
    Rule {
        at: "",
        holds: |event| has_only(event, FIELDS),
        must: "have only fields of Sentry's protocol that some server stores",
        otherwise: "they are lost",
    },
    Rule {
        at: "",
        holds: |event| event.get("exception").is_some() || event.get("logentry").is_some(),
        must: "have an exception or a logentry",
        otherwise: "GlitchTip names it `<untitled>`",
    },
];

pub(super) const TRANSACTION_ONLY: &[Rule] = &[Rule {
    at: "",
    holds: |transaction| {
        transaction["contexts"]["trace"]["trace_id"].as_str().is_some_and(|id| is_hex(id, 32))
    },
    must: "have a `contexts.trace` with a trace_id",
    otherwise: "GlitchTip loses the whole batch",
}];

pub(super) const RULES: &[Rule] = &[
    Rule {
        at: "",
        holds: |event| event["platform"].as_str().is_some_and(|platform| PLATFORMS.contains(&platform)),
        must: "have a `platform` that Sentry knows (`native` for Rust)",
        otherwise: "Sentry's Relay makes it `other`",
    },
    Rule {
        at: "",
        holds: |event| {
            time::of_value(&event["timestamp"])
                .is_some_and(|timestamp| TIMESTAMPS.contains(&(timestamp - time::now())))
        },
        must: "have a `timestamp` of the last 30 days",
        otherwise: "Sentry and GlitchTip put the time of arrival in its place",
    },
    Rule {
        at: "release",
        holds: |release| {
            release.as_str().is_some_and(|release| {
                !release.is_empty()
                    && ![".", ".."].contains(&release)
                    && !release.eq_ignore_ascii_case("latest")
                    && !release.contains(['/', '\\', '\n', '\r', '\t', '\x0b', '\x0c'])
            })
        },
        must: "be a text without slashes and line breaks, and not `.`, `..` or `latest`",
        otherwise: "Sentry's Relay removes it, and for an object GlitchTip drops the event",
    },
    Rule {
        at: "environment",
        holds: |environment| {
            environment.as_str().is_some_and(|environment| {
                !["", ".", ".."].contains(&environment)
                    && !environment.eq_ignore_ascii_case("none")
                    && !environment.contains(['/', '\n', '\r', '\x0c'])
            })
        },
        must: "be a text without slash and line break, and not empty, `.`, `..` or `none`",
        otherwise: "Sentry's Relay removes it",
    },
    Rule {
        at: "dist",
        holds: |dist| {
            dist.as_str().is_some_and(|dist| {
                !dist.is_empty() && dist.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
            })
        },
        must: "consist of ASCII letters, digits, `_`, `.` and `-`",
        otherwise: "Sentry's Relay removes it",
    },
    Rule {
        at: "level",
        holds: |level| level.as_str().is_some_and(|level| LEVELS.contains(&level)),
        must: "be debug, info, warning, error or fatal",
        otherwise: "GlitchTip makes it `error`, or drops the event",
    },
    Rule { at: "logger", holds: Value::is_string, must: "be a text", otherwise: "GlitchTip drops the event" },
    Rule {
        at: "tags",
        holds: |tags| tags.is_object(),
        must: "be an object",
        otherwise: "GlitchTip drops the event for other forms",
    },
    Rule {
        at: "tags.*",
        holds: |value| value.as_str().is_some_and(|value| !value.is_empty() && !value.contains('\n')),
        must: "be a non-empty text of one line",
        otherwise: "GlitchTip removes empty tags and drops the event for objects, Sentry's Relay removes line breaks",
    },
    Rule {
        at: "tags",
        holds: |tags| tags.as_object().is_none_or(|tags| tags.keys().all(|key| is_tag_key(key))),
        must: "have keys of ASCII letters, digits, `_`, `.`, `:` and `-` only",
        otherwise: "Sentry's Relay changes or removes the key",
    },
    Rule {
        at: "tags",
        holds: |tags| ["environment", "release", "user"].iter().all(|key| tags.get(key).is_none()),
        must: "not be named environment, release or user",
        otherwise: "Sentry's Relay removes these",
    },
    Rule {
        at: "fingerprint",
        holds: |parts| {
            parts.as_array().is_some_and(|parts| !parts.is_empty() && parts.iter().all(Value::is_string))
        },
        must: "be a list of texts",
        otherwise: "GlitchTip drops the event",
    },
    Rule {
        at: "fingerprint[]",
        holds: |part| part != "{{default}}",
        must: "be written `{{ default }}`, with spaces",
        otherwise: "GlitchTip takes it literally",
    },
    Rule {
        at: "logentry",
        holds: |entry| has_text(entry, "formatted") && entry.get("params").is_none_or(Value::is_null),
        must: "be an object with `formatted` and without params",
        otherwise: "GlitchTip loses the whole batch if params do not fit, or shows no title",
    },
    Rule {
        at: "culprit",
        holds: |culprit| !ends_in_symbol_hash(culprit),
        must: "not end in a Rust symbol hash",
        otherwise: "GlitchTip makes a new issue of it in every build",
    },
    Rule {
        at: "transaction",
        holds: |transaction| transaction.is_string() && !ends_in_symbol_hash(transaction),
        must: "be a text that does not end in a Rust symbol hash",
        otherwise: "GlitchTip makes a new issue of it in every build",
    },
    Rule {
        at: "sdk",
        holds: |sdk| has_text(sdk, "name") && has_text(sdk, "version"),
        must: "have name and version",
        otherwise: "GlitchTip drops it",
    },
    Rule {
        at: "sdk",
        holds: |sdk| sdk.get("settings").is_none(),
        must: "have no `settings`",
        otherwise: "Sentry's schema refuses it, and with it Bugsink in strict mode",
    },
    Rule {
        at: "extra",
        holds: Value::is_object,
        must: "be an object, as `extra` is",
        otherwise: "GlitchTip drops the event",
    },
    Rule {
        at: "modules",
        holds: |modules| modules.as_object().is_some_and(|modules| modules.values().all(Value::is_string)),
        must: "be an object of texts",
        otherwise: "GlitchTip drops the event, or cannot show it",
    },
    Rule {
        at: "debug_meta",
        holds: Value::is_object,
        must: "be an object, as `debug_meta` is",
        otherwise: "GlitchTip drops it",
    },
];

fn is_tag_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c))
}

/// Whether a text ends in `::h` and the 16 hexadecimal digits that rustc adds to symbols.
pub(super) fn ends_in_symbol_hash(value: &Value) -> bool {
    let hash = value.as_str().and_then(|text| text.rsplit_once("::h"));
    hash.is_some_and(|(_, hash)| is_hex(hash, 16))
}
