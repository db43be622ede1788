//! What a report says of a database's failure, and what it does not: SQLite in this process, and PostgreSQL where
//! `DATABASE_URL` says one (there it makes a temporary table and nothing else).
//!
//! Run with `cargo run --example database`. Each event is a line; with `FAULTWIRE_INBOX=127.0.0.1:8970` all of it is
//! shown there until the program is ended, and with `SENTRY_DSN` it is sent.
#![expect(clippy::print_stdout, reason = "the result is what this program is for")]

use faultwire::Report;
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

const TABLE: &str =
    "CREATE TEMPORARY TABLE users (email varchar(40) NOT NULL CONSTRAINT users_email_key UNIQUE)";
/// The literal and the comment are not shown, nor is what the server says of them.
const INSERT: &str = "INSERT INTO users (email) VALUES ('ada@example.org') -- ada's";
/// Wrong on purpose.
const SELECT: &str = "SELECT total FROM ordres WHERE owner IN (1, 2, 3)";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _guard = faultwire::init()?;

    let mut sqlite = SqliteConnection::connect("sqlite::memory:").await?;
    for statement in [TABLE, INSERT] {
        sqlite.execute(statement).await?;
    }
    for statement in [INSERT, SELECT] {
        report(sqlite.execute(statement).await, statement);
    }

    if let Ok(url) = std::env::var("DATABASE_URL") {
        let mut postgres = PgConnection::connect(&url).await?;
        for statement in [TABLE, INSERT] {
            postgres.execute(statement).await?;
        }
        for statement in [INSERT, SELECT] {
            report(postgres.execute(statement).await, statement);
        }
    }

    // Nobody listens there: an outage, to be asked again later.
    report(PgConnection::connect("postgres://ada@127.0.0.1:1/shop").await, "SELECT 1");

    if std::env::var_os("FAULTWIRE_INBOX").is_some() {
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}

fn report<T>(result: Result<T, sqlx::Error>, statement: &'static str) {
    let Err(error) = result else { return };
    let report = Report::database(error).statement(statement);
    if let Some(failure) = report.database_failure() {
        let again =
            if failure.is_retryable() { "trying again may help" } else { "trying again does not help" };
        println!("{failure}: the fault is of {}, {again}", failure.fault().as_str());
    }
    report.send();
}
