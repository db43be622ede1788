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
        let mut last = b'_';
        for (at, &byte) in name.iter().enumerate() {
            let next_is_small =
                || name.get(at.saturating_add(1)).is_some_and(|next| next.is_ascii_lowercase());
            let new_word = match byte {
                b'a'..=b'z' => last.is_ascii_digit(),
                b'0'..=b'9' => last.is_ascii_alphabetic(),
                b'A'..=b'Z' => {
                    last.is_ascii_digit()
                        || (self.split
                            && (last.is_ascii_lowercase() || (last.is_ascii_uppercase() && next_is_small())))
                }
                _ => {
                    self.separated = true;
                    self.end_word();
                    last = b'_';
                    continue;
                }
            };
            if new_word {
                self.humps |= byte.is_ascii_uppercase() && !last.is_ascii_digit();
                self.end_word();
            }
            self.push(byte.to_ascii_lowercase());
            last = byte;
        }
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
