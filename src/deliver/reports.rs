//! Client reports: what Sentry is told about events that never come, so that its own counts add up.
//!
//! Only servers that understand them get any: Bugsink and GlitchTip throw them away.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::Outgoing;
use super::limits::Category;

/// A server is told at most once in this time.
pub(super) const EVERY: Duration = Duration::from_secs(60);

/// Why an event does not come, in the protocol's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    QueueOverflow,
    SampleRate,
    BeforeSend,
    SendError,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::QueueOverflow => "queue_overflow",
            Self::SampleRate => "sample_rate",
            Self::BeforeSend => "before_send",
            Self::SendError => "send_error",
        }
    }
}

/// How many events do not come: as many entries as there are reasons and categories.
pub(super) type Tally = BTreeMap<(Why, &'static str), u64>;

/// Counts events that do not come.
#[derive(Debug, Default)]
pub(super) struct Discards(Mutex<Tally>);

impl Discards {
    pub(super) fn add(&self, why: Why, category: Category) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        add(&mut tally, (why, category.as_str()), 1);
    }

    pub(super) fn add_to(&self, total: &mut Tally) {
        for (of, quantity) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            add(total, *of, *quantity);
        }
    }
}

pub(super) fn add(tally: &mut Tally, of: (Why, &'static str), quantity: u64) {
    let sum = tally.entry(of).or_default();
    *sum = sum.saturating_add(quantity);
}

/// The report of what is not in `told` yet. `None` if there is nothing new.
pub(super) fn report(total: &Tally, told: &Tally, now: SystemTime) -> Option<Outgoing> {
    let news = total.iter().filter_map(|(of @ (why, category), quantity)| {
        let quantity = quantity.saturating_sub(told.get(of).copied().unwrap_or_default());
        let discarded = || json!({ "reason": why.as_str(), "category": category, "quantity": quantity });
        (quantity > 0).then(discarded)
    });
    let discarded: Vec<_> = news.collect();
    if discarded.is_empty() {
        return None;
    }
    let timestamp = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let payload = json!({ "timestamp": timestamp, "discarded_events": discarded }).to_string().into_bytes();
    Some(Outgoing { event_id: None, kind: "client_report", payload, title: String::new() })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_report_says_what_is_new_and_nothing_twice() {
        let discards = Discards::default();
        let total = || {
            let mut total = Tally::new();
            discards.add_to(&mut total);
            total
        };
        assert!(report(&total(), &Tally::new(), SystemTime::now()).is_none());
        for _ in 0..3 {
            discards.add(Why::QueueOverflow, Category::Error);
        }
        discards.add(Why::QueueOverflow, Category::Transaction);
        let told = total();
        assert!(report(&told, &told, SystemTime::now()).is_none());
        discards.add(Why::QueueOverflow, Category::Error);
        discards.add(Why::SendError, Category::Error);
        let outgoing = report(&total(), &told, SystemTime::now()).unwrap();
        let payload: Value = serde_json::from_slice(&outgoing.payload).unwrap();
        assert!(payload["timestamp"].is_f64());
        let expected = json!([
            {"reason": "queue_overflow", "category": "error", "quantity": 1},
            {"reason": "send_error", "category": "error", "quantity": 1},
        ]);
        assert_eq!(payload["discarded_events"], expected);
    }
}
