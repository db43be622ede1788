//! From an error to its chain: one link for the error and each of its sources, outermost first.

use std::any::type_name;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::record::{Link, without_generics};
use crate::report::{database, links, third_party};
use crate::reporter::{self, ErrorName};

/// What is in no table.
const UNKNOWN: &str = "Error";
/// At most this many links; a chain that goes round ends here.
const MAX_LINKS: usize = 32;
/// At most this many bytes of one message: more than servers keep, so that what is cut here was not shown.
pub(super) const MAX_MESSAGE: usize = 16 * 1024;

/// Reads the links of an error on a thread of the application. A panic of its code costs the event these texts, and is no
/// event of its own.
pub(crate) fn read(
    error: &(dyn Error + 'static),
    outermost: Option<&'static str>,
    names: &[ErrorName],
) -> Vec<Link> {
    let unreadable =
        || vec![Link { type_name: Cow::Borrowed(outermost.unwrap_or(UNKNOWN)), message: String::new() }];
    reporter::shielded_anyway(|| links(error, outermost, names)).unwrap_or_else(unreadable)
}

/// Walks `error` and its sources. `outermost` is the type of the error itself, where it is known.
pub(crate) fn links(
    error: &(dyn Error + 'static),
    outermost: Option<&'static str>,
    names: &[ErrorName],
) -> Vec<Link> {
    let walk = std::iter::successors(Some(error), |error: &&'_ (dyn Error + 'static)| (*error).source());
    let errors: Vec<_> = walk.take(MAX_LINKS).collect();
    let link = |(depth, error): (usize, &&'_ (dyn Error + 'static))| Link {
        type_name: Cow::Borrowed(match outermost {
            Some(name) if depth == 0 && !is_box(name) => name,
            _ => type_of(links::shared(*error), names),
        }),
        message: text_of(*error),
    };
    let mut links: Vec<_> = errors.iter().enumerate().map(link).collect();
    database::hide::rows(&errors, &mut links);
    third_party::hide::urls(&errors, &mut links);
    for link in &mut links {
        link.message = database::hide::printed(std::mem::take(&mut link.message));
    }
    links
}

/// The texts of the error and its sources, as they are.
pub(crate) fn texts(error: &(dyn Error + 'static)) -> Vec<String> {
    let walk = std::iter::successors(Some(error), |error: &&'_ (dyn Error + 'static)| (*error).source());
    walk.take(MAX_LINKS).map(text_of).collect()
}

/// The text of the error alone, without what its database quotes. It runs the application's code.
pub(crate) fn message_of(error: &(dyn Error + 'static)) -> String {
    links(error, None, &[]).into_iter().next().map(|link| link.message).unwrap_or_default()
}

/// The error's text, cut to what servers keep.
pub(crate) fn text_of(error: &(impl fmt::Display + ?Sized)) -> String {
    let mut text = Bounded(String::with_capacity(64));
    // An error here is either our own bound or the error's own failure to print itself: keep what is there.
    let printed =
        catch_unwind(AssertUnwindSafe(|| fmt::Write::write_fmt(&mut text, format_args!("{error}"))));
    if printed.is_err() {
        text.0.push_str("<panicked while it was printed>");
    }
    text.0
}

/// The same on a thread of the application, for an error of which nothing is known: a panic in it is no event.
pub(crate) fn own_text(error: &(impl fmt::Display + ?Sized)) -> String {
    reporter::shielded(|| database::hide::printed(text_of(error))).unwrap_or_default()
}

/// The module and the name of a type's path.
pub(crate) fn split_path(type_name: &str) -> (Option<&str>, &str) {
    match without_generics(type_name).rsplit_once("::") {
        Some((module, name)) => (Some(module), name),
        None => (None, without_generics(type_name)),
    }
}

/// Types that say nothing about the error in them.
fn is_box(name: &str) -> bool {
    name.starts_with("alloc::boxed::Box<")
        || name.starts_with("alloc::sync::Arc<")
        || matches!(name, "anyhow::Error" | "eyre::Report" | "&str" | "alloc::string::String")
}

/// The type of a link, by trying the ones that backends meet. What is in no table is an `Error`.
fn type_of(error: &(dyn Error + 'static), names: &[ErrorName]) -> &'static str {
    if let Some(known) = names.iter().find(|known| (known.matches)(error)) {
        return known.name;
    }
    macro_rules! first_of {
        ($($ty:ty),* $(,)?) => { $( if error.is::<$ty>() { return type_name::<$ty>(); } )* };
    }
    first_of!(
        std::io::Error,
        fmt::Error,
        std::num::ParseIntError,
        std::num::ParseFloatError,
        std::num::TryFromIntError,
        std::str::Utf8Error,
        std::string::FromUtf8Error,
        std::env::VarError,
        std::net::AddrParseError,
        std::time::SystemTimeError,
        std::sync::mpsc::RecvError,
        serde_json::Error,
        http::Error,
        url::ParseError,
        ureq::Error,
    );
    #[cfg(feature = "axum")]
    first_of!(axum::Error);
    #[cfg(feature = "tonic")]
    first_of!(tonic::Status);
    #[cfg(feature = "sqlx")]
    first_of!(sqlx09::error::Error, sqlx09::migrate::MigrateError);
    #[cfg(feature = "sqlx-0-8")]
    first_of!(sqlx08::error::Error, sqlx08::migrate::MigrateError);
    #[cfg(feature = "diesel")]
    first_of!(diesel::result::Error, diesel::ConnectionError);
    #[cfg(feature = "tokio-postgres")]
    first_of!(tokio_postgres::Error);
    #[cfg(feature = "sea-orm")]
    first_of!(sea_orm::DbErr);
    #[cfg(feature = "apalis")]
    first_of!(
        apalis_core::error::AbortError,
        apalis_core::error::DeferredError,
        apalis_core::error::RetryAfterError,
    );
    #[cfg(feature = "redis")]
    first_of!(redis::RedisError);
    #[cfg(feature = "hyper")]
    first_of!(hyper::Error, hyper_util::client::legacy::Error);
    #[cfg(feature = "reqwest")]
    first_of!(reqwest::Error);
    #[cfg(feature = "reqwest-middleware")]
    first_of!(reqwest_middleware::Error);
    #[cfg(feature = "tokio")]
    first_of!(tokio::time::error::Elapsed);
    #[cfg(feature = "tower")]
    first_of!(tower::timeout::error::Elapsed);
    UNKNOWN
}

/// A text that refuses to grow beyond the bound.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_MESSAGE.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        self.0.push_str(crate::record::truncated(text, room));
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer<T: fmt::Debug>(#[source] std::num::ParseIntError, T);

    #[test]
    fn the_outermost_type_is_known_and_deeper_ones_are_looked_up() {
        let parse = "x".parse::<i32>().unwrap_err();
        let error = Outer(parse, 1_u8);
        let links = links(&error, Some(type_name::<Outer<u8>>()), &[]);
        let names: Vec<_> = links.iter().map(|link| split_path(&link.type_name)).collect();
        assert_eq!(
            names,
            [(Some(concat!(module_path!())), "Outer"), (Some("core::num::error"), "ParseIntError")]
        );
    }

    #[test]
    fn a_chain_that_goes_round_ends() {
        #[derive(Debug)]
        struct Round;
        impl fmt::Display for Round {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("round")
            }
        }
        impl Error for Round {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }
        assert_eq!(links(&Round, None, &[]).len(), MAX_LINKS);
    }

    #[test]
    fn a_message_is_cut_at_a_character() {
        let text = text_of(&"é".repeat(MAX_MESSAGE));
        assert_eq!(text.len(), MAX_MESSAGE);
        assert!(text.chars().all(|c| c == 'é'));
    }
}
