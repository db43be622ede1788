//! Query strings, url-encoded forms and cookies: names stay, the values of secrets go.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};

use super::found::{Found, Rule};
use super::keys::Meaning;
use super::spans::looks_like_json;
use super::{MASK, Scrubber};

impl Scrubber {
    /// `a=1&token=2` of a URL; `None` if nothing in it is secret.
    pub(super) fn query(&self, query: &[u8], found: &mut Found) -> Option<Vec<u8>> {
        self.known_first(query, found, |query, found| self.pairs(query, found, true))
    }

    /// The same of a body, where fewer names are secrets.
    pub(super) fn form(&self, form: &[u8], found: &mut Found) -> Option<Vec<u8>> {
        self.known_first(form, found, |form, found| self.pairs(form, found, false))
    }

    /// `a=b; c=d`: every value goes.
    pub(super) fn cookies(&self, cookies: &[u8], found: &mut Found) -> Option<Vec<u8>> {
        self.known_first(cookies, found, |cookies, found| self.all_cookies(cookies, found))
    }

    /// A known secret may hold what separates here.
    fn known_first(
        &self,
        text: &[u8],
        found: &mut Found,
        scrub: impl FnOnce(&[u8], &mut Found) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let Some(forgotten) = self.told.forgotten(text, false, found) else { return scrub(text, found) };
        Some(scrub(&forgotten, found).unwrap_or(forgotten))
    }

    fn all_cookies(&self, cookies: &[u8], found: &mut Found) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(cookies.len());
        let before = found.total();
        for (number, cookie) in cookies.split(|byte| *byte == b';').enumerate() {
            if number > 0 {
                out.push(b';');
            }
            let name = cookie.iter().position(|byte| *byte == b'=').map(|at| cookie.split_at(at));
            let (name, value) = name.unwrap_or((b"", cookie));
            let scrubbed = self.plain(name, found);
            out.extend_from_slice(scrubbed.as_deref().unwrap_or(name));
            if name.is_empty() && value.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let value = value.strip_prefix(b"=").inspect(|_| out.push(b'='));
            if value.is_none_or(|value| !value.is_empty() && value != MASK.as_bytes())
                && cookie.trim_ascii() != MASK.as_bytes()
            {
                found.add(Rule::Cookie);
            }
            if value.is_none_or(|value| !value.is_empty()) {
                out.extend_from_slice(MASK.as_bytes());
            }
        }
        (found.total() > before).then_some(out)
    }

    fn pairs(&self, input: &[u8], found: &mut Found, in_query: bool) -> Option<Vec<u8>> {
        let before = found.total();
        let mut out = Vec::with_capacity(input.len());
        for (number, pair) in input.split(|byte| *byte == b'&').enumerate() {
            if number > 0 {
                out.push(b'&');
            }
            match memchr::memchr(b'=', pair) {
                Some(at) => {
                    let (key, value) = pair.split_at(at);
                    self.encoded(key, &mut out, found);
                    out.push(b'=');
                    self.value(key, value.get(1..).unwrap_or_default(), &mut out, found, in_query);
                }
                None => self.encoded(pair, &mut out, found),
            }
        }
        (found.total() > before).then_some(out)
    }

    fn value(&self, key: &[u8], value: &[u8], out: &mut Vec<u8>, found: &mut Found, in_query: bool) {
        let rule = match self.keys.meaning(&decoded(key)) {
            Meaning::Secret => Some(Rule::Key),
            Meaning::Personal => Some(Rule::Personal),
            Meaning::InQuery => in_query.then_some(Rule::Key),
            Meaning::Harmless => None,
        };
        let Some(rule) = rule.filter(|_| !value.is_empty()) else {
            return self.encoded(value, out, found);
        };
        if value != MASK.as_bytes() {
            found.add(rule);
        }
        out.extend_from_slice(MASK.as_bytes());
    }

    /// A part whose secrets are looked for in the text it stands for.
    fn encoded(&self, part: &[u8], out: &mut Vec<u8>, found: &mut Found) {
        let text = decoded(part);
        let scrubbed = if looks_like_json(&text) {
            self.json_at(&text, found, &mut super::places::Nowhere, 1)
        } else {
            self.plain(&text, found)
        };
        match scrubbed {
            None => out.extend_from_slice(part),
            Some(scrubbed) => encode(&scrubbed, out),
        }
    }
}

/// The text as its reader sees it: `pass%77ord` and `a+b` hide nothing.
pub(super) fn decoded(part: &[u8]) -> Vec<u8> {
    let spaced = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect::<Vec<_>>();
    percent_decode(&spaced).collect()
}

/// What would end the part or be read as an escape; the rest is left to be read by people.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'&').add(b'=').add(b'%').add(b'+').add(b'#');

fn encode(text: &[u8], out: &mut Vec<u8>) {
    for part in percent_encode(text, ESCAPED) {
        out.extend(part.bytes().map(|byte| if byte == b' ' { b'+' } else { byte }));
    }
}
