//! Names of keys: which say that their value is a secret.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use percent_encoding::percent_decode;

use super::fold::Folded;
use super::{escapes, secrets};

/// What a name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Harmless,
    /// A secret in a query string; harmless elsewhere.
    InQuery,
    Personal,
    Secret,
}

/// The words of the lists, and those that the application added.
#[derive(Clone)]
pub(super) struct Keys {
    names: HashMap<Box<[u8]>, u8, BuildHasherDefault<Fnv>>,
}

/// Bits of a word or phrase.
const SECRET: u8 = 1;
const PERSONAL: u8 = 2;
const QUERY: u8 = 4;
/// The word ends a phrase.
const LAST: u8 = 8;
/// The word is known to be harmless, whatever stem it holds.
const KNOWN: u8 = 16;
/// The key tells about a secret if this is its last word.
const ABOUT: u8 = 32;
/// Harmless as a whole.
const WHOLE: u8 = 64;

/// The name has to be read again, without humps.
struct Doubt {
    /// Whether a word may hold a secret's.
    stems: bool,
}

/// What was escaped more often is not read.
const MOST_ESCAPED: usize = 4;
/// Phrases have no more words.
const LONGEST_PHRASE: usize = 3;

impl Keys {
    pub(super) fn new(personal: bool) -> Self {
        let mut keys = Self { names: HashMap::default() };
        let mut add_all = |names: &[&str], bits| names.iter().for_each(|name| keys.mark(name, bits));
        add_all(secrets::WORDS, SECRET);
        add_all(secrets::PHRASES, SECRET);
        if personal {
            add_all(secrets::PERSONAL, PERSONAL);
            add_all(secrets::PERSONAL_PHRASES, PERSONAL);
        }
        add_all(secrets::QUERY, QUERY);
        add_all(secrets::HARMLESS_WORDS, KNOWN);
        add_all(secrets::ABOUT, ABOUT);
        add_all(secrets::HARMLESS, WHOLE);
        keys
    }

    /// The application's own: a word or a phrase, in any spelling.
    pub(super) fn add(&mut self, name: &str) {
        self.mark(name, SECRET);
    }

    /// Harmless, says the application.
    pub(super) fn allow(&mut self, name: &str) {
        self.mark(name, WHOLE);
    }

    /// What a name says, in whatever case and spelling.
    pub(super) fn meaning(&self, name: &[u8]) -> Meaning {
        Folded::of(name, |folded| self.meaning_of(folded, true)).unwrap_or_else(|doubt| {
            let again = |folded: &Folded<'_>| self.meaning_of(folded, doubt.stems);
            Folded::without_humps(name, again).unwrap_or(Meaning::Harmless)
        })
    }

    /// Whether these words together are a phrase of the lists: `api key`.
    pub(super) fn is_secret_phrase(&self, name: &[u8]) -> bool {
        Folded::of(name, |folded| self.bits(folded.text()) & SECRET != 0)
    }

    /// The same of a name as JSON or a URL writes it: `pass\u0077ord`, `pass%77ord`, escaped more than once where
    /// JSON stands in a string.
    pub(super) fn json_meaning(&self, name: &[u8]) -> Meaning {
        if memchr::memchr2(b'\\', b'%', name).is_none() {
            return self.meaning(name);
        }
        let mut plain = name.to_vec();
        for _ in 0..MOST_ESCAPED {
            if !plain.contains(&b'\\') {
                break;
            }
            let escaped = std::mem::take(&mut plain);
            escapes::decode(&escaped, &mut plain);
        }
        self.meaning(&percent_decode(&plain).collect::<Vec<_>>())
    }

    /// An error if capitals may be the reason that nothing is found: `pAssWord`, `mFa_CoDe`.
    fn meaning_of(&self, name: &Folded<'_>, stems: bool) -> Result<Meaning, Doubt> {
        let (mut found, mut last) = (0, 0);
        let mut starts = [0; LONGEST_PHRASE];
        let text = name.text();
        let mut at = 0_usize;
        for word in text.split(|byte| *byte == b'_') {
            let end = at.saturating_add(word.len());
            starts.rotate_right(1);
            if let Some(newest) = starts.first_mut() {
                *newest = at;
            }
            last = self.bits(word);
            found |= last;
            if last & LAST != 0 {
                let earlier = starts.iter().skip(1).filter_map(|start| text.get(*start..end));
                found |= earlier.map(|phrase| self.bits(phrase)).fold(0, |all, bits| all | bits);
            } else if stems && last & !(ABOUT | QUERY) == 0 && holds_stem(word) {
                found |= SECRET;
            }
            at = end.saturating_add(1);
        }
        if name.humps && found & (SECRET | PERSONAL) == 0 {
            let nothing = found & !(LAST | ABOUT) == 0;
            let known = found & KNOWN != 0;
            if nothing || known || name.separated {
                return Err(Doubt { stems: !known });
            }
        }
        let about = last & ABOUT != 0 && last & SECRET == 0;
        if found & (SECRET | PERSONAL | QUERY) == 0 || about || self.bits(text) & WHOLE != 0 {
            return Ok(Meaning::Harmless);
        }
        Ok(match found {
            _ if found & SECRET != 0 => Meaning::Secret,
            _ if found & PERSONAL != 0 => Meaning::Personal,
            _ => Meaning::InQuery,
        })
    }

    fn bits(&self, name: &[u8]) -> u8 {
        self.names.get(name).copied().unwrap_or_default()
    }

    fn mark(&mut self, name: &str, bits: u8) {
        let folded: Box<[u8]> = Folded::of(name.as_bytes(), |folded| folded.text().into());
        if let Some(at) = folded.iter().rposition(|byte| *byte == b'_') {
            let last = folded.get(at.saturating_add(1)..).unwrap_or_default();
            *self.names.entry(last.into()).or_default() |= LAST;
        }
        if !folded.is_empty() {
            *self.names.entry(folded).or_default() |= bits;
        }
    }
}

/// `newpassword` has no end of a word to split at.
fn holds_stem(word: &[u8]) -> bool {
    let holds = |stem: &&str| word.windows(stem.len()).any(|part| part == stem.as_bytes());
    word.len() > 5 && secrets::STEMS.iter().any(holds)
}

/// FNV-1a: the names are short, and nobody gains by making two of them collide.
#[derive(Clone, Copy)]
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
