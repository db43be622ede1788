//! Events as lists of fields: the path of each, and a value that is the same in every run.

use std::collections::BTreeMap;

use serde_json::Value;

/// Each path with its values.
pub(super) type Fields = BTreeMap<String, String>;

/// Longer examples are cut.
const LONGEST: usize = 160;
/// Stands between the values of a list.
const BETWEEN: &str = " · ";

pub(super) fn of(value: &Value) -> Fields {
    let mut fields = Fields::new();
    add(value, "", &mut fields);
    fields
}

fn add(value: &Value, path: &str, fields: &mut Fields) {
    match value {
        // As deep as the event itself: which rule removed what.
        Value::Object(members) if path == "_meta" => {
            let places = members.keys().cloned().collect::<Vec<_>>().join(", ");
            fields.insert(path.to_owned(), format!("rules, by place: {places}"));
        }
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                add(value, &path, fields);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| add(value, &format!("{path}[]"), fields)),
        Value::Null => {}
        _ => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let text = example(path, text);
            let known = fields.entry(path.to_owned()).or_default();
            if known.is_empty() {
                *known = text;
            } else if !known.split(BETWEEN).any(|known| known == text) && known.len() < LONGEST {
                known.push_str(BETWEEN);
                known.push_str(&text);
            }
        }
    }
}

/// What differs from run to run and from machine to machine is replaced.
fn example(path: &str, text: String) -> String {
    let last = path.rsplit('.').next().unwrap_or_default();
    let fixed = match last {
        "event_id" | "ids[]" | "check_in_id" => "0af7651916cd43dd8448eb211c80319c",
        "trace_id" => "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id" => "b7ad6b7169203331",
        "start_timestamp" => "1795342830.12",
        "timestamp" | "first" | "last" | "sent_at" | "began" | "since" | "until" => {
            "2026-11-22T10:20:30.123Z"
        }
        "lineno" | "colno" => "17",
        "ran_seconds" | "duration" => "0.25",
        "seconds" => "240",
        "abs_path" => "/home/[Filtered]/shop/src/orders.rs",
        "filename" => "src/orders.rs",
        "package" => "shop",
        "function" => "shop::orders::pay",
        "module" if path.contains("frames[]") => "shop::orders",
        "context_line" => "order.pay()?",
        "instruction_addr" | "image_addr" | "symbol_addr" => "0x55d0c8a2f1b4",
        "in_app" => "true",
        "name" if path.ends_with("thread.name") => "tokio-runtime-worker",
        "server_name" if text != "web-1" => "<the machine's name>",
        "length" => "2180",
        "version" if path.starts_with("contexts.os") => "6.12.9",
        "kernel_version" => "#1 SMP",
        "name" if path.starts_with("contexts.os") => "Linux",
        "arch" => "x86_64",
        "channel" => "stable",
        "version" if path.starts_with("contexts.rust") => "1.95.0",
        "version" => "0.1.0",
        _ => {
            return cut(text
                .replace("it::leaves::scenes", "shop::orders")
                .replace("tests/it/leaves/refused.rs", "src/orders.rs")
                .replace("tests/it/leaves/scenes.rs", "src/orders.rs"));
        }
    };
    fixed.to_owned()
}

fn cut(text: String) -> String {
    let text = text.replace('\n', " ").replace('|', "\\|");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ..", text.split_at(end).0),
        None => text,
    }
}
