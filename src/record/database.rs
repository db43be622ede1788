//! What is known of a failure of a database: its class, its code, and names of the schema. Never a row's value.

use std::borrow::Cow;
use std::fmt;

use super::truncated;

/// A failure of a database, and what the application said of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Database {
    /// What its driver tells; `None` when no link of the chain is a driver's.
    pub(crate) failure: Option<DatabaseFailure>,
    /// As it was given: literals are taken out on our thread.
    pub(crate) statement: Option<Cow<'static, str>>,
    pub(crate) pool: Option<Pool>,
}

/// The state of a connection pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool {
    pub(crate) size: usize,
    pub(crate) idle: usize,
    pub(crate) waiting: Option<usize>,
}

/// What a database's driver tells of a failure: see [`Report::database_failure`](crate::Report::database_failure).
///
/// Its `Display` is what the event says in place of the driver's own text, which may quote rows:
/// `PostgreSQL unique violation (23505), constraint users_email_key, table users`.
///
/// # Example
/// ```
/// use faultwire::Report;
/// use faultwire::report::{DatabaseClass, Fault};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use sqlx::{Connection as _, Executor as _};
///
/// let mut db = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
/// db.execute("CREATE TABLE users (email text UNIQUE); INSERT INTO users VALUES ('ada')").await.unwrap();
/// let report = Report::from(db.execute("INSERT INTO users VALUES ('ada')").await.unwrap_err());
///
/// let failure = report.database_failure().unwrap();
/// assert_eq!(failure.class(), DatabaseClass::UniqueViolation);
/// assert_eq!((failure.system(), failure.code()), (Some("sqlite"), Some("2067")));
/// assert_eq!((failure.constraint(), failure.table(), failure.column()), (None, Some("users"), Some("email")));
/// assert_eq!((failure.is_retryable(), failure.fault()), (false, Fault::ClientData));
/// assert_eq!(failure.to_string(), "SQLite unique violation (2067), table users, column email");
/// # drop(report);
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFailure {
    /// The driver, whose failures of infrastructure are one issue: `sqlx`, `tokio-postgres`, ...
    pub(crate) driver: &'static str,
    pub(crate) system: Option<System>,
    pub(crate) class: DatabaseClass,
    pub(crate) retryable: bool,
    pub(crate) code: Option<String>,
    pub(crate) constraint: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) column: Option<String>,
    /// What the driver itself says, where that is known to hold no value.
    pub(crate) said: Option<Cow<'static, str>>,
}

impl DatabaseFailure {
    pub(crate) fn new(driver: &'static str, class: DatabaseClass) -> Self {
        Self {
            driver,
            system: None,
            class,
            retryable: class.is_retryable(),
            code: None,
            constraint: None,
            table: None,
            column: None,
            said: None,
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> DatabaseClass {
        self.class
    }

    /// OpenTelemetry's `db.system.name`: `postgresql`, `mysql` (MariaDB too), `sqlite` or `redis`. `None` where
    /// the driver does not tell: sqlx when no connection could be had, diesel often.
    #[must_use]
    pub fn system(&self) -> Option<&'static str> {
        self.system.map(System::as_str)
    }

    /// The SQLSTATE of PostgreSQL, the error number of MySQL and SQLite, the error prefix of Redis.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The constraint or index that was violated.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        self.constraint.as_deref()
    }

    /// The table it is about.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    /// The column it is about.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }

    /// Whether the same transaction may succeed when it is run again. Whether it has been run already is
    /// another question: after a lost connection nobody knows.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// Who has to do something about it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.class.fault()
    }
}

impl fmt::Display for DatabaseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.system.map_or(self.driver, System::name);
        write!(f, "{by} {}", self.class)?;
        if let Some(code) = &self.code {
            write!(f, " ({code})")?;
        }
        if let Some(said) = &self.said {
            write!(f, ": {said}")?;
        }
        let names = [("constraint", &self.constraint), ("table", &self.table), ("column", &self.column)];
        names.into_iter().try_for_each(|(what, name)| match name {
            Some(name) => write!(f, ", {what} {name}"),
            None => Ok(()),
        })
    }
}

/// A database management system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum System {
    PostgreSql,
    /// Or MariaDB: the drivers do not tell them apart.
    MySql,
    Sqlite,
    Redis,
}

impl System {
    /// OpenTelemetry's `db.system.name`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::PostgreSql => "postgresql",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::PostgreSql => "PostgreSQL",
            Self::MySql => "MySQL",
            Self::Sqlite => "SQLite",
            Self::Redis => "Redis",
        }
    }
}

/// What kind of failure of a database it is: the tag `error.type` of its event.
///
/// # Example
/// ```
/// use faultwire::report::DatabaseClass;
///
/// assert_eq!(DatabaseClass::UniqueViolation.as_str(), "unique_violation");
/// assert!(DatabaseClass::Deadlock.is_retryable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatabaseClass {
    /// No connection: refused, lost, ended by the server, too many of them, or the server is starting.
    Connection,
    /// The pool had no connection in time.
    PoolTimeout,
    /// The server does not know who asks: a wrong password or user.
    Authentication,
    /// The server is out of memory, disk or the like, or its files are damaged.
    Resources,
    /// A write where only reading is allowed, as after a failover.
    ReadOnly,
    /// Two transactions waited for each other.
    Deadlock,
    /// Two transactions cannot both happen in any order.
    Serialization,
    /// A statement, or its wait for a lock, took too long or was cancelled.
    Timeout,
    /// A row with that key is there already.
    UniqueViolation,
    /// A row that is referred to is missing, or one that refers is in the way.
    ForeignKeyViolation,
    /// A `CHECK` constraint says no.
    CheckViolation,
    /// A value is missing.
    NotNullViolation,
    /// An `EXCLUDE` constraint of PostgreSQL says no.
    ExclusionViolation,
    /// A value that the column cannot hold: too long, out of range, of the wrong form.
    Data,
    /// The statement is none.
    Syntax,
    /// A table, a column, a function that does not exist, or is of another type.
    Schema,
    /// The user may not do that.
    Permission,
    /// A value that the program's type cannot hold, or the other way round.
    Decode,
    /// No row where one was expected.
    NotFound,
    /// A migration failed, or does not fit what was applied before.
    Migration,
    /// None of these.
    Other,
}

impl DatabaseClass {
    /// The tag's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::PoolTimeout => "pool_timeout",
            Self::Authentication => "authentication",
            Self::Resources => "resources",
            Self::ReadOnly => "read_only",
            Self::Deadlock => "deadlock",
            Self::Serialization => "serialization",
            Self::Timeout => "timeout",
            Self::UniqueViolation => "unique_violation",
            Self::ForeignKeyViolation => "foreign_key_violation",
            Self::CheckViolation => "check_violation",
            Self::NotNullViolation => "not_null_violation",
            Self::ExclusionViolation => "exclusion_violation",
            Self::Data => "data",
            Self::Syntax => "syntax",
            Self::Schema => "schema",
            Self::Permission => "permission",
            Self::Decode => "decode",
            Self::NotFound => "not_found",
            Self::Migration => "migration",
            Self::Other => "other",
        }
    }

    /// Whether the same transaction may succeed when it is run again: after a deadlock, a serialization failure,
    /// without a connection. (A wait for a lock that took too long is a [`Timeout`](Self::Timeout) and may too:
    /// [`DatabaseFailure::is_retryable`] knows that from the code.)
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Connection | Self::PoolTimeout | Self::Deadlock | Self::Serialization)
    }

    /// Who has to do something about it.
    #[must_use]
    pub const fn fault(self) -> Fault {
        match self {
            Self::Connection
            | Self::PoolTimeout
            | Self::Authentication
            | Self::Resources
            | Self::ReadOnly => Fault::Infrastructure,
            Self::UniqueViolation
            | Self::ForeignKeyViolation
            | Self::CheckViolation
            | Self::ExclusionViolation
            | Self::Data => Fault::ClientData,
            _ => Fault::Code,
        }
    }

    /// Whether the database cannot be had now, and can be later.
    pub(crate) const fn is_unavailable(self) -> bool {
        matches!(self, Self::Connection | Self::PoolTimeout)
    }
}

impl fmt::Display for DatabaseClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "connection failure",
            Self::PoolTimeout => "pool timeout",
            Self::Authentication => "authentication failure",
            Self::Resources => "out of resources",
            Self::ReadOnly => "is read-only",
            Self::Serialization => "serialization failure",
            Self::UniqueViolation => "unique violation",
            Self::ForeignKeyViolation => "foreign key violation",
            Self::CheckViolation => "check violation",
            Self::NotNullViolation => "not-null violation",
            Self::ExclusionViolation => "exclusion violation",
            Self::Data => "data error",
            Self::Syntax => "syntax error",
            Self::Schema => "schema error",
            Self::Permission => "permission denied",
            Self::Decode => "decode error",
            Self::NotFound => "row not found",
            Self::Migration => "migration failure",
            Self::Other => "error",
            Self::Deadlock | Self::Timeout => self.as_str(),
        })
    }
}

/// Who has to do something about a failure: the tag `error.fault` of its event.
///
/// # Example
/// ```
/// use faultwire::report::{DatabaseClass, Fault};
///
/// assert_eq!(DatabaseClass::PoolTimeout.fault(), Fault::Infrastructure);
/// assert_eq!(DatabaseClass::Syntax.fault(), Fault::Code);
/// assert_eq!(Fault::ClientData.as_str(), "client_data");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Whoever runs the database, or the service that was called. Such failures are one issue, whatever the route.
    Infrastructure,
    /// Whoever wrote the code.
    Code,
    /// Perhaps nobody: what the client sent does not fit. Whether the code should have known is its author's
    /// question.
    ClientData,
}

impl Fault {
    /// The tag's value: `infrastructure`, `code` or `client_data`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::Code => "code",
            Self::ClientData => "client_data",
        }
    }
}

/// At most this many bytes of a statement are kept until it is shown.
const MAX_STATEMENT: usize = 16 * 1024;

/// The beginning of a statement that is long.
pub(crate) fn kept_statement(statement: Cow<'static, str>) -> Cow<'static, str> {
    match statement {
        Cow::Borrowed(text) => Cow::Borrowed(truncated(text, MAX_STATEMENT)),
        Cow::Owned(mut text) => {
            text.truncate(truncated(&text, MAX_STATEMENT).len());
            text.shrink_to_fit();
            Cow::Owned(text)
        }
    }
}
