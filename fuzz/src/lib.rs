//! What every target asks of the scrubber.
//!
//! Half of the inputs are taken as they are, the others choose a document with a secret in it (`plant.rs`).
#![allow(dead_code, reason = "the modules serve tests, too")]

#[path = "../../src/scrub/tests/canary.rs"]
mod canary;
#[path = "../../src/report/database/tests/pieces.rs"]
mod pieces;
#[path = "../../src/scrub/tests/plant.rs"]
mod plant;
#[path = "../../src/scrub/tests/spell.rs"]
mod spell;

use canary::{ALL, Canary, PLAIN};
use faultwire::fuzzing;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use plant::{Choices, Planted, planted};
use serde_json::{Value, json};

/// An input: what it is to be taken for, and the rest of it.
enum Input<'a> {
    Raw(&'a [u8]),
    Planted(Canary, Planted),
}

fn read(data: &[u8]) -> Option<(Input<'_>, bool)> {
    let (first, rest) = data.split_first()?;
    let cut = first & 2 != 0;
    if first & 1 == 0 {
        return Some((Input::Raw(rest), cut));
    }
    let which = usize::from(first >> 2) % ALL.len();
    let (end, bytes) = rest.split_at_checked(2)?;
    let mut document = planted(&mut Choices::new(bytes), &ALL[which], which < PLAIN);
    if cut && !document.name_comes_last {
        let end = usize::from(u16::from_le_bytes([end[0], end[1]])) % (document.body.len() + 1);
        document.body.truncate(document.body.floor_char_boundary(end));
    }
    Some((Input::Planted(ALL[which], document), cut))
}

/// A body of one of these content types; the first is that of raw input.
pub fn body(data: &[u8], content_type: &str) {
    match read(data) {
        Some((Input::Raw(raw), cut)) => {
            let once = fuzzing::body(Some(content_type), raw, cut);
            assert!(once.len() <= 8 * raw.len() + 128, "{} bytes became {}", raw.len(), once.len());
            if content_type.ends_with("json") && !cut {
                stays_json(raw, once.as_bytes());
            }
            // What was multipart is shown as lines.
            if !content_type.starts_with("multipart") {
                settles(once, |text| fuzzing::body(Some(content_type), text.as_bytes(), false));
            }
        }
        Some((Input::Planted(canary, document), cut)) => {
            let once = fuzzing::body(Some(document.content_type), document.body.as_bytes(), cut);
            hides(&canary, once.as_bytes(), &document);
        }
        None => {}
    }
}

/// Any text.
pub fn text(data: &[u8]) {
    let scrubber = faultwire::scrubber();
    match read(data) {
        Some((Input::Raw(raw), _)) => {
            let text = String::from_utf8_lossy(raw);
            let once = scrubber.text(&text).into_owned();
            assert!(once.len() <= 8 * text.len() + 128, "{} bytes became {}", text.len(), once.len());
            settles(once, |text| scrubber.text(text).into_owned());
        }
        Some((Input::Planted(canary, document), _)) if !document.content_type.starts_with("multipart") => {
            hides(&canary, scrubber.text(&document.body).as_bytes(), &document);
        }
        _ => {}
    }
}

/// An item of an envelope: as it is, and an event that holds a document wherever it can.
pub fn item(data: &[u8]) {
    match read(data) {
        Some((Input::Raw(raw), _)) => {
            let once = fuzzing::item(raw);
            assert!(once.len() <= 12 * raw.len() + 128, "{} bytes became {}", raw.len(), once.len());
            stays_json(raw, &once);
        }
        Some((Input::Planted(canary, document), _)) if !document.content_type.starts_with("multipart") => {
            let text = &document.body;
            let value = serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
            let encoded = percent_encode(text.as_bytes(), NON_ALPHANUMERIC);
            let event = json!({
                "event_id": "0af7651916cd43dd8448eb211c80319c",
                "logentry": {"formatted": text},
                "exception": {"values": [{"type": "E", "value": text, "stacktrace": {"frames": [
                    {"function": "f", "vars": {"a": value, "b": text}}]}}]},
                "request": {"data": text, "headers": {"x": text}, "url": format!("http://h/?q={encoded}&p=2")},
                "breadcrumbs": {"values": [{"message": text, "data": {"a": value}}]},
                "contexts": {"a": value, "trace": {"description": text, "data": {"a": value}}},
                "extra": {"a": value, "b": [text]}, "tags": {"a": text},
                "spans": [{"description": text, "data": {"a": value}}],
            });
            let event = serde_json::to_vec(&event).unwrap();
            let once = fuzzing::item(&event);
            stays_json(&event, &once);
            hides(&canary, &once, &document);
        }
        _ => {}
    }
}

/// A statement: any text, or pieces of a dialect whose texts, comments and numbers are known.
pub fn statement(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    if first & 1 == 0 {
        let text = String::from_utf8_lossy(rest);
        for system in [None, Some("postgresql"), Some("mysql"), Some("sqlite"), Some("redis")] {
            let (shown, summary) = fuzzing::statement(system, &text);
            assert!(shown.len() <= 2048 && summary.len() <= 255, "{text:?} becomes {shown:?}");
        }
        return;
    }
    let (dialect, statement) = pieces::statement(rest);
    for system in [None, Some(pieces::DIALECTS[dialect])] {
        let (shown, summary) = fuzzing::statement(system, &statement);
        for left in [pieces::CANARY, pieces::NUMBER] {
            let hidden = !shown.contains(left) && !summary.contains(left);
            assert!(hidden, "{system:?}\n{statement}\nis shown as\n{shown}");
        }
    }
}

fn hides(canary: &Canary, shown: &[u8], document: &Planted) {
    if let Some(left) = canary.left_in(shown) {
        panic!("{left}\n{document:?}\nbecomes {:?}", String::from_utf8_lossy(shown));
    }
}

/// Masks only grow, and soon nothing is left to mask: what stands next to a secret may be read otherwise when that is
/// gone.
fn settles(once: String, pass: impl Fn(&str) -> String) {
    let mut last = once.clone();
    for _ in 0..6 {
        let next = pass(&last);
        if next == last {
            return;
        }
        last = next;
    }
    panic!("{once:?} does not settle: {last:?}");
}

fn stays_json(before: &[u8], after: &[u8]) {
    if serde_json::from_slice::<Value>(before).is_ok() {
        let valid = serde_json::from_slice::<Value>(after).is_ok();
        assert!(valid, "{:?} becomes {:?}", String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    }
}
