//! Names without what hides them: case, humps, hyphens, look-alike letters.

/// Names are folded on the stack up to this many bytes.
const ON_STACK: usize = 128;

/// A name as its words, in small ASCII letters where they have one, with `_` between them.
pub(super) struct Folded<'a> {
    buffer: &'a mut [u8],
    length: usize,
    /// Whether capitals begin words.
    split: bool,
    /// Whether one did.
    pub(super) humps: bool,
    /// Whether something else separates words, too: `aPi_Key`.
    pub(super) separated: bool,
}

impl Folded<'_> {
    pub(super) fn of<T>(name: &[u8], read: impl FnOnce(&Folded<'_>) -> T) -> T {
        Self::with(name, true, read)
    }

    /// Capitals begin no words: `mFa_CoDe`.
    pub(super) fn without_humps<T>(name: &[u8], read: impl FnOnce(&Folded<'_>) -> T) -> T {
        Self::with(name, false, read)
    }

    fn with<T>(name: &[u8], split: bool, read: impl FnOnce(&Folded<'_>) -> T) -> T {
        // Each character may be a word of its own.
        let needed = name.len().saturating_mul(2);
        let mut stack = [0; ON_STACK];
        let mut heap;
        let buffer = if needed <= ON_STACK {
            &mut stack[..]
        } else {
            heap = vec![0; needed];
            &mut heap[..]
        };
        let mut folded = Folded { buffer, length: 0, split, humps: false, separated: false };
        if name.is_ascii() {
            folded.ascii(name);
        } else {
            folded.unicode(&String::from_utf8_lossy(name));
        }
        read(&folded)
    }

    pub(super) fn text(&self) -> &[u8] {
        let text = self.buffer.get(..self.length).unwrap_or_default();
        text.strip_suffix(b"_").unwrap_or(text)
    }

    fn ascii(&mut self, name: &[u8]) {
        let (mut written, mut last) = (0_usize, Letter::Other);
        for (at, &byte) in name.iter().enumerate() {
            let letter = Letter::of(byte);
            let begins_word = match (letter, last) {
                (Letter::Other, _) => {
                    self.separated = true;
                    last = Letter::Other;
                    continue;
                }
                (_, Letter::Other) => written > 0,
                (Letter::Small, Letter::Small | Letter::Capital) | (Letter::Digit, Letter::Digit) => false,
                (Letter::Small | Letter::Capital, Letter::Digit)
                | (Letter::Digit, Letter::Small | Letter::Capital) => true,
                (Letter::Capital, Letter::Small | Letter::Capital) => {
                    let next_is_small = || name.get(at.wrapping_add(1)).is_some_and(u8::is_ascii_lowercase);
                    let hump = self.split && (last == Letter::Small || next_is_small());
                    self.humps |= hump;
                    hump
                }
            };
            if begins_word && let Some(slot) = self.buffer.get_mut(written) {
                *slot = b'_';
                written = written.wrapping_add(1);
            }
            if let Some(slot) = self.buffer.get_mut(written) {
                // A digit has this bit anyway.
                *slot = byte | 0x20;
                written = written.wrapping_add(1);
            }
            last = letter;
        }
        self.length = written;
    }

    fn unicode(&mut self, name: &str) {
        let mut last = '_';
        let mut chars = name.chars().filter_map(fold).peekable();
        while let Some(c) = chars.next() {
            if !c.is_alphanumeric() {
                self.separated = true;
                self.end_word();
                last = '_';
                continue;
            }
            let digits = c.is_ascii_digit() != last.is_ascii_digit();
            let hump = self.split
                && c.is_uppercase()
                && (last.is_lowercase()
                    || (last.is_uppercase() && chars.peek().is_some_and(|next| next.is_lowercase())));
            if last != '_' && (digits || hump) {
                self.humps |= hump;
                self.end_word();
            }
            let mut small = c.to_lowercase();
            let shown = match (small.next(), small.next()) {
                (Some(small), None) if small.len_utf8() <= c.len_utf8() => small,
                _ => c,
            };
            for byte in shown.encode_utf8(&mut [0; 4]).bytes() {
                self.push(byte);
            }
            last = c;
        }
    }

    fn end_word(&mut self) {
        if self.length > 0 && self.buffer.get(self.length.saturating_sub(1)) != Some(&b'_') {
            self.push(b'_');
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.buffer.get_mut(self.length) {
            *slot = byte;
            self.length = self.length.saturating_add(1);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    Small,
    Capital,
    Digit,
    Other,
}

impl Letter {
    #[inline]
    fn of(byte: u8) -> Self {
        match Letters::of_byte(byte) & !Letters::EACH {
            Letters::SMALL => Self::Small,
            Letters::CAPITAL => Self::Capital,
            Letters::DIGIT => Self::Digit,
            _ => Self::Other,
        }
    }
}

/// What a name is made of, as bits: its kinds of characters, and which letters.
#[derive(Clone, Copy)]
pub(super) struct Letters(u32);

impl Letters {
    pub(super) const SMALL: u32 = 1 << 27;
    const CAPITAL: u32 = 1 << 28;
    const DIGIT: u32 = 1 << 29;
    /// `\` and `%`, as JSON and URLs escape.
    pub(super) const ESCAPE: u32 = 1 << 30;
    const OTHER: u32 = 1 << 31;
    /// A bit for each letter.
    const EACH: u32 = Self::SMALL - 1;

    #[inline]
    pub(super) fn of(name: &[u8]) -> Self {
        Self(name.iter().fold(0, |letters, byte| letters | Self::of_byte(*byte)))
    }

    /// The same, for the compiler.
    pub(super) const fn of_listed(mut name: &[u8]) -> Self {
        let mut letters = 0;
        while let [byte, rest @ ..] = name {
            letters |= kind(*byte);
            name = rest;
        }
        Self(letters)
    }

    #[inline]
    fn of_byte(byte: u8) -> u32 {
        KINDS.get(usize::from(byte)).copied().unwrap_or(Self::OTHER)
    }

    #[inline]
    pub(super) fn has(self, kind: u32) -> bool {
        self.0 & kind != 0
    }

    /// Whether all characters are of this kind.
    #[inline]
    pub(super) fn only(self, kind: u32) -> bool {
        self.0 & !(kind | Self::EACH) == 0
    }

    /// Whether every letter of these is there.
    #[inline]
    pub(super) fn holds(self, letters: Self) -> bool {
        letters.0 & Self::EACH & !self.0 == 0
    }
}

const KINDS: [u32; 256] = kinds();

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn kinds() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = kind(byte as u8);
        byte += 1;
    }
    table
}

const fn kind(byte: u8) -> u32 {
    match byte {
        b'a'..=b'z' => Letters::SMALL | 1 << byte.wrapping_sub(b'a'),
        b'A'..=b'Z' => Letters::CAPITAL | 1 << byte.wrapping_sub(b'A'),
        b'0'..=b'9' => Letters::DIGIT,
        b'\\' | b'%' => Letters::ESCAPE,
        _ => Letters::OTHER,
    }
}

/// Letters that only look different: wide, mathematical and circled forms, those that Unicode folds to ASCII,
/// Cyrillic and Greek twins.
/// `None` for what is not seen at all.
fn fold(c: char) -> Option<char> {
    Some(match c {
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{300}'..='\u{36f}' => return None,
        '\u{ff01}'..='\u{ff5e}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c),
        '\u{1d400}'..='\u{1d6a3}' => letter(c, 0x1d400, b'A', b'a'),
        '\u{24b6}'..='\u{24e9}' => letter(c, 0x24b6, b'A', b'a'),
        '\u{1d7ce}'..='\u{1d7ff}' => letter(c, 0x1d7ce, b'0', b'0'),
        'ſ' | 'ѕ' | 'Ѕ' => 's',
        '\u{212a}' | 'к' | 'К' => 'k',
        'а' | 'А' | 'α' | 'Α' => 'a',
        'е' | 'Е' | 'ё' | 'Ε' => 'e',
        'о' | 'О' | 'ο' | 'Ο' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' => 'p',
        'с' | 'С' => 'c',
        'у' | 'У' => 'y',
        'х' | 'Х' => 'x',
        'і' | 'І' | 'ι' | 'Ι' | 'ı' | 'İ' => 'i',
        'ԁ' => 'd',
        'Т' | 'τ' | 'Τ' => 't',
        'Ν' => 'n',
        'Κ' => 'k',
        _ => c,
    })
}

/// A letter of a block that repeats the alphabet, large and small, or the digits.
fn letter(c: char, first: u32, large: u8, small: u8) -> char {
    let all: u32 = if large == small { 10 } else { 52 };
    let place = u32::from(c).wrapping_sub(first).checked_rem(all).and_then(|place| u8::try_from(place).ok());
    let place = place.unwrap_or_default();
    char::from(match place.checked_sub(26) {
        Some(place) => small.wrapping_add(place),
        None => large.wrapping_add(place),
    })
}
