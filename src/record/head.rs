//! The headers of a running request.

use std::borrow::Cow;
use std::fmt;

/// Headers whose values are shown. Others appear by name, with `[Filtered]`.
///
/// None of these identifies or authorises anybody. `origin` and `referer` lose what they carry when they
/// are shown (`report::decorate`).
const SHOWN: [&str; 19] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "origin",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "sentry-trace",
    "te",
    "traceparent",
    "user-agent",
    "x-request-id",
];

/// The place of `x-request-id` in `SHOWN`.
const REQUEST_ID: u8 = 18;

/// Whether the value of this header is shown.
pub(crate) fn is_shown_header(name: &[u8]) -> bool {
    SHOWN.iter().any(|shown| name.eq_ignore_ascii_case(shown.as_bytes()))
}

/// Stands in the place of an index into `SHOWN` before the name of a header whose value is not kept.
const NAME_ONLY: u8 = u8::MAX;

/// More of one value, and more of all headers together, is not kept.
const MAX_VALUE: usize = 1024;
const MAX_BYTES: usize = 8 * 1024;
/// Each entry begins with its index and its length.
const ENTRY_HEAD: usize = 3;
/// What most requests send fits in here.
const INLINE: usize = 640;

/// The headers of a request: the values of those that are shown, the names of the others.
///
/// They are copied: a reference would hold the connection's whole read buffer, and cloning names costs more.
/// Each is an index into `SHOWN`, a length, and the bytes. The first ones need no allocation.
pub(crate) struct Headers {
    inline: [u8; INLINE],
    used: usize,
    more: Vec<u8>,
}

impl Headers {
    pub(crate) fn new() -> Self {
        Self { inline: [0; INLINE], used: 0, more: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.more = Vec::new();
    }

    /// Adds headers: their names, values, and whether these are marked as sensitive, which are not kept.
    #[inline]
    pub(crate) fn extend<'a>(&mut self, headers: impl IntoIterator<Item = (&'a str, &'a [u8], bool)>) {
        // Nothing is put before what did not fit.
        let free = if self.more.is_empty() { self.used.. } else { INLINE.. };
        let mut room = self.inline.get_mut(free).unwrap_or_default();
        for (name, value, sensitive) in headers {
            let (index, bytes) = match index(name) {
                Some(index) if !sensitive => (index, value),
                _ => (NAME_ONLY, name.as_bytes()),
            };
            let [low, high, ..] = bytes.len().to_le_bytes();
            // No header is that long: this does not wrap.
            let length = bytes.len().wrapping_add(ENTRY_HEAD);
            // What does not fit leaves no room for what follows it.
            match std::mem::take(&mut room).split_at_mut_checked(length) {
                Some(([to_index, to_low, to_high, to_bytes @ ..], rest)) => {
                    (*to_index, *to_low, *to_high) = (index, low, high);
                    to_bytes.copy_from_slice(bytes);
                    self.used = self.used.wrapping_add(length);
                    room = rest;
                }
                _ => push_more(&mut self.more, index, bytes),
            }
        }
    }

    /// Names and values, in the order in which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Option<Cow<'_, str>>)> {
        self.entries().map(|(index, bytes)| {
            let text = String::from_utf8_lossy(bytes);
            match SHOWN.get(usize::from(index)) {
                Some(name) => (Cow::Borrowed(*name), Some(text)),
                None => (text, None),
            }
        })
    }

    fn entries(&self) -> impl Iterator<Item = (u8, &[u8])> {
        Entries(self.inline.get(..self.used).unwrap_or_default()).chain(Entries(&self.more))
    }

    /// The value of the first header of that name that has one for showing.
    pub(crate) fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let wanted = index(name)?;
        self.entries().find(|(index, _)| *index == wanted).map(|(_, value)| String::from_utf8_lossy(value))
    }

    /// That of `x-request-id`, if it is a text. It is asked for on the thread that fails.
    pub(crate) fn request_id(&self) -> Option<&str> {
        let is_wanted = |(index, _): &(u8, &[u8])| *index == REQUEST_ID;
        let inline = self.inline.get(..self.used).unwrap_or_default();
        let (_, value) = Entries(inline).find(is_wanted).or_else(|| Entries(&self.more).find(is_wanted))?;
        std::str::from_utf8(value).ok()
    }
}

/// Once something did not fit, the rest follows it, so that the order stays.
#[cold]
fn push_more(more: &mut Vec<u8>, index: u8, bytes: &[u8]) {
    if more.len() < MAX_BYTES {
        let bytes = bytes.get(..MAX_VALUE).unwrap_or(bytes);
        let [low, high, ..] = bytes.len().to_le_bytes();
        more.extend_from_slice(&[index, low, high]);
        more.extend_from_slice(bytes);
    }
}

struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [index, low, high, rest @ ..] = self.0 else { return None };
        let (bytes, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([*low, *high])))?;
        self.0 = rest;
        Some((*index, bytes))
    }
}

/// The place of a name in `SHOWN`. A `match` compares lengths first, and few bytes after that.
#[inline]
fn index(name: &str) -> Option<u8> {
    Some(match name {
        "accept" => 0,
        "accept-encoding" => 1,
        "accept-language" => 2,
        "cache-control" => 3,
        "content-encoding" => 4,
        "content-length" => 5,
        "content-type" => 6,
        "host" => 7,
        "origin" => 8,
        "referer" => 9,
        "sec-fetch-dest" => 10,
        "sec-fetch-mode" => 11,
        "sec-fetch-site" => 12,
        "sec-fetch-user" => 13,
        "sentry-trace" => 14,
        "te" => 15,
        "traceparent" => 16,
        "user-agent" => 17,
        "x-request-id" => REQUEST_ID,
        _ => return None,
    })
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(headers: &Headers) -> Vec<(String, Option<String>)> {
        headers.iter().map(|(name, value)| (name.into_owned(), value.map(Cow::into_owned))).collect()
    }

    fn add(headers: &mut Headers, name: &str, value: &[u8], sensitive: bool) {
        headers.extend([(name, value, sensitive)]);
    }

    #[test]
    fn every_shown_name_has_its_index_and_no_other_has_one() {
        for (at, name) in SHOWN.iter().enumerate() {
            assert_eq!(index(name).map(usize::from), Some(at), "{name}");
        }
        for name in ["authorization", "cookie", "x-api-key", "accept-charset", ""] {
            assert_eq!(index(name), None, "{name}");
        }
    }

    #[test]
    fn values_are_shown_by_allow_list_and_never_when_marked_sensitive() {
        let mut headers = Headers::new();
        add(&mut headers, "host", b"shop:80", false);
        add(&mut headers, "authorization", b"Bearer x", false);
        add(&mut headers, "user-agent", b"curl", true);
        add(&mut headers, "accept", b"", false);
        add(&mut headers, "referer", b"\xff", false);
        let value = |value: &str| Some(value.to_owned());
        assert_eq!(
            seen(&headers),
            [
                ("host".to_owned(), value("shop:80")),
                ("authorization".to_owned(), None),
                ("user-agent".to_owned(), None),
                ("accept".to_owned(), value("")),
                ("referer".to_owned(), value("\u{fffd}")),
            ]
        );
        assert_eq!(headers.value("host").as_deref(), Some("shop:80"));
        assert_eq!(headers.value("authorization"), None);
    }

    #[test]
    fn what_just_fits_and_what_just_does_not_is_kept_in_order() {
        for length in INLINE - 8..INLINE + 4 {
            let mut headers = Headers::new();
            add(&mut headers, "host", &vec![b'v'; length], false);
            add(&mut headers, "x-after", b"", false);
            let lengths =
                seen(&headers).into_iter().map(|(name, value)| (name, value.map(|value| value.len())));
            assert_eq!(
                lengths.collect::<Vec<_>>(),
                [("host".to_owned(), Some(length)), ("x-after".to_owned(), None)]
            );
        }
    }

    #[test]
    fn the_id_of_the_request_is_the_first_wherever_it_is() {
        for before in [0, 10, INLINE] {
            let mut headers = Headers::new();
            add(&mut headers, "accept", &vec![b'x'; before], false);
            assert_eq!(headers.request_id(), None);
            add(&mut headers, "x-request-id", b"first", false);
            add(&mut headers, "x-request-id", b"second", false);
            assert_eq!(headers.request_id(), Some("first"), "after {before}");
            headers.clear();
            assert_eq!(headers.request_id(), None);
            add(&mut headers, "x-request-id", b"\xff", false);
            assert_eq!(headers.request_id(), None);
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut headers = Headers::new();
        for _ in 0..1_000 {
            add(&mut headers, "accept", &[b'x'; 5_000], false);
        }
        assert!(headers.more.len() < MAX_BYTES + MAX_VALUE + 3);
        assert!(
            seen(&headers)
                .iter()
                .all(|(_, value)| value.as_ref().is_some_and(|value| value.len() == MAX_VALUE))
        );
    }
}
