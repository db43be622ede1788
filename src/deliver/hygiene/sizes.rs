//! Sizes: what Sentry's Relay cuts is cut here, where it can be seen.

use super::{shorten, values_mut};
use crate::deliver::json::{Fields, Json};
use crate::record::{MAX_BODY_TEXT, truncated};

const MAX_BREADCRUMBS: usize = 100;
/// Stands for what would lie deeper than servers look.
const TOO_DEEP: &str = "<deeper levels left out>";

/// Cuts every text and every collection to what servers keep of it.
pub(super) fn cut_all(event: &mut Fields<'_>) {
    for (field, max) in
        [("transaction", 200), ("culprit", 200), ("logger", 64), ("dist", 64), ("server_name", 200)]
    {
        cut(event.get_mut(field), max);
    }
    if let Some(Json::Object(request)) = event.get_mut("request") {
        for (field, max) in [("url", 256), ("method", 32), ("query_string", 8_192), ("fragment", 1_024)] {
            cut(request.get_mut(field), max);
        }
        budget(request.get_mut("headers"), 8_192, 6);
        budget(request.get_mut("data"), MAX_BODY_TEXT, 6);
    }
    if let Some(Json::Array(breadcrumbs)) =
        event.get_mut("breadcrumbs").and_then(|crumbs| crumbs.get_mut("values"))
    {
        let over = breadcrumbs.len().saturating_sub(MAX_BREADCRUMBS);
        breadcrumbs.drain(..over);
    }
    for breadcrumb in values_mut(event, "breadcrumbs") {
        for (field, max) in [("message", 8_192), ("category", 128), ("type", 128)] {
            cut(breadcrumb.get_mut(field), max);
        }
        budget(breadcrumb.get_mut("data"), 2_048, 4);
    }
    for (field, max) in [("extra", 16_384), ("contexts", 8_192)] {
        if let Some(Json::Object(entries)) = event.get_mut(field) {
            // `extra` itself is one of its six levels; each context starts anew.
            let depth = if field == "extra" { 5 } else { 6 };
            entries.values_mut().for_each(|entry| budget(Some(entry), max, depth));
        }
    }
}

/// Cuts one text to that many bytes.
pub(super) fn cut(value: Option<&mut Json<'_>>, max: usize) {
    if let Some(Json::Text(text)) = value {
        shorten(text, |text| truncated(text, max));
    }
}

/// Cuts the texts in there so that together they have at most `max` bytes, and what lies deeper than
/// `depth` levels of lists and objects.
pub(super) fn budget(value: Option<&mut Json<'_>>, max: usize, depth: usize) {
    let mut left = max;
    let mut pending: Vec<(&mut Json<'_>, usize)> = value.into_iter().map(|value| (value, depth)).collect();
    while let Some((value, depth)) = pending.pop() {
        if depth == 0 && (matches!(value, Json::Array(_) | Json::Object(_))) {
            *value = Json::text(TOO_DEEP);
        }
        let below = depth.saturating_sub(1);
        match value {
            Json::Text(_) => {
                cut(Some(value), left);
                left = left.saturating_sub(value.as_str().map_or(0, str::len));
            }
            Json::Array(items) => pending.extend(items.iter_mut().rev().map(|item| (item, below))),
            Json::Object(fields) => pending.extend(fields.values_mut().rev().map(|field| (field, below))),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_budget_is_shared_and_depth_is_bounded() {
        let mut value = json!({"a": "xxxx", "b": ["yyyy", {"deep": {"er": 1}}], "c": "zz"}).into();
        budget(Some(&mut value), 7, 3);
        assert_eq!(value.to_value(), json!({"a": "xxxx", "b": ["yyy", {"deep": ""}], "c": ""}));
        let mut value = json!({"a": {"b": {}}}).into();
        budget(Some(&mut value), 100, 2);
        assert_eq!(value.to_value(), json!({"a": {"b": TOO_DEEP}}));
    }
}
