//! Finding values in an event: by a path with wildcards, or all of its texts.

use serde_json::Value;

/// Every value at `path`, with its own path for messages.
///
/// Steps are separated by dots, empty ones are skipped. `name` is a field (nothing if null), `name[]` the elements of a
/// list or of an object's list `values`, which is how Sentry's protocol wraps lists, and `*` every field of an object.
pub(super) fn find<'v>(root: &'v Value, name: &str, path: &str) -> Vec<(String, &'v Value)> {
    let mut found = vec![(String::new(), root)];
    for step in path.split('.').filter(|step| !step.is_empty()) {
        found = found.iter().flat_map(|(place, value)| children(place, value, step)).collect();
    }
    let named = |place: String| if place.is_empty() { name.to_owned() } else { format!("`{place}`") };
    found.into_iter().map(|(place, value)| (named(place), value)).collect()
}

fn children<'v>(place: &str, value: &'v Value, step: &str) -> Vec<(String, &'v Value)> {
    let join = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    match step.strip_suffix("[]") {
        Some(name) => {
            let list = value.get(name).and_then(list).map_or(&[][..], Vec::as_slice);
            list.iter().enumerate().map(|(at, value)| (join(&format!("{name}[{at}]")), value)).collect()
        }
        None if step == "*" => {
            value.as_object().into_iter().flatten().map(|(key, value)| (join(key), value)).collect()
        }
        None => {
            value.get(step).filter(|v| !v.is_null()).map(|value| (join(step), value)).into_iter().collect()
        }
    }
}

/// A list, bare or wrapped in an object's `values`.
pub(super) fn list(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().or_else(|| value.get("values")?.as_array())
}

/// Calls `visit` with the path of every text and key.
fn for_each_text(value: &Value, place: &str, visit: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => visit(place, text),
        Value::Array(values) => values.iter().for_each(|value| for_each_text(value, place, visit)),
        Value::Object(fields) => {
            for (key, value) in fields {
                visit(place, key);
                for_each_text(value, &format!("{place}.{key}"), visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

pub(super) fn nul_characters(payload: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    for_each_text(payload, "", &mut |place, text| {
        if text.contains('\0') {
            broken.push(format!(
                "`{}` must have no NUL character: in an indexed field GlitchTip loses the whole batch, elsewhere it \
                 removes it",
                place.trim_start_matches('.').escape_debug()
            ));
        }
    });
    broken
}

/// Characters of all texts below `value`, keys not counted.
pub(super) fn text_length(value: &Value) -> usize {
    let mut total = 0;
    count_texts(value, &mut total);
    total
}

fn count_texts(value: &Value, total: &mut usize) {
    match value {
        Value::String(text) => *total += text.chars().count(),
        Value::Array(values) => values.iter().for_each(|value| count_texts(value, total)),
        Value::Object(fields) => fields.values().for_each(|value| count_texts(value, total)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How many lists and objects are nested in each other; 0 for anything else.
pub(super) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
