//! The items that leave, as they are serialized: what is an id, a header, a source file's path, by its place.

use serde_json::{Map, Value};

use super::found::{Found, Rule};
use super::places::{Places, Treat};
use super::{MASK, Scrubber, escapes};
use crate::record::is_shown_header;

/// What was masked in an item.
#[derive(Debug, Default)]
pub(crate) struct Removed {
    pub(crate) found: Found,
    places: Vec<(Vec<String>, Rule)>,
}

impl Removed {
    pub(crate) fn is_empty(&self) -> bool {
        self.found.total() == 0
    }

    /// How often each rule masked something.
    pub(crate) fn counts(&self) -> Map<String, Value> {
        self.found.rules().map(|(rule, count)| (rule.name().to_owned(), count.into())).collect()
    }

    /// Sentry's `_meta`: the places, and the rule that masked each.
    pub(crate) fn meta(&self) -> Value {
        let mut meta = Value::Object(Map::new());
        for (path, rule) in &self.places {
            let mut at = &mut meta;
            for step in path {
                let Value::Object(steps) = at else { break };
                at = steps.entry(step.as_str()).or_insert_with(|| Value::Object(Map::new()));
            }
            if let Value::Object(steps) = at {
                let remark = Value::Array(vec![rule.name().into(), "s".into()]);
                let removed = Map::from_iter([("rem".to_owned(), Value::Array(vec![remark]))]);
                steps.insert(String::new(), Value::Object(removed));
            }
        }
        meta
    }
}

impl Scrubber {
    /// A serialized item without its secrets; `None` if it has none.
    pub(crate) fn item(&self, item: &[u8]) -> (Option<Vec<u8>>, Removed) {
        self.walked(item, Walk::default())
    }

    /// The same of an item on which what was removed is noted.
    pub(crate) fn noted_item(&self, item: &[u8]) -> Option<Vec<u8>> {
        self.walked(item, Walk { noted: true, ..Walk::default() }).0
    }

    /// The same without known secrets in places where they were taken for something else: a number, an address, a part
    /// of a query.
    pub(crate) fn without_known(&self, item: &[u8]) -> Option<Vec<u8>> {
        self.told.known(item, 0)?;
        match serde_json::from_slice::<Value>(item) {
            Ok(mut value) => {
                self.forget(&mut value);
                Some(value.to_string().into_bytes())
            }
            Err(_) => self.told.forgotten(item, true, &mut Found::default()),
        }
    }

    /// Masks known secrets, wherever they are but in ids and times.
    fn forget(&self, value: &mut Value) {
        let masked = |text: &str| self.told.forgotten(text.as_bytes(), false, &mut Found::default());
        match value {
            Value::String(text) => {
                if let Some(masked) = masked(text) {
                    *text = super::into_text(masked);
                }
            }
            Value::Number(number) => {
                if masked(&number.to_string()).is_some() {
                    *value = MASK.into();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.forget(value)),
            Value::Object(members) => {
                for (key, mut value) in std::mem::take(members) {
                    if !is_id_key(key.as_bytes()) {
                        self.forget(&mut value);
                    }
                    members.insert(masked(&key).map_or(key, super::into_text), value);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn walked<'a>(&self, item: &'a [u8], mut places: Walk<'a>) -> (Option<Vec<u8>>, Removed) {
        let mut found = Found::default();
        let scrubbed = self.json_at(item, &mut found, &mut places, 0);
        (scrubbed, Removed { found, places: places.masked })
    }
}

/// Where in an item the scanner is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Area {
    #[default]
    Root,
    Request,
    Headers,
    Cookies,
    User,
    Contexts,
    Trace,
    Stack,
    Frames,
    Images,
    Spans,
    /// Names that the application's build chose: crates, packages.
    Named,
    /// How often each rule masked something.
    Counts,
    /// What a summary of many failures says of them.
    Storm,
    /// How many of them each route had.
    Routes,
    /// What the application said.
    Data,
}

impl Area {
    /// How the value of this key is treated, and what area it is.
    fn key(self, key: &[u8]) -> (Treat, Self) {
        match (self, key) {
            (Self::Root, b"request") => (Treat::Text, Self::Request),
            (Self::Root, b"user") => (Treat::Text, Self::User),
            (Self::Root, b"contexts") => (Treat::Text, Self::Contexts),
            (Self::Root, b"extra" | b"tags" | b"breadcrumbs") => (Treat::Text, Self::Data),
            (Self::Root, b"exception" | b"threads" | b"stacktrace") => (Treat::Text, Self::Stack),
            (Self::Root, b"debug_meta") => (Treat::Text, Self::Images),
            (Self::Root, b"spans") => (Treat::Text, Self::Spans),
            (Self::Root, b"modules" | b"sdk" | b"_meta") => (Treat::Text, Self::Named),
            (Self::Request, b"headers") => (Treat::Text, Self::Headers),
            (Self::Request, b"cookies") => (Treat::Cookies, Self::Cookies),
            (Self::Request, b"query_string") => (Treat::Query, Self::Data),
            (Self::Request, b"url" | b"method" | b"data") => (Treat::Text, Self::Data),
            (Self::Headers, name) if is_shown_header(name) => (Treat::Text, Self::Data),
            (Self::Headers, _) => (Treat::Mask(Rule::Header), Self::Data),
            (Self::Cookies, _) => (Treat::Mask(Rule::Cookie), Self::Data),
            (Self::User, b"id" | b"username" | b"email" | b"ip_address" | b"name") => {
                (Treat::User, Self::Data)
            }
            (Self::Contexts, b"trace") => (Treat::Text, Self::Trace),
            (Self::Contexts, b"storm") => (Treat::ByKey, Self::Storm),
            (Self::Storm, b"routes") => (Treat::ByKey, Self::Routes),
            // `POST /reset/{token}` is a route and no token.
            (Self::Routes, route) if route.contains(&b'/') => (Treat::Id, Self::Data),
            (Self::Stack, b"frames") => (Treat::Text, Self::Frames),
            (Self::Frames, b"abs_path" | b"filename" | b"package") => (Treat::Path, Self::Data),
            (Self::Images, b"code_file" | b"debug_file") => (Treat::Path, Self::Data),
            (Self::Stack | Self::Frames | Self::Trace | Self::Spans, b"data" | b"vars" | b"tags") => {
                (Treat::Text, Self::Data)
            }
            (Self::Root | Self::Trace | Self::Spans | Self::Frames | Self::Images, id) if is_id_key(id) => {
                (Treat::Id, Self::Data)
            }
            (Self::Counts, _) => (Treat::Id, Self::Data),
            (Self::Stack | Self::Frames | Self::Images | Self::Trace | Self::Spans | Self::Named, _) => {
                (Treat::Text, self)
            }
            (
                Self::Root
                | Self::Request
                | Self::User
                | Self::Contexts
                | Self::Storm
                | Self::Routes
                | Self::Data,
                _,
            ) => (Treat::ByKey, Self::Data),
        }
    }
}

fn is_id_key(key: &[u8]) -> bool {
    let keys: [&[u8]; 9] = [
        b"event_id",
        b"trace_id",
        b"span_id",
        b"parent_span_id",
        b"segment_id",
        b"check_in_id",
        b"debug_id",
        b"code_id",
        b"timestamp",
    ];
    keys.contains(&key) || key == b"start_timestamp" || key.ends_with(b"_addr") || key.ends_with(b"_vmaddr")
}

/// A context that is masked as a whole stays an object: servers drop an event in which it is none.
const MASKED_CONTEXT: &[u8] = br#"{"value":"[Filtered]"}"#;
/// The context that says what was removed.
const FILTERED: &[u8] = b"filtered";
/// Sentry reads six levels.
const DEEPEST: usize = 64;
/// More places are counted only.
const MOST_PLACES: usize = 64;

#[derive(Clone, Copy, Default)]
struct Level<'a> {
    area: Area,
    treat: Option<Treat>,
    is_array: bool,
    index: usize,
    key: &'a [u8],
}

#[derive(Default)]
struct Walk<'a> {
    levels: Vec<Level<'a>>,
    treat: Option<Treat>,
    next: Area,
    masked: Vec<(Vec<String>, Rule)>,
    /// The context `filtered` is ours.
    noted: bool,
}

impl<'a> Places<'a> for Walk<'a> {
    fn key(&mut self, key: &'a [u8]) -> Treat {
        let Some(level) = self.levels.last_mut() else { return Treat::ByKey };
        level.key = key;
        let (treat, next) = match level.area {
            Area::Contexts if self.noted && key == FILTERED => (Treat::Text, Area::Counts),
            area => area.key(key),
        };
        self.treat = Some(treat);
        self.next = next;
        treat
    }

    fn value(&mut self) -> Treat {
        let inherited = self.levels.last().filter(|level| level.is_array).and_then(|level| level.treat);
        inherited.or(self.treat).unwrap_or(Treat::ByKey)
    }

    fn bracket(&mut self, bracket: u8) -> bool {
        match bracket {
            b'{' | b'[' => {
                if self.levels.len() >= DEEPEST {
                    return false;
                }
                let (area, treat) = match self.levels.last() {
                    Some(level) if level.is_array => (level.area, level.treat),
                    Some(_) => (self.next, self.treat),
                    None => (Area::Root, None),
                };
                self.levels.push(Level { area, treat, is_array: bracket == b'[', index: 0, key: b"" });
            }
            _ => drop(self.levels.pop()),
        }
        true
    }

    fn comma(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.index = level.index.saturating_add(1);
        }
    }

    fn masked(&mut self, rule: Rule) {
        if self.masked.len() < MOST_PLACES {
            let step = |level: &Level<'_>| match level.is_array {
                true => level.index.to_string(),
                false => {
                    let mut key = Vec::new();
                    escapes::decode(level.key, &mut key);
                    super::into_text(key)
                }
            };
            self.masked.push((self.levels.iter().map(step).collect(), rule));
        }
    }

    fn replacement(&self) -> Option<&'static [u8]> {
        self.levels.last().is_some_and(|level| level.area == Area::Contexts).then_some(MASKED_CONTEXT)
    }
}
