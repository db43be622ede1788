//! `name=value`, `name: value`, `"name":"value"` inside texts.

use std::ops::Range;

use super::MASK;
use super::found::Rule;
use super::keys::{Keys, Meaning};
use super::secrets::SAID_OF_SECRETS;

/// The longest name that is looked for before a separator.
const LONGEST_NAME: usize = 64;

/// The value behind the `=` or `:` at `at`, if its name is a secret's.
pub(super) fn pair(keys: &Keys, text: &[u8], at: usize) -> Option<(Range<usize>, Rule)> {
    let name = Name::before(text, at)?;
    if !has_word(name.text(text)) {
        return None;
    }
    let meaning = name.meaning(keys, text);
    if meaning == Meaning::Harmless {
        return None;
    }
    let separators = text.get(at..)?.iter().take(3).take_while(|byte| b"=:>".contains(byte)).count();
    let after = at.saturating_add(separators);
    let assigned = text.get(at..after)?.contains(&b'=');
    let value = Value::at(text, after)?;
    let shown = text.get(value.span.clone())?;
    if shown.is_empty() || text.get(value.span.start..)?.starts_with(MASK.as_bytes()) || says_nothing(shown) {
        return None;
    }
    let structured = name.quoted || value.quoted;
    if meaning == Meaning::Secret && !value.quoted && holds_spaces(name.text(text)) {
        return Some((value.span.start..end_of_header(text, value.span.start), Rule::Key));
    }
    let rule = match meaning {
        Meaning::Secret if assigned || structured => Rule::Key,
        Meaning::Secret if in_prose(name.text(text), shown) => Rule::Key,
        Meaning::Personal if assigned || structured => Rule::Personal,
        Meaning::InQuery if assigned && name.in_query => Rule::Key,
        _ => return None,
    };
    Some((value.span, rule))
}

/// The hours of a time are no name.
fn has_word(name: &[u8]) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte >= 0x80;
    name.windows(2).any(|pair| pair.iter().all(|byte| letter(*byte)))
}

/// What is true of anything, or nothing at all.
fn says_nothing(value: &[u8]) -> bool {
    let nothing: [&[u8]; 7] = [b"null", b"none", b"nil", b"true", b"false", b"undefined", b"\"\""];
    nothing.iter().any(|nothing| value.eq_ignore_ascii_case(nothing))
}

/// `name: value` without quotes is prose far too often ("unexpected token: expired"). It counts when the name
/// means a password, or the value looks like no word.
fn in_prose(name: &[u8], value: &[u8]) -> bool {
    let value = value.strip_suffix(b".").unwrap_or(value);
    if SAID_OF_SECRETS.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes())) {
        return false;
    }
    if !value
        .first()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"$!#%*+/^_~-".contains(byte) || *byte >= 0x80)
    {
        return false;
    }
    // "tokens: 512"
    if name.ends_with(b"s") && value.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let strong: [&[u8]; 6] = [b"pass", b"pwd", b"pw", b"secret", b"key", b"pin"];
    let ends_strong =
        |strong: &&[u8]| name.windows(strong.len()).any(|part| part.eq_ignore_ascii_case(strong));
    strong.iter().any(ends_strong)
        || value.iter().any(u8::is_ascii_digit)
        || (value.len() >= 12 && !value.iter().all(u8::is_ascii_lowercase))
}

/// `Authorization: Bearer abc`, `Cookie: a=b; c=d`: the value has spaces.
fn holds_spaces(name: &[u8]) -> bool {
    let names: [&[u8]; 3] = [b"authorization", b"cookie", b"cookies"];
    let last = name.rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    names.iter().any(|name| last.eq_ignore_ascii_case(name))
}

fn end_of_header(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let ends = |(at, byte): (usize, &u8)| match byte {
        b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'}' => true,
        b',' => rest.get(at.saturating_add(1)) == Some(&b' '),
        _ => false,
    };
    from.saturating_add(rest.iter().enumerate().position(ends).unwrap_or(rest.len()))
}

/// The name before a separator.
struct Name {
    span: Range<usize>,
    /// The word before it, if only a space is between them, with the name itself.
    with_previous: Range<usize>,
    quoted: bool,
    /// Behind `?`, `&` or `#`.
    in_query: bool,
}

impl Name {
    fn before(text: &[u8], at: usize) -> Option<Self> {
        let head = text.get(..at)?;
        let separators = count_back(head, 2, |byte| b"=:".contains(&byte));
        let head = head.get(..head.len().checked_sub(separators)?)?;
        let spaces = count_back(head, 2, |byte| byte == b' ');
        let head = head.get(..head.len().checked_sub(spaces)?)?;
        let quote = head.last().copied().filter(|byte| b"\"'".contains(byte));
        let closing = count_back(head, 8, |byte| b"\"'\\".contains(&byte));
        let head = head.get(..head.len().checked_sub(closing)?)?;
        let end = head.len();
        let length = match quote {
            // A quoted name may hold spaces.
            Some(quote) => count_back(head, LONGEST_NAME, |byte| byte != quote && byte != b'\n'),
            None => count_back(head, LONGEST_NAME, is_name),
        };
        let start = end.checked_sub(length)?;
        let before = text.get(..start)?;
        let space = count_back(before, 2, |byte| byte == b' ');
        let word = before.get(..start.checked_sub(space)?)?;
        let previous = if space == 1 { count_back(word, 16, |byte| byte.is_ascii_alphanumeric()) } else { 0 };
        (length > 0).then(|| Self {
            span: start..end,
            with_previous: start.saturating_sub(space.saturating_add(previous))..end,
            quoted: quote.is_some(),
            in_query: before.last().is_some_and(|byte| b"?&#".contains(byte)),
        })
    }

    fn text<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.span.clone()).unwrap_or_default()
    }

    fn meaning(&self, keys: &Keys, text: &[u8]) -> Meaning {
        let phrase = || text.get(self.with_previous.clone()).is_some_and(|name| keys.is_secret_phrase(name));
        match keys.json_meaning(self.text(text)) {
            Meaning::Harmless | Meaning::InQuery if !self.quoted && !self.in_query && phrase() => {
                Meaning::Secret
            }
            meaning => meaning,
        }
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.[]$%".contains(&byte) || byte >= 0x80
}

fn count_back(text: &[u8], most: usize, is: impl Fn(u8) -> bool) -> usize {
    text.iter().rev().take(most).take_while(|byte| is(**byte)).count()
}

/// The value after a separator.
struct Value {
    span: Range<usize>,
    quoted: bool,
}

impl Value {
    fn at(text: &[u8], after: usize) -> Option<Self> {
        let rest = text.get(after..)?;
        let spaces = rest.iter().take(8).take_while(|byte| **byte == b' ' || **byte == b'\t').count();
        let rest = rest.get(spaces..)?;
        let escapes = rest.iter().take(7).take_while(|byte| **byte == b'\\').count();
        let start = after.saturating_add(spaces);
        match rest.get(escapes..)?.first()? {
            quote @ (b'"' | b'\'') => {
                let start = start.saturating_add(escapes).saturating_add(1);
                Some(Self { span: start..closing_quote(text, start, *quote, escapes), quoted: true })
            }
            b'{' | b'[' | b'(' if escapes == 0 && !rest.starts_with(MASK.as_bytes()) => {
                Some(Self { span: start..balanced(text, start), quoted: true })
            }
            _ => {
                let end = bare(text, start);
                // `Some("..")`, `Password("..")`: Rust's `Debug`.
                let word = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                let opening = start.saturating_add(word);
                if word > 0
                    && rest.first().is_some_and(u8::is_ascii_uppercase)
                    && text.get(opening) == Some(&b'(')
                {
                    return Some(Self {
                        span: opening.saturating_add(1)..inside(text, opening),
                        quoted: true,
                    });
                }
                Some(Self { span: start..end, quoted: false })
            }
        }
    }
}

/// Where the quote closes: it is escaped as often as the one that opened.
fn closing_quote(text: &[u8], start: usize, quote: u8, escapes: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    for at in memchr::memchr2_iter(quote, b'\n', rest) {
        if rest.get(at) == Some(&b'\n') {
            return start.saturating_add(at);
        }
        let before = rest.get(..at).unwrap_or_default();
        let backslashes = count_back(before, 16, |byte| byte == b'\\');
        if backslashes == escapes || (escapes == 0 && backslashes % 2 == 0) {
            return start.saturating_add(at).saturating_sub(backslashes.min(escapes));
        }
    }
    text.len()
}

/// The end of `{..}`, `[..]` or `(..)`, or of the line.
fn balanced(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\n' => return start.saturating_add(at),
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' | b'(' => depth = depth.saturating_add(1),
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return start.saturating_add(at).saturating_add(1);
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// The end of what stands inside the brackets that open here.
fn inside(text: &[u8], opening: usize) -> usize {
    let end = balanced(text, opening);
    let closed = end.checked_sub(1).and_then(|last| text.get(last)) == Some(&b')');
    if closed { end.saturating_sub(1) } else { end }
}

/// The end of a value without quotes. A comma or bracket belongs to it unless something else begins there.
fn bare(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let ends = |(at, byte): (usize, &u8)| match byte {
        b'"' | b'`' | b'<' | b'>' | b'&' => true,
        b'\'' => at > 0,
        b',' | b';' | b')' | b']' | b'}' => starts_anew(rest.get(at.saturating_add(1)..).unwrap_or_default()),
        byte => byte.is_ascii_whitespace(),
    };
    start.saturating_add(rest.iter().enumerate().position(ends).unwrap_or(rest.len()))
}

fn starts_anew(rest: &[u8]) -> bool {
    let Some(first) = rest.first() else { return true };
    if first.is_ascii_whitespace() || b",;)]}\"'`.:".contains(first) {
        return true;
    }
    let name = rest.iter().take(LONGEST_NAME).take_while(|byte| is_name(**byte)).count();
    name > 0 && rest.get(name).is_some_and(|byte| b"=:".contains(byte))
}
