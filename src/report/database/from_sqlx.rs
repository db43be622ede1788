//! Errors of sqlx, of both lines that are in use. They come from `sqlx-core`, which knows no database, so the system
//! is told from the form in which its driver prints.

use std::fmt::{self, Write as _};

use super::{codes, names};
use crate::record::{DatabaseClass, DatabaseFailure, System};

/// The name under which the failures of all its databases are known.
pub(super) const DRIVER: &str = "sqlx";

/// What both lines have in common: their types are as many as there are lines.
macro_rules! line {
    ($line:ident, $krate:ident) => {
        pub(super) mod $line {
            use std::error::Error;

            use $krate::error::{DatabaseError, Error as SqlxError};
            use $krate::migrate::MigrateError;

            use super::{Returned, decode, of_returned, said};
            use crate::record::{DatabaseClass, DatabaseFailure};
            use crate::report::database::drivers::as_a;

            /// The sizes of what `look` knows.
            pub(in crate::report::database) const SIZES: u64 =
                crate::report::database::drivers::size::<SqlxError>()
                    | crate::report::database::drivers::size::<MigrateError>()
                    | crate::report::database::drivers::size::<Box<dyn DatabaseError>>();

            #[inline(always)]
            pub(in crate::report::database) fn look(
                error: &(dyn Error + 'static),
            ) -> Option<Box<DatabaseFailure>> {
                if let Some(error) = as_a::<SqlxError>(error) {
                    return Some(Box::new(of_error(error)));
                }
                if let Some(returned) = as_a::<Box<dyn DatabaseError>>(error) {
                    return Some(Box::new(of_database(&**returned)));
                }
                as_a::<MigrateError>(error).map(|error| Box::new(of_migration(error)))
            }

            /// What the server said, in its own words.
            pub(in crate::report::database) fn words<'a>(
                error: &'a (dyn Error + 'static),
            ) -> Option<&'a str> {
                match as_a::<SqlxError>(error) {
                    Some(error) => error.as_database_error().map(DatabaseError::message),
                    None => as_a::<Box<dyn DatabaseError>>(error).map(|returned| returned.message()),
                }
            }

            pub(in crate::report::database) fn of_error(error: &SqlxError) -> DatabaseFailure {
                use DatabaseClass::{Connection, Decode, NotFound, Other, PoolTimeout, Schema};
                match error {
                    SqlxError::Database(returned) => of_database(&**returned),
                    SqlxError::Migrate(error) => of_migration(error),
                    SqlxError::Io(error) => said(Connection, Some(error.kind().to_string())),
                    SqlxError::PoolTimedOut => said(PoolTimeout, None),
                    SqlxError::Tls(_) => said(Connection, Some("no TLS connection".to_owned())),
                    SqlxError::PoolClosed => said(Connection, Some("the pool is closed".to_owned())),
                    SqlxError::WorkerCrashed => said(Connection, Some("its worker crashed".to_owned())),
                    SqlxError::RowNotFound => said(NotFound, None),
                    SqlxError::TypeNotFound { .. } => said(Schema, Some("a type does not exist".to_owned())),
                    // Names and numbers that the program itself asked for.
                    SqlxError::ColumnNotFound(_) | SqlxError::ColumnIndexOutOfBounds { .. } => {
                        said(Decode, Some(error.to_string()))
                    }
                    SqlxError::ColumnDecode { index, source } => decode(Some(index), &**source),
                    SqlxError::Decode(source) | SqlxError::Encode(source) => decode(None, &**source),
                    SqlxError::Configuration(_) => said(Other, Some("the configuration is wrong".to_owned())),
                    SqlxError::Protocol(_) => said(Other, Some("unexpected data from the server".to_owned())),
                    _ => said(Other, None),
                }
            }

            fn of_migration(error: &MigrateError) -> DatabaseFailure {
                let (failure, version) = match error {
                    MigrateError::Execute(error) => (of_error(error), None),
                    MigrateError::ExecuteMigration(error, version) => (of_error(error), Some(version)),
                    MigrateError::VersionMissing(_)
                    | MigrateError::VersionMismatch(_)
                    | MigrateError::VersionNotPresent(_)
                    | MigrateError::VersionTooOld(..)
                    | MigrateError::VersionTooNew(..)
                    | MigrateError::Dirty(_) => {
                        return said(DatabaseClass::Migration, Some(error.to_string()));
                    }
                    _ => return said(DatabaseClass::Migration, None),
                };
                // An outage during a migration is an outage.
                if failure.class.fault() == crate::record::Fault::Infrastructure {
                    return failure;
                }
                let what = failure.class;
                let said =
                    version.map_or(what.to_string(), |version| format!("{what} in migration {version}"));
                DatabaseFailure {
                    class: DatabaseClass::Migration,
                    retryable: false,
                    said: Some(said.into()),
                    ..failure
                }
            }

            fn of_database(error: &dyn DatabaseError) -> DatabaseFailure {
                of_returned(&Returned {
                    code: error.code().as_deref(),
                    message: error.message(),
                    constraint: error.constraint(),
                    table: error.table(),
                    printed: &error,
                })
            }
        }
    };
}

#[cfg(feature = "sqlx")]
line!(current, sqlx09);
#[cfg(feature = "sqlx-0-8")]
line!(previous, sqlx08);

/// What a server returned.
struct Returned<'a> {
    code: Option<&'a str>,
    message: &'a str,
    constraint: Option<&'a str>,
    table: Option<&'a str>,
    printed: &'a dyn fmt::Display,
}

fn of_returned(returned: &Returned<'_>) -> DatabaseFailure {
    let Returned { code, message, constraint, table, printed } = *returned;
    let mut failure = DatabaseFailure::new(DRIVER, DatabaseClass::Other);
    failure.constraint = names::owned(constraint);
    failure.table = names::owned(table);
    let meaning = match whose(code, message, printed) {
        Whose::Sqlite(code) => {
            failure.system = Some(System::Sqlite);
            failure.code = Some(code.to_string());
            names::of_sqlite(&mut failure, message);
            codes::of_sqlite(code, message)
        }
        Whose::MySql(number) => {
            failure.system = Some(System::MySql);
            failure.code = Some(number.to_string());
            names::of_mysql(&mut failure, number, message);
            codes::of_mysql(number, code)
        }
        Whose::Postgres(code) => {
            failure.system = Some(System::PostgreSql);
            failure.code = Some(code.to_owned());
            names::of_postgres(&mut failure, code, message);
            codes::of_sqlstate(code)
        }
        Whose::Unknown => return failure,
    };
    (failure.class, failure.retryable) = (meaning.class, meaning.retryable);
    failure
}

#[derive(Debug, PartialEq)]
enum Whose<'a> {
    Sqlite(i32),
    MySql(u16),
    Postgres(&'a str),
    Unknown,
}

/// The driver of SQLite prints `(code: 2067) <message>`, that of MySQL `1062 (23000): <message>`, that of PostgreSQL
/// begins with the message.
fn whose<'a>(code: Option<&'a str>, message: &str, printed: &dyn fmt::Display) -> Whose<'a> {
    let mut head = Head(String::new());
    // An error only says that there is more.
    let _ = write!(head, "{printed}");
    let before_message = |rest: &str| message.starts_with(rest) || rest.starts_with(message);
    let sqlite = head.0.strip_prefix("(code: ").and_then(|rest| rest.split_once(") "));
    if let Some((number, rest)) = sqlite
        && Some(number) == code
        && before_message(rest)
        && let Ok(number) = number.parse()
    {
        return Whose::Sqlite(number);
    }
    let digits = head.0.find(|c: char| !c.is_ascii_digit()).unwrap_or_default();
    if let Some((number, rest)) = head.0.split_at_checked(digits)
        && let Ok(number) = number.parse()
        && let Some((state, rest)) = rest.split_once(": ")
        && state.strip_prefix(" (").and_then(|state| state.strip_suffix(')')) == code
        && before_message(rest)
    {
        return Whose::MySql(number);
    }
    match code {
        Some(code) if code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Whose::Postgres(code)
        }
        _ => Whose::Unknown,
    }
}

/// The beginning of a text that is being printed.
struct Head(String);

impl fmt::Write for Head {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = 64_usize.saturating_sub(self.0.len());
        self.0.push_str(crate::record::truncated(text, room));
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

fn said(class: DatabaseClass, said: Option<String>) -> DatabaseFailure {
    DatabaseFailure { said: said.map(Into::into), ..DatabaseFailure::new(DRIVER, class) }
}

/// A value of a column that is of another type. The text of any other error may quote the value.
fn decode(column: Option<&String>, source: &(dyn std::error::Error + 'static)) -> DatabaseFailure {
    let text = crate::report::chain::text_of(source);
    let is_known = super::hide::is_plain(source) || is_mismatch(&text);
    let failure = said(DatabaseClass::Decode, is_known.then_some(text));
    // `"total"` by name, `0` by number.
    DatabaseFailure { column: names::owned(column.map(|column| column.trim_matches('"'))), ..failure }
}

/// Text of sqlx that names two types: ``mismatched types; Rust type `i32` (as SQL type `INT4`) is not ..``.
fn is_mismatch(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " `_:<>()[];&,'-*".contains(c);
    let is_null = text == "unexpected null; try decoding as an `Option`";
    is_null || (text.starts_with("mismatched types; Rust type `") && text.chars().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_told_from_the_driver_and_not_from_what_a_server_says() {
        let sqlite = "UNIQUE constraint failed: users.email";
        assert_eq!(whose(Some("2067"), sqlite, &format!("(code: 2067) {sqlite}")), Whose::Sqlite(2067));
        let mysql = format!("Duplicate entry '{}' for key 'email'", "a".repeat(80));
        assert_eq!(whose(Some("23000"), &mysql, &format!("1062 (23000): {mysql}")), Whose::MySql(1062));
        assert_eq!(whose(None, "gone: away", &"2006: gone: away"), Whose::MySql(2006));
        assert_eq!(whose(None, "gone", &"gone"), Whose::Unknown);
        for raised in ["", "no", "1062 (P0001): x", "(code: P0001) x", "1062: x", "7"] {
            assert_eq!(whose(Some("P0001"), raised, &raised), Whose::Postgres("P0001"), "{raised}");
            let at_line = format!("{raised} at line 7");
            assert_eq!(whose(Some("P0001"), raised, &at_line), Whose::Postgres("P0001"), "{raised}");
        }
    }

    #[test]
    fn only_the_text_of_sqlx_itself_says_which_types_do_not_match() {
        assert!(is_mismatch(
            "mismatched types; Rust type `core::option::Option<i32>` (as SQL type `INT4`) is not compatible with SQL \
             type `TEXT`"
        ));
        for other in
            ["secret", "mismatched types; Rust type `\"secret\"`", "invalid digit in ada@example.org"]
        {
            assert!(!is_mismatch(other), "{other}");
        }
    }
}
