//! What is taken away from an event that is too big: what is least missed first, and the event says so.

use std::io;

use super::sizes::cut;
use super::values_mut;
use crate::deliver::json::{self, Fields, Json};

/// The largest payload that Bugsink and Sentry take is 1 MiB; some room is left for what they add.
const MAX_PAYLOAD: usize = 1_000_000;
/// A server that refuses something as too large gets the half of it, and no more than this.
const MAX_SHRUNK: usize = 64 * 1024;
/// Of a stack, the innermost frames and a few of the outermost tell most.
const INNERMOST: usize = 15;
const OUTERMOST: usize = 5;
const SHORT_MESSAGE: usize = 512;
/// Names what was taken away.
const TAG: &str = "faultwire.left_out";

/// Takes something away; false if there was nothing to take.
type Step = fn(&mut Fields<'_>) -> bool;

/// In this order. `spans` and `threads` are those of transactions and of events of the SDK.
const STEPS: [(&str, Step); 14] = [
    ("breadcrumbs", |event| event.remove("breadcrumbs").is_some()),
    ("body", body),
    ("extra", |event| event.remove("extra").is_some()),
    ("modules", |event| event.remove("modules").is_some()),
    ("debug_meta", |event| event.remove("debug_meta").is_some()),
    ("contexts", contexts),
    ("spans", |event| event.remove("spans").is_some()),
    ("threads", |event| event.remove("threads").is_some()),
    ("variables", variables),
    ("frames", |event| frames(event, OUTERMOST, INNERMOST)),
    ("chain", chain),
    ("message", message),
    ("request", |event| event.remove("request").is_some()),
    ("frames", |event| frames(event, 0, 1)),
];

/// An item as it leaves: with as much of it as every server takes.
pub(crate) fn payload(item: &mut Json<'_>) -> Option<Vec<u8>> {
    let payload = item.to_vec()?;
    if payload.len() <= MAX_PAYLOAD {
        return Some(payload);
    }
    reduce(item, MAX_PAYLOAD);
    item.to_vec()
}

/// A smaller form of a payload that a server refused as too large. `None` if nothing can be taken away from it.
pub(crate) fn shrunk(payload: &[u8]) -> Option<Vec<u8>> {
    let mut item = json::read(payload)?;
    let half = payload.len().checked_div(2).unwrap_or_default();
    reduce(&mut item, half.min(MAX_SHRUNK)).then(|| item.to_vec()).flatten()
}

/// Takes away until the payload has at most `max` bytes, or nothing is left to take. True if anything was taken.
fn reduce(item: &mut Json<'_>, max: usize) -> bool {
    let mut taken: Vec<&str> = Vec::new();
    for (name, take) in STEPS {
        if size(item) <= max {
            break;
        }
        let Json::Object(event) = &mut *item else { break };
        if take(event) && !taken.contains(&name) {
            taken.push(name);
        }
    }
    if let (Json::Object(event), false) = (item, taken.is_empty())
        && let Some(tags) = event.object("tags")
    {
        // It may have been too big before.
        let before = tags.get(TAG).and_then(Json::as_str).unwrap_or_default().to_owned();
        let all = before.split(", ").filter(|name| !name.is_empty() && !taken.contains(name));
        let all: Vec<_> = all.chain(taken.iter().copied()).collect();
        tags.insert(TAG, Json::text(all.join(", ")));
    }
    !taken.is_empty()
}

fn body(event: &mut Fields<'_>) -> bool {
    let request = event.get_mut("request").and_then(Json::as_object_mut);
    request.is_some_and(|request| request.remove("data").is_some())
}

/// All but the trace: GlitchTip loses a transaction without one, and a batch of others with it.
fn contexts(event: &mut Fields<'_>) -> bool {
    let Some(Json::Object(contexts)) = event.get_mut("contexts") else { return false };
    let before = contexts.len();
    contexts.retain(|name, _| name == "trace");
    contexts.len() < before
}

fn variables(event: &mut Fields<'_>) -> bool {
    let frames = stacks(event).flatten().filter_map(Json::as_object_mut);
    frames.filter_map(|frame| frame.remove("vars")).count() > 0
}

/// Takes the middle of every stack away.
fn frames(event: &mut Fields<'_>, outermost: usize, innermost: usize) -> bool {
    stacks(event).fold(false, |any, frames| {
        let inner = frames.len().saturating_sub(innermost);
        let is_longer = outermost < inner;
        if is_longer {
            frames.drain(outermost..inner);
        }
        is_longer || any
    })
}

/// Takes the middle of the chain away: the outermost error stays, and the one that began it.
fn chain(event: &mut Fields<'_>) -> bool {
    let values = event.get_mut("exception").and_then(|exception| exception.get_mut("values"));
    let Some(Json::Array(values)) = values else { return false };
    let outermost = values.len().saturating_sub(1);
    let is_longer = outermost > 1;
    if is_longer {
        values.drain(1..outermost);
    }
    is_longer
}

fn message(event: &mut Fields<'_>) -> bool {
    let mut any = shorten(event.get_mut("logentry").and_then(|entry| entry.get_mut("formatted")));
    for exception in values_mut(event, "exception") {
        any |= shorten(exception.get_mut("value"));
    }
    any
}

fn shorten(text: Option<&mut Json<'_>>) -> bool {
    let is_longer =
        text.as_ref().and_then(|text| text.as_str()).is_some_and(|text| text.len() > SHORT_MESSAGE);
    cut(text, SHORT_MESSAGE);
    is_longer
}

/// The stacks of all exceptions, each with its innermost frame last.
fn stacks<'e, 'a>(event: &'e mut Fields<'a>) -> impl Iterator<Item = &'e mut Vec<Json<'a>>> + use<'e, 'a> {
    values_mut(event, "exception")
        .filter_map(|exception| exception.get_mut("stacktrace")?.get_mut("frames")?.as_array_mut())
}

/// How many bytes the item has as JSON.
fn size(item: &Json<'_>) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither a value nor counting can fail.
    let _ = item.write(&mut count);
    count.0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_event_that_is_too_big_loses_what_is_least_missed() {
        let event =
            json!({"exception": {"values": []}, "extra": {"x": "y".repeat(2_000_000)}, "user": {"id": "7"}});
        let left = payload(&mut event.into()).unwrap();
        let expected = json!({
            "exception": {"values": []}, "user": {"id": "7"}, "tags": {"faultwire.left_out": "extra"},
        });
        assert_eq!(serde_json::from_slice::<Value>(&left).unwrap(), expected);
    }

    #[test]
    fn what_is_taken_is_taken_in_order_and_said() {
        let frame = |n: usize| json!({"function": format!("f{n}"), "vars": {"x": "y".repeat(50)}});
        let error = |name: &str| {
            let frames: Vec<_> = (0..100).map(frame).collect();
            json!({"type": name, "value": "v".repeat(2_000), "stacktrace": {"frames": frames}})
        };
        let event = json!({
            "breadcrumbs": {"values": [{"message": "b".repeat(1_000)}]},
            "request": {"url": "/orders", "data": "d".repeat(1_000)},
            "extra": {"x": "e".repeat(1_000)},
            "contexts": {"trace": {"trace_id": "7"}, "big": {"x": "c".repeat(1_000)}},
            "exception": {"values": [error("root"), error("middle"), error("outermost")]},
            "tags": {"faultwire.left_out": "modules"},
        });
        let after = |max: usize| {
            let mut event = Json::from(event.clone());
            let taken = reduce(&mut event, max);
            let event = event.to_value();
            let said = event["tags"]["faultwire.left_out"].as_str().unwrap().to_owned();
            (taken, said.trim_start_matches("modules").trim_start_matches(", ").to_owned(), event)
        };
        let all = size(&event.clone().into());
        assert_eq!(after(all), (false, String::new(), event.clone()));
        assert_eq!(after(all - 1).1, "breadcrumbs");
        assert_eq!(after(all - 1_500).1, "breadcrumbs, body");
        assert_eq!(after(all - 2_500).1, "breadcrumbs, body, extra");
        assert_eq!(after(all - 3_500).1, "breadcrumbs, body, extra, contexts");
        assert_eq!(after(20_000).1, "breadcrumbs, body, extra, contexts, variables");
        let (_, said, event) = after(6_000);
        assert_eq!(said, "breadcrumbs, body, extra, contexts, variables, frames, chain");
        assert_eq!(event["request"], json!({"url": "/orders"}));
        assert_eq!(event["contexts"], json!({"trace": {"trace_id": "7"}}));
        let [root, outermost] = &event["exception"]["values"].as_array().unwrap()[..] else {
            panic!("{event}")
        };
        assert_eq!((&root["type"], &outermost["type"]), (&json!("root"), &json!("outermost")));
        let functions: Vec<_> =
            root["stacktrace"]["frames"].as_array().unwrap().iter().map(|f| &f["function"]).collect();
        assert_eq!((functions.len(), functions[4], functions[5]), (20, &json!("f4"), &json!("f85")));
        let (_, said, event) = after(0);
        assert_eq!(said, "breadcrumbs, body, extra, contexts, variables, frames, chain, message, request");
        assert!(event.to_string().len() < 1_500, "{event}");
    }

    #[test]
    fn what_a_server_refuses_gets_smaller_once_or_not_at_all() {
        let event = json!({"extra": {"x": "y".repeat(10_000)}, "level": "error"});
        let smaller = shrunk(&serde_json::to_vec(&event).unwrap()).unwrap();
        assert!(smaller.len() < 100);
        assert_eq!(shrunk(&smaller), None);
        assert_eq!(shrunk(b"not JSON"), None);
    }
}
