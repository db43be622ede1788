//! A document of JSON that borrows its texts and keeps the order of its fields: what nobody changed is written as it
//! was read, byte by byte.

mod read;
mod write;

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Number, Value};

pub(in crate::deliver) use self::read::read;

/// Objects with fewer fields are searched for doubles without hashing.
const FEW: usize = 32;

#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::deliver) enum Json<'a> {
    #[default]
    Null,
    Bool(bool),
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Fields<'a>),
}

/// The fields of an object. No name is there twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::deliver) struct Fields<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Json<'a> {
    pub(in crate::deliver) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// `null` for what is no number.
    pub(in crate::deliver) fn number(number: f64) -> Self {
        Number::from_f64(number).map_or(Self::Null, |number| Self::Number(number.to_string().into()))
    }

    pub(in crate::deliver) fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(in crate::deliver) fn as_f64(&self) -> Option<f64> {
        if let Self::Number(number) = self { number.parse().ok() } else { None }
    }

    pub(in crate::deliver) fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    pub(in crate::deliver) fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    pub(in crate::deliver) fn as_object(&self) -> Option<&Fields<'a>> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }

    pub(in crate::deliver) fn as_object_mut(&mut self) -> Option<&mut Fields<'a>> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }

    /// A field of an object.
    pub(in crate::deliver) fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    pub(in crate::deliver) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.as_object_mut()?.get_mut(name)
    }
}

impl<'a> Fields<'a> {
    pub(in crate::deliver) fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(in crate::deliver) fn get_mut(&mut self, name: &str) -> Option<&mut Json<'a>> {
        self.0.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(in crate::deliver) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// In the place of the field of that name, or at the end.
    pub(in crate::deliver) fn insert(&mut self, name: impl Into<Cow<'a, str>>, value: Json<'a>) {
        let name = name.into();
        match self.get_mut(&name) {
            Some(before) => *before = value,
            None => self.0.push((name, value)),
        }
    }

    pub(in crate::deliver) fn remove(&mut self, name: &str) -> Option<Json<'a>> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// The field of that name; an empty object if there was none.
    pub(in crate::deliver) fn object(&mut self, name: &'static str) -> Option<&mut Fields<'a>> {
        if !self.contains(name) {
            self.0.push((Cow::Borrowed(name), Json::Object(Self::default())));
        }
        self.get_mut(name)?.as_object_mut()
    }

    pub(in crate::deliver) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::deliver) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::deliver) fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    pub(in crate::deliver) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Json<'a>)> {
        self.0.iter_mut().map(|(key, value)| (&**key, value))
    }

    pub(in crate::deliver) fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Json<'a>> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    pub(in crate::deliver) fn retain(&mut self, mut keep: impl FnMut(&str, &Json<'a>) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }

    /// Takes out what is not to be kept.
    pub(in crate::deliver) fn split_off(&mut self, mut keep: impl FnMut(&str) -> bool) -> Self {
        Self(self.0.extract_if(.., |(key, _)| !keep(key)).collect())
    }

    /// Changes names and values in their places, or takes a field out.
    pub(in crate::deliver) fn change(
        &mut self,
        mut keep: impl FnMut(&mut Cow<'a, str>, &mut Json<'a>) -> bool,
    ) {
        self.0.retain_mut(|(key, value)| keep(key, value));
        self.forget_doubles();
    }

    pub(in crate::deliver) fn extend(&mut self, others: impl IntoIterator<Item = (Cow<'a, str>, Json<'a>)>) {
        self.0.extend(others);
        self.forget_doubles();
    }

    /// For a reader, which forgets doubles in the end.
    fn push(&mut self, name: Cow<'a, str>, value: Json<'a>) {
        self.0.push((name, value));
    }

    /// Of fields with the same name the last counts, as for every server.
    fn forget_doubles(&mut self) {
        let fields = &self.0;
        let has_doubles = if fields.len() < FEW {
            let mut rest = fields.iter();
            std::iter::from_fn(|| rest.next().map(|(key, _)| (key, rest.as_slice())))
                .any(|(key, rest)| rest.iter().any(|(other, _)| other == key))
        } else {
            let mut seen = HashSet::with_capacity(fields.len());
            !fields.iter().all(|(key, _)| seen.insert(&**key))
        };
        if has_doubles {
            let mut seen = HashSet::new();
            let mut is_last: Vec<_> = fields.iter().rev().map(|(key, _)| seen.insert(&**key)).collect();
            self.0.retain(|_| is_last.pop().unwrap_or_default());
        }
    }
}

impl<'a> IntoIterator for Fields<'a> {
    type Item = (Cow<'a, str>, Json<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, const N: usize> From<[(&'a str, Json<'a>); N]> for Fields<'a> {
    fn from(fields: [(&'a str, Json<'a>); N]) -> Self {
        let mut object = Self::default();
        fields.into_iter().for_each(|(name, value)| object.insert(name, value));
        object
    }
}

impl From<Value> for Json<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number.to_string().into()),
            Value::String(text) => Self::Text(Cow::Owned(text)),
            Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Value::Object(fields) => Self::Object(Fields(
                fields.into_iter().map(|(key, value)| (Cow::Owned(key), Self::from(value))).collect(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    impl Json<'_> {
        /// What tests compare: the order of fields is of no account there.
        pub(in crate::deliver) fn to_value(&self) -> Value {
            serde_json::from_slice(&self.to_vec().unwrap()).unwrap()
        }
    }

    /// Any value, some with names that are there more than once.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 40, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::vec((".{0,2}", inner), 0..40)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_as_it_was(value in value()) {
            let text = value.to_string();
            let json = read(text.as_bytes()).unwrap();
            prop_assert_eq!(json.to_string(), &*text);
            prop_assert_eq!(Json::from(value), json);
        }

        #[test]
        fn of_doubles_the_last_counts(fields in proptest::collection::vec(("[ab]{0,3}", any::<u8>()), 0..80)) {
            let text = fields.iter().map(|(key, value)| format!("{key:?}:{value}")).collect::<Vec<_>>().join(",");
            let text = format!("{{{text}}}");
            let json = read(text.as_bytes()).unwrap();
            let written: Value = serde_json::from_str(&json.to_string()).unwrap();
            prop_assert_eq!(written, serde_json::from_str::<Value>(&text).unwrap());
            let read = json.as_object().unwrap();
            let names: HashSet<_> = read.iter().map(|(key, _)| key).collect();
            prop_assert_eq!(names.len(), read.len());
        }
    }

    #[test]
    fn order_is_kept_and_nothing_is_copied_that_has_no_escapes() {
        let text = r#"{"z":"plain","a":{"k\n":1},"m":[1.5,null]}"#;
        let mut json = read(text.as_bytes()).unwrap();
        assert!(matches!(json.get("z"), Some(Json::Text(Cow::Borrowed("plain")))));
        assert_eq!(json.to_string(), text);
        let fields = json.as_object_mut().unwrap();
        fields.insert("z", Json::text("other"));
        fields.insert("n", Json::Null);
        assert_eq!(fields.remove("a"), Some(json!({"k\n": 1}).into()));
        assert_eq!(json.to_string(), r#"{"z":"other","m":[1.5,null],"n":null}"#);
    }
}
