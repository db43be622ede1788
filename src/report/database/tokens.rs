//! The tokens of a statement, for all dialects at once.
//!
//! What is wanted is not what a statement means but where its literals end, and a reader that takes a literal's end
//! for its beginning shows the literal. Dialects differ in that: `\'` ends a text in one and not in another, `#` and
//! `--5` begin comments in one only, `$a$` opens a text in one. So wherever two dialects that the statement may be
//! written in would read on differently, and at everything unknown, reading ends, and so does what is shown.

use crate::record::System;

/// The longest name that is shown.
const MAX_NAME: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or a name.
    Word(&'a str),
    /// A name in quotes, with them.
    Quoted(&'a str),
    /// A text, a number, or `?`, `$1`, `:name`, which stand for one: it is not kept.
    Value,
    /// An operator, a comma, a bracket.
    Mark(&'a str),
    /// Here reading ended before the statement did.
    Cut,
}

/// A token, and whether something stands between it and the one before.
pub(super) type Spaced<'a> = (Token<'a>, bool);

/// Reads the whole statement, or as far as it can be read.
pub(super) fn tokens(statement: &str, system: Option<System>) -> Vec<Spaced<'_>> {
    let mut reader = Reader { rest: statement, system, read: Vec::new(), copies: false, list: List::None };
    let mut spaced = false;
    while !reader.rest.is_empty() {
        match reader.blank() {
            Some(true) => spaced = true,
            Some(false) => match reader.token() {
                Some(token) => {
                    reader.push(token, spaced);
                    spaced = false;
                    // Data may follow.
                    if token == Token::Mark(";") && reader.copies {
                        break;
                    }
                }
                None => return reader.cut(spaced),
            },
            None => return reader.cut(spaced),
        }
    }
    reader.read
}

struct Reader<'a> {
    rest: &'a str,
    system: Option<System>,
    read: Vec<Spaced<'a>>,
    /// Whether there was a `COPY`.
    copies: bool,
    list: List,
}

/// The list in which the next token stands, or which may begin: what is in double quotes depends on it. It is kept and
/// not looked up, for a statement may be nothing but such lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    None,
    /// After `INTO`, or a dot in the name that follows it.
    Into,
    /// After `INTO t`.
    Table,
    /// In `INTO t (a, ..`.
    Columns,
    /// After `IN` or `VALUES`.
    Before,
    /// In `IN (1, ..`.
    Values,
    /// After `VALUES (1)`.
    AfterRow,
    /// After the comma behind that.
    BetweenRows,
}

impl List {
    fn after(self, token: Token<'_>) -> Self {
        let is = |word: &str, known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
        match (self, token) {
            (Self::Into, Token::Word(_) | Token::Quoted(_)) => Self::Table,
            (Self::Columns, Token::Word(_) | Token::Quoted(_) | Token::Mark(",")) => Self::Columns,
            (Self::Values, Token::Value | Token::Mark("," | "-" | "+")) => Self::Values,
            (_, Token::Word(word)) if is(word, &["into"]) => Self::Into,
            (_, Token::Word(word)) if is(word, &["in", "values", "value"]) => Self::Before,
            (Self::Table, Token::Mark(".")) => Self::Into,
            (Self::Table, Token::Mark("(")) => Self::Columns,
            (Self::Before | Self::BetweenRows, Token::Mark("(")) => Self::Values,
            (Self::Values, Token::Mark(")")) => Self::AfterRow,
            (Self::AfterRow, Token::Mark(",")) => Self::BetweenRows,
            _ => Self::None,
        }
    }
}

impl<'a> Reader<'a> {
    fn cut(mut self, spaced: bool) -> Vec<Spaced<'a>> {
        self.read.push((Token::Cut, spaced));
        self.read
    }

    fn is(&self, system: System) -> bool {
        self.system == Some(system)
    }

    fn may_be(&self, system: System) -> bool {
        self.system.is_none_or(|known| known == system)
    }

    fn push(&mut self, token: Token<'a>, spaced: bool) {
        self.copies |= matches!(token, Token::Word(word) if word.eq_ignore_ascii_case("copy"));
        self.list = self.list.after(token);
        self.read.push((token, spaced));
    }

    /// Takes the first bytes of the rest.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Skips white space or a comment. `None` where nobody can tell where it ends.
    fn blank(&mut self) -> Option<bool> {
        let space =
            self.rest.len().saturating_sub(self.rest.trim_start_matches([' ', '\t', '\n', '\r']).len());
        if space > 0 {
            self.take(space);
            return Some(true);
        }
        if let Some(comment) = self.rest.strip_prefix("--") {
            let everywhere = comment.is_empty() || comment.starts_with([' ', '\t', '\n', '\r']);
            if !everywhere && self.may_be(System::MySql) {
                return None;
            }
            return self.line();
        }
        if self.rest.starts_with('#') && !self.is(System::PostgreSql) {
            return if self.is(System::MySql) { self.line() } else { None };
        }
        if self.rest.starts_with("/*") { self.comment() } else { Some(false) }
    }

    /// A comment that ends with its line. Some end lines at a bare carriage return.
    fn line(&mut self) -> Option<bool> {
        let end = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
        self.take(end);
        (!self.rest.starts_with('\r') || self.rest.starts_with("\r\n")).then_some(true)
    }

    fn comment(&mut self) -> Option<bool> {
        let mut inside = self.rest.get(2..)?;
        // What MySQL and MariaDB run, although others skip it.
        if self.may_be(System::MySql) && (inside.starts_with('!') || inside.starts_with("M!")) {
            return None;
        }
        let mut depth = 1_usize;
        while depth > 0 {
            let next = inside.find(['/', '*'])?;
            inside = inside.get(next..)?;
            if inside.starts_with("/*") {
                // Comments nest in PostgreSQL only.
                if !self.is(System::PostgreSql) {
                    return None;
                }
                depth = depth.saturating_add(1);
                inside = inside.get(2..)?;
            } else if inside.starts_with("*/") {
                depth = depth.saturating_sub(1);
                inside = inside.get(2..)?;
            } else {
                inside = inside.get(1..)?;
            }
        }
        self.rest = inside;
        Some(true)
    }

    /// `None` for what is not understood.
    fn token(&mut self) -> Option<Token<'a>> {
        let mut letters = self.rest.chars();
        let (first, second) = (letters.next()?, letters.next());
        match first {
            '\'' => self.quoted('\'').map(|_| Token::Value),
            '"' => self.double_quoted(),
            '`' if !self.is(System::PostgreSql) => {
                let quoted = self.quoted('`')?;
                is_simple(quoted.trim_matches('`')).then_some(Token::Quoted(quoted))
            }
            '[' => self.bracket(),
            '$' => self.dollar(),
            '0'..='9' => self.number(),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number(),
            '?' => {
                let digits = self.rest.get(1..)?.bytes().take_while(u8::is_ascii_digit).count();
                let digits = if self.is(System::Sqlite) { digits } else { 0 };
                self.take(digits.saturating_add(1));
                Some(Token::Value)
            }
            ':' if second == Some(':') => Some(Token::Mark(self.take(2))),
            ':' if second.is_some_and(begins_word) => {
                let length = self.rest.get(1..).map_or(0, word_length).saturating_add(1);
                self.take(length);
                Some(Token::Value)
            }
            '+' | '-' | '*' | '/' | '%' | '^' | '&' | '|' | '~' | '!' | '=' | '<' | '>' | '(' | ')' | ']'
            | ',' | ';' | '.' | ':' | '@' | '{' | '}' => Some(Token::Mark(self.take(1))),
            '#' if self.is(System::PostgreSql) => Some(Token::Mark(self.take(1))),
            _ if begins_word(first) => self.word(),
            _ => None,
        }
    }

    /// A text or a name in quotes, with them. The quote itself is doubled in it.
    ///
    /// A backslash before the quote escapes it in MySQL, in `E''` of PostgreSQL and in its older versions, and nowhere
    /// else: after an odd number of them nobody knows whether the text goes on.
    fn quoted(&mut self, quote: char) -> Option<&'a str> {
        let bytes = self.rest.as_bytes();
        let mut at = 1_usize;
        loop {
            let inside = bytes.get(at..)?;
            let next = inside.iter().position(|byte| *byte == quote as u8)?;
            let before = inside.get(..next)?;
            let escapes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
            if escapes % 2 == 1 && quote != '`' {
                return None;
            }
            at = at.saturating_add(next).saturating_add(1);
            if bytes.get(at) != Some(&(quote as u8)) {
                return Some(self.take(at));
            }
            at = at.saturating_add(1);
        }
    }

    /// A name in PostgreSQL, a text in MySQL, and in SQLite what there is a column for. PostgreSQL refuses a text in double
    /// quotes, and quotes it when it does: it is known by what stands before it.
    fn double_quoted(&mut self) -> Option<Token<'a>> {
        let mut back = self.read.iter().rev().map(|(token, _)| *token);
        let before = [back.next(), back.next(), back.next()];
        let quoted = self.quoted('"')?;
        let is_part = self.rest.starts_with('.');
        let is_name = match self.system {
            Some(System::PostgreSql) => is_part || !(self.list == List::Values || is_compared(before)),
            Some(System::Sqlite) => {
                let after_word = is_word(before[0], &BEFORE_NAMES) && !is_compared(before);
                let after_dot = before[0] == Some(Token::Mark("."));
                self.list == List::Columns || after_word || after_dot || is_part
            }
            _ => false,
        };
        let is_name = is_name && is_simple(quoted.trim_matches('"'));
        Some(if is_name { Token::Quoted(quoted) } else { Token::Value })
    }

    /// `[name]` of SQLite, `a[1]` of PostgreSQL: the same as long as nothing is quoted in it.
    fn bracket(&mut self) -> Option<Token<'a>> {
        if self.may_be(System::Sqlite) {
            let (inside, _) = self.rest.split_once(']')?;
            let inside = inside.get(1..)?;
            let plain =
                |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | ',' | '.' | ':' | '?' | '(' | ')');
            if !inside.chars().all(plain) {
                return None;
            }
        }
        Some(Token::Mark(self.take(1)))
    }

    /// `$1`, `$name` of SQLite, `$tag$..$tag$` of PostgreSQL.
    fn dollar(&mut self) -> Option<Token<'a>> {
        let rest = self.rest.get(1..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let after = rest.get(digits..)?;
            let goes_on = after.starts_with(|c| begins_word(c) || c == '$');
            self.take(digits.saturating_add(1));
            return (!goes_on).then_some(Token::Value);
        }
        let tag = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let is_text = rest.get(tag..)?.starts_with('$');
        if is_text && self.is(System::PostgreSql) {
            let delimiter = self.take(tag.saturating_add(2));
            let end = self.rest.find(delimiter)?;
            self.take(end.saturating_add(delimiter.len()));
            return Some(Token::Value);
        }
        (!is_text && tag > 0 && self.is(System::Sqlite)).then(|| {
            self.take(tag.saturating_add(1));
            Token::Value
        })
    }

    /// A number, and what sticks to it: `1.5e-7`, `0xff`, `1_000`, `5f2b91aa`.
    fn number(&mut self) -> Option<Token<'a>> {
        let sticks = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        let length = |text: &str| text.find(|c| !sticks(c)).unwrap_or(text.len());
        let mantissa = self.take(length(self.rest));
        // A sign that no digit follows may be the first of a comment.
        if mantissa.ends_with(['e', 'E'])
            && let Some(exponent) = self.rest.strip_prefix(['+', '-'])
            && exponent.starts_with(|c: char| c.is_ascii_digit())
        {
            self.take(length(exponent).saturating_add(1));
        }
        (!self.rest.starts_with('$')).then_some(Token::Value)
    }

    fn word(&mut self) -> Option<Token<'a>> {
        let word = self.take(word_length(self.rest));
        if self.rest.starts_with('\'') {
            let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
            // Another rule for where the text ends, of a dialect that is not known here.
            if is(&["q", "nq"]) {
                return None;
            }
            // `E'..'`, `N'..'`, `x'..'`, `_utf8mb4'..'`
            if is(&["e", "n", "b", "x"]) || word.starts_with('_') {
                return self.quoted('\'').map(|_| Token::Value);
            }
        }
        Some(if word.len() > MAX_NAME { Token::Value } else { Token::Word(word) })
    }
}

fn is_word(token: Option<Token<'_>>, words: &[&str]) -> bool {
    matches!(token, Some(Token::Word(word)) if words.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// Whether something is compared with what follows these tokens, the nearest first: there a value stands more often than
/// a name.
fn is_compared([before, further, furthest]: [Option<Token<'_>>; 3]) -> bool {
    match before {
        Some(Token::Mark("=" | "<" | ">" | "~")) => true,
        // `~*`
        Some(Token::Mark("*")) => further == Some(Token::Mark("~")),
        _ if is_word(before, &["like", "ilike", "between"]) => true,
        _ if is_word(before, &["and"]) => is_word(furthest, &["between"]),
        _ if is_word(before, &["to"]) => is_word(further, &["similar"]),
        // `IS DISTINCT FROM "a text"`
        _ => is_word(before, &["from"]) && is_word(further, &["distinct"]),
    }
}

/// The words after which SQLite takes a text in double quotes for a name.
const BEFORE_NAMES: [&str; 9] =
    ["from", "join", "into", "update", "table", "index", "view", "references", "as"];

fn begins_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn word_length(text: &str) -> usize {
    let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    text.find(|c| !in_word(c)).unwrap_or(text.len())
}

/// A name in which nothing begins that a dialect without these quotes would see: no comment, no text.
fn is_simple(name: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | '-' | ' ');
    let begins_other = name.contains("--") || (name.contains('$') && name.contains([' ', '.', '-']));
    name.len() <= MAX_NAME && name.starts_with(begins_word) && name.chars().all(in_name) && !begins_other
}
