//! The rules of breadcrumbs, request and user.

use std::net::IpAddr;

use serde_json::Value;

use super::super::time;
use super::event::LEVELS;
use super::path::list;
use super::{Rule, has_only};

const BREADCRUMB_FIELDS: &[&str] = &["type", "category", "message", "data", "level", "timestamp"];

const REQUEST_FIELDS: &[&str] = &[
    "url",
    "method",
    "headers",
    "query_string",
    "cookies",
    "data",
    "env",
    "fragment",
    "protocol",
    "api_target",
    "body_size",
    "inferred_content_type",
];

const USER_FIELDS: &[&str] = &["id", "username", "email", "ip_address", "data", "geo"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        at: "breadcrumbs",
        holds: |breadcrumbs| list(breadcrumbs).is_some(),
        must: "be a list, bare or under `values`",
        otherwise: "GlitchTip drops all breadcrumbs",
    },
    Rule {
        at: "breadcrumbs[]",
        holds: |crumb| has_only(crumb, BREADCRUMB_FIELDS),
        must: "have only the fields of a breadcrumb",
        otherwise: "GlitchTip loses the others",
    },
    Rule {
        at: "breadcrumbs[].timestamp",
        holds: |timestamp| {
            let range = 0.0..time::now() + 365.0 * 24.0 * 60.0 * 60.0;
            time::of_value(timestamp).is_some_and(|timestamp| range.contains(&timestamp))
        },
        must: "be RFC 3339, or seconds since 1970",
        otherwise: "GlitchTip drops all breadcrumbs",
    },
    Rule {
        at: "breadcrumbs[].data",
        holds: Value::is_object,
        must: "be an object, as a breadcrumb's data is",
        otherwise: "GlitchTip drops all breadcrumbs",
    },
    Rule {
        at: "breadcrumbs[].message",
        holds: Value::is_string,
        must: "be a breadcrumb's text",
        otherwise: "GlitchTip drops all breadcrumbs",
    },
    Rule {
        at: "breadcrumbs[].level",
        holds: |level| level.as_str().is_some_and(|level| LEVELS.contains(&level)),
        must: "be one of the five levels",
        otherwise: "GlitchTip makes it `info`",
    },
    Rule {
        at: "request",
        holds: |request| has_only(request, REQUEST_FIELDS),
        must: "have only the fields of a request",
        otherwise: "GlitchTip loses the others",
    },
    Rule {
        at: "request.headers",
        holds: |headers| headers.as_object().is_some_and(|headers| headers.values().all(Value::is_string)),
        must: "be an object of texts, as headers are",
        otherwise: "GlitchTip drops the request or the event, or all values of a header but the first",
    },
    Rule {
        at: "request.query_string",
        holds: |query| query.as_str().is_some_and(|query| !query.starts_with('?')),
        must: "be a text without a leading `?`",
        otherwise: "GlitchTip makes the `?` a part of the first name, and may drop other forms",
    },
    Rule {
        at: "request.cookies",
        holds: |cookies| cookies.as_object().is_some_and(|cookies| cookies.values().all(Value::is_string)),
        must: "be an object of texts",
        otherwise: "GlitchTip drops the request, and a strict Bugsink an event whose cookies are a text",
    },
    Rule {
        at: "request.env",
        holds: Value::is_object,
        must: "be an object, as `env` is",
        otherwise: "GlitchTip drops the request",
    },
    Rule {
        at: "request.body_size",
        holds: Value::is_u64,
        must: "be an integer",
        otherwise: "GlitchTip drops the request",
    },
    Rule {
        at: "user",
        holds: |user| has_only(user, USER_FIELDS),
        must: "have only id, username, email, ip_address, geo, and the rest under `data`",
        otherwise: "GlitchTip loses the others",
    },
    Rule {
        at: "user",
        holds: |user| {
            ["id", "username", "email"].iter().all(|key| user.get(key).is_none_or(Value::is_string))
        },
        must: "have texts as id, username and email",
        otherwise: "GlitchTip drops a user with a boolean id",
    },
    Rule {
        at: "user.ip_address",
        holds: |address| address.as_str().is_some_and(|address| address.parse::<IpAddr>().is_ok()),
        must: "be an IP address",
        otherwise: "GlitchTip stores `{{auto}}` literally, and Sentry's Relay removes what it cannot parse",
    },
    Rule {
        at: "user.data",
        holds: Value::is_object,
        must: "be an object, as a user's data is",
        otherwise: "GlitchTip drops the user",
    },
];
