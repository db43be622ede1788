//! What `unwrap`, `expect` and `Row::get` print of a driver's error: its kind, and no row.

use std::panic::{AssertUnwindSafe, catch_unwind};

use faultwire::Report;
use redis::{FromRedisValue as _, Value};
use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::{VALUE, assert_no_value_left};
use crate::support::{Reporting, exception};

/// What the event of this panic says.
#[track_caller]
fn shown<T>(panics: impl FnOnce() -> T) -> String {
    let reporting = Reporting::start();
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    let shown = exception(&reporting.event())["value"].as_str().unwrap().to_owned();
    assert_no_value_left(&reporting);
    shown
}

fn failed<E>(error: E) -> Result<(), E> {
    Err(error)
}

/// Decodes as the derived enums of sqlx do: what it does not know is in its error.
#[derive(Debug)]
struct Mood;

impl sqlx::Type<sqlx::Sqlite> for Mood {
    fn type_info() -> sqlx::sqlite::SqliteTypeInfo {
        <str as sqlx::Type<sqlx::Sqlite>>::type_info()
    }
}

impl<'r> sqlx::Decode<'r, sqlx::Sqlite> for Mood {
    fn decode(value: sqlx::sqlite::SqliteValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        let text = <&str as sqlx::Decode<'r, sqlx::Sqlite>>::decode(value)?;
        Err(format!("invalid value {text:?} for enum Mood").into())
    }
}

#[test]
fn a_row_whose_value_does_not_fit_names_the_column_and_not_the_value() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let row = runtime.block_on(async {
        let mut db = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("SELECT '{VALUE}' AS mood")))
            .fetch_one(&mut db)
            .await
            .unwrap()
    });
    let shown = shown(|| row.get::<Mood, _>("mood"));
    let expected = r#"called `Result::unwrap()` on an `Err` value: ColumnDecode { index: "\"mood\"", …"#;
    assert_eq!(shown, expected);
}

#[test]
fn what_redis_sends_and_what_it_refuses_are_not_shown() {
    let unwrap = "called `Result::unwrap()` on an `Err` value: ";
    let value = || Value::BulkString(VALUE.into());
    let decode = shown(|| u32::from_redis_value(value()).unwrap());
    assert_eq!(decode, format!("{unwrap}ParsingError {{ …"));
    let decode =
        shown(|| redis::from_redis_value_ref::<u32>(&value()).map_err(redis::RedisError::from).unwrap());
    assert_eq!(decode, format!("{unwrap}Incompatible type - …"));
    let refused = |line: String| redis::parse_redis_value(line.as_bytes()).unwrap().extract_error();
    let known = shown(|| refused(format!("-ERR value is '{VALUE}'\r\n")).unwrap());
    assert_eq!(known, format!("{unwrap}ResponseError: …"));
    let other = shown(|| refused(format!("-NOTHERE no {VALUE}\r\n")).expect("the cart is there"));
    assert_eq!(other, "the cart is there: \"NOTHERE\": …");
    let client = redis::RedisError::from((redis::ErrorKind::UnexpectedReturnType, "odd", VALUE.to_owned()));
    let client = shown(move || failed(client).unwrap());
    assert_eq!(client, format!("{unwrap}odd - UnexpectedReturnType: …"));
}

#[test]
fn the_panic_of_a_task_shows_no_row_in_the_error_of_who_waits_for_it_either() {
    let reporting = Reporting::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let message = format!("Duplicate entry '{VALUE}' for key 'users.email'");
    let kind = diesel::result::DatabaseErrorKind::UniqueViolation;
    let error = diesel::result::Error::DatabaseError(kind, Box::new(message));
    let joined = runtime.block_on(async { tokio::spawn(async { failed(error).unwrap() }).await });
    Report::from(anyhow::Error::from(joined.unwrap_err()).context("the worker ended")).send();
    let events = reporting.events(2);
    let told = events.iter().find(|event| exception(event)["value"] == "the worker ended").unwrap();
    let task = told["exception"]["values"][0]["value"].as_str().unwrap();
    assert!(
        task.contains("panicked with message") && task.ends_with("DatabaseError(UniqueViolation…"),
        "{task}"
    );
    assert_no_value_left(&reporting);
}
