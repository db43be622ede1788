//! What the scrubber was told: values that must never leave, and the application's patterns.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD as STANDARD, BASE64_URL_SAFE as URL_SAFE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::bytes::Regex;

use super::MASK;
use super::found::{Edits, Found, Rule};

/// Secrets by their value, in each form in which they may be written, and patterns.
#[derive(Clone, Default)]
pub(super) struct Told {
    known: Option<AhoCorasick>,
    /// The forms that are not base64, to recognise their beginnings.
    beginnings: Vec<Vec<u8>>,
    /// The number of the first form in base64.
    encoded_from: usize,
    pattern: Option<Regex>,
}

impl Told {
    pub(super) fn new(secrets: &[String], patterns: &[String]) -> Result<Self, regex::Error> {
        let mut forms = all(secrets, in_texts);
        let beginnings = forms.clone();
        let encoded_from = forms.len();
        forms.extend(all(secrets, in_base64));
        // The longest that begins at a place: a form may begin like another.
        let known = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms).ok();
        let pattern = patterns.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|");
        Ok(Self {
            known: known.filter(|_| !forms.is_empty()),
            beginnings,
            encoded_from,
            pattern: if patterns.is_empty() { None } else { Some(Regex::new(&pattern)?) },
        })
    }

    /// Whether it was told anything.
    pub(super) fn knows(&self) -> bool {
        self.known.is_some() || self.pattern.is_some()
    }

    /// The first known secret at or behind this place. In base64, what was encoded with it goes too.
    pub(super) fn known(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let known = self.known.as_ref()?;
        outside_of_masks(text, from, |from| {
            let rest = text.get(from..)?;
            let found = known.find(rest)?;
            let (mut start, mut end) = (found.start(), found.end());
            if found.pattern().as_usize() >= self.encoded_from {
                let encoded = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
                start = start.saturating_sub(rest.get(..start)?.iter().rev().take_while(encoded).count());
                end = end.saturating_add(rest.get(end..)?.iter().take_while(encoded).count());
            }
            Some(start.saturating_add(from)..end.saturating_add(from))
        })
    }

    /// The first match of a pattern at or behind this place.
    fn pattern(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let pattern = self.pattern.as_ref()?;
        outside_of_masks(text, from, |mut from| {
            loop {
                let found = pattern.find_at(text, from)?.range();
                if !found.is_empty() {
                    return Some(found);
                }
                from = found.end.checked_add(1).filter(|from| *from <= text.len())?;
            }
        })
    }

    /// The text without known secrets, whatever its form is; `None` if there are none. In JSON one may be a number.
    pub(super) fn forgotten(&self, text: &[u8], is_json: bool, found: &mut Found) -> Option<Vec<u8>> {
        let first = self.known(text, 0)?;
        let mut edits = Edits::new(text, found);
        let mut next = Some(first);
        while let Some(secret) = next {
            next = self.known(text, secret.end);
            let before = text.get(..secret.start).unwrap_or_default().trim_ascii_end().last();
            let behind = text.get(secret.end..).unwrap_or_default().trim_ascii_start().first();
            let number = text.get(secret.clone()).is_some_and(|text| text.iter().all(u8::is_ascii_digit));
            let alone = before.is_none_or(|byte| b":,[".contains(byte))
                && behind.is_none_or(|byte| b",]}".contains(byte));
            if is_json && number && alone {
                edits.mask_value(secret, Rule::Known);
            } else {
                edits.mask(secret, Rule::Known);
            }
        }
        edits.finish()
    }

    /// Where half a secret begins at the end of a text that was cut off.
    pub(super) fn half(&self, text: &[u8]) -> Option<usize> {
        let longest = self.beginnings.iter().map(Vec::len).max()?.min(text.len());
        (text.len().saturating_sub(longest)..text.len()).find(|start| {
            let end = text.get(*start..).unwrap_or_default();
            end.len() >= SHORTEST_HALF && self.beginnings.iter().any(|form| form.starts_with(end))
        })
    }
}

/// A beginning that is shorter tells little.
const SHORTEST_HALF: usize = 4;

/// What is found first but inside of a mask: `Filtered` may be told, too.
fn outside_of_masks(
    text: &[u8],
    mut from: usize,
    find: impl Fn(usize) -> Option<Range<usize>>,
) -> Option<Range<usize>> {
    loop {
        let found = find(from)?;
        let mask = (found.start.saturating_sub(MASK.len())..=found.start)
            .find(|start| text.get(*start..).is_some_and(|text| text.starts_with(MASK.as_bytes())))
            .map(|start| start.saturating_add(MASK.len()))
            .filter(|end| found.start < *end && found.end <= *end);
        match mask {
            Some(end) => from = end,
            None => return Some(found),
        }
    }
}

/// What comes next of either kind. Each is searched again only when it was passed.
pub(super) struct Ahead<'s, 't> {
    told: &'s Told,
    text: &'t [u8],
    known: Option<Range<usize>>,
    pattern: Option<Range<usize>>,
    /// Where the next begins; farther than any text where nothing comes.
    start: usize,
}

impl<'s, 't> Ahead<'s, 't> {
    #[inline]
    pub(super) fn new(told: &'s Told, text: &'t [u8]) -> Self {
        let mut ahead = Self { told, text, known: None, pattern: None, start: usize::MAX };
        if told.knows() {
            (ahead.known, ahead.pattern) = (told.known(text, 0), told.pattern(text, 0));
            ahead.start = ahead.first();
        }
        ahead
    }

    pub(super) fn next(&self) -> Option<(Range<usize>, Rule)> {
        match (&self.known, &self.pattern) {
            (Some(known), Some(pattern)) if pattern.start < known.start => {
                Some((pattern.clone(), Rule::Pattern))
            }
            (Some(known), _) => Some((known.clone(), Rule::Known)),
            (None, pattern) => pattern.clone().map(|pattern| (pattern, Rule::Pattern)),
        }
    }

    /// Where the next begins; farther than any text where nothing comes.
    #[inline]
    pub(super) fn start(&self) -> usize {
        self.start
    }

    fn first(&self) -> usize {
        let start = |next: &Option<Range<usize>>| next.as_ref().map_or(usize::MAX, |next| next.start);
        start(&self.known).min(start(&self.pattern))
    }

    /// What begins before this place is done with.
    pub(super) fn pass(&mut self, at: usize) {
        if self.known.as_ref().is_some_and(|known| known.start < at) {
            self.known = self.told.known(self.text, at);
        }
        if self.pattern.as_ref().is_some_and(|pattern| pattern.start < at) {
            self.pattern = self.told.pattern(self.text, at);
        }
        self.start = self.first();
    }
}

fn all<I: IntoIterator<Item = Vec<u8>>>(secrets: &[String], forms: fn(&str) -> I) -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    forms.sort_unstable();
    forms.dedup();
    forms.retain(|form| form.len() >= SHORTEST_FORM);
    forms
}

/// A secret as it is, in a URL, in XML, in JSON as different writers write it, and in JSON inside JSON.
fn in_texts(secret: &str) -> Vec<Vec<u8>> {
    let mut json = Vec::new();
    super::escapes::encode(secret.as_bytes(), &mut json);
    let mut twice = Vec::new();
    super::escapes::encode(&json, &mut twice);
    let text = String::from_utf8_lossy(&json).into_owned();
    let ascii = |text: &str, escaped: fn(char) -> bool, small: bool| {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                c if escaped(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out += &if small { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
                    }
                }
                c => out.push(c),
            }
        }
        out.into_bytes()
    };
    let is_html: fn(char) -> bool = |c| "<>&'".contains(c);
    let is_foreign: fn(char) -> bool = |c| !c.is_ascii();
    let forms =
        [is_html, is_foreign].into_iter().flat_map(|escaped| [true, false].map(|small| (escaped, small)));
    let mut forms: Vec<_> = forms.map(|(escaped, small)| ascii(&text, escaped, small)).collect();
    forms.extend([secret.as_bytes().to_vec(), text.replace('/', "\\/").into_bytes(), json, twice]);
    forms.extend([
        secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").into_bytes(),
        secret
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .into_bytes(),
    ]);
    forms.extend(in_urls(secret));
    forms
}

/// What is shorter would be found by chance.
const SHORTEST_FORM: usize = 6;

/// What encoders leave as it is: all but what RFC 3986 calls unreserved; Python's `quote`; `encodeURIComponent`; paths
/// of WHATWG's URLs; `encodeURI`.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const QUOTE: &AsciiSet = &UNRESERVED.remove(b'/');
const COMPONENT: &AsciiSet = &UNRESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
const PATH: &AsciiSet =
    &COMPONENT.remove(b'$').remove(b'&').remove(b'+').remove(b',').remove(b';').remove(b'=');
const PATHS: &AsciiSet = &PATH.remove(b':').remove(b'@').remove(b'/');
const URI: &AsciiSet = &PATHS.remove(b'?').remove(b'#');

fn in_urls(secret: &str) -> Vec<Vec<u8>> {
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let sets = [UNRESERVED, QUOTE, COMPONENT, PATH, PATHS, URI];
    let mut forms: Vec<String> = sets.map(|set| utf8_percent_encode(secret, set).to_string()).into();
    forms.extend([form.replace('*', "%2A"), form]);
    let small = forms.iter().map(|form| with_small_digits(form)).collect::<Vec<_>>();
    forms.into_iter().map(String::into_bytes).chain(small).collect()
}

fn with_small_digits(form: &str) -> Vec<u8> {
    let mut small = form.as_bytes().to_vec();
    for at in 0..small.len() {
        if small.get(at) == Some(&b'%')
            && let Some(digits) = small.get_mut(at.saturating_add(1)..at.saturating_add(3))
        {
            digits.make_ascii_lowercase();
        }
    }
    small
}

/// The characters that the secret alone decides, in both alphabets, for each of the three places that it may
/// have in a group.
fn in_base64(secret: &str) -> Vec<Vec<u8>> {
    let forms = (0..3_usize).flat_map(|before| {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret.as_bytes());
        bytes.truncate(bytes.len().saturating_sub(bytes.len() % 3));
        [STANDARD, URL_SAFE].map(|engine| {
            let mut form = engine.encode(&bytes).into_bytes();
            // The first group holds what stood before.
            form.drain(..form.len().min(if before == 0 { 0 } else { 4 }));
            form
        })
    });
    forms.collect()
}
