//! What is a secret and how it is masked. The gate (`deliver`) runs this over everything that leaves.
//!
//! This is the first form: names of keys in JSON, forms and query strings, and in `name=value` pairs,
//! credentials and URLs inside texts.

mod body;
mod form;
mod json;
mod secrets;
mod text;

pub(crate) use body::scrub_body;
pub(crate) use form::scrub_query;
pub(crate) use json::scrub_event;
pub(crate) use text::scrub_text;

/// What stands for a secret. Servers know exactly this text; another one is scrubbed again by Sentry.
pub(crate) const MASK: &str = "[Filtered]";

/// Whether the value of `key` is a secret.
pub(crate) fn is_secret(key: &str) -> bool {
    names_secret(key, &[])
}

/// Whether the value of `key` is a secret when it stands in a query string.
pub(crate) fn is_secret_in_query(key: &str) -> bool {
    names_secret(key, secrets::QUERY_WORDS)
}

fn names_secret(key: &str, more_words: &[&str]) -> bool {
    if secrets::HARMLESS.iter().any(|harmless| key.eq_ignore_ascii_case(harmless)) {
        return false;
    }
    let is = |list: &[&str], word: &str| list.iter().any(|secret| word.eq_ignore_ascii_case(secret));
    let mut previous: Option<&str> = None;
    for word in words(key) {
        if is(secrets::WORDS, word) || is(more_words, word) {
            return true;
        }
        let pair = |&(first, second): &(&str, &str)| {
            previous.is_some_and(|previous| previous.eq_ignore_ascii_case(first))
                && word.eq_ignore_ascii_case(second)
        };
        if secrets::PAIRS.iter().any(pair) {
            return true;
        }
        previous = Some(word);
    }
    false
}

/// Splits a key into its words: at everything that is neither letter nor digit, and where a capital follows
/// a small letter (`cardNumber`) or ends an abbreviation (`APIKey`).
fn words(key: &str) -> impl Iterator<Item = &str> {
    key.split(|c: char| !c.is_alphanumeric()).flat_map(Humps).filter(|word| !word.is_empty())
}

/// The words of a camel-case name.
struct Humps<'a>(&'a str);

impl<'a> Iterator for Humps<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let mut chars = self.0.char_indices().peekable();
        let (_, mut last) = chars.next()?;
        let mut end = self.0.len();
        while let Some((at, c)) = chars.next() {
            let next_is_small = chars.peek().is_some_and(|(_, next)| next.is_lowercase());
            if c.is_uppercase() && (last.is_lowercase() || last.is_ascii_digit() || next_is_small) {
                end = at;
                break;
            }
            last = c;
        }
        let (word, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_split_into_words() {
        let split = |key| words(key).collect::<Vec<_>>();
        assert_eq!(split("clientSecret"), ["client", "Secret"]);
        assert_eq!(split("X-API-Key"), ["X", "API", "Key"]);
        assert_eq!(split("APIKey"), ["API", "Key"]);
        assert_eq!(split("user[new_password]"), ["user", "new", "password"]);
        assert_eq!(split("größeMax"), ["größe", "Max"]);
        assert_eq!(split("__"), [""; 0]);
    }

    #[test]
    fn secret_keys_are_found_in_every_spelling() {
        for key in [
            "password",
            "passwd",
            "pwd",
            "new_password",
            "passwordConfirmation",
            "client_secret",
            "apiKey",
            "x-api-key",
            "access_token",
            "accessToken",
            "csrf_token",
            "jwt",
            "authorization",
            "session_id",
            "sessionId",
            "privateKey",
            "credentials",
            "otp",
            "mfa_code",
            "pin",
            "cvv",
            "card_number",
            "cardNumber",
            "ssn",
            "iban",
            "date_of_birth",
            "aws_secret_access_key",
            "PASSWORD",
            "set-cookie",
            "X-Amz-Signature",
            "a[b][token]",
            "DSN",
        ] {
            assert!(is_secret(key), "{key} is a secret");
        }
    }

    #[test]
    fn harmless_keys_are_left_alone() {
        for key in [
            "token_count",
            "max_tokens",
            "author",
            "authority",
            "passenger",
            "keyboard",
            "pinned",
            "monkey",
            "secretary",
            "tokenizer",
            "note",
            "key",
            "code",
            "compass",
            "sidebar",
            "session_count",
            "error.type",
            "http.route",
            "event_id",
            "trace_id",
            "query_string",
        ] {
            assert!(!is_secret(key), "{key} is harmless");
        }
        assert!(is_secret_in_query("key") && is_secret_in_query("code"));
    }
}
