//! The gate: nothing goes on that was not serialized, mended and scrubbed here.
//!
//! It stands behind every hook of the SDK and of the application.

use ::sentry::protocol::{EnvelopeItem, Event};
use ::sentry::types::Uuid;
use serde::Serialize;
use serde_json::Value;

use super::hygiene;
use super::json::{self, Json};
use crate::scrub::{Removed, Scrubber};

/// One scrubbed item on its way to the servers.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) event_id: Option<Uuid>,
    /// The item's type: `event`, `transaction`, ...
    pub(crate) kind: &'static str,
    pub(crate) payload: Vec<u8>,
    /// What people call it, scrubbed like the rest.
    pub(crate) title: String,
}

impl Outgoing {
    /// The same without what is least missed, for a server to which it is too large. `None` if nothing can go.
    pub(super) fn shrunk(&self) -> Option<Self> {
        let Self { event_id, kind, payload, title } = self;
        let payload = hygiene::shrunk(payload)?;
        Some(Self { event_id: *event_id, kind, payload, title: title.clone() })
    }
}

/// Lets an event through. `None` if it cannot be serialized.
pub(super) fn event(event: Event<'static>, scrubber: &Scrubber) -> Option<Outgoing> {
    pass("event", Some(event.event_id), &event, scrubber)
}

/// Lets an item of the SDK through. `None` for what is never sent: attachments, sessions, raw bytes.
pub(super) fn item(item: EnvelopeItem, scrubber: &Scrubber) -> Option<Outgoing> {
    match item {
        EnvelopeItem::Event(boxed) => event(*boxed, scrubber),
        EnvelopeItem::Transaction(transaction) => {
            pass("transaction", Some(transaction.event_id), &transaction, scrubber)
        }
        EnvelopeItem::MonitorCheckIn(check_in) => pass("check_in", None, &check_in, scrubber),
        _ => None,
    }
}

/// Lets a check-in through.
pub(super) fn check_in(check_in: &Value, scrubber: &Scrubber) -> Option<Outgoing> {
    pass("check_in", None, check_in, scrubber)
}

/// Lets an event through that was on disk: an older version may have written it, which knew fewer secrets. `None` if
/// it is no event.
pub(super) fn stored(payload: &[u8], scrubber: &Scrubber) -> Option<Outgoing> {
    let event: Value = serde_json::from_slice(payload).ok()?;
    let id = event.as_object()?.get("event_id")?.as_str()?.parse().ok()?;
    pass("event", Some(id), &event, scrubber)
}

fn pass<T: Serialize>(
    kind: &'static str,
    event_id: Option<Uuid>,
    item: &T,
    scrubber: &Scrubber,
) -> Option<Outgoing> {
    // Before anything is cut, so that no half of a secret is left that nobody recognises.
    let whole = serde_json::to_vec(item).ok()?;
    let (scrubbed, removed) = scrubber.item(&whole);
    let scrubbed = scrubbed.unwrap_or(whole);
    let mut item = json::read(&scrubbed)?;
    if !removed.is_empty() {
        note(&mut item, &removed);
    }
    hygiene::mend(&mut item);
    let mut payload = hygiene::payload(&mut item)?;
    // Mending makes new texts, so what it changed is looked at once more.
    if payload != scrubbed {
        payload = scrubber.noted_item(&payload).unwrap_or(payload);
    }
    payload = scrubber.without_known(&payload).unwrap_or(payload);
    let title = scrubber.text(&title(kind, &item)).into_owned();
    Some(Outgoing { event_id, kind, payload, title })
}

/// Says on the item what was removed from it, and by which rule: no values, so that who misses something can see
/// why it is not there.
fn note(item: &mut Json<'_>, removed: &Removed) {
    let Json::Object(fields) = item else { return };
    if let Some(contexts) = fields.object("contexts") {
        contexts.insert("filtered", Value::Object(removed.counts()).into());
    }
    fields.insert("_meta", removed.meta().into());
}

/// `OrderError: no such table (GET /orders/{id}, 0af7651916cd43dd8448eb211c80319c)`.
fn title(kind: &'static str, item: &Json<'_>) -> String {
    let text =
        |of: Option<&Json<'_>>, name| of.and_then(|of| of.get(name)?.as_str()).unwrap_or_default().to_owned();
    let exceptions = item.get("exception").and_then(|exception| exception.get("values")?.as_array());
    let what = match exceptions.and_then(<[_]>::last) {
        Some(exception) => format!("{}: {}", text(Some(exception), "type"), text(Some(exception), "value")),
        None => match item.get("logentry") {
            Some(message) => text(Some(message), "formatted"),
            None => kind.to_owned(),
        },
    };
    format!("{what} ({}, {})", text(Some(item), "transaction"), text(Some(item), "event_id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrub::scrubber;

    #[test]
    fn an_event_that_is_deeper_than_anybody_reads_is_not_lost() {
        for depth in [10, 63, 64, 126, 127, 128, 1_000] {
            let deep = (0..depth).fold(Value::from("bottom"), |inner, _| Value::Array(vec![inner]));
            let mut event = Event::default();
            event.extra.insert("deep".to_owned(), deep);
            assert!(super::event(event, &scrubber()).is_some(), "{depth} levels");
        }
    }
}
