//! What decides where an event goes, and how soon.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher as _};

use ::sentry::protocol::{EnvelopeItem, Event};

use super::lanes::Lane;
use super::limits::Category;
use super::schedule::Order;
use crate::record::{Cause, Kind, Level};
use crate::sink::Record;

/// What is known of an item without looking into its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Labels {
    pub(super) lane: Lane,
    pub(super) order: Order,
    /// `None` for what is no event: a transaction, a check-in.
    pub(super) event: Option<EventLabels>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct EventLabels {
    pub(super) kind: Kind,
    pub(super) level: Level,
    pub(super) critical: bool,
}

/// Which events a destination takes: those for which everything here holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) only: Option<Vec<Kind>>,
    pub(crate) except: Vec<Kind>,
    pub(crate) at_least: Option<Level>,
    pub(crate) critical: bool,
}

impl Filter {
    pub(super) fn takes(&self, labels: &Labels) -> bool {
        match &labels.event {
            Some(EventLabels { kind, level, critical }) => {
                self.only.as_ref().is_none_or(|only| only.contains(kind))
                    && !self.except.contains(kind)
                    && self.at_least.is_none_or(|least| *level >= least)
                    && (*critical || !self.critical)
            }
            // It has neither kind nor level.
            None => self.only.is_none() && self.at_least.is_none() && !self.critical,
        }
    }
}

impl Labels {
    /// What the finished event says; its hooks had the last word.
    pub(super) fn of_event(event: &Event<'_>) -> Self {
        let tag = |key: &str| event.tags.get(key).map(String::as_str);
        let labels = EventLabels {
            // What the application captured through the SDK has no kind of ours.
            kind: tag("error.category").and_then(Kind::named).unwrap_or(Kind::Other),
            level: level(event.level),
            critical: tag("error.critical") == Some("true"),
        };
        let lane = match labels {
            EventLabels { critical: true, .. } | EventLabels { kind: Kind::Panic, .. } => Lane::Urgent,
            EventLabels { level, .. } => lane_of(level),
        };
        Self {
            lane,
            order: issue(&event.fingerprint).map_or(Order::Any, Order::FirstOfIssue),
            event: Some(labels),
        }
    }

    /// Those of a monitor arrive in their order.
    pub(super) fn of_check_in(slug: &str) -> Self {
        Self { lane: Lane::Rest, order: Order::OneByOne(hash(slug)), event: None }
    }

    /// The same for what the SDK sends.
    pub(super) fn of_item(item: &EnvelopeItem) -> Self {
        match item {
            EnvelopeItem::Event(event) => Self::of_event(event),
            EnvelopeItem::MonitorCheckIn(check_in) => Self::of_check_in(&check_in.monitor_slug),
            _ => Self { lane: Lane::Rest, order: Order::Any, event: None },
        }
    }
}

/// The lane of a failure of which no event was made yet.
pub(super) fn lane_of_record(record: &Record) -> Lane {
    let details = &record.details;
    match details.cause {
        _ if details.critical => Lane::Urgent,
        Cause::Panic(_) => Lane::Urgent,
        _ => lane_of(details.level.unwrap_or_default()),
    }
}

/// The lane of an envelope of the SDK: that of its event, if it has one.
pub(super) fn lane_of_envelope(envelope: &::sentry::Envelope) -> Lane {
    let events = envelope.items().filter_map(|item| match item {
        EnvelopeItem::Event(event) => Some(lane_of(level(event.level))),
        _ => None,
    });
    events.min().unwrap_or(Lane::Rest)
}

/// What the first item of an envelope of the SDK counts as.
pub(super) fn category_of_envelope(envelope: &::sentry::Envelope) -> Category {
    match envelope.items().next() {
        Some(EnvelopeItem::Transaction(_)) => Category::Transaction,
        Some(EnvelopeItem::MonitorCheckIn(_)) => Category::Monitor,
        _ => Category::Error,
    }
}

fn lane_of(level: Level) -> Lane {
    match level {
        Level::Fatal => Lane::Urgent,
        Level::Error => Lane::Errors,
        Level::Warning | Level::Info | Level::Debug => Lane::Warnings,
    }
}

fn level(level: ::sentry::Level) -> Level {
    match level {
        ::sentry::Level::Debug => Level::Debug,
        ::sentry::Level::Info => Level::Info,
        ::sentry::Level::Warning => Level::Warning,
        ::sentry::Level::Error => Level::Error,
        ::sentry::Level::Fatal => Level::Fatal,
    }
}

/// The issue that servers will put it in, where it is known: that of its fingerprint.
fn issue(fingerprint: &[Cow<'_, str>]) -> Option<u64> {
    let by_server = fingerprint.iter().any(|part| part.contains("{{"));
    (!by_server && !fingerprint.is_empty()).then(|| hash(fingerprint))
}

/// The same for an event that was read back. Where its fingerprint was scrubbed it is another issue, which costs a
/// request that goes alone.
pub(super) fn order_of_payload(payload: &[u8]) -> Order {
    #[derive(serde::Deserialize)]
    struct Fingerprint<'a> {
        #[serde(borrow, default)]
        fingerprint: Vec<Cow<'a, str>>,
    }
    let event = serde_json::from_slice::<Fingerprint<'_>>(payload);
    event.ok().and_then(|event| issue(&event.fingerprint)).map_or(Order::Any, Order::FirstOfIssue)
}

fn hash(value: &(impl std::hash::Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
