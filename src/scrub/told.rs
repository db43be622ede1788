//! What the scrubber was told: values that must never leave, and the application's patterns.

use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD as STANDARD, BASE64_URL_SAFE as URL_SAFE};
use regex::bytes::Regex;

use super::found::Rule;

/// Secrets by their value, in each form in which they may be written, and patterns.
#[derive(Clone, Default)]
pub(super) struct Told {
    known: Option<AhoCorasick>,
    forms: Arc<[Vec<u8>]>,
    /// The number of the first form in base64.
    encoded_from: usize,
    pattern: Option<Regex>,
}

impl Told {
    pub(super) fn new(secrets: &[String], patterns: &[String]) -> Result<Self, regex::Error> {
        let mut forms = all(secrets, in_texts);
        let encoded_from = forms.len();
        forms.extend(all(secrets, in_base64));
        // The longest that begins at a place: a form may begin like another.
        let known = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms).ok();
        let pattern = patterns.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|");
        Ok(Self {
            known: if forms.is_empty() { None } else { known },
            encoded_from,
            forms: forms.into(),
            pattern: if patterns.is_empty() { None } else { Some(Regex::new(&pattern)?) },
        })
    }

    /// Whether it was told anything.
    pub(super) fn knows(&self) -> bool {
        self.known.is_some() || self.pattern.is_some()
    }

    /// The first of them at or behind this place.
    #[inline]
    pub(super) fn next(&self, text: &[u8], from: usize) -> Option<(Range<usize>, Rule)> {
        if self.knows() { self.search(text, from) } else { None }
    }

    fn search(&self, text: &[u8], from: usize) -> Option<(Range<usize>, Rule)> {
        let known = self.known(text, from).map(|span| (span, Rule::Known));
        let pattern = self.pattern.as_ref().and_then(|pattern| {
            let mut matches = pattern.find_iter(text.get(from..)?).filter(|found| !found.is_empty());
            let found = matches.next()?.range();
            Some((found.start.saturating_add(from)..found.end.saturating_add(from), Rule::Pattern))
        });
        match (known, pattern) {
            (Some(known), Some(pattern)) if pattern.0.start < known.0.start => Some(pattern),
            (known, pattern) => known.or(pattern),
        }
    }

    /// The text without the beginning of a known secret at its end.
    pub(super) fn without_half<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let half = |form: &Vec<u8>| {
            let longest = form.len().min(text.len());
            let ends_in = |half: &usize| form.get(..*half).is_some_and(|half| text.ends_with(half));
            (SHORTEST_HALF..longest).rev().find(ends_in)
        };
        let half = self.forms.iter().filter_map(half).max().unwrap_or_default();
        text.get(..text.len().saturating_sub(half)).unwrap_or_default()
    }

    /// The first known secret at or behind this place. In base64, what was encoded with it goes too.
    pub(super) fn known(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let rest = text.get(from..)?;
        let found = self.known.as_ref()?.find(rest)?;
        let (mut start, mut end) = (found.start(), found.end());
        if found.pattern().as_usize() >= self.encoded_from {
            let encoded = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
            start = start.saturating_sub(rest.get(..start)?.iter().rev().take_while(encoded).count());
            end = end.saturating_add(rest.get(end..)?.iter().take_while(encoded).count());
        }
        Some(start.saturating_add(from)..end.saturating_add(from))
    }
}

fn all<I: IntoIterator<Item = Vec<u8>>>(secrets: &[String], forms: fn(&str) -> I) -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    forms.sort_unstable();
    forms.dedup();
    forms.retain(|form| form.len() >= SHORTEST_FORM);
    forms
}

/// A secret as it is, in a URL, in JSON, and in JSON inside JSON.
fn in_texts(secret: &str) -> Vec<Vec<u8>> {
    let mut json = Vec::new();
    super::escapes::encode(secret.as_bytes(), &mut json);
    let mut twice = Vec::new();
    super::escapes::encode(&json, &mut twice);
    let mut forms = vec![secret.as_bytes().to_vec(), json, twice];
    forms.extend(in_urls(secret));
    forms
}

/// Fewer characters of a secret tell nothing.
const SHORTEST_HALF: usize = 3;
/// What is shorter would be found by chance.
const SHORTEST_FORM: usize = 6;

fn in_urls(secret: &str) -> [Vec<u8>; 4] {
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let component: String = form.replace('+', "%20").replace('*', "%2A").replace("%7E", "~");
    let small = |text: &str| {
        let mut small = text.as_bytes().to_vec();
        for at in 0..small.len() {
            if small.get(at) == Some(&b'%')
                && let Some(digits) = small.get_mut(at.saturating_add(1)..at.saturating_add(3))
            {
                digits.make_ascii_lowercase();
            }
        }
        small
    };
    [small(&form), small(&component), form.into_bytes(), component.into_bytes()]
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
