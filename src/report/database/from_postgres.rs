//! Errors of tokio-postgres, which has a field for everything a server says.

use std::error::Error;

use tokio_postgres::error::{DbError, Error as PostgresError};

use super::drivers::{as_a, size};
use super::{codes, hide, names};
use crate::record::{DatabaseClass, DatabaseFailure, System};

use DatabaseClass::{Authentication, Connection, Decode, NotFound, Other};

const DRIVER: &str = "tokio-postgres";

pub(super) const SIZES: u64 = size::<PostgresError>() | size::<DbError>();

#[inline(always)]
pub(super) fn look(error: &(dyn Error + 'static)) -> Option<Box<DatabaseFailure>> {
    if let Some(returned) = as_a::<DbError>(error) {
        return Some(Box::new(of_returned(returned)));
    }
    let error = as_a::<PostgresError>(error)?;
    Some(Box::new(error.as_db_error().map_or_else(|| of_driver(error), of_returned)))
}

/// What the server said, in its own words.
pub(super) fn words<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a str> {
    let returned = as_a::<PostgresError>(error).and_then(PostgresError::as_db_error).or_else(|| as_a(error));
    returned.map_or_else(Vec::new, |said| {
        [Some(said.message()), said.detail(), said.hint(), said.where_()].into_iter().flatten().collect()
    })
}

fn of_returned(error: &DbError) -> DatabaseFailure {
    let code = error.code().code();
    let meaning = codes::of_sqlstate(code);
    let mut failure = DatabaseFailure {
        system: Some(System::PostgreSql),
        retryable: meaning.retryable,
        code: Some(code.to_owned()),
        constraint: names::owned(error.constraint()),
        table: names::owned(error.table()),
        column: names::owned(error.column()),
        ..DatabaseFailure::new(DRIVER, meaning.class)
    };
    names::of_postgres(&mut failure, code, error.message());
    failure
}

/// What the driver found itself. Its own text has no values; what it is about is known only from there.
fn of_driver(error: &PostgresError) -> DatabaseFailure {
    const BEGINS: [(&str, DatabaseClass); 12] = [
        ("error communicating with the server", Connection),
        ("error performing TLS handshake", Connection),
        ("error connecting to server", Connection),
        ("timeout waiting for server", Connection),
        ("connection closed", Connection),
        ("authentication error", Authentication),
        ("invalid configuration", Other),
        ("error deserializing column", Decode),
        ("error serializing parameter", Decode),
        ("invalid column", Decode),
        ("expected ", Decode),
        ("query returned an unexpected number", NotFound),
    ];
    let printed = error.to_string();
    let text = without_cause(&printed);
    let class = BEGINS.iter().find(|(begin, _)| text.starts_with(begin)).map_or(Other, |(_, class)| *class);
    let cause = error.source().filter(|source| hide::is_plain(*source));
    let said = cause.map_or(text.to_owned(), |cause| format!("{text}: {cause}"));
    DatabaseFailure {
        system: Some(System::PostgreSql),
        said: Some(said.into()),
        ..DatabaseFailure::new(DRIVER, class)
    }
}

/// Until 0.7.14 the driver printed its cause, too, which may quote a value.
fn without_cause(text: &str) -> &str {
    text.split_once(": ").map_or(text, |(own, _)| own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_says_ends_before_its_cause() {
        let printed = "error deserializing column 0: invalid value \"ada\" for enum Mood";
        assert_eq!(without_cause(printed), "error deserializing column 0");
        assert_eq!(without_cause("connection closed"), "connection closed");
    }
}
