//! `name=value`, `name: value`, `"name":"value"` inside texts.

use std::ops::Range;

use super::found::Rule;
use super::keys::{Keys, Meaning};
use super::named::{by_line, is_named};
use super::secrets::SAID_OF_SECRETS;
use super::values::{LONGEST_NAME, Value, count_back, is_name};
use super::versions::is_version;

/// The value behind the `=` or `:` at `at`, if its name is a secret's.
pub(super) fn pair(keys: &Keys, text: &[u8], at: usize) -> Option<(Range<usize>, Rule)> {
    let name = Name::before(text, at)?;
    // `- name: DB_PASSWORD`, and on the next line `value: ..`.
    let by_line = by_line(keys, text, name.text(text), at);
    let meaning = match name.meaning(keys, text) {
        Meaning::Harmless if by_line => Meaning::Secret,
        Meaning::Harmless if is_named(keys, text, name.text(text), at) => Meaning::Secret,
        Meaning::Harmless => return None,
        meaning => meaning,
    };
    if name.is_in_path(text, at) {
        return None;
    }
    let separators = text.get(at..)?.iter().take(3).take_while(|byte| b"=:>".contains(byte)).count();
    let after = at.saturating_add(separators);
    let assigned = text.get(at..after)?.contains(&b'=');
    let value = Value::at(text, after, name.quoted)?;
    let structured = name.quoted || value.is_structured();
    let first_word = value.preview();
    // Whether it is one is known before its end is searched, which may be far.
    let rule = match meaning {
        Meaning::Secret if assigned || structured || by_line => Rule::Key,
        Meaning::Secret if in_prose(name.text(text), first_word) => Rule::Key,
        Meaning::Secret if holds_spaces(name.text(text)) && !is_said(first_word) => Rule::Key,
        Meaning::Personal if assigned || structured => Rule::Personal,
        Meaning::InQuery if assigned && name.in_query => Rule::Key,
        _ => return None,
    };
    if value.is_masked() {
        return None;
    }
    let span = match value.is_structured() {
        false if meaning == Meaning::Secret && holds_spaces(name.text(text)) => {
            let end = end_of_header(text, value.start);
            let one_of_many = assigned && !holds_pairs(name.text(text));
            value.start..if one_of_many { end_of_line(text, value.start, end) } else { end }
        }
        false if name.begins_line_of_pairs(text) => value.start..end_of_line(text, value.start, text.len()),
        false if name.is_in_list(text) => value.start..end_of_item(text, value.start),
        _ => value.span(),
    };
    let shown = text.get(span.clone())?;
    // What is cut off at the end of the text may go on.
    if rule == Rule::Key && is_version(shown) && span.end < text.len() {
        return None;
    }
    (!shown.is_empty() && !says_nothing(shown)).then_some((span, rule))
}

/// What is true of anything, or nothing at all.
fn says_nothing(value: &[u8]) -> bool {
    // `?` stands for a parameter of a statement.
    let nothing: [&[u8]; 10] =
        [b"null", b"none", b"nil", b"true", b"false", b"undefined", b"\"\"", b"[]", b"{}", b"?"];
    nothing.iter().any(|nothing| value.eq_ignore_ascii_case(nothing))
}

/// `name: value` without quotes is prose far too often ("unexpected token: expired"). It counts when the name
/// means a password or is no word of prose, or the value looks like no word.
fn in_prose(name: &[u8], value: &[u8]) -> bool {
    let value = value.strip_suffix(b".").unwrap_or(value);
    if is_said(value) {
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
        || is_identifier(name)
        || value.iter().any(u8::is_ascii_digit)
        || (value.len() >= 12 && !value.iter().all(u8::is_ascii_lowercase))
}

/// `x-auth-token`, `accessToken`: nobody writes that in prose.
fn is_identifier(name: &[u8]) -> bool {
    let split = name.len().saturating_sub(5);
    let (first, last) = name.split_at_checked(split).unwrap_or_default();
    !first.is_empty() && (last == b"Token" || (last.eq_ignore_ascii_case(b"token") && !first.ends_with(b".")))
}

/// What validators say behind `password: `.
fn is_said(value: &[u8]) -> bool {
    let value = value.strip_suffix(b".").unwrap_or(value);
    SAID_OF_SECRETS.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

/// `Authorization: Bearer abc`, `Cookie: a=b; c=d`, `passphrase: some words`: the value has spaces.
fn holds_spaces(name: &[u8]) -> bool {
    ends_in(name, &[b"authorization", b"passphrase", b"phrase", b"mnemonic"]) || holds_pairs(name)
}

/// `Cookie: a=b; c=d`
fn holds_pairs(name: &[u8]) -> bool {
    ends_in(name, &[b"cookie", b"cookies"])
}

fn ends_in(name: &[u8], words: &[&[u8]]) -> bool {
    let last = name.rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    words.iter().any(|word| last.eq_ignore_ascii_case(word))
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

/// The end of the line, or of what stands before the next pair in it; not behind `until`.
fn end_of_line(text: &[u8], from: usize, until: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let line = rest.get(..memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len())).unwrap_or_default();
    let near = line.get(..until.saturating_sub(from)).unwrap_or(line);
    let next = near.iter().enumerate().position(|(at, byte)| {
        let behind = line.get(at.saturating_add(1)..).unwrap_or_default();
        b" \t,;&#".contains(byte) && begins_pair(behind)
    });
    match next {
        Some(next) => from.saturating_add(line.get(..next).unwrap_or_default().trim_ascii_end().len()),
        None if near.len() < line.len() => until,
        None => from.saturating_add(line.trim_ascii_end().len()).min(until),
    }
}

/// The end of an item of `Server=db;Password=two words;`.
fn end_of_item(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let end = rest.iter().position(|byte| b";\n\r\"'".contains(byte)).unwrap_or(rest.len());
    from.saturating_add(end)
}

/// Whether a text begins with `name=` or `name: `.
fn begins_pair(text: &[u8]) -> bool {
    let name = text.iter().take(LONGEST_NAME).take_while(|byte| is_name(**byte)).count();
    let rest = text.get(name..).unwrap_or_default();
    name > 0 && (rest.starts_with(b"=") || rest.starts_with(b": "))
}

/// The name before a separator.
pub(super) struct Name {
    span: Range<usize>,
    /// The word before it, if only a space is between them, with the name itself.
    with_previous: Range<usize>,
    quoted: bool,
    /// Behind `?`, `&` or `#`.
    in_query: bool,
}

impl Name {
    pub(super) fn before(text: &[u8], at: usize) -> Option<Self> {
        let head = text.get(..at)?;
        let separators = count_back(head, 2, |byte| b"=:".contains(&byte));
        let head = head.get(..head.len().checked_sub(separators)?)?;
        let (head, gap) = head.split_at_checked(head.len().checked_sub(gap_before(head))?)?;
        let quote = head.last().copied().filter(|byte| b"\"'".contains(byte));
        let closing = count_back(head, LONGEST_NAME, |byte| b"\"'\\".contains(&byte));
        let head = head.get(..head.len().checked_sub(closing)?)?;
        let end = head.len();
        let length = match quote {
            // A quoted name may hold spaces.
            Some(quote) => count_back(head, LONGEST_NAME, |byte| byte != quote && byte != b'\n'),
            None => count_back(head, LONGEST_NAME, is_name),
        };
        let start = end.checked_sub(length)?;
        // `\npassword=` where the escape of the line's end stayed one.
        let escaped = text.get(..start)?.ends_with(b"\\")
            && text.get(start..end)?.first().is_some_and(|byte| b"nrt".contains(byte));
        let start = start.saturating_add(usize::from(escaped));
        let before = text.get(..start)?;
        let space = count_back(before, 2, |byte| byte == b' ');
        let word = before.get(..start.checked_sub(space)?)?;
        let previous = if space == 1 { count_back(word, 16, |byte| byte.is_ascii_alphanumeric()) } else { 0 };
        // Only what is quoted may stand on another line.
        let apart = quote.is_none() && gap.iter().any(|byte| b"\n\\".contains(byte));
        (start < end && !apart).then(|| Self {
            span: start..end,
            with_previous: start.saturating_sub(space.saturating_add(previous))..end,
            quoted: quote.is_some(),
            in_query: before.last().is_some_and(|byte| b"?&#".contains(byte)),
        })
    }

    pub(super) fn text<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.span.clone()).unwrap_or_default()
    }

    pub(super) fn meaning(&self, keys: &Keys, text: &[u8]) -> Meaning {
        let phrase = || text.get(self.with_previous.clone()).is_some_and(|name| keys.is_secret_phrase(name));
        match keys.json_meaning(self.text(text)) {
            Meaning::Harmless | Meaning::InQuery if !self.quoted && !self.in_query && phrase() => {
                Meaning::Secret
            }
            meaning => meaning,
        }
    }

    /// Whether it begins its line, and a line next to it begins with a name too: `.env`, properties, YAML, headers.
    /// There values end with their line.
    fn begins_line_of_pairs(&self, text: &[u8]) -> bool {
        let before = text.get(..self.span.start).unwrap_or_default();
        let near = before.get(before.len().saturating_sub(LONGEST_NAME)..).unwrap_or_default();
        let indent = match memchr::memrchr(b'\n', near) {
            Some(newline) => near.get(newline.saturating_add(1)..).unwrap_or_default(),
            None if near.len() < before.len() => return false,
            None => near,
        };
        if self.quoted || !is_indent(indent) {
            return false;
        }
        let above = before.get(..before.len().saturating_sub(indent.len()).saturating_sub(1));
        let rest = text.get(self.span.end..).unwrap_or_default();
        let below = memchr::memchr(b'\n', rest).and_then(|newline| rest.get(newline.saturating_add(1)..));
        let line_above = above.map(|above| {
            let line = memchr::memrchr(b'\n', above).map_or(0, |newline| newline.saturating_add(1));
            above.get(line..).unwrap_or_default()
        });
        [line_above, below].into_iter().flatten().any(|line| begins_pair(without_indent(line)))
    }

    /// Whether it is a step of a path, `core::pin::Pin`, or what is cast in SQL, `'a'::text`: behind two colons stands
    /// a type or a function.
    fn is_in_path(&self, text: &[u8], at: usize) -> bool {
        let before = text.get(..self.span.start).unwrap_or_default();
        // Both colons are looked at.
        let behind = |at: usize| text.get(at..).and_then(|rest| rest.strip_prefix(b"::"));
        let Some(behind) = behind(at).or_else(|| behind(at.checked_sub(1)?)) else { return false };
        let all = behind
            .strip_prefix(b"*")
            .is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_alphanumeric));
        self.quoted || all || (before.ends_with(b"::") && is_step(behind))
    }

    /// Whether it stands right behind a semicolon, as in strings of connections.
    fn is_in_list(&self, text: &[u8]) -> bool {
        text.get(..self.span.start).is_some_and(|before| before.ends_with(b";"))
    }
}

/// Whether a name of a type or function begins a text: it has no digits, or is the hash of a symbol.
fn is_step(text: &[u8]) -> bool {
    let end =
        text.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(text.len());
    let step = text.get(..end).unwrap_or_default();
    let hash = step
        .strip_prefix(b"h")
        .is_some_and(|hash| hash.len() == 16 && hash.iter().all(u8::is_ascii_hexdigit));
    hash || (end < text.len() && !step.iter().any(u8::is_ascii_digit))
}

/// How much white space ends a text, escapes of it that stayed ones among it.
fn gap_before(text: &[u8]) -> usize {
    let mut gap = 0_usize;
    while gap < LONGEST_NAME {
        let head = text.get(..text.len().saturating_sub(gap)).unwrap_or_default();
        match head {
            [.., last] if last.is_ascii_whitespace() => gap = gap.saturating_add(1),
            [.., b'\\', b'n' | b'r' | b't'] => {
                let inner = head.get(..head.len().saturating_sub(1)).unwrap_or_default();
                let escapes = count_back(inner, LONGEST_NAME, |byte| byte == b'\\');
                gap = gap.saturating_add(escapes).saturating_add(1);
            }
            _ => break,
        }
    }
    gap.min(text.len())
}

/// `  `, `- `, `export `
fn is_indent(indent: &[u8]) -> bool {
    let indent = indent.trim_ascii();
    indent.is_empty() || indent == b"-" || indent == b"export"
}

fn without_indent(line: &[u8]) -> &[u8] {
    let line = line.get(..line.len().min(2 * LONGEST_NAME)).unwrap_or_default().trim_ascii_start();
    line.strip_prefix(b"- ").or_else(|| line.strip_prefix(b"export ")).unwrap_or(line)
}
