//! The gate: nothing goes on that was not serialized, mended and scrubbed here.
//!
//! It stands behind every hook of the SDK and of the application.

use ::sentry::protocol::{EnvelopeItem, Event};
use ::sentry::types::Uuid;
use serde::Serialize;
use serde_json::Value;

use super::{Outgoing, hygiene};
use crate::scrub::scrub_event;

/// Lets an event through. `None` if it cannot be serialized.
pub(super) fn event(event: Event<'static>) -> Option<Outgoing> {
    pass("event", Some(event.event_id), &event)
}

/// Lets an item of the SDK through. `None` for what is never sent: attachments, sessions, raw bytes.
pub(super) fn item(item: EnvelopeItem) -> Option<Outgoing> {
    match item {
        EnvelopeItem::Event(boxed) => event(*boxed),
        EnvelopeItem::Transaction(transaction) => {
            pass("transaction", Some(transaction.event_id), &transaction)
        }
        EnvelopeItem::MonitorCheckIn(check_in) => pass("check_in", None, &check_in),
        _ => None,
    }
}

fn pass<T: Serialize>(kind: &'static str, event_id: Option<Uuid>, item: &T) -> Option<Outgoing> {
    let mut value = serde_json::to_value(item).ok()?;
    // Before anything is cut, so that no half of a secret is left that nobody recognises; and after, because
    // mending makes new texts.
    scrub_event(&mut value);
    hygiene::mend(&mut value);
    scrub_event(&mut value);
    hygiene::fit(&mut value);
    let payload = serde_json::to_vec(&value).ok()?;
    Some(Outgoing { event_id, kind, payload, title: title(kind, &value) })
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
