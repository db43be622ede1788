//! The gate: nothing goes on that was not serialized, mended and scrubbed here.
//!
//! It stands behind every hook of the SDK and of the application.

use ::sentry::protocol::{EnvelopeItem, Event};
use ::sentry::types::Uuid;
use serde::Serialize;
use serde_json::{Map, Value};

use super::hygiene;
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
    let (scrubbed, removed) = match scrubber.item(&serde_json::to_vec(item).ok()?) {
        (Some(scrubbed), removed) => (serde_json::from_slice(&scrubbed).ok()?, removed),
        (None, removed) => (serde_json::to_value(item).ok()?, removed),
    };
    let mut value: Value = scrubbed;
    if !removed.is_empty() {
        note(&mut value, &removed);
    }
    hygiene::mend(&mut value);
    hygiene::fit(&mut value);
    // Mending makes new texts, so the bytes that leave are looked at once more.
    let payload = serde_json::to_vec(&value).ok()?;
    let payload = scrubber.noted_item(&payload).unwrap_or(payload);
    let title = scrubber.text(&title(kind, &value)).into_owned();
    Some(Outgoing { event_id, kind, payload, title })
}

/// Says on the item what was removed from it, and by which rule: no values, so that who misses something can see
/// why it is not there.
fn note(item: &mut Value, removed: &Removed) {
    let Value::Object(fields) = item else { return };
    if let Value::Object(contexts) = fields.entry("contexts").or_insert_with(|| Value::Object(Map::new())) {
        contexts.insert("filtered".to_owned(), Value::Object(removed.counts()));
    }
    fields.insert("_meta".to_owned(), removed.meta());
}

/// `OrderError: no such table (GET /orders/{id}, 0af7651916cd43dd8448eb211c80319c)`.
fn title(kind: &'static str, item: &Value) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let exception = item.pointer("/exception/values").and_then(|values| values.as_array()?.last());
    let what = match exception {
        Some(exception) => format!("{}: {}", text(exception.get("type")), text(exception.get("value"))),
        None => match item.pointer("/logentry/formatted") {
            Some(message) => text(Some(message)),
            None => kind.to_owned(),
        },
    };
    format!("{what} ({}, {})", text(item.get("transaction")), text(item.get("event_id")))
}
