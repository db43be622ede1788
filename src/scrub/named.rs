//! Names that stand as values: `{"name": "password", "value": ".."}`, `("password", "..")`, and in lines of YAML.

use std::ops::Range;

use super::found::Rule;
use super::keys::{Keys, Meaning};
use super::pairs::Name;
use super::spans::{is_name, is_value};
use super::values::Value;

/// An object's other members are not searched for farther away.
const NEAR: usize = 1024;
/// Nor behind more of them.
const MOST_MEMBERS: usize = 4;

/// Whether another member of the object around `at` says that this value is a secret's.
pub(super) fn is_named(keys: &Keys, text: &[u8], name: &[u8], at: usize) -> bool {
    if !is_value(name) {
        return false;
    }
    let bracket = |byte: &u8| b"{}".contains(byte);
    let before = text.get(at.saturating_sub(NEAR)..at).unwrap_or_default();
    let before = before.rsplit(bracket).next().unwrap_or_default();
    let start = at.saturating_sub(before.len());
    let behind = text.get(at..text.len().min(at.saturating_add(NEAR))).unwrap_or_default();
    let end = at.saturating_add(behind.iter().position(bracket).unwrap_or(behind.len()));
    let object = text.get(start..end).unwrap_or_default();
    let says = |colon: usize| {
        let named = Name::before(object, colon).is_some_and(|name| is_name(name.text(object)));
        let value = Value::at(object, colon.saturating_add(1), true).filter(Value::is_structured);
        let value = value.filter(|_| named).and_then(|value| object.get(value.span()));
        value.is_some_and(|value| keys.json_meaning(value) == Meaning::Secret)
    };
    let here = before.len();
    let earlier = memchr::memrchr_iter(b':', before).take(MOST_MEMBERS);
    let later = object.get(here.saturating_add(1)..).unwrap_or_default();
    let later = memchr::memchr_iter(b':', later).take(MOST_MEMBERS);
    earlier.chain(later.map(|colon| colon.saturating_add(here).saturating_add(1))).any(says)
}

/// Whether the line above or below says that this value is a secret's, as YAML has it.
pub(super) fn by_line(keys: &Keys, text: &[u8], name: &[u8], at: usize) -> bool {
    if !is_value(name) {
        return false;
    }
    let before = text.get(at.saturating_sub(NEAR)..at).unwrap_or_default();
    let behind = text.get(at..text.len().min(at.saturating_add(NEAR))).unwrap_or_default();
    let mut before = before.rsplit(|byte| *byte == b'\n').map(item);
    // A hyphen begins the next item of a list.
    let (begins, _) = before.next().unwrap_or_default();
    let above = before.next().filter(|_| !begins).map(|(_, line)| line);
    let below = behind.split(|byte| *byte == b'\n').map(item).nth(1).filter(|(begins, _)| !begins);
    [above, below.map(|(_, line)| line)].into_iter().flatten().any(|line| {
        let colon = memchr::memchr(b':', line).unwrap_or_default();
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        is_name(name) && keys.json_meaning(unquoted.unwrap_or(value)) == Meaning::Secret
    })
}

/// A line without its indent, and whether it begins an item of a list.
fn item(line: &[u8]) -> (bool, &[u8]) {
    let line = line.trim_ascii();
    line.strip_prefix(b"- ").map_or((false, line), |line| (true, line))
}

/// The second of two strings behind this bracket, if the first is a secret's name.
pub(super) fn second(keys: &Keys, text: &[u8], at: usize) -> Option<(Range<usize>, Rule)> {
    if !text.get(at.saturating_add(1)).is_some_and(|byte| b"\"'\\".contains(byte)) {
        return None;
    }
    let first = Value::at(text, at.saturating_add(1), true)?;
    let name = first.quoted_name()?;
    let rest = text.get(name.end..)?;
    let closing = rest.iter().take(NEAR).take_while(|byte| b"\\\"'".contains(byte)).count();
    let comma = name.end.saturating_add(closing);
    if text.get(comma) != Some(&b',') || keys.json_meaning(text.get(name)?) != Meaning::Secret {
        return None;
    }
    let value = Value::at(text, comma.saturating_add(1), true).filter(Value::is_structured)?;
    let span = value.span();
    (!value.is_masked() && !span.is_empty()).then_some((span, Rule::Key))
}
