//! The rules of exceptions, their mechanisms, and every stack trace of an event.

use serde_json::Value;

use super::event::ends_in_symbol_hash;
use super::path::list;
use super::{Rule, has_only, has_text};

/// Frames that Sentry keeps of one stack, and those of them that keep their variables.
const MAX_FRAMES: usize = 250;
const MAX_FRAMES_WITH_VARIABLES: usize = 50;

const MECHANISM_FIELDS: &[&str] = &[
    "type",
    "description",
    "help_link",
    "handled",
    "synthetic",
    "is_exception_group",
    "exception_id",
    "parent_id",
    "source",
    "meta",
    "data",
];

const FRAME_FIELDS: &[&str] = &[
    "filename",
    "function",
    "raw_function",
    "function_id",
    "symbol",
    "module",
    "lineno",
    "colno",
    "abs_path",
    "context_line",
    "pre_context",
    "post_context",
    "source_link",
    "in_app",
    "stack_start",
    "lock",
    "vars",
    "instruction_addr",
    "addr_mode",
    "symbol_addr",
    "image_addr",
    "package",
    "platform",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        at: "exception",
        holds: |exception| list(exception).is_some_and(|values| !values.is_empty()),
        must: "be a list that is not empty, bare or under `values`",
        otherwise: "GlitchTip drops the event",
    },
    Rule {
        at: "exception[]",
        holds: |exception| has_text(exception, "type") || has_text(exception, "value"),
        must: "have a type or a value",
        otherwise: "the issue has no title",
    },
    Rule {
        at: "exception[]",
        holds: |exception| exception.get("raw_stacktrace").is_none(),
        must: "have no `raw_stacktrace`",
        otherwise: "Sentry's schema has none, and a strict Bugsink stores nothing",
    },
    Rule {
        at: "exception[].value",
        holds: Value::is_string,
        must: "be the message as a text",
        otherwise: "GlitchTip drops it",
    },
    Rule {
        at: "exception[].type",
        holds: |name| name.is_string() && !ends_in_symbol_hash(name),
        must: "be a type's name without a Rust symbol hash",
        otherwise: "GlitchTip makes a new issue of it in every build",
    },
    Rule {
        at: "exception[].thread_id",
        holds: |id| id.is_string() || id.is_number(),
        must: "be a number or a text",
        otherwise: "GlitchTip drops the event",
    },
    Rule {
        at: "exception[].mechanism",
        holds: |mechanism| has_text(mechanism, "type"),
        must: "be an object with `type`",
        otherwise: "GlitchTip drops it",
    },
    Rule {
        at: "exception[].mechanism",
        holds: |mechanism| has_only(mechanism, MECHANISM_FIELDS),
        must: "have only the fields of a mechanism",
        otherwise: "GlitchTip loses the others",
    },
];

/// Where an event has stack traces.
pub(super) const STACKS: &[&str] = &["exception[].stacktrace", "threads[].stacktrace"];

/// Their paths begin at each of [`STACKS`].
pub(super) const STACK: &[Rule] = &[
    Rule {
        at: "",
        holds: |stack| stack["frames"].as_array().is_some_and(|frames| frames.len() <= MAX_FRAMES),
        must: "have `frames`, a list of at most 250",
        otherwise: "GlitchTip drops a stack without them, and Sentry's Relay those in the middle",
    },
    Rule {
        at: "",
        holds: |stack| {
            let frames = stack["frames"].as_array().into_iter().flatten();
            frames.filter(|frame| frame.get("vars").is_some()).count() <= MAX_FRAMES_WITH_VARIABLES
        },
        must: "have variables on at most 50 frames",
        otherwise: "Sentry's Relay removes those of the others",
    },
    Rule {
        at: "",
        holds: |stack| stack.get("frames_omitted").is_none(),
        must: "have no `frames_omitted`",
        otherwise: "Sentry's schema has another form of it, and a strict Bugsink stores nothing",
    },
    Rule {
        at: "frames[]",
        holds: Value::is_object,
        must: "be an object, as frames are",
        otherwise: "GlitchTip drops the stack",
    },
    Rule {
        at: "frames[]",
        holds: |frame| has_only(frame, FRAME_FIELDS),
        must: "have only the fields of a frame",
        otherwise: "GlitchTip loses the others",
    },
    Rule {
        at: "frames[]",
        holds: |frame| ["lineno", "colno"].iter().all(|key| frame.get(key).is_none_or(Value::is_u64)),
        must: "have integers as lineno and colno",
        otherwise: "GlitchTip drops the stack",
    },
    Rule {
        at: "frames[].vars",
        holds: |variables| {
            variables.as_object().is_some_and(|variables| variables.values().all(Value::is_string))
        },
        must: "be an object of texts, as variables are",
        otherwise: "GlitchTip drops the stack",
    },
    Rule {
        at: "frames[].function",
        holds: |function| !ends_in_symbol_hash(function),
        must: "be a function's name without a Rust symbol hash",
        otherwise: "GlitchTip makes a new issue of it in every build",
    },
    Rule {
        at: "frames[].filename",
        holds: |name| {
            name.as_str().is_some_and(|name| !name.starts_with("http") || url::Url::parse(name).is_ok())
        },
        must: "be a path, or a URL that can be parsed",
        otherwise: "GlitchTip drops the stack",
    },
];
