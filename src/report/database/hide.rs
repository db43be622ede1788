//! The texts of a chain without what drivers quote of rows.
//!
//! Servers quote values in their messages, in every language, and drivers print those messages; so do the errors of an
//! application that wrap them. A driver's own text is never shown: [`DatabaseFailure`] prints what is known instead. In
//! the texts around it, what the driver and the server said is replaced by that.
//!
//! [`DatabaseFailure`]: crate::record::DatabaseFailure

use std::error::Error;
use std::fmt;

pub(crate) use super::debugged::{debugged, printed};
use super::drivers::{inside, look};
use crate::record::{Link, truncated};
use crate::report::chain::{MAX_MESSAGE, text_of};

/// A text that begins like this is taken for the driver's, even if its end is missing.
const TELLING: usize = 32;
/// Shorter texts are no values, and would be found everywhere.
const SHORTEST: usize = 4;

/// Takes what drivers said out of the links of a chain. `errors` are what the links were read from.
pub(crate) fn rows(errors: &[&(dyn Error + 'static)], links: &mut Vec<Link>) {
    let found = |(depth, error): (usize, &&(dyn Error + 'static))| Some((depth, look(inside(*error))?));
    let Some((depth, failure)) = errors.iter().enumerate().find_map(found) else { return };
    let failure = failure.to_string();
    let below = errors.get(depth..).unwrap_or_default();

    let mut number = 0_usize;
    links.retain_mut(|link| {
        let error = errors.get(number);
        let at = number;
        number = number.saturating_add(1);
        if at == depth {
            link.message.clone_from(&failure);
        }
        // What a driver's error stems from quotes values, too.
        at <= depth || error.is_some_and(|error| is_plain(inside(*error)))
    });
    let around = links.get_mut(..depth).unwrap_or_default();
    if !around.is_empty() {
        let words = words(below);
        for link in around {
            link.message = without(&link.message, &words, &failure);
        }
    }
}

/// Everything that the driver's errors print, longest first.
fn words(errors: &[&(dyn Error + 'static)]) -> Vec<String> {
    let mut words = Vec::new();
    for error in errors.iter().filter(|error| !is_plain(inside(**error))) {
        words.push(text_of(error));
        words.push(text_of(&Debugged(*error)));
        words.push(text_of(&PrettyDebugged(*error)));
        said(inside(*error), &mut words);
    }
    words.retain(|word| word.len() >= SHORTEST);
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words
}

/// The words of the server, for each driver.
#[cfg_attr(
    not(any(
        feature = "sqlx",
        feature = "sqlx-0-8",
        feature = "diesel",
        feature = "tokio-postgres",
        feature = "redis"
    )),
    expect(unused_variables, reason = "there are no drivers")
)]
fn said(error: &(dyn Error + 'static), words: &mut Vec<String>) {
    let mut add = |said: &str| words.push(truncated(said, 16 * 1024).to_owned());
    #[cfg(feature = "sqlx")]
    super::from_sqlx::current::words(error).into_iter().for_each(&mut add);
    #[cfg(feature = "sqlx-0-8")]
    super::from_sqlx::previous::words(error).into_iter().for_each(&mut add);
    #[cfg(feature = "diesel")]
    super::from_diesel::words(error).into_iter().for_each(&mut add);
    #[cfg(feature = "tokio-postgres")]
    super::from_postgres::words(error).into_iter().for_each(&mut add);
    #[cfg(feature = "redis")]
    super::from_redis::words(error).into_iter().for_each(&mut add);
    #[cfg(feature = "sea-orm")]
    super::from_sea_orm::words(error).iter().map(String::as_str).for_each(&mut add);
    let _ = &mut add;
}

/// The text with what the driver said replaced. Where only the beginning of that is found, the rest of the text goes:
/// it may be the driver's, cut or printed in another way. What replaces it may be longer, so the end is bounded, too.
fn without(text: &str, words: &[String], failure: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut from = 0_usize;
    // Where the beginning of each word is met next: a place is looked for again only when it lies behind.
    let mut places: Vec<_> = words.iter().map(|word| (Some(0), word, truncated(word, TELLING))).collect();
    let mut is_first_look = true;
    while shown.len() < MAX_MESSAGE {
        let rest = text.get(from..).unwrap_or_default();
        for (place, _, begin) in &mut places {
            if is_first_look || place.is_some_and(|place| place < from) {
                *place = rest.find(*begin).map(|at| at.saturating_add(from));
            }
        }
        is_first_look = false;
        let Some(first) = places.iter().filter_map(|(place, ..)| *place).min() else {
            shown.push_str(rest);
            break;
        };
        shown.push_str(text.get(from..first).unwrap_or_default());
        shown.push_str(failure);
        let here = text.get(first..).unwrap_or_default();
        let at_first = places.iter().filter(|(place, ..)| *place == Some(first));
        let longest = at_first.map(|(_, word, _)| *word).max_by_key(|word| common(here, word));
        let Some(word) = longest.filter(|word| here.starts_with(word.as_str())) else { break };
        from = first.saturating_add(word.len());
    }
    shown.truncate(truncated(&shown, MAX_MESSAGE).len());
    shown
}

/// How much of `word` stands here.
fn common(here: &str, word: &str) -> usize {
    here.bytes().zip(word.bytes()).take_while(|(here, word)| here == word).count()
}

struct Debugged<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Debugged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

struct PrettyDebugged<'a>(&'a (dyn Error + 'static));

impl fmt::Display for PrettyDebugged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#?}", self.0)
    }
}

/// Whether the error's text never quotes a value: those of std, and what the operating system says.
pub(super) fn is_plain(error: &(dyn Error + 'static)) -> bool {
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        return io.get_ref().is_none();
    }
    error.is::<std::num::ParseIntError>()
        || error.is::<std::num::ParseFloatError>()
        || error.is::<std::num::TryFromIntError>()
        || error.is::<std::str::ParseBoolError>()
        || error.is::<std::str::Utf8Error>()
        || error.is::<std::string::FromUtf8Error>()
        || error.is::<std::net::AddrParseError>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{DatabaseClass, DatabaseFailure};

    fn shown(text: &str, words: &[&str]) -> String {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        without(text, &words, &DatabaseFailure::new("sqlx", DatabaseClass::UniqueViolation).to_string())
    }

    #[test]
    fn what_the_driver_said_is_replaced_wherever_it_stands() {
        let words =
            ["returned: Duplicate entry 'ada' for key 'email'", "Duplicate entry 'ada' for key 'email'"];
        let failure = "sqlx unique violation";
        for (text, expected) in [
            ("no user: returned: Duplicate entry 'ada' for key 'email'!", format!("no user: {failure}!")),
            ("Duplicate entry 'ada' for key 'email'", failure.to_owned()),
            (
                "a Duplicate entry 'ada' for key 'email' b returned: Duplicate entry 'ada' for key 'email'",
                format!("a {failure} b {failure}"),
            ),
            ("the order is lost", "the order is lost".to_owned()),
            ("", String::new()),
        ] {
            assert_eq!(shown(text, &words), expected, "{text}");
        }
    }

    #[test]
    fn what_is_replaced_again_and_again_stays_bounded() {
        let shown = shown(&"stop".repeat(4096), &["stop"]);
        assert!(shown.len() <= 16 * 1024, "{} bytes", shown.len());
        assert!(shown.starts_with("sqlx unique violationsqlx unique violation"));
    }

    #[test]
    fn a_text_that_goes_on_like_no_text_of_the_driver_is_cut() {
        let word = "error returned from database: Duplicate entry 'ada' for key 'email'";
        let text = "lost: error returned from database: Duplicate entry 'ad..";
        assert_eq!(shown(text, &[word]), "lost: sqlx unique violation");
    }

    proptest::proptest! {
        #[test]
        fn no_word_survives(before in "[a-c' ]{0,12}", word in "[a-c' ]{4,40}", after in "[a-c' ]{0,12}") {
            let text = format!("{before}{word}{after}");
            let hidden = shown(&text, &[&word]).replace("sqlx unique violation", "\u{0}");
            proptest::prop_assert!(!hidden.contains(&word), "{hidden}");
        }
    }
}
