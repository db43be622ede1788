//! PostgreSQL, through sqlx and through tokio-postgres.

use std::time::Duration;

use faultwire::report::DatabaseClass as Class;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool};
use tokio_postgres::NoTls;

use super::{NUMBER, PATIENCE, Provoked, VALUE, variable};

const SCHEMA: &str = "
    DROP SCHEMA IF EXISTS faultwire CASCADE;
    CREATE SCHEMA faultwire;
    CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL CONSTRAINT users_email_key UNIQUE, name varchar(40));
    CREATE TABLE orders (id int PRIMARY KEY, owner int CONSTRAINT orders_owner_fk REFERENCES users,
        total int CONSTRAINT positive CHECK (total > 0), spent int4range,
        CONSTRAINT once_only EXCLUDE USING gist (spent WITH &&));
    INSERT INTO users VALUES (1, 'WislawaSzymborska', 'WislawaSzymborska'), (2, 'two', 'WislawaSzymborska');
    INSERT INTO orders VALUES (1, 1, 90210771, '[1,90210771)'), (2, 2, 1, NULL);";

fn options() -> PgConnectOptions {
    let options: PgConnectOptions = variable("FAULTWIRE_TEST_POSTGRES").parse().unwrap();
    options.options([("search_path", "faultwire")])
}

async fn pool() -> PgPool {
    let mut connection = PgConnection::connect_with(&options()).await.unwrap();
    connection.execute(SCHEMA).await.unwrap();
    PgPoolOptions::new().max_connections(5).connect_with(options()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run tests/run.sh"]
async fn what_postgres_refuses_is_told_by_its_class_and_names_through_sqlx() {
    let mut provoked = Provoked::through("postgresql");
    let pool = pool().await;

    let unique = sqlx::query("INSERT INTO users VALUES (3, $1, '')").bind(VALUE).execute(&pool).await;
    let names = (Some("users_email_key"), Some("users"), None);
    provoked.report("unique", unique, (Class::UniqueViolation, Some("23505"), names.0, names.1, names.2));
    let foreign =
        sqlx::query("INSERT INTO orders VALUES (3, $1, 1)").bind(NUMBER as i32).execute(&pool).await;
    provoked.report(
        "foreign key",
        foreign,
        (Class::ForeignKeyViolation, Some("23503"), Some("orders_owner_fk"), Some("orders"), None),
    );
    let check = sqlx::query("INSERT INTO orders VALUES (3, 1, $1)").bind(-NUMBER as i32).execute(&pool).await;
    provoked.report(
        "check",
        check,
        (Class::CheckViolation, Some("23514"), Some("positive"), Some("orders"), None),
    );
    let null = sqlx::query("INSERT INTO users VALUES ($1, NULL, $2)")
        .bind(NUMBER as i32)
        .bind(VALUE)
        .execute(&pool)
        .await;
    provoked.report(
        "not null",
        null,
        (Class::NotNullViolation, Some("23502"), None, Some("users"), Some("email")),
    );
    let exclusion = sqlx::query("INSERT INTO orders VALUES (3, 1, 1, '[7,90210771)')").execute(&pool).await;
    provoked.report(
        "exclusion",
        exclusion,
        (Class::ExclusionViolation, Some("23P01"), Some("once_only"), Some("orders"), None),
    );
    let long = sqlx::query("UPDATE users SET name = $1").bind(VALUE.repeat(3)).execute(&pool).await;
    provoked.report("too long", long, (Class::Data, Some("22001"), None, None, None));
    let text = pool.execute("SELECT 'WislawaSzymborska'::int").await;
    provoked.report("not a number", text, (Class::Data, Some("22P02"), None, None, None));
    let date = pool.execute("SELECT 'WislawaSzymborska 90210771'::date").await;
    provoked.report("not a date", date, (Class::Data, Some("22007"), None, None, None));
    let syntax = pool.execute("SELECT * FORM users WHERE name = 'WislawaSzymborska'").await;
    provoked.report("syntax", syntax, (Class::Syntax, Some("42601"), None, None, None));
    let unquoted = pool.execute("SELECT WislawaSzymborska WislawaSzymborska WislawaSzymborska").await;
    provoked.report("syntax near a value", unquoted, (Class::Syntax, Some("42601"), None, None, None));
    let table = pool.execute("SELECT * FROM ordres WHERE name = 'WislawaSzymborska'").await;
    provoked.report("no such table", table, (Class::Schema, Some("42P01"), None, Some("ordres"), None));
    let column = pool.execute("SELECT * FROM users WHERE name = \"WislawaSzymborska\"").await;
    provoked.report("no such column", column, (Class::Schema, Some("42703"), None, None, None));
    let raised = pool.execute("DO $$ BEGIN RAISE EXCEPTION 'no % here', 'WislawaSzymborska' USING HINT = 'WislawaSzymborska'; END $$").await;
    provoked.report("raised by a procedure", raised, (Class::Other, Some("P0001"), None, None, None));
    let disguised = "DO $$ BEGIN RAISE EXCEPTION 'null in \"WislawaSzymborska\"' USING ERRCODE = '23502', TABLE = 'users'; END $$";
    provoked.report(
        "raised in disguise",
        pool.execute(disguised).await,
        (Class::NotNullViolation, Some("23502"), None, Some("users"), None),
    );

    let decode = sqlx::query_scalar::<_, i32>("SELECT name FROM users").fetch_one(&pool).await;
    provoked.report("decode", decode, (Class::Decode, None, None, None, None));
    let none =
        sqlx::query("SELECT 1 FROM users WHERE name = $1").bind(format!("{VALUE}!")).fetch_one(&pool).await;
    provoked.report("no row", none, (Class::NotFound, None, None, None, None));
    provoked.system = None;
    provoked.check();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run tests/run.sh"]
async fn transactions_timeouts_and_outages_of_postgres_are_told_apart_through_sqlx() {
    let mut provoked = Provoked::through("postgresql");
    let pool = pool().await;

    provoked.report("deadlock", deadlock(&pool).await, (Class::Deadlock, Some("40P01"), None, None, None));
    provoked.report(
        "serialization",
        serialization(&pool).await,
        (Class::Serialization, Some("40001"), None, None, None),
    );
    let mut connection = pool.acquire().await.unwrap();
    let slow = async {
        connection.execute("SET statement_timeout = '20ms'").await?;
        connection.execute("SELECT pg_sleep(20), 'WislawaSzymborska'").await
    };
    provoked.report("statement timeout", slow.await, (Class::Timeout, Some("57014"), None, None, None));
    connection.close().await.unwrap();
    let (mut one, mut two) = (pool.begin().await.unwrap(), pool.begin().await.unwrap());
    one.execute("SELECT 1 FROM users WHERE id = 1 FOR UPDATE").await.unwrap();
    let locked = two.execute("SELECT 1 FROM users WHERE id = 1 FOR UPDATE NOWAIT").await;
    provoked.report("locked", locked, (Class::Timeout, Some("55P03"), None, None, None));
    let failed = two.execute("SELECT 'WislawaSzymborska'").await;
    provoked.report("in a failed transaction", failed, (Class::Other, Some("25P02"), None, None, None));
    drop((one, two));

    let mut reading = pool.begin().await.unwrap();
    reading.execute("SET TRANSACTION READ ONLY").await.unwrap();
    let written = reading.execute("UPDATE users SET name = 'WislawaSzymborska'").await;
    provoked.report("read-only", written, (Class::ReadOnly, Some("25006"), None, None, None));
    drop(reading);

    pool.execute("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'guest-pw' CONNECTION LIMIT 1")
        .await
        .unwrap();
    let guest = options().username("guest").password("guest-pw");
    let mut only = PgConnection::connect_with(&guest).await.unwrap();
    let more = PgConnection::connect_with(&guest).await;
    provoked.report("too many connections", more, (Class::Connection, Some("53300"), None, None, None));
    let denied = only.execute("SELECT * FROM faultwire.users WHERE name = 'WislawaSzymborska'").await;
    provoked.report("permission denied", denied, (Class::Permission, Some("42501"), None, None, None));
    let wrong = PgConnection::connect_with(&options().password(VALUE)).await;
    provoked.report("wrong password", wrong, (Class::Authentication, Some("28P01"), None, None, None));
    let missing = PgConnection::connect_with(&options().database("nowhere")).await;
    provoked.report("no such database", missing, (Class::Schema, Some("3D000"), None, None, None));

    provoked.report(
        "killed in a query",
        killed(&pool).await,
        (Class::Connection, Some("57P01"), None, None, None),
    );
    // From here on nobody can say which system it is.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = PgConnection::connect_with(&options().port(closed)).await;
    provoked.report("connection refused", refused, (Class::Connection, None, None, None, None));
    let small = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(2));
    let small = small.connect_with(options()).await.unwrap();
    let taken = small.acquire().await.unwrap();
    provoked.report("pool timeout", small.acquire().await, (Class::PoolTimeout, None, None, None, None));
    drop(taken);
    small.close().await;
    provoked.report("pool closed", small.acquire().await, (Class::Connection, None, None, None, None));
    provoked.system = None;
    provoked.check();
}

/// Two transactions lock two rows in opposite orders; one of them is the victim.
async fn deadlock(pool: &PgPool) -> sqlx::Result<()> {
    let (mut one, mut two) = (pool.begin().await?, pool.begin().await?);
    let lock = |id: i32| sqlx::query("UPDATE users SET name = $1 WHERE id = $2").bind(VALUE).bind(id);
    lock(1).execute(&mut *one).await?;
    lock(2).execute(&mut *two).await?;
    let (first, second) = tokio::join!(lock(2).execute(&mut *one), lock(1).execute(&mut *two));
    first.and(second).map(drop)
}

/// Two transactions read a sum and add a row that the other one should have seen.
async fn serialization(pool: &PgPool) -> sqlx::Result<()> {
    let (mut one, mut two) = (pool.begin().await?, pool.begin().await?);
    for transaction in [&mut one, &mut two] {
        transaction.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").await?;
        transaction.execute("SELECT sum(total) FROM orders").await?;
    }
    one.execute("INSERT INTO orders VALUES (90, 1, 90210771)").await?;
    two.execute("INSERT INTO orders VALUES (91, 1, 90210771)").await?;
    one.commit().await?;
    two.commit().await
}

/// The server ends the connection in the middle of a query.
async fn killed(pool: &PgPool) -> sqlx::Result<()> {
    let mut victim = PgConnection::connect_with(&options()).await?;
    let id: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut victim).await?;
    let sleeping =
        tokio::spawn(
            async move { victim.execute("SELECT pg_sleep(20), 'WislawaSzymborska'").await.map(drop) },
        );
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND query LIKE 'SELECT pg_sleep%'";
    let all_sleep = async {
        while sqlx::query_scalar::<_, i64>(sleeps).bind(id).fetch_one(pool).await? == 0 {}
        sqlx::query("SELECT pg_terminate_backend($1)").bind(id).execute(pool).await
    };
    tokio::time::timeout(PATIENCE, all_sleep).await.expect("the query begins")?;
    sleeping.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run tests/run.sh"]
async fn what_postgres_refuses_is_told_by_its_class_and_names_through_tokio_postgres() {
    let mut provoked = Provoked::through("postgresql");
    drop(pool().await);
    let url = variable("FAULTWIRE_TEST_POSTGRES");
    let (client, connection) =
        tokio_postgres::connect(&format!("{url}?options=-csearch_path%3Dfaultwire"), NoTls).await.unwrap();
    let connection = tokio::spawn(connection);

    let unique = client.execute("INSERT INTO users VALUES (3, $1, '')", &[&VALUE]).await;
    provoked.report(
        "unique",
        unique,
        (Class::UniqueViolation, Some("23505"), Some("users_email_key"), Some("users"), None),
    );
    let null = client.execute("INSERT INTO users VALUES (3, NULL, $1)", &[&VALUE]).await;
    provoked.report(
        "not null",
        null,
        (Class::NotNullViolation, Some("23502"), None, Some("users"), Some("email")),
    );
    let check = client.execute("INSERT INTO orders VALUES (3, 1, -90210771)", &[]).await;
    provoked.report(
        "check",
        check,
        (Class::CheckViolation, Some("23514"), Some("positive"), Some("orders"), None),
    );
    let raised = client.batch_execute("DO $$ BEGIN RAISE EXCEPTION 'no % here', 'WislawaSzymborska' USING HINT = 'WislawaSzymborska'; END $$").await;
    provoked.report("raised by a procedure", raised, (Class::Other, Some("P0001"), None, None, None));
    let table = client.query("SELECT * FROM ordres", &[]).await;
    provoked.report("no such table", table, (Class::Schema, Some("42P01"), None, Some("ordres"), None));
    let row = client.query_one("SELECT name FROM users WHERE id = 1", &[]).await.unwrap();
    provoked.report("decode", row.try_get::<_, i32>(0), (Class::Decode, None, None, None, None));
    let many = client.query_one("SELECT name FROM users", &[]).await;
    provoked.report("one row too many", many, (Class::NotFound, None, None, None, None));
    let wrong = tokio_postgres::connect(&url.replace("owner-pw", VALUE), NoTls).await.map(drop);
    provoked.report("wrong password", wrong, (Class::Authentication, Some("28P01"), None, None, None));
    let killed = client.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())").await;
    provoked.report("killed in a query", killed, (Class::Connection, Some("57P01"), None, None, None));
    let _ = connection.await;
    let lost = client.execute("SELECT 1", &[]).await;
    provoked.report("connection lost", lost, (Class::Connection, None, None, None, None));
    provoked.check();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run tests/run.sh"]
async fn an_error_that_prints_what_it_wraps_over_many_lines_shows_no_row() {
    #[derive(Debug, thiserror::Error)]
    enum Import {
        #[error("no row: {0:#?}")]
        Row(Load),
    }
    #[derive(Debug)]
    struct Load {
        #[expect(dead_code, reason = "printed")]
        why: sqlx::Error,
    }

    // First: the tables are everybody's.
    let reporting = crate::support::Reporting::start();
    let pool = pool().await;
    let unique = sqlx::query("INSERT INTO users VALUES (3, $1, '')").bind(VALUE).execute(&pool).await;
    faultwire::Report::from(Import::Row(Load { why: unique.unwrap_err() })).send();
    let event = reporting.event();
    let shown = crate::support::exception(&event)["value"].as_str().unwrap();
    assert!(shown.ends_with("code: \"23505\",\n            …"), "{shown}");
    super::assert_no_value_left(&reporting);
}
