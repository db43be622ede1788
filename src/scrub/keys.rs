//! Names of keys: which say that their value is a secret.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use percent_encoding::percent_decode;

use super::ends::Ends;
use super::fold::{Folded, Letters};
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
    names: HashMap<Box<[u8]>, u8, BuildHasherDefault<ByEnds>>,
    /// A bit for each hash of a name: most words are in no list, and this says so sooner.
    hashes: Box<[u64; HASHES]>,
    /// One of them has no characters but those of a time.
    know_time: bool,
    /// The last words of those that are made of what ids are made of: `2fa`.
    of_ids: Vec<Box<[u8]>>,
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
/// Names are no longer than this where they stand as values, each letter as an escape.
const LONGEST_NAME: usize = 6 * 64;
/// 64 bits each: some twenty for each name of the lists.
const HASHES: usize = 128;
/// Phrases have no more words.
const LONGEST_PHRASE: usize = 3;

impl Keys {
    pub(super) fn new(personal: bool) -> Self {
        let mut keys = Self {
            names: HashMap::default(),
            hashes: Box::new([0; HASHES]),
            know_time: false,
            of_ids: Vec::new(),
        };
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

    /// Whether no name is made of digits and `T` alone, as those are that seem to stand in a time.
    #[inline]
    pub(super) fn know_no_time(&self) -> bool {
        !self.know_time
    }

    /// What a name says, in whatever case and spelling.
    pub(super) fn meaning(&self, name: &[u8]) -> Meaning {
        self.meaning_with(name, Letters::of(name))
    }

    fn meaning_with(&self, name: &[u8], letters: Letters) -> Meaning {
        // One word, folded as it stands.
        if letters.only(Letters::SMALL) {
            let bits = self.word(name, true, letters);
            return self.verdict(name, bits, bits);
        }
        Folded::of(name, |folded| self.meaning_of(folded, true)).unwrap_or_else(|doubt| {
            let again = |folded: &Folded<'_>| self.meaning_of(folded, doubt.stems);
            Folded::without_humps(name, again).unwrap_or(Meaning::Harmless)
        })
    }

    /// Whether these words together are a phrase of the lists: `api key`.
    pub(super) fn is_secret_phrase(&self, name: &[u8]) -> bool {
        Folded::of(name, |folded| self.bits(folded.text()) & SECRET != 0)
    }

    /// Whether a string of JSON is a secret's name.
    pub(super) fn is_secret_name(&self, string: &[u8]) -> bool {
        string.len() <= LONGEST_NAME && self.json_meaning(string) == Meaning::Secret
    }

    /// The same of a name as JSON or a URL writes it: `pass\u0077ord`, `pass%77ord`, escaped more than once where
    /// JSON stands in a string.
    pub(super) fn json_meaning(&self, name: &[u8]) -> Meaning {
        if self.is_plain_id(name) {
            return Meaning::Harmless;
        }
        let letters = Letters::of(name);
        if !letters.has(Letters::ESCAPE) {
            return self.meaning_with(name, letters);
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

    /// Whether this is a UUID, in which no name ends: what many ids are, of which each digit could end a word.
    #[inline]
    fn is_plain_id(&self, name: &[u8]) -> bool {
        name.len() == UUID
            && name.iter().all(|byte| is_of_id(*byte) || *byte == b'-')
            && !self.of_ids.iter().any(|word| holds(name, word))
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
            last = self.word(word, stems, Letters::of(word));
            found |= last;
            if last & LAST != 0 {
                found |= self.phrases(text.get(..end).unwrap_or_default(), &starts);
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
        Ok(self.verdict(text, found, last))
    }

    /// The bits of those that end here, by where their words begin.
    fn phrases(&self, text: &[u8], starts: &[usize; LONGEST_PHRASE]) -> u8 {
        let earlier = starts.iter().skip(1).filter_map(|start| text.get(*start..));
        earlier.fold(0, |all, phrase| all | self.bits(phrase))
    }

    /// The bits of a word by itself.
    #[inline]
    fn word(&self, word: &[u8], stems: bool, letters: Letters) -> u8 {
        let bits = self.bits(word);
        let stem = stems && bits & !(ABOUT | QUERY) == 0 && holds_stem(word, letters);
        if stem { bits | SECRET } else { bits }
    }

    /// What a name means in which these bits were found, the last of them in its last word.
    fn verdict(&self, text: &[u8], found: u8, last: u8) -> Meaning {
        if found & (SECRET | PERSONAL | QUERY) == 0 {
            return Meaning::Harmless;
        }
        let about = last & ABOUT != 0 && last & SECRET == 0;
        if about || self.bits(text) & WHOLE != 0 {
            return Meaning::Harmless;
        }
        match found {
            _ if found & SECRET != 0 => Meaning::Secret,
            _ if found & PERSONAL != 0 => Meaning::Personal,
            _ => Meaning::InQuery,
        }
    }

    #[inline]
    fn bits(&self, name: &[u8]) -> u8 {
        let (index, bit) = place(name);
        match self.hashes.get(index) {
            Some(hashes) if hashes & bit != 0 => self.listed(name),
            _ => 0,
        }
    }

    #[inline(never)]
    fn listed(&self, name: &[u8]) -> u8 {
        self.names.get(name).copied().unwrap_or_default()
    }

    fn mark(&mut self, name: &str, bits: u8) {
        let folded: Box<[u8]> = Folded::of(name.as_bytes(), |folded| folded.text().into());
        let last = folded.rsplit(|byte| *byte == b'_').next().unwrap_or_default();
        if !last.is_empty() && folded.iter().all(|byte| is_of_id(*byte) || *byte == b'_') {
            self.of_ids.push(last.into());
        }
        if last.len() < folded.len() {
            self.mark_folded(last.into(), LAST);
        }
        if !folded.is_empty() {
            self.know_time |= folded.iter().all(|byte| byte.is_ascii_digit() || b"t_".contains(byte));
            self.mark_folded(folded, bits);
        }
    }

    fn mark_folded(&mut self, name: Box<[u8]>, bits: u8) {
        let (index, bit) = place(&name);
        if let Some(hashes) = self.hashes.get_mut(index) {
            *hashes |= bit;
        }
        *self.names.entry(name).or_default() |= bits;
    }
}

const UUID: usize = 36;

fn is_of_id(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Where the bit of a name's hash is, and the bit.
#[inline]
fn place(name: &[u8]) -> (usize, u64) {
    let hash = Ends::of(name).hash(name.len());
    ((hash >> 57) as usize, 1_u64.wrapping_shl((hash >> 51) as u32))
}

/// `newpassword` has no end of a word to split at.
#[inline]
fn holds_stem(word: &[u8], letters: Letters) -> bool {
    let mut stems = STEM_LETTERS.iter().zip(secrets::STEMS);
    // Hardly a word that holds no stem has all of its letters.
    word.len() > 5 && stems.any(|(all, stem)| letters.holds(*all) && holds(word, stem.as_bytes()))
}

#[cold]
fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|here| here.first() == part.first() && here == part)
}

const STEM_LETTERS: [Letters; secrets::STEMS.len()] = stem_letters();

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn stem_letters() -> [Letters; secrets::STEMS.len()] {
    let mut letters = [Letters::of_listed(b""); secrets::STEMS.len()];
    let mut stem = 0;
    while stem < letters.len() {
        letters[stem] = Letters::of_listed(secrets::STEMS[stem].as_bytes());
        stem += 1;
    }
    letters
}

/// The names are short, and nobody gains by making two of them collide.
#[derive(Clone, Copy, Default)]
pub(super) struct ByEnds(u64);

impl Hasher for ByEnds {
    fn write(&mut self, bytes: &[u8]) {
        let hash = Ends::of(bytes).hash(bytes.len());
        self.0 = hash ^ hash >> 32;
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
