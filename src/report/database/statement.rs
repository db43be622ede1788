//! The text of a statement as it is shown: without literals and comments, lists collapsed, at most 2 kB; and a summary.

use super::tokens::{Spaced, Token, tokens};
use crate::record::{System, truncated};

/// At most this many bytes of a statement are shown.
const MAX_TEXT: usize = 2048;
/// OpenTelemetry's bound for a summary.
const MAX_SUMMARY: usize = 255;

/// What is shown of a statement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// `SELECT id FROM orders WHERE total > ? AND id IN (?)`
    pub(crate) text: String,
    /// `SELECT orders`: what it does, and to which tables.
    pub(crate) summary: String,
}

/// What may be shown of `statement`. Without a system it is read so that no dialect's literal survives.
pub(crate) fn shown(statement: &str, system: Option<System>) -> Shown {
    if system == Some(System::Redis) {
        return command(statement);
    }
    let tokens = collapsed(&tokens(statement, system));
    Shown { text: text_of(&tokens), summary: summary_of(&tokens) }
}

/// The commands of Redis that may stand alone. Another word alone may be a value, of which somebody forgot the command.
const ALONE: [&str; 30] = [
    "ASKING",
    "BGREWRITEAOF",
    "BGSAVE",
    "COMMAND",
    "DBSIZE",
    "DISCARD",
    "EXEC",
    "FLUSHALL",
    "FLUSHDB",
    "HELLO",
    "INFO",
    "LASTSAVE",
    "LOLWUT",
    "MONITOR",
    "MULTI",
    "PING",
    "PUNSUBSCRIBE",
    "QUIT",
    "RANDOMKEY",
    "READONLY",
    "READWRITE",
    "RESET",
    "ROLE",
    "SAVE",
    "SHUTDOWN",
    "SUNSUBSCRIBE",
    "SYNC",
    "TIME",
    "UNSUBSCRIBE",
    "UNWATCH",
];

/// A command of Redis. All but its name may be a key or a value.
fn command(command: &str) -> Shown {
    let mut words = command.split_whitespace();
    let is_name = |word: &&str| {
        word.len() <= 32 && word.bytes().all(|byte| byte.is_ascii_alphabetic() || b"._".contains(&byte))
    };
    let name = words.next().filter(is_name).map(str::to_ascii_uppercase);
    let has_more = words.next().is_some();
    match name.filter(|name| has_more || ALONE.contains(&name.as_str())) {
        Some(name) if has_more => Shown { text: format!("{name} ?"), summary: name },
        Some(name) => Shown { text: name.clone(), summary: name },
        None => Shown { text: if has_more { "? ?" } else { "?" }.to_owned(), summary: String::new() },
    }
}

fn is(token: Option<&Spaced<'_>>, words: &[&str]) -> bool {
    matches!(token, Some((Token::Word(word), _)) if words.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

fn is_mark(token: Option<&Spaced<'_>>, mark: &str) -> bool {
    matches!(token, Some((Token::Mark(found), _)) if *found == mark)
}

/// `IN (1, 2, 3)` is `IN (?)`, and so are the rows of `VALUES`: how many there are is not what the statement is.
fn collapsed<'a>(tokens: &[Spaced<'a>]) -> Vec<Spaced<'a>> {
    let mut kept: Vec<Spaced<'a>> = Vec::with_capacity(tokens.len());
    let mut rest = tokens;
    while let [token, after @ ..] = rest {
        rest = after;
        kept.push(*token);
        let many_rows = is(Some(token), &["values", "value"]);
        if !many_rows && !is(Some(token), &["in", "array", "row"]) {
            continue;
        }
        let Some(mut after_list) = list_of_values(rest) else { continue };
        let (open, close) = if is_mark(rest.first(), "[") { ("[", "]") } else { ("(", ")") };
        let spaced = rest.first().is_some_and(|(_, spaced)| *spaced);
        kept.extend([(Token::Mark(open), spaced), (Token::Value, false), (Token::Mark(close), false)]);
        while many_rows
            && let [comma, next @ ..] = after_list
            && is_mark(Some(comma), ",")
            && let Some(after_row) = list_of_values(next)
        {
            after_list = after_row;
        }
        rest = after_list;
    }
    kept
}

/// What follows a list in brackets, if there are only values in it: none of them has a name.
fn list_of_values<'t, 'a>(tokens: &'t [Spaced<'a>]) -> Option<&'t [Spaced<'a>]> {
    let mut depth = 0_usize;
    let mut values = 0_usize;
    let mut rest = tokens;
    while let [token, after @ ..] = rest {
        match token.0 {
            Token::Mark("(" | "[") => depth = depth.saturating_add(1),
            Token::Mark(")" | "]") => depth = depth.saturating_sub(1),
            _ if depth == 0 => return None,
            Token::Value => values = values.saturating_add(1),
            Token::Mark("," | "-" | "+") => {}
            Token::Word(_) if is(Some(token), &["null", "true", "false", "default"]) => {}
            _ => return None,
        }
        if depth == 0 {
            return (values > 0).then_some(after);
        }
        rest = after;
    }
    None
}

fn text_of(tokens: &[Spaced<'_>]) -> String {
    const MORE: &str = "…";
    let mut text = String::new();
    for (token, spaced) in tokens {
        let shown = match token {
            Token::Word(shown) | Token::Quoted(shown) | Token::Mark(shown) => shown,
            Token::Value => "?",
            Token::Cut => MORE,
        };
        let room = MAX_TEXT.saturating_sub(text.len()).saturating_sub(MORE.len()).saturating_sub(1);
        if shown.len() > room {
            text.push_str(MORE);
            break;
        }
        // Two words stay two when a comment between them is gone.
        if *spaced && !text.is_empty() {
            text.push(' ');
        }
        text.push_str(shown);
    }
    text
}

/// What a statement can do.
const OPERATIONS: [&str; 26] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "REPLACE",
    "CALL",
    "CREATE",
    "ALTER",
    "DROP",
    "TRUNCATE",
    "GRANT",
    "REVOKE",
    "BEGIN",
    "START",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "LOCK",
    "COPY",
    "EXPLAIN",
    "VACUUM",
    "ANALYZE",
    "PRAGMA",
    "SET",
];
/// What may stand within another statement.
const NESTED: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"];
/// The next name is what it is done to.
const BEFORE_TARGETS: [&str; 5] = ["from", "into", "join", "update", "table"];

/// The operations and their tables, in the order in which they come.
fn summary_of(tokens: &[Spaced<'_>]) -> String {
    let mut summary = String::new();
    let mut add = |part: &str| {
        if summary.len().saturating_add(part.len()) < MAX_SUMMARY {
            summary.push_str(if summary.is_empty() { "" } else { " " });
            summary.push_str(part);
        }
    };
    // For each open bracket: whether an operation stands in it. `EXTRACT(year FROM created)` has none.
    let mut operates = vec![false];
    let mut rest = tokens;
    let mut before: [Option<&Spaced<'_>>; 2] = [None, None];
    while let [token, after @ ..] = rest {
        rest = after;
        match token.0 {
            Token::Mark("(") => operates.push(false),
            Token::Mark(")") if operates.len() > 1 => drop(operates.pop()),
            Token::Mark(";") => break,
            Token::Word(word) => {
                let begins = before[0].is_none();
                let known = |names: &[&str]| {
                    names.iter().find(|name| word.eq_ignore_ascii_case(name)).map(|name| (*name).to_owned())
                };
                let operation = if begins { known(&OPERATIONS) } else { known(&NESTED) };
                // `FOR UPDATE`, `ON DELETE CASCADE`, `DO UPDATE SET`, `ON DUPLICATE KEY UPDATE`
                let is_clause = is(before[0], &["for", "on", "do", "key"]);
                if let Some(operation) = operation.filter(|_| !is_clause) {
                    add(&operation);
                    if let Some(operates) = operates.last_mut() {
                        *operates = true;
                    }
                }
                // Here FROM does not say a table.
                if begins && is(Some(token), &["copy"]) {
                    targets(rest, true, &mut add);
                    break;
                }
                let compares = is(before[0], &["distinct"]) && is(before[1], &["is", "not"]);
                if is(Some(token), &BEFORE_TARGETS)
                    && !is_clause
                    && !compares
                    && operates.last() == Some(&true)
                {
                    rest = targets(rest, is(Some(token), &["from", "join"]), &mut add);
                }
            }
            _ => {}
        }
        before = [Some(token), before[0]];
    }
    summary.truncate(truncated(&summary, MAX_SUMMARY).len());
    summary
}

/// Adds the names of tables that follow: `shop.orders`, `a, b`. What comes after them.
fn targets<'t, 'a>(tokens: &'t [Spaced<'a>], may_call: bool, add: &mut impl FnMut(&str)) -> &'t [Spaced<'a>] {
    let mut rest = tokens;
    while is(rest.first(), &["only", "if", "not", "exists", "lateral"]) {
        rest = rest.get(1..).unwrap_or_default();
    }
    loop {
        let mut name = String::new();
        while let [(token, _), after @ ..] = rest {
            match token {
                Token::Word(part) | Token::Quoted(part) if name.is_empty() || name.ends_with('.') => {
                    name.push_str(part);
                }
                Token::Mark(".") if !name.is_empty() => name.push('.'),
                _ => break,
            }
            rest = after;
        }
        let calls = may_call && is_mark(rest.first(), "(");
        if name.is_empty() || calls {
            return rest;
        }
        add(&name);
        match rest {
            [comma, next @ ..] if is_mark(Some(comma), ",") => rest = next,
            _ => return rest,
        }
    }
}
