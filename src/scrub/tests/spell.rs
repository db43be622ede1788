//! Names of secrets in every spelling, and strings with more escapes than they need.

use super::plant::{Choices, KEPT};

const NAMES: [&[&str]; 26] = [
    &["password"],
    &["passwd"],
    &["secret"],
    &["client", "secret"],
    &["api", "key"],
    &["x", "api", "key"],
    &["access", "token"],
    &["refresh", "token"],
    &["csrf", "token"],
    &["id", "token"],
    &["jwt"],
    &["authorization"],
    &["session", "id"],
    &["private", "key"],
    &["credentials"],
    &["otp"],
    &["mfa", "code"],
    &["pin"],
    &["cvv"],
    &["card", "number"],
    &["ssn"],
    &["iban"],
    &["date", "of", "birth"],
    &["new", "password"],
    &["password", "confirmation"],
    &["aws", "secret", "access", "key"],
];

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

/// A name of a secret, in letters that stand everywhere.
pub(crate) fn spelled(choices: &mut Choices<'_>) -> String {
    let mut words: Vec<&str> = Vec::new();
    if choices.seldom() {
        words.push(choices.pick(&["user", "my", "old", "http", "data"]));
    }
    words.extend(choices.pick(&NAMES));
    let camel = || words.iter().map(|word| capital(word)).collect::<String>();
    match choices.below(9) {
        0 => words.join("_"),
        1 => words.join("-"),
        2 => words.join("."),
        3 => words.join("_").to_uppercase(),
        4 => camel(),
        5 => words[0].to_owned() + camel().get(words[0].len()..).unwrap_or_default(),
        6 => words.join("_") + choices.pick(&["2", "_3", "1"]),
        7 => words.iter().map(|word| capital(word)).collect::<Vec<_>>().join("-"),
        _ => {
            let joined = words.join("_");
            joined
                .chars()
                .map(|letter| if choices.below(2) == 0 { letter } else { letter.to_ascii_uppercase() })
                .collect()
        }
    }
}

/// The same in letters that only look like them, or in brackets.
pub(crate) fn disguised(choices: &mut Choices<'_>) -> String {
    let name = spelled(choices);
    match choices.below(8) {
        5 => format!("user[{name}]"),
        6 => {
            let wide =
                |letter: char| char::from_u32(u32::from(letter).wrapping_add(0xfee0)).unwrap_or(letter);
            name.chars().map(wide).collect()
        }
        7 => {
            let at = choices.below(name.len());
            let (head, tail) = name.split_at(at);
            format!("{head}\u{200b}{tail}")
        }
        _ => name,
    }
}

/// A string of JSON, with more escapes than it needs.
pub(crate) fn json_string(choices: &mut Choices<'_>, text: &str) -> String {
    let escape_all = choices.below(16);
    let mut out = String::from("\"");
    let mut number = 0_usize;
    for c in text.chars() {
        number = number.wrapping_add(1);
        let chosen = escape_all == 15 || (escape_all == 14 && number.is_multiple_of(3));
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '/' if escape_all == 13 => out.push_str("\\/"),
            _ if (chosen && !text.contains(KEPT)) || u32::from(c) < 0x20 => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

pub(crate) fn url(choices: &mut Choices<'_>, text: &str) -> String {
    let (plus, small, all) = (choices.below(2) == 0, choices.seldom(), choices.seldom());
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' if plus => out.push('+'),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' if !all || text.contains(KEPT) => {
                out.push(char::from(byte));
            }
            _ if small => out.push_str(&format!("%{byte:02x}")),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
