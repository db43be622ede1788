//! MariaDB, through sqlx. It quotes rows in its messages, in many languages.

use faultwire::report::DatabaseClass as Class;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{Connection, Executor, MySqlConnection, MySqlPool};

use super::{NUMBER, PATIENCE, Provoked, VALUE, variable};

const SCHEMA: [&str; 6] = [
    "DROP TABLE IF EXISTS orders",
    "DROP TABLE IF EXISTS users",
    "CREATE TABLE users (id int PRIMARY KEY, email varchar(250) NOT NULL, name varchar(40), CONSTRAINT users_email_key UNIQUE (email))",
    "CREATE TABLE orders (id int PRIMARY KEY, owner int, total int, CONSTRAINT orders_owner_fk FOREIGN KEY (owner) REFERENCES users (id),
        CONSTRAINT positive CHECK (total > 0))",
    "INSERT INTO users VALUES (1, 'WislawaSzymborska', 'WislawaSzymborska'), (2, 'two', 'WislawaSzymborska')",
    "INSERT INTO orders VALUES (1, 1, 90210771)",
];

fn options() -> MySqlConnectOptions {
    variable("FAULTWIRE_TEST_MARIADB").parse().unwrap()
}

async fn pool() -> MySqlPool {
    let pool = MySqlPoolOptions::new().max_connections(5).connect_with(options()).await.unwrap();
    for statement in SCHEMA {
        pool.execute(statement).await.unwrap();
    }
    pool
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs MariaDB: run tests/run.sh"]
async fn what_mariadb_refuses_is_told_by_its_class_and_names() {
    let mut provoked = Provoked::through("mysql");
    let pool = pool().await;

    let unique = sqlx::query("INSERT INTO users VALUES (3, ?, '')").bind(VALUE).execute(&pool).await;
    provoked.report(
        "unique",
        unique,
        (Class::UniqueViolation, Some("1062"), Some("users_email_key"), None, None),
    );
    let quoted = format!("{VALUE}' for key '{VALUE}");
    sqlx::query("INSERT INTO users VALUES (4, ?, '')").bind(&quoted).execute(&pool).await.unwrap();
    let unique = sqlx::query("INSERT INTO users VALUES (5, ?, '')").bind(&quoted).execute(&pool).await;
    provoked.report(
        "unique, quoted",
        unique,
        (Class::UniqueViolation, Some("1062"), Some("users_email_key"), None, None),
    );
    let foreign = sqlx::query("INSERT INTO orders VALUES (?, 77, 1)").bind(NUMBER).execute(&pool).await;
    provoked.report(
        "foreign key",
        foreign,
        (
            Class::ForeignKeyViolation,
            Some("1452"),
            Some("orders_owner_fk"),
            Some("shop.orders"),
            Some("owner"),
        ),
    );
    let parent = pool.execute("DELETE FROM users WHERE id = 1").await;
    provoked.report(
        "referred to",
        parent,
        (
            Class::ForeignKeyViolation,
            Some("1451"),
            Some("orders_owner_fk"),
            Some("shop.orders"),
            Some("owner"),
        ),
    );
    let check = sqlx::query("INSERT INTO orders VALUES (3, 1, ?)").bind(-NUMBER).execute(&pool).await;
    provoked.report(
        "check",
        check,
        (Class::CheckViolation, Some("4025"), Some("positive"), Some("shop.orders"), None),
    );
    let null = sqlx::query("INSERT INTO users VALUES (3, NULL, ?)").bind(VALUE).execute(&pool).await;
    provoked.report("not null", null, (Class::NotNullViolation, Some("1048"), None, None, Some("email")));
    let long = sqlx::query("UPDATE users SET name = ?").bind(VALUE.repeat(3)).execute(&pool).await;
    provoked.report("too long", long, (Class::Data, Some("1406"), None, None, None));
    let text = pool.execute("UPDATE orders SET total = 'WislawaSzymborska'").await;
    provoked.report("not a number", text, (Class::Data, Some("1366"), None, None, None));
    let syntax = pool.execute("SELECT * FORM users WHERE name = 'WislawaSzymborska'").await;
    provoked.report("syntax", syntax, (Class::Syntax, Some("1064"), None, None, None));
    let table = pool.execute("SELECT * FROM ordres WHERE name = 'WislawaSzymborska'").await;
    provoked.report("no such table", table, (Class::Schema, Some("1146"), None, Some("shop.ordres"), None));
    let column = pool.execute("SELECT emial FROM users WHERE name = 'WislawaSzymborska'").await;
    provoked.report("no such column", column, (Class::Schema, Some("1054"), None, None, None));
    let raised = pool.execute("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no WislawaSzymborska here'").await;
    provoked.report("raised", raised, (Class::Other, Some("1644"), None, None, None));
    let decode = sqlx::query_scalar::<_, i32>("SELECT name FROM users").fetch_one(&pool).await;
    provoked.report("decode", decode, (Class::Decode, None, None, None, None));

    // In another language nothing of a message is read but what stands in it as SQL.
    let mut german = pool.acquire().await.unwrap();
    german.execute("SET lc_messages = 'de_DE'").await.unwrap();
    let unique = sqlx::query("INSERT INTO users VALUES (3, ?, '')").bind(VALUE).execute(&mut *german).await;
    let message = unique.as_ref().unwrap_err().as_database_error().unwrap().message().to_owned();
    assert!(message.starts_with("Doppelter Eintrag 'WislawaSzymborska'"), "{message}");
    provoked.report("unique, in German", unique, (Class::UniqueViolation, Some("1062"), None, None, None));
    let foreign = german.execute("INSERT INTO orders VALUES (90210771, 77, 1)").await;
    provoked.report(
        "foreign key, in German",
        foreign,
        (
            Class::ForeignKeyViolation,
            Some("1452"),
            Some("orders_owner_fk"),
            Some("shop.orders"),
            Some("owner"),
        ),
    );
    german.close().await.unwrap();
    provoked.system = None;
    provoked.check();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs MariaDB: run tests/run.sh"]
async fn transactions_timeouts_and_outages_of_mariadb_are_told_apart() {
    let mut provoked = Provoked::through("mysql");
    let pool = pool().await;

    provoked.report("deadlock", deadlock(&pool).await, (Class::Deadlock, Some("1213"), None, None, None));
    let (mut one, mut two) = (pool.begin().await.unwrap(), pool.begin().await.unwrap());
    one.execute("SELECT 1 FROM users WHERE id = 1 FOR UPDATE").await.unwrap();
    let locked = two.execute("UPDATE users SET name = 'WislawaSzymborska' WHERE id = 1").await;
    provoked.report("locked", locked, (Class::Timeout, Some("1205"), None, None, None));
    drop((one, two));
    let slow = pool
        .execute("SET STATEMENT max_statement_time = 0.02 FOR SELECT SLEEP(20), 'WislawaSzymborska'")
        .await;
    provoked.report("statement timeout", slow, (Class::Timeout, Some("1969"), None, None, None));
    let mut reading = pool.acquire().await.unwrap();
    reading.execute("START TRANSACTION READ ONLY").await.unwrap();
    let written = reading.execute("UPDATE users SET name = 'WislawaSzymborska'").await;
    provoked.report("read-only", written, (Class::ReadOnly, Some("1792"), None, None, None));
    reading.close().await.unwrap();

    pool.execute(
        "CREATE OR REPLACE USER guest@'127.0.0.1' IDENTIFIED BY 'guest-pw' WITH MAX_USER_CONNECTIONS 1",
    )
    .await
    .unwrap();
    pool.execute("GRANT USAGE ON shop.* TO guest@'127.0.0.1'").await.unwrap();
    pool.execute("GRANT SELECT (id) ON shop.users TO guest@'127.0.0.1'").await.unwrap();
    let guest = options().username("guest").password("guest-pw");
    let mut only = MySqlConnection::connect_with(&guest).await.unwrap();
    let more = MySqlConnection::connect_with(&guest).await;
    provoked.report("too many connections", more, (Class::Connection, Some("1226"), None, None, None));
    let denied = only.execute("SELECT * FROM orders WHERE total = 90210771").await;
    provoked.report("permission denied", denied, (Class::Permission, Some("1142"), None, None, None));
    let wrong = MySqlConnection::connect_with(&options().password(VALUE)).await;
    provoked.report("wrong password", wrong, (Class::Authentication, Some("1045"), None, None, None));
    let killed = killed(&pool).await;
    // It says so, or it just hangs up.
    let said = matches!(killed, Err(sqlx::Error::Database(_))).then_some("1927");
    provoked.report("killed in a query", killed, (Class::Connection, said, None, None, None));
    provoked.system = None;
    provoked.check();
}

async fn deadlock(pool: &MySqlPool) -> sqlx::Result<()> {
    let (mut one, mut two) = (pool.begin().await?, pool.begin().await?);
    let lock = |id: i32| sqlx::query("UPDATE users SET name = ? WHERE id = ?").bind(VALUE).bind(id);
    lock(1).execute(&mut *one).await?;
    lock(2).execute(&mut *two).await?;
    let (first, second) = tokio::join!(lock(2).execute(&mut *one), lock(1).execute(&mut *two));
    first.and(second).map(drop)
}

/// The server ends the connection in the middle of a query.
async fn killed(pool: &MySqlPool) -> sqlx::Result<()> {
    let mut victim = MySqlConnection::connect_with(&options()).await?;
    let id: i64 = sqlx::query_scalar("SELECT CAST(CONNECTION_ID() AS SIGNED)").fetch_one(&mut victim).await?;
    let sleeping =
        tokio::spawn(async move { victim.execute("SELECT SLEEP(20), 'WislawaSzymborska'").await.map(drop) });
    let sleeps =
        "SELECT count(*) FROM information_schema.processlist WHERE id = ? AND info LIKE 'SELECT SLEEP%'";
    let all_sleep = async {
        while sqlx::query_scalar::<_, i64>(sleeps).bind(id).fetch_one(pool).await? == 0 {}
        pool.execute(sqlx::AssertSqlSafe(format!("KILL CONNECTION {id}"))).await
    };
    tokio::time::timeout(PATIENCE, all_sleep).await.expect("the query begins")?;
    sleeping.await.unwrap()
}
