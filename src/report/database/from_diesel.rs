//! Errors of diesel. It gives no code and does not tell the system: the kind of the error is all, beside names that
//! PostgreSQL's has, and texts.

use std::error::Error;

use diesel::ConnectionError;
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use super::drivers::{as_a, size};
use super::{codes, hide, names};
use crate::record::{DatabaseClass, DatabaseFailure, System};

use DatabaseClass::{
    Authentication, CheckViolation, Connection, Decode, ExclusionViolation, ForeignKeyViolation, NotFound,
    NotNullViolation, Other, ReadOnly, Serialization, UniqueViolation,
};

const DRIVER: &str = "diesel";

pub(super) const SIZES: u64 = size::<DieselError>() | size::<ConnectionError>();

#[inline(always)]
pub(super) fn look(error: &(dyn Error + 'static)) -> Option<Box<DatabaseFailure>> {
    match as_a::<DieselError>(error) {
        Some(error) => Some(Box::new(of_error(error))),
        None => as_a::<ConnectionError>(error).map(|error| Box::new(of_connection(error))),
    }
}

/// What the server said, in its own words.
pub(super) fn words<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a str> {
    match as_a::<DieselError>(error) {
        Some(DieselError::DatabaseError(_, information)) => {
            [Some(information.message()), information.details(), information.hint()]
                .into_iter()
                .flatten()
                .collect()
        }
        _ => Vec::new(),
    }
}

fn of_error(error: &DieselError) -> DatabaseFailure {
    match error {
        DieselError::DatabaseError(kind, information) => of_information(*kind, &**information),
        DieselError::NotFound => said(NotFound, None),
        DieselError::DeserializationError(source) | DieselError::SerializationError(source) => {
            said(Decode, hide::is_plain(&**source).then(|| source.to_string()))
        }
        DieselError::RollbackErrorOnCommit { commit_error, .. } => of_error(commit_error),
        DieselError::BrokenTransactionManager => said(Connection, Some(error.to_string())),
        // Texts without values.
        DieselError::RollbackTransaction
        | DieselError::AlreadyInTransaction
        | DieselError::NotInTransaction => said(Other, Some(error.to_string())),
        _ => said(Other, None),
    }
}

fn of_connection(error: &ConnectionError) -> DatabaseFailure {
    match error {
        ConnectionError::CouldntSetupConfiguration(error) => of_error(error),
        ConnectionError::BadConnection(text)
            if text.contains("authentication failed") || text.starts_with("Access denied") =>
        {
            said(Authentication, None)
        }
        ConnectionError::BadConnection(_) => said(Connection, None),
        ConnectionError::InvalidConnectionUrl(_) => said(Other, Some("the URL is wrong".to_owned())),
        _ => said(Other, None),
    }
}

fn of_information(
    kind: DatabaseErrorKind,
    information: &(dyn DatabaseErrorInformation + Send + Sync),
) -> DatabaseFailure {
    let message = information.message();
    let (class, sqlstate) = match kind {
        DatabaseErrorKind::UniqueViolation => (UniqueViolation, "23505"),
        DatabaseErrorKind::ForeignKeyViolation => (ForeignKeyViolation, "23503"),
        DatabaseErrorKind::RestrictViolation => (ForeignKeyViolation, "23001"),
        DatabaseErrorKind::NotNullViolation => (NotNullViolation, "23502"),
        DatabaseErrorKind::CheckViolation => (CheckViolation, "23514"),
        DatabaseErrorKind::ExclusionViolation => (ExclusionViolation, "23P01"),
        DatabaseErrorKind::SerializationFailure => (Serialization, "40001"),
        DatabaseErrorKind::ReadOnlyTransaction => (ReadOnly, "25006"),
        DatabaseErrorKind::ClosedConnection => (Connection, "08006"),
        _ => (codes::of_english(message), ""),
    };
    let mut failure = DatabaseFailure::new(DRIVER, class);
    failure.constraint = names::owned(information.constraint_name());
    failure.table = names::owned(information.table_name());
    failure.column = names::owned(information.column_name());
    let is_postgres = information.table_name().or(information.constraint_name()).is_some();
    if is_postgres
        || matches!(kind, DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::ClosedConnection)
    {
        failure.system = Some(System::PostgreSql);
        failure.code = Some(sqlstate.to_owned()).filter(|code| !code.is_empty());
    } else if SQLITE.iter().any(|begin| message.starts_with(begin)) {
        failure.system = Some(System::Sqlite);
        names::of_sqlite(&mut failure, message);
        failure.retryable |= message == "database is locked";
    } else if let Some((_, number)) = MYSQL.iter().find(|(begin, _)| message.starts_with(begin)) {
        failure.system = Some(System::MySql);
        names::of_mysql(&mut failure, *number, message);
    }
    failure
}

/// How the texts of SQLite begin; they are always English.
const SQLITE: [&str; 9] = [
    "UNIQUE constraint failed",
    "FOREIGN KEY constraint failed",
    "NOT NULL constraint failed",
    "CHECK constraint failed",
    "no such ",
    "near \"",
    "incomplete input",
    "database is locked",
    "attempt to write a readonly",
];

/// How those of MySQL begin in English, and their numbers.
const MYSQL: [(&str, u16); 5] = [
    ("Duplicate entry '", 1062),
    ("Cannot add or update a child row", 1452),
    ("Cannot delete or update a parent row", 1451),
    ("CONSTRAINT `", 4025),
    ("Check constraint '", 3819),
];

fn said(class: DatabaseClass, said: Option<String>) -> DatabaseFailure {
    DatabaseFailure { said: said.map(Into::into), ..DatabaseFailure::new(DRIVER, class) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mysql_says_through_diesel_is_named_without_its_values() {
        let information = |text: &str| Box::new(text.to_owned());
        let error = DieselError::DatabaseError(
            DatabaseErrorKind::UniqueViolation,
            information("Duplicate entry 'ada@example.org' for key 'users.email'"),
        );
        let failure = look(&error).unwrap();
        assert_eq!(failure.to_string(), "MySQL unique violation, constraint email, table users");
        let lost = ConnectionError::BadConnection("no host ada@example.org".to_owned());
        assert_eq!(look(&lost).unwrap().to_string(), "diesel connection failure");
    }
}
