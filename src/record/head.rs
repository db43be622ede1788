//! The headers of a running request.

use std::borrow::Cow;
use std::fmt;

use http::{HeaderMap, HeaderName, header};

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

/// Its value is kept for those of its members that go on to others (`report::trace`), and never shown. Its place follows
/// `SHOWN`'s.
const BAGGAGE_NAME: &str = "baggage";
const BAGGAGE: u8 = 19;
/// The values of those with a place below this are kept.
const KEPT: usize = SHOWN.len() + 1;

/// Names that many requests bring and whose values are not kept: they need no bytes. Their places follow.
const HIDDEN: [&str; 12] = [
    "authorization",
    "connection",
    "cookie",
    "forwarded",
    "if-modified-since",
    "if-none-match",
    "upgrade-insecure-requests",
    "via",
    "priority",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// Marks the place of a name whose value is not kept.
const NAME_ONLY: u8 = 0x80;
/// Stands in the place of one before any other name.
const OTHER: u8 = u8::MAX;

/// More of one value, and more of all headers together, is not kept.
const MAX_VALUE: usize = 1024;
const MAX_BYTES: usize = 8 * 1024;
/// The same of one baggage.
const MAX_BAGGAGE: usize = 2 * 1024;
/// What most requests send fits in here: this many headers, and this many bytes of them.
const INLINE: usize = 40;
const INLINE_BYTES: usize = 640;

/// The headers of a request: the values of those that are shown, the names of the others, and its baggage.
///
/// They are copied: a reference would hold the connection's whole read buffer, and cloning names costs more. Of each
/// the place of its name is kept, and its value; of a name that has no place, the name. Most need no allocation.
pub(crate) struct Headers {
    /// The place of each, and how many bytes are left after it.
    slots: [(u8, u16); INLINE],
    count: usize,
    bytes: [u8; INLINE_BYTES],
    /// What did not fit, each after its place and its length.
    more: Vec<u8>,
}

impl Headers {
    pub(crate) fn new() -> Self {
        Self { slots: [(0, 0); INLINE], count: 0, bytes: [0; INLINE_BYTES], more: Vec::new() }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.more = Vec::new();
    }

    /// Keeps those of a request, where none are kept yet; no values that are marked as sensitive.
    // By itself, where nothing else wants the registers.
    #[inline(never)]
    pub(crate) fn keep(&mut self, headers: &HeaderMap) {
        let mut slots = self.slots.iter_mut();
        let mut room = &mut self.bytes[..];
        let mut unused = 0;
        for (name, value) in headers {
            let (place, bytes) = match place(name) {
                Some(place) if usize::from(place) < KEPT && !value.is_sensitive() => {
                    (place, value.as_bytes())
                }
                Some(place) => {
                    match slots.next() {
                        Some(slot) => *slot = (place | NAME_ONLY, short(room.len())),
                        None => push_more(&mut self.more, place | NAME_ONLY, &[]),
                    }
                    continue;
                }
                None => (OTHER, name.as_str().as_bytes()),
            };
            if let Some(to_bytes) = room.split_off_mut(..bytes.len())
                && let Some(slot) = slots.next()
            {
                *slot = (place, short(room.len()));
                to_bytes.copy_from_slice(bytes);
            } else {
                // What does not fit leaves no room for what follows it, so that the order stays.
                unused = slots.len().max(unused);
                slots = [].iter_mut();
                push_more(&mut self.more, place, bytes);
            }
        }
        self.count = INLINE.wrapping_sub(slots.len().max(unused));
    }

    /// Names and values, in the order in which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Option<Cow<'_, str>>)> {
        self.entries().map(|(place, bytes)| {
            let text = String::from_utf8_lossy(bytes);
            match names().nth(usize::from(place & !NAME_ONLY)) {
                Some(name) => (Cow::Borrowed(name), (usize::from(place) < SHOWN.len()).then_some(text)),
                None => (text, None),
            }
        })
    }

    /// The value of the first header of that name that has one for showing.
    pub(crate) fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let wanted = SHOWN.iter().position(|shown| *shown == name)?;
        let (_, value) = self.entries().find(|(place, _)| usize::from(*place) == wanted)?;
        Some(String::from_utf8_lossy(value))
    }

    /// What came as `baggage`, for whoever passes some of it on: it may be about people. Of one that was cut off, its
    /// whole members.
    pub(crate) fn baggage(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let came = self.entries().filter(|(place, _)| *place == BAGGAGE);
        came.map(|(_, value)| {
            let is_cut = value.len() >= MAX_BAGGAGE;
            let whole = value.iter().rposition(|byte| is_cut && *byte == b',').unwrap_or(value.len());
            let none_is_whole = is_cut && whole == value.len();
            String::from_utf8_lossy(value.get(..whole).filter(|_| !none_is_whole).unwrap_or_default())
        })
    }

    /// That of the first `x-request-id`. The thread that fails asks for it.
    pub(crate) fn request_id(&self) -> Option<&[u8]> {
        match self.slots().iter().position(|(place, _)| *place == REQUEST_ID) {
            Some(at) => Some(self.inline(at)),
            None => More(&self.more).find(|(place, _)| *place == REQUEST_ID).map(|(_, value)| value),
        }
    }

    fn entries(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.slots()
            .iter()
            .enumerate()
            .map(|(at, (place, _))| (*place, self.inline(at)))
            .chain(More(&self.more))
    }

    fn slots(&self) -> &[(u8, u16)] {
        self.slots.get(..self.count).unwrap_or_default()
    }

    /// The bytes of the header with that number.
    fn inline(&self, at: usize) -> &[u8] {
        let end_of = |at: usize| {
            let left = self.slots.get(at).map_or(INLINE_BYTES, |(_, left)| usize::from(*left));
            INLINE_BYTES.saturating_sub(left)
        };
        let begin = at.checked_sub(1).map_or(0, end_of);
        self.bytes.get(begin..end_of(at)).unwrap_or_default()
    }
}

/// All that have a place, in its order.
fn names() -> impl Iterator<Item = &'static str> {
    SHOWN.into_iter().chain([BAGGAGE_NAME]).chain(HIDDEN)
}

/// Its low half: what fits in here is short.
fn short(length: usize) -> u16 {
    let [low, high, ..] = length.to_le_bytes();
    u16::from_le_bytes([low, high])
}

#[cold]
fn push_more(more: &mut Vec<u8>, place: u8, bytes: &[u8]) {
    if more.len() < MAX_BYTES {
        let most = if place == BAGGAGE { MAX_BAGGAGE } else { MAX_VALUE };
        let bytes = bytes.get(..most).unwrap_or(bytes);
        more.push(place);
        more.extend_from_slice(&short(bytes.len()).to_le_bytes());
        more.extend_from_slice(bytes);
    }
}

struct More<'a>(&'a [u8]);

impl<'a> Iterator for More<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [place, low, high, rest @ ..] = self.0 else { return None };
        let (bytes, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([*low, *high])))?;
        self.0 = rest;
        Some((*place, bytes))
    }
}

/// The place of a name in `SHOWN`, or behind it. Those that the `http` crate knows are numbers there, so this is one
/// jump.
#[inline]
fn place(name: &HeaderName) -> Option<u8> {
    Some(if *name == header::ACCEPT {
        0
    } else if *name == header::ACCEPT_ENCODING {
        1
    } else if *name == header::ACCEPT_LANGUAGE {
        2
    } else if *name == header::CACHE_CONTROL {
        3
    } else if *name == header::CONTENT_ENCODING {
        4
    } else if *name == header::CONTENT_LENGTH {
        5
    } else if *name == header::CONTENT_TYPE {
        6
    } else if *name == header::HOST {
        7
    } else if *name == header::ORIGIN {
        8
    } else if *name == header::REFERER {
        9
    } else if *name == header::TE {
        15
    } else if *name == header::USER_AGENT {
        17
    } else if *name == header::AUTHORIZATION {
        20
    } else if *name == header::CONNECTION {
        21
    } else if *name == header::COOKIE {
        22
    } else if *name == header::FORWARDED {
        23
    } else if *name == header::IF_MODIFIED_SINCE {
        24
    } else if *name == header::IF_NONE_MATCH {
        25
    } else if *name == header::UPGRADE_INSECURE_REQUESTS {
        26
    } else if *name == header::VIA {
        27
    } else {
        return place_of_text(name.as_str());
    })
}

/// That of those that it does not know. Lengths are compared first.
#[inline(never)]
fn place_of_text(name: &str) -> Option<u8> {
    Some(match name {
        "sec-fetch-dest" => 10,
        "sec-fetch-mode" => 11,
        "sec-fetch-site" => 12,
        "sec-fetch-user" => 13,
        "sentry-trace" => 14,
        "traceparent" => 16,
        "x-request-id" => REQUEST_ID,
        "baggage" => BAGGAGE,
        "priority" => 28,
        "x-forwarded-for" => 29,
        "x-forwarded-host" => 30,
        "x-forwarded-proto" => 31,
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
    use http::HeaderValue;

    use super::*;

    fn seen(headers: &Headers) -> Vec<(String, Option<String>)> {
        headers.iter().map(|(name, value)| (name.into_owned(), value.map(Cow::into_owned))).collect()
    }

    fn kept(all: &[(&str, &[u8])]) -> Headers {
        let mut headers = Headers::new();
        // What was there before is gone.
        headers.keep(&map(&[("host", &[b'x'; INLINE_BYTES]), ("via", b""), ("x-more", b"")]));
        headers.clear();
        headers.keep(&map(all));
        headers
    }

    fn map(all: &[(&str, &[u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in all {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    #[test]
    fn every_name_of_the_lists_has_its_place_and_no_other_has_one() {
        let place = |name: &str| place(&HeaderName::from_bytes(name.as_bytes()).unwrap());
        for (at, name) in names().enumerate() {
            assert_eq!(place(name).map(usize::from), Some(at), "{name}");
            assert_eq!(place(&name.to_uppercase()).map(usize::from), Some(at), "{name}");
        }
        for name in ["set-cookie", "x-api-key", "accept-charset", "x-request-ids"] {
            assert_eq!(place(name), None, "{name}");
        }
    }

    #[test]
    fn values_are_shown_by_allow_list_and_never_when_marked_sensitive() {
        let mut all = map(&[
            ("host", b"shop:80"),
            ("authorization", b"Bearer x"),
            ("x-api-key", b"x"),
            ("user-agent", b"curl"),
            ("x-request-id", b"secret"),
            ("accept", b""),
            ("referer", b"\xff"),
        ]);
        for name in ["user-agent", "x-request-id"] {
            all.get_mut(name).unwrap().set_sensitive(true);
        }
        let mut headers = Headers::new();
        headers.keep(&all);
        let value = |value: &str| Some(value.to_owned());
        assert_eq!(
            seen(&headers),
            [
                ("host".to_owned(), value("shop:80")),
                ("authorization".to_owned(), None),
                ("x-api-key".to_owned(), None),
                ("user-agent".to_owned(), None),
                ("x-request-id".to_owned(), None),
                ("accept".to_owned(), value("")),
                ("referer".to_owned(), value("\u{fffd}")),
            ]
        );
        assert_eq!(headers.value("host").as_deref(), Some("shop:80"));
        assert_eq!(headers.value("authorization"), None);
        assert_eq!(headers.request_id(), None);
    }

    #[test]
    fn a_baggage_is_kept_and_never_shown() {
        let long = [&b"sentry-a=1,x="[..], &[b'x'; MAX_BAGGAGE]].concat();
        let all = [("baggage", &b"user=ada"[..]), ("baggage", &long), ("baggage", &[b'x'; MAX_BAGGAGE])];
        let headers = kept(&all);
        assert_eq!(headers.baggage().collect::<Vec<_>>(), ["user=ada", "sentry-a=1", ""]);
        assert!(seen(&headers).iter().all(|(name, value)| name == "baggage" && value.is_none()));
        assert!(headers.value("baggage").is_none() && !format!("{headers:?}").contains("ada"));
        let mut marked = map(&all);
        marked.get_mut("baggage").unwrap().set_sensitive(true);
        let mut headers = Headers::new();
        headers.keep(&marked);
        assert_eq!(headers.baggage().collect::<Vec<_>>(), ["sentry-a=1", ""]);
    }

    #[test]
    fn what_just_fits_and_what_just_does_not_is_kept_in_order() {
        for length in INLINE_BYTES - 40..INLINE_BYTES + 4 {
            let host = vec![b'v'; length];
            let headers =
                kept(&[("host", &host), ("x-after", b""), ("cookie", b""), ("x-last", b""), ("via", b"")]);
            let seen = seen(&headers);
            let seen: Vec<_> =
                seen.iter().map(|(name, value)| (&**name, value.as_ref().map(String::len))).collect();
            assert_eq!(
                seen,
                [
                    ("host", Some(length)),
                    ("x-after", None),
                    ("cookie", None),
                    ("x-last", None),
                    ("via", None)
                ],
                "{length}"
            );
        }
    }

    #[test]
    fn more_than_most_requests_send_is_kept_in_order() {
        for count in [INLINE - 1, INLINE, INLINE + 1, 3 * INLINE] {
            let names: Vec<_> = (0..count).map(|number| format!("x-{number}")).collect();
            let all: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b""[..])).collect();
            let id = ("x-request-id", &b"42"[..]);
            let headers = kept(&[&all[..], &[id]].concat());
            let seen: Vec<_> = seen(&headers).into_iter().map(|(name, _)| name).collect();
            assert_eq!(seen, [&names[..], &["x-request-id".to_owned()]].concat());
            assert_eq!(headers.request_id(), Some(&b"42"[..]));
        }
    }

    #[test]
    fn the_id_of_the_request_is_the_first_wherever_it_is() {
        for before in 0..INLINE_BYTES + 4 {
            let accept = vec![b'x'; before];
            assert_eq!(kept(&[("accept", &accept)]).request_id(), None);
            let ids: [(&str, &[u8]); 2] = [("x-request-id", b"first"), ("x-request-id", b"second")];
            let headers = kept(&[&[("accept", &*accept)][..], &ids].concat());
            assert_eq!(headers.request_id(), Some(&b"first"[..]), "after {before}");
        }
        let mut headers = kept(&[("x-request-id", b"first")]);
        headers.clear();
        assert_eq!(headers.request_id(), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let headers = kept(&[("accept", &[b'x'; 5_000][..]); 1_000]);
        assert!(headers.more.len() < MAX_BYTES + MAX_VALUE + 3);
        assert!(
            seen(&headers)
                .iter()
                .all(|(_, value)| value.as_ref().is_some_and(|value| value.len() == MAX_VALUE))
        );
    }
}
