//! Values that decoders quote where they say why they cannot read them, in the words of serde and axum.

use std::ops::Range;

use memchr::memmem::find;

use super::keys::{Keys, Meaning};
use super::pairs::Name;

/// What follows a value in backticks is not searched farther away.
const NEAR: usize = 4 * 1024;

/// `invalid type: string "hunter2", expected u32`, whatever it is of, also where a text around it escapes the quotes.
/// `at` is the colon.
pub(super) fn string(text: &[u8], at: usize) -> Option<Range<usize>> {
    said_invalid(text.get(..at)?)?;
    const STRING: &[u8] = b": string ";
    let rest = text.get(at..)?.strip_prefix(STRING)?;
    let escapes = rest.iter().take_while(|byte| **byte == b'\\').count();
    if rest.get(escapes) != Some(&b'"') {
        return None;
    }
    let start = at.saturating_add(STRING.len()).saturating_add(escapes).saturating_add(1);
    let value = text.get(start..)?;
    // A backslash of the value's own is doubled as often as the quotes are escaped.
    let doubled = escapes.saturating_add(1).saturating_mul(2);
    let end = memchr::memchr_iter(b'"', value).find_map(|quote| {
        let before = value.get(..quote)?;
        let run = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        let closes = run < escapes || run.checked_rem(doubled) == Some(escapes);
        closes.then(|| quote.saturating_sub(run.min(escapes)))
    });
    Some(start..start.saturating_add(end.unwrap_or(value.len())))
}

/// The value in the backticks that open at `at`, if its field is a secret's: ``pin: invalid type: integer `4711` ``,
/// ``token: unknown variant `hunter2` ``, ``Cannot parse `token` with value `4711` to a `bool` ``; or if nobody says
/// which it is of: ``Cannot parse `4711` to a `bool` ``.
pub(super) fn value(keys: &Keys, text: &[u8], at: usize) -> Option<Range<usize>> {
    let before = text.get(..at)?;
    let start = at.saturating_add(1);
    let value = text.get(start..)?;
    let near = value.get(..NEAR).unwrap_or(value);
    let ends: &[&[u8]] = if let Some(rest) = before.strip_suffix(b"unknown variant ") {
        is_of_secret(keys, text, rest)?;
        &[b"`, expected ", b"`, there are no variants"]
    } else if let Some(rest) = before.strip_suffix(b" with value ") {
        is_of_parameter(keys, rest)?;
        &[b"` to a `", b"`: "]
    } else if before.ends_with(b"Cannot parse ") {
        // Others say that of a file, and name a parameter before its value.
        let name = find(near, b"`");
        let is_other = || find(near, b"` to a `").is_none_or(|end| near.get(..end).is_none_or(holds_value));
        (name.is_none() || !is_other()).then_some(())?;
        &[b"` to a `"]
    } else {
        let rest = KINDS.iter().find_map(|kind| before.strip_suffix(*kind))?;
        is_of_secret(keys, text, said_invalid(rest)?)?;
        &[b"`, expected "]
    };
    let known = ends.iter().filter_map(|end| find(near, end)).min();
    // In other words, or cut off. What goes on and on may be the value to its end.
    let closing = || find(near, b"`").filter(|_| near.len() == value.len());
    let end = known.or_else(closing).unwrap_or(value.len());
    Some(start..start.saturating_add(end))
}

fn holds_value(text: &[u8]) -> bool {
    find(text, b"` with value `").is_some()
}

const KINDS: [&[u8]; 3] = [b": integer ", b": floating point ", b": character "];

fn said_invalid(before: &[u8]) -> Option<&[u8]> {
    before.strip_suffix(b"invalid type").or_else(|| before.strip_suffix(b"invalid value"))
}

/// Whether this ends with ``Cannot parse `token` ``, or with the number of a parameter that has no name.
fn is_of_parameter(keys: &Keys, before: &[u8]) -> Option<()> {
    if let Some(quoted) = before.strip_suffix(b"`") {
        let name = quoted.rsplit(|byte| *byte == b'`').next()?;
        quoted.strip_suffix(name)?.strip_suffix(b"Cannot parse `")?;
        return (keys.json_meaning(name) != Meaning::Harmless).then_some(());
    }
    let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let before = before.get(..before.len().saturating_sub(digits))?;
    before.ends_with(b"Cannot parse value at index ").then_some(())
}

/// Whether this ends with a secret's name and a colon.
fn is_of_secret(keys: &Keys, text: &[u8], before: &[u8]) -> Option<()> {
    let colon = before.strip_suffix(b": ")?.len();
    let meaning = Name::before(text, colon)?.meaning(keys, text);
    (meaning != Meaning::Harmless).then_some(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::scrub::Scrubber;

    fn scrubbed(text: &str) -> String {
        Scrubber::new(&crate::scrub::Rules::default()).unwrap().text(text).into_owned()
    }

    #[derive(Debug, Deserialize)]
    enum Plan {
        Free,
        Pro,
    }

    #[test]
    fn what_serde_cannot_read_is_not_shown() {
        fn said<T: serde::de::DeserializeOwned>(json: &str) -> String {
            serde_json::from_str::<T>(json).err().expect("it is of another type").to_string()
        }
        for (text, shown) in [
            (said::<u32>("\"two words\""), "invalid type: string \"[Filtered]\", expected u32"),
            (said::<u32>(r#""quo\"ted \\ and \\""#), "invalid type: string \"[Filtered]\", expected u32"),
            (said::<bool>("48151623"), "invalid type: integer `[Filtered]`, expected a boolean"),
            (said::<String>("4.815"), "invalid type: floating point `[Filtered]`, expected a string"),
            (said::<u8>("4711"), "invalid value: integer `[Filtered]`, expected u8"),
            (said::<Plan>("\"hunter`2\""), "unknown variant `[Filtered]`, expected `Free` or `Pro`"),
            (said::<u32>("null"), "invalid type: null, expected u32"),
        ] {
            for path in ["pin: ", "login[0].apiToken: ", "the target type: user.password: "] {
                let scrubbed = scrubbed(&format!("{path}{text}"));
                let place = scrubbed.rfind(" at line 1").expect("serde says where");
                assert_eq!(scrubbed.get(..place).unwrap(), format!("{path}{shown}"));
            }
        }
    }

    #[test]
    fn it_is_not_shown_inside_of_other_texts_either() {
        let mut text = "invalid type: string \"hunter \\\"2\\\"\", expected u32".to_owned();
        for _ in 0..3 {
            text = format!("{text:?}");
            let shown = scrubbed(&text);
            assert!(!shown.contains("hunter") && shown.contains("[Filtered]"), "{shown}");
            assert!(shown.contains(", expected u32"), "{shown}");
        }
    }

    #[test]
    fn what_is_cut_off_is_not_shown() {
        for text in [
            "invalid type: string \"hunter2",
            "pin: invalid value: integer `4711",
            "token: unknown variant `hunter2",
            "Cannot parse `token` with value `hunter2",
            "Cannot parse `hunter2",
        ] {
            let shown = scrubbed(text);
            assert!(shown.ends_with("[Filtered]"), "{shown}");
        }
    }

    #[test]
    fn the_rest_is_shown() {
        for text in [
            "missing field `name` at line 1 column 2",
            "unknown field `colour`, expected `color`",
            "invalid type: map, expected a string",
            "invalid length 3, expected a tuple of size 2",
            "invalid type: expected `u32`, found `&str`",
            "the column `name` is unknown",
            "lines[0].quantity: invalid value: integer `-3`, expected u32",
            "plan: unknown variant `PRO`, expected `Free` or `Pro`",
            "Cannot parse `id` with value `seven` to a `u32`",
            "Cannot parse `config.toml`: it has no `[package]`",
            "Cannot parse `config.toml`",
            "the job began with value `7` and ended",
        ] {
            assert_eq!(scrubbed(text), text);
        }
        assert_eq!(
            scrubbed("Cannot parse `token` with value `hunter2` to a `u32`"),
            "Cannot parse `token` with value `[Filtered]` to a `u32`"
        );
        assert_eq!(
            scrubbed("Cannot parse value at index 1 with value `hunter2` to a `u32`"),
            "Cannot parse value at index 1 with value `[Filtered]` to a `u32`"
        );
        assert_eq!(scrubbed("Cannot parse `hunter2` to a `u32`"), "Cannot parse `[Filtered]` to a `u32`");
    }
}
