//! Failures of databases: recognised in any chain, told with what their reader needs, and without a row's value.
//!
//! A driver's error is looked for where a report is made, because the answer depends on it (`drivers`, `from_..`); what
//! it says becomes plain data. Its own text never leaves (`hide`, `debugged`). On our thread that data goes on the event
//! (`show`), with the statement, if there is one (`statement`, read by `tokens`).
#![cfg_attr(not(feature = "full"), allow(dead_code, reason = "each driver needs a part"))]

mod codes;
mod debugged;
mod drivers;
#[cfg(feature = "diesel")]
mod from_diesel;
#[cfg(feature = "tokio-postgres")]
mod from_postgres;
#[cfg(feature = "redis")]
mod from_redis;
#[cfg(feature = "sea-orm")]
mod from_sea_orm;
#[cfg(any(feature = "sqlx", feature = "sqlx-0-8"))]
mod from_sqlx;
pub(crate) mod hide;
mod names;
pub(crate) mod show;
pub(crate) mod statement;
#[cfg(test)]
mod tests;
mod tokens;

use std::borrow::Cow;

use http::StatusCode;

use super::Report;
use crate::record::{BoxError, Database, DatabaseClass, DatabaseFailure, Pool, kept_statement};

pub(crate) use drivers::{SIZES, known, look, notice_unknown};

impl Report {
    /// A report of a failure of a database, whatever its error: of kind [`Kind::Database`](crate::Kind::Database).
    ///
    /// Errors of the drivers whose features are on (`sqlx`, `sqlx-0-8`, `diesel`, `tokio-postgres`, `sea-orm`, `redis`)
    /// are recognised by themselves and wherever they are in a chain, so a plain `?` does that too. This is for what is
    /// recognised by nobody, and where there is more to say: [`statement`](Self::statement), [`pool`](Self::pool).
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    ///
    /// # async fn example(pool: &sqlx::SqlitePool) -> Result<(), Report> {
    /// let orders = "SELECT id FROM orders WHERE customer = ?";
    /// sqlx::query(orders).bind(42).fetch_all(pool).await.map_err(|error| {
    ///     Report::database(error).statement(orders).pool(pool.size() as usize, pool.num_idle(), None)
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn database(error: impl Into<BoxError> + 'static) -> Self {
        Self::from(error).about_database(|_| ())
    }

    /// The statement that failed. What is shown of it has no literal and no comment, its lists (`IN (..)`, rows of
    /// `VALUES`) are collapsed, and it ends after 2 kB, or where the rest could be read in two ways. Bound parameters
    /// are never read. Beside it stands a summary: `SELECT orders`.
    ///
    /// A text that is borrowed for ever (`&'static str`) is not copied. Of longer ones 16 KiB are read.
    ///
    /// # Example
    /// ```
    /// # fn example(error: std::io::Error) {
    /// faultwire::Report::database(error).statement("DELETE FROM carts WHERE token = 'abc'").send();
    /// // db.query.text: DELETE FROM carts WHERE token = ?     db.query.summary: DELETE carts
    /// # }
    /// ```
    pub fn statement(self, statement: impl Into<Cow<'static, str>>) -> Self {
        let statement = kept_statement(statement.into());
        self.about_database(|database| database.statement = Some(statement))
    }

    /// The state of the connection pool: how many connections it has, how many of them are idle, and how many wait
    /// for one (`None` if the pool does not say).
    ///
    /// # Example
    /// ```
    /// # fn example(error: std::io::Error) {
    /// faultwire::Report::database(error).pool(10, 0, 57).send();
    /// # }
    /// ```
    pub fn pool(self, size: usize, idle: usize, waiting: impl Into<Option<usize>>) -> Self {
        let pool = Pool { size, idle, waiting: waiting.into() };
        self.about_database(|database| database.pool = Some(pool))
    }

    /// What kind of failure it is, for errors that no feature recognises: those of pools as r2d2, bb8 and deadpool, and
    /// other databases. It answers and groups as a recognised one does. What was recognised stays what it is.
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    /// use faultwire::report::DatabaseClass;
    ///
    /// # fn example(error: std::io::Error) {
    /// let report = Report::database(error).database_class("r2d2", DatabaseClass::PoolTimeout);
    /// # drop(report);
    /// # }
    /// ```
    pub fn database_class(self, driver: &'static str, class: DatabaseClass) -> Self {
        let mut report = self.about_database(|database| {
            database.failure.get_or_insert_with(|| DatabaseFailure::new(driver, class));
        });
        if let Some(details) = report.0.as_deref_mut() {
            details.answer_for_database();
        }
        report
    }

    /// Answers 409 Conflict if the failure is a unique violation, and is the same report otherwise.
    ///
    /// It is up to the route whether a row that is there already is the client's conflict, which is only counted then,
    /// or a bug, which is the default.
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    ///
    /// # async fn example(pool: &sqlx::SqlitePool) -> Result<(), Report> {
    /// let add = "INSERT INTO users (email) VALUES (?)";
    /// sqlx::query(add).bind("ada@example.org").execute(pool).await.map_err(|error| Report::database(error).conflict())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn conflict(self) -> Self {
        let is_one =
            self.database_failure().is_some_and(|failure| failure.class == DatabaseClass::UniqueViolation);
        if is_one { self.status(StatusCode::CONFLICT) } else { self }
    }

    /// What the driver of a database told of the failure, for code that decides by it: whether to try again, what to
    /// answer. `None` if there is no such error in the chain.
    ///
    /// # Example
    /// ```
    /// use faultwire::Report;
    /// use faultwire::report::DatabaseClass;
    ///
    /// let report = Report::from(sqlx::Error::PoolTimedOut);
    /// let failure = report.database_failure().unwrap();
    /// assert_eq!(failure.class(), DatabaseClass::PoolTimeout);
    /// assert!(failure.is_retryable());
    /// # drop(report);
    /// ```
    #[must_use]
    pub fn database_failure(&self) -> Option<&DatabaseFailure> {
        self.0.as_ref()?.failure()
    }

    fn about_database(self, say: impl FnOnce(&mut Database)) -> Self {
        self.say(|details| details.about_database(say))
    }
}
