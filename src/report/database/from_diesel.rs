//! Errors of diesel. It gives no code and does not tell the system: the kind of the error is all, beside names that
//! PostgreSQL's has, and texts.

use std::error::Error;

use diesel::ConnectionError;
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use super::drivers::{as_a, size};
use super::{codes, hide, names};
use crate::record::{DatabaseClass, DatabaseFailure, System};

use DatabaseClass::{
    Authentication, CheckViolation, Connection, Deadlock, Decode, ExclusionViolation, ForeignKeyViolation,
    NotFound, NotNullViolation, Other, ReadOnly, Serialization, UniqueViolation,
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
    let known = |class: DatabaseClass, sqlstate| (codes::means(class), sqlstate);
    let (meaning, sqlstate) = match kind {
        DatabaseErrorKind::UniqueViolation => known(UniqueViolation, "23505"),
        DatabaseErrorKind::ForeignKeyViolation => known(ForeignKeyViolation, "23503"),
        DatabaseErrorKind::RestrictViolation => known(ForeignKeyViolation, "23001"),
        DatabaseErrorKind::NotNullViolation => known(NotNullViolation, "23502"),
        DatabaseErrorKind::CheckViolation => known(CheckViolation, "23514"),
        DatabaseErrorKind::ExclusionViolation => known(ExclusionViolation, "23P01"),
        // What diesel calls a deadlock of MySQL, too.
        DatabaseErrorKind::SerializationFailure if codes::fits(message, DEADLOCK) => known(Deadlock, ""),
        DatabaseErrorKind::SerializationFailure => known(Serialization, "40001"),
        DatabaseErrorKind::ReadOnlyTransaction => known(ReadOnly, "25006"),
        DatabaseErrorKind::ClosedConnection => known(Connection, "08006"),
        _ => (codes::of_english(message), ""),
    };
    let mut failure =
        DatabaseFailure { retryable: meaning.retryable, ..DatabaseFailure::new(DRIVER, meaning.class) };
    failure.constraint = names::owned(information.constraint_name());
    failure.table = names::owned(information.table_name());
    failure.column = names::owned(information.column_name());
    let is_postgres = information.table_name().or(information.constraint_name()).is_some()
        || matches!(kind, DatabaseErrorKind::ClosedConnection)
        || codes::fits(message, "could not serialize access …");
    if is_postgres {
        failure.system = Some(System::PostgreSql);
        failure.code = Some(sqlstate.to_owned()).filter(|code| !code.is_empty());
    } else if SQLITE.iter().any(|text| codes::fits(message, text)) {
        failure.system = Some(System::Sqlite);
        names::of_sqlite(&mut failure, message);
    } else if let Some((_, number)) = MYSQL.iter().find(|(text, _)| codes::fits(message, text)) {
        failure.system = Some(System::MySql);
        names::of_mysql(&mut failure, *number, message);
    }
    failure
}

/// The texts of SQLite; they are always English.
const SQLITE: [&str; 11] = [
    "UNIQUE constraint failed: …",
    "FOREIGN KEY constraint failed",
    "NOT NULL constraint failed: …",
    "CHECK constraint failed: …",
    "no such table: …",
    "no such column: …",
    "near \"…\": syntax error",
    "unrecognized token: …",
    "incomplete input",
    "database is locked",
    "attempt to write a readonly database",
];

const DEADLOCK: &str = "Deadlock found …";

/// Those of MySQL in English, and their numbers.
const MYSQL: [(&str, u16); 11] = [
    ("Duplicate entry '…", 1062),
    ("Cannot add or update a child row…", 1452),
    ("Cannot delete or update a parent row…", 1451),
    ("CONSTRAINT `…", 4025),
    ("Check constraint '…", 3819),
    (DEADLOCK, 1213),
    ("Lock wait timeout exceeded…", 1205),
    ("Too many connections", 1040),
    ("MySQL server has gone away", 2006),
    ("Lost connection to MySQL server…", 2013),
    ("You have an error in your SQL syntax…", 1064),
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
        assert!(failure.code().is_none());
        let lost = ConnectionError::BadConnection("no host ada@example.org".to_owned());
        assert_eq!(look(&lost).unwrap().to_string(), "diesel connection failure");
    }

    fn said(kind: DatabaseErrorKind, text: &str) -> (String, bool, Option<&'static str>) {
        let error = DieselError::DatabaseError(kind, Box::new(text.to_owned()));
        let failure = look(&error).unwrap();
        (failure.class().as_str().to_owned(), failure.is_retryable(), failure.system())
    }

    #[test]
    fn what_can_be_tried_again_is_told_whatever_the_system() {
        use DatabaseErrorKind::{SerializationFailure, UnableToSendCommand, Unknown};
        let mysql = Some("mysql");
        for (kind, text, class, system) in [
            (SerializationFailure, "Deadlock found when trying to get lock; try again", "deadlock", mysql),
            (
                SerializationFailure,
                "could not serialize access due to read",
                "serialization",
                Some("postgresql"),
            ),
            (SerializationFailure, "in einer anderen Sprache", "serialization", None),
            (Unknown, "Lock wait timeout exceeded; try restarting transaction", "timeout", mysql),
            (Unknown, "Lost connection to MySQL server during query", "connection", mysql),
            (Unknown, "MySQL server has gone away", "connection", mysql),
            (Unknown, "Too many connections", "connection", mysql),
            (UnableToSendCommand, "no connection to the server\n", "connection", None),
            (Unknown, "database is locked", "timeout", Some("sqlite")),
        ] {
            assert_eq!(said(kind, text), (class.to_owned(), true, system), "{text}");
        }
    }

    #[test]
    fn what_an_application_raises_itself_is_of_no_system() {
        for text in [
            "no such product",
            "no such table",
            "table 7 is taken",
            "relation \"ada\" is over",
            "near \"ada\"",
            "incomplete input of ada",
        ] {
            assert_eq!(said(DatabaseErrorKind::Unknown, text), ("other".to_owned(), false, None), "{text}");
        }
        let sqlite = |text| said(DatabaseErrorKind::Unknown, text);
        assert_eq!(sqlite("no such table: users"), ("schema".to_owned(), false, Some("sqlite")));
        assert_eq!(sqlite("no such column: name"), ("schema".to_owned(), false, Some("sqlite")));
        assert_eq!(sqlite("near \"FORM\": syntax error"), ("syntax".to_owned(), false, Some("sqlite")));
        assert_eq!(sqlite("incomplete input"), ("syntax".to_owned(), false, Some("sqlite")));
        assert_eq!(sqlite("relation \"users\" does not exist"), ("schema".to_owned(), false, None));
    }
}
