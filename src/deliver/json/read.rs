//! Reading: as serde_json does, but with every number as it was written.

use std::borrow::Cow;

use memchr::memchr2;
use serde_json::Number;

use super::{Fields, Json};

/// As deep as serde_json reads.
const DEEPEST: usize = 127;

/// Reads a whole document. `None` if it is no JSON, or lies deeper than [`DEEPEST`].
pub(in crate::deliver) fn read(document: &[u8]) -> Option<Json<'_>> {
    let mut reader = Reader { rest: std::str::from_utf8(document).ok()? };
    let json = reader.value(DEEPEST)?;
    reader.skip_space();
    reader.rest.is_empty().then_some(json)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_space(&mut self) {
        if let Some(b' ' | b'\n' | b'\r' | b'\t') = self.rest.as_bytes().first() {
            self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
        }
    }

    #[inline]
    fn next_is(&mut self, token: &str) -> bool {
        self.skip_space();
        let is_next = self.rest.as_bytes().starts_with(token.as_bytes());
        if is_next {
            self.rest = self.rest.get(token.len()..).unwrap_or_default();
        }
        is_next
    }

    fn value(&mut self, deeper: usize) -> Option<Json<'a>> {
        self.skip_space();
        match self.rest.as_bytes().first()? {
            b'{' => self.object(deeper.checked_sub(1)?),
            b'[' => self.array(deeper.checked_sub(1)?),
            b'"' => Some(Json::Text(self.text()?)),
            b'n' => self.next_is("null").then_some(Json::Null),
            b't' => self.next_is("true").then_some(Json::Bool(true)),
            b'f' => self.next_is("false").then_some(Json::Bool(false)),
            _ => self.number(),
        }
    }

    fn object(&mut self, deeper: usize) -> Option<Json<'a>> {
        let mut fields = Fields::default();
        let mut is_at_end = self.next_is("{") && self.next_is("}");
        while !is_at_end {
            self.skip_space();
            let name = self.text()?;
            if !self.next_is(":") {
                return None;
            }
            fields.push(name, self.value(deeper)?);
            is_at_end = self.next_is("}");
            if !is_at_end && !self.next_is(",") {
                return None;
            }
        }
        fields.forget_doubles();
        Some(Json::Object(fields))
    }

    fn array(&mut self, deeper: usize) -> Option<Json<'a>> {
        let mut items = Vec::new();
        let mut is_at_end = self.next_is("[") && self.next_is("]");
        while !is_at_end {
            items.push(self.value(deeper)?);
            is_at_end = self.next_is("]");
            if !is_at_end && !self.next_is(",") {
                return None;
            }
        }
        Some(Json::Array(items))
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        let inner = self.rest.strip_prefix('"')?;
        let mut end = memchr2(b'"', b'\\', inner.as_bytes())?;
        let has_escapes = inner.as_bytes().get(end) == Some(&b'\\');
        while inner.as_bytes().get(end) == Some(&b'\\') {
            // What is escaped may be a quotation mark.
            let next = end.checked_add(2)?;
            end = memchr2(b'"', b'\\', inner.as_bytes().get(next..)?)?.checked_add(next)?;
        }
        let (text, rest) = (inner.get(..end)?, inner.get(end.checked_add(1)?..)?);
        let quoted = self.rest.get(..end.checked_add(2)?)?;
        self.rest = rest;
        if has_escapes {
            serde_json::from_str(quoted).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(text))
        }
    }

    /// As it is written: read as binary and written again, it might be its neighbour.
    fn number(&mut self) -> Option<Json<'a>> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c));
        let (number, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
        serde_json::from_str::<Number>(number).ok()?;
        self.rest = rest;
        Some(Json::Number(Cow::Borrowed(number)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    proptest! {
        /// Serde's reader takes the same, but for control characters in texts, which are escaped when they are written.
        #[test]
        fn what_is_no_json_is_refused(text in r#"[\[\]{}:, "\\a-fnrtu0-9.eE+-]{0,12}|(.|\n){0,8}"#) {
            let ours = read(text.as_bytes());
            let serde: Option<Value> = serde_json::from_str(&text).ok();
            if let Some(value) = &serde {
                prop_assert_eq!(&ours.as_ref().unwrap().to_value(), value);
            } else if let Some(json) = ours {
                prop_assert!(text.contains(char::is_control), "{text:?} is {json}");
            }
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(DEEPEST).as_bytes()).is_some());
        assert!(read(nested(DEEPEST + 1).as_bytes()).is_none());
        assert!(serde_json::from_str::<Value>(&nested(DEEPEST)).is_ok());
        assert!(serde_json::from_str::<Value>(&nested(DEEPEST + 1)).is_err());
    }
}
