//! Errors of SeaORM. Its `source()` stops before the error of sqlx, which is in a variant.

use std::error::Error;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

use super::drivers::{as_a, size};
use super::from_sqlx::current;
use crate::record::{DatabaseClass, DatabaseFailure};
use crate::report::chain::text_of;

use DatabaseClass::{Connection, Decode, Migration, NotFound, Other, PoolTimeout};

const DRIVER: &str = "sea-orm";

pub(super) const SIZES: u64 = size::<DbErr>() | size::<RuntimeErr>();

#[inline(always)]
pub(super) fn look(error: &(dyn Error + 'static)) -> Option<Box<DatabaseFailure>> {
    if let Some(error) = as_a::<DbErr>(error) {
        return Some(Box::new(of_error(error)));
    }
    as_a::<RuntimeErr>(error).map(|error| Box::new(of_runtime(error, Other)))
}

/// What the server said, in its own words, and what sqlx made of it.
pub(super) fn words(error: &(dyn Error + 'static)) -> Vec<String> {
    let runtime = match as_a::<DbErr>(error) {
        Some(DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error)) => Some(error),
        _ => as_a::<RuntimeErr>(error),
    };
    match runtime {
        Some(RuntimeErr::SqlxError(error)) => {
            let mut words = vec![text_of(error), text_of(&format_args!("{error:?}"))];
            words.extend(error.as_database_error().map(|returned| returned.message().to_owned()));
            words
        }
        Some(RuntimeErr::Internal(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

fn of_error(error: &DbErr) -> DatabaseFailure {
    match error {
        DbErr::ConnectionAcquire(error) => of_acquire(error),
        DbErr::Conn(error) => of_runtime(error, Connection),
        DbErr::Exec(error) | DbErr::Query(error) => of_runtime(error, Other),
        DbErr::TryIntoErr { .. } | DbErr::Type(_) | DbErr::Json(_) | DbErr::ConvertFromU64(_) => new(Decode),
        DbErr::RecordNotFound(_) | DbErr::RecordNotUpdated => new(NotFound),
        DbErr::Migration(_) => new(Migration),
        // Texts of SeaORM itself, which name fields of the program and nothing else.
        DbErr::UnpackInsertId
        | DbErr::UpdateGetPrimaryKey
        | DbErr::RecordNotInserted
        | DbErr::BackendNotSupported { .. }
        | DbErr::KeyArityMismatch { .. }
        | DbErr::PrimaryKeyNotSet { .. } => {
            DatabaseFailure { said: Some(error.to_string().into()), ..new(Other) }
        }
        _ => new(Other),
    }
}

fn of_acquire(error: &ConnAcquireErr) -> DatabaseFailure {
    new(match error {
        ConnAcquireErr::Timeout => PoolTimeout,
        ConnAcquireErr::ConnectionClosed => Connection,
    })
}

/// `class` is that of an error that SeaORM made.
fn of_runtime(error: &RuntimeErr, class: DatabaseClass) -> DatabaseFailure {
    match error {
        RuntimeErr::SqlxError(error) => current::of_error(error),
        _ => new(class),
    }
}

/// One outage is one issue, whether SeaORM or sqlx noticed it.
fn new(class: DatabaseClass) -> DatabaseFailure {
    let driver = match class.fault() {
        crate::record::Fault::Infrastructure => super::from_sqlx::DRIVER,
        _ => DRIVER,
    };
    DatabaseFailure::new(driver, class)
}
