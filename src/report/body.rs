//! What an event shows of its request's body.

use sentry::protocol::{Context, Event, Map};

use crate::record::{Headers, KeptBody, MAX_BODY_TEXT, truncated};
use crate::scrub::scrub_body;

/// The tag that says in which way the body is incomplete, and the context that says by how much.
const NAME: &str = "faultwire.body";

/// Adds the body to the event's request, and a note if that is not all of it.
pub(super) fn add(event: &mut Event<'static>, headers: &Headers, body: &KeptBody) {
    let kept = u64::try_from(body.bytes().len()).unwrap_or(u64::MAX);
    let is_cut = kept < body.read();
    let text = if body.is_shown() {
        let content_type = headers.value("content-type");
        let is_cut = is_cut || !body.is_read();
        (kept > 0).then(|| scrub_body(content_type.as_deref(), body.bytes(), is_cut))
    } else {
        let bytes = body.announced().or((body.read() > 0).then_some(body.read()));
        bytes.map(|bytes| counted(headers, bytes))
    };
    let is_long = text.as_ref().is_some_and(|text| text.len() > MAX_BODY_TEXT);
    let state = match body.read() {
        0 if !body.is_read() => Some("not_read"),
        _ if !body.is_read() => Some("partly_read"),
        _ => (body.is_shown() && (is_cut || is_long)).then_some("cut"),
    };
    if let Some(state) = state {
        event.tags.insert(NAME.to_owned(), state.to_owned());
        let numbers = [("kept", Some(kept)), ("read", Some(body.read())), ("announced", body.announced())];
        let numbers: Map<_, _> =
            numbers.into_iter().filter_map(|(name, bytes)| Some((name.to_owned(), bytes?.into()))).collect();
        event.contexts.insert(NAME.to_owned(), Context::Other(numbers));
    }
    if let Some(request) = &mut event.request {
        request.data = text;
    }
}

/// Stands for a body that cannot be shown: `<5120 bytes, gzip>`.
fn counted(headers: &Headers, bytes: u64) -> String {
    let encodings =
        headers.iter().filter(|(name, _)| name == "content-encoding").filter_map(|(_, value)| value);
    let encoding = encodings.into_iter().find(|encoding| !encoding.eq_ignore_ascii_case("identity"));
    let what = encoding.or_else(|| headers.value("content-type")).unwrap_or_default();
    let what = what.split(';').next().unwrap_or_default().trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "/+-._, ".contains(c);
    let what = if what.chars().all(is_name) { truncated(what, 100) } else { "" };
    let what = if what.is_empty() { "unknown" } else { what };
    format!("<{bytes} bytes, {what}>")
}
