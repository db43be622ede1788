//! Stacks: one frame that GlitchTip does not understand costs the whole stack, and it tells nobody.

use super::shorten;
use super::sizes::budget;
use crate::deliver::json::{Fields, Json};
use crate::record::truncated;

const MAX_FRAMES: usize = 250;
const MAX_FRAMES_WITH_VARIABLES: usize = 50;

/// The stack of an exception or a thread.
pub(super) fn mend_stacks(owner: &mut Fields<'_>) {
    // Sentry's schema has neither, and a strict Bugsink stores no event that has one.
    owner.remove("raw_stacktrace");
    let Some(Json::Object(stack)) = owner.get_mut("stacktrace") else { return };
    stack.remove("frames_omitted");
    if let Some(Json::Array(frames)) = stack.get_mut("frames") {
        mend_frames(frames);
    }
}

fn mend_frames(frames: &mut Vec<Json<'_>>) {
    if let Some(over) = frames.len().checked_sub(MAX_FRAMES) {
        // The outermost frames come first and matter least.
        frames.drain(..over);
    }
    let without_variables = frames.len().saturating_sub(MAX_FRAMES_WITH_VARIABLES);
    for (at, frame) in frames.iter_mut().enumerate() {
        let Json::Object(frame) = frame else { continue };
        if let Some(Json::Text(function)) = frame.get_mut("function") {
            shorten(function, |function| truncated(without_symbol_hash(function), 512));
        }
        // GlitchTip drops the stack for a URL that it cannot parse.
        let is_broken = |name: &str| name.starts_with("http") && name.parse::<url::Url>().is_err();
        if frame.get("filename").and_then(Json::as_str).is_some_and(is_broken) {
            frame.remove("filename");
        }
        if at < without_variables {
            frame.remove("vars");
        }
        if let Some(Json::Object(vars)) = frame.get_mut("vars") {
            for var in vars.values_mut().filter(|var| var.as_str().is_none()) {
                *var = Json::text(var.to_string());
            }
            budget(frame.get_mut("vars"), 2_048, 6);
        }
    }
}

/// `shop::main::h0123456789abcdef` differs in every build, and with it the issue on GlitchTip.
pub(super) fn without_symbol_hash(function: &str) -> &str {
    match function.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => name,
        _ => function,
    }
}
