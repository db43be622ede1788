//! Events as JSON: values of secret keys are masked, every other text is searched.

use serde_json::{Map, Value};

use super::{MASK, is_secret, scrub_query, scrub_text};

/// Scrubs one serialized item in place. Depth costs no stack.
pub(crate) fn scrub_event(event: &mut Value) {
    let mut pending: Vec<&mut Value> = Vec::new();
    if let Value::Object(fields) = event {
        for (name, value) in fields.iter_mut() {
            match (name.as_str(), value) {
                // Servers drop an event whose context is not an object, so contexts keep their shape.
                ("contexts", Value::Object(contexts)) => {
                    mask_secrets(contexts, || {
                        Value::Object(Map::from_iter([("value".to_owned(), MASK.into())]))
                    });
                    pending.extend(contexts.values_mut());
                }
                (_, value) => pending.push(value),
            }
        }
    }
    while let Some(value) = pending.pop() {
        match value {
            Value::String(text) => {
                if let Some(scrubbed) = scrub_text(text) {
                    *text = scrubbed;
                }
            }
            Value::Array(items) => pending.extend(items),
            Value::Object(fields) => {
                mask_secrets(fields, || Value::String(MASK.to_owned()));
                if let Some(Value::String(query)) = fields.get_mut("query_string") {
                    *query = scrub_query(query);
                }
                pending.extend(fields.values_mut());
            }
            _ => {}
        }
    }
}

/// Replaces the values of secret keys, unless there is nothing in them to hide.
fn mask_secrets(fields: &mut Map<String, Value>, mask: fn() -> Value) {
    for (key, value) in fields.iter_mut() {
        if !matches!(value, Value::Null | Value::Bool(_)) && is_secret(key) {
            *value = mask();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scrubbed(mut event: Value) -> Value {
        scrub_event(&mut event);
        let once = event.clone();
        scrub_event(&mut event);
        assert_eq!(event, once, "a second pass changes nothing");
        once
    }

    #[test]
    fn secret_keys_are_masked_at_any_depth_and_the_rest_stays() {
        let event = json!({"extra": {"cart": [{"cardNumber": 4111, "note": "kept"}, {"token": {"a": 1}}]}});
        let expected = json!({"extra": {"cart": [{"cardNumber": MASK, "note": "kept"}, {"token": MASK}]}});
        assert_eq!(scrubbed(event), expected);
    }

    #[test]
    fn a_masked_context_stays_an_object() {
        let event = json!({"contexts": {"session": {"id": "abc"}, "trace": {"trace_id": "0a"}}});
        let expected = json!({"contexts": {"session": {"value": MASK}, "trace": {"trace_id": "0a"}}});
        assert_eq!(scrubbed(event), expected);
    }

    #[test]
    fn depth_is_no_danger() {
        let mut deep = json!({"password": "x"});
        for _ in 0..20_000 {
            deep = Value::Array(vec![deep]);
        }
        let mut event = json!({ "extra": { "deep": Value::Null } });
        event["extra"]["deep"] = deep;
        scrub_event(&mut event);
        // Dropping a `Value` recurses; take it apart instead.
        let mut level = event["extra"]["deep"].take();
        while let Value::Array(mut items) = level {
            level = items.pop().unwrap_or_default();
        }
        assert_eq!(level, json!({ "password": MASK }));
    }
}
