//! SQLite in this process, through both lines of sqlx, diesel and SeaORM.

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, RunQueryDsl as _};
use faultwire::report::DatabaseClass as Class;
use sea_orm::ConnectionTrait as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use super::{NUMBER, Provoked, VALUE};

const SCHEMA: &str = "
    PRAGMA foreign_keys = ON;
    CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE, name text, UNIQUE (name, email));
    CREATE TABLE orders (id int PRIMARY KEY, owner int REFERENCES users, total int, CONSTRAINT positive CHECK (total > 0),
        CHECK (total <> 90210771));
    INSERT INTO users VALUES (1, 'WislawaSzymborska', 'WislawaSzymborska');
    INSERT INTO orders VALUES (1, 1, 7);";

async fn connection() -> SqliteConnection {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    connection.execute(SCHEMA).await.unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sqlite_refuses_is_told_by_its_class_and_names_through_sqlx() {
    let mut provoked = Provoked::through("sqlite");
    let mut db = connection().await;

    let unique = sqlx::query("INSERT INTO users VALUES (3, ?, '')").bind(VALUE).execute(&mut db).await;
    provoked.report(
        "unique",
        unique,
        (Class::UniqueViolation, Some("2067"), None, Some("users"), Some("email")),
    );
    let key = sqlx::query("INSERT INTO users VALUES (1, ?, '')").bind(VALUE.repeat(2)).execute(&mut db).await;
    provoked.report(
        "primary key",
        key,
        (Class::UniqueViolation, Some("1555"), None, Some("users"), Some("id")),
    );
    let foreign = sqlx::query("INSERT INTO orders VALUES (3, ?, 1)").bind(NUMBER).execute(&mut db).await;
    provoked.report("foreign key", foreign, (Class::ForeignKeyViolation, Some("787"), None, None, None));
    let check = sqlx::query("INSERT INTO orders VALUES (3, 1, ?)").bind(-NUMBER).execute(&mut db).await;
    provoked.report("check", check, (Class::CheckViolation, Some("275"), Some("positive"), None, None));
    let condition = sqlx::query("INSERT INTO orders VALUES (3, 1, ?)").bind(NUMBER).execute(&mut db).await;
    provoked.report(
        "check without a name",
        condition,
        (Class::CheckViolation, Some("275"), None, None, None),
    );
    let null = sqlx::query("INSERT INTO users VALUES (3, NULL, ?)").bind(VALUE).execute(&mut db).await;
    provoked.report(
        "not null",
        null,
        (Class::NotNullViolation, Some("1299"), None, Some("users"), Some("email")),
    );
    let syntax = db.execute("SELECT * FORM users WHERE name = 'WislawaSzymborska'").await;
    provoked.report("syntax", syntax, (Class::Syntax, Some("1"), None, None, None));
    let open = db.execute("SELECT 'WislawaSzymborska").await;
    provoked.report("an open text", open, (Class::Syntax, Some("1"), None, None, None));
    let table = db.execute("SELECT * FROM ordres WHERE name = 'WislawaSzymborska'").await;
    provoked.report("no such table", table, (Class::Schema, Some("1"), None, Some("ordres"), None));
    let column = db.execute("SELECT WislawaSzymborska FROM users").await;
    provoked.report("no such column", column, (Class::Schema, Some("1"), None, None, None));
    let decode = sqlx::query_scalar::<_, i32>("SELECT name FROM users").fetch_one(&mut db).await;
    provoked.report("decode", decode, (Class::Decode, None, None, None, None));
    let none = sqlx::query("SELECT 1 FROM users WHERE id = ?").bind(NUMBER).fetch_one(&mut db).await;
    provoked.report("no row", none, (Class::NotFound, None, None, None, None));
    let missing = SqliteConnection::connect("sqlite:///nowhere/WislawaSzymborska.db").await;
    provoked.report("no such file", missing, (Class::Connection, Some("14"), None, None, None));

    let file = std::env::temp_dir().join(format!("faultwire-{}.db", sentry::types::random_uuid()));
    let shared = SqliteConnectOptions::new().filename(&file).busy_timeout(std::time::Duration::ZERO);
    let mut one = SqliteConnection::connect_with(&shared.clone().create_if_missing(true)).await.unwrap();
    one.execute(
        "CREATE TABLE users (name text); BEGIN IMMEDIATE; INSERT INTO users VALUES ('WislawaSzymborska')",
    )
    .await
    .unwrap();
    let mut two = SqliteConnection::connect_with(&shared).await.unwrap();
    let busy = two.execute("INSERT INTO users VALUES ('WislawaSzymborska')").await;
    provoked.report("locked", busy, (Class::Timeout, Some("5"), None, None, None));
    one.execute("COMMIT").await.unwrap();
    let mut reading = SqliteConnection::connect_with(&shared.read_only(true)).await.unwrap();
    let written = reading.execute("DELETE FROM users WHERE name = 'WislawaSzymborska'").await;
    provoked.report("read-only", written, (Class::ReadOnly, Some("8"), None, None, None));
    let small =
        SqlitePoolOptions::new().max_connections(1).acquire_timeout(std::time::Duration::from_secs(1));
    let small = small.connect("sqlite::memory:").await.unwrap();
    let taken = small.acquire().await.unwrap();
    provoked.report("pool timeout", small.acquire().await, (Class::PoolTimeout, None, None, None, None));
    drop(taken);
    std::fs::remove_file(file).unwrap();

    let broken = "INSERT INTO users VALUES (9, 'WislawaSzymborska', '')";
    let migration =
        Migration::new(7, "users".into(), MigrationType::Simple, sqlx::SqlStr::from_static(broken), false);
    let migrated = Migrator::with_migrations(vec![migration]).run(&mut db).await;
    provoked.report(
        "migration",
        migrated,
        (Class::Migration, Some("2067"), None, Some("users"), Some("email")),
    );
    provoked.system = None;
    provoked.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_previous_line_of_sqlx_is_recognised_beside_the_current_one() {
    use sqlx_0_8::{Connection as _, Executor as _};

    let mut provoked = Provoked::through("sqlite");
    let mut db = sqlx_0_8::SqliteConnection::connect("sqlite::memory:").await.unwrap();
    db.execute(SCHEMA).await.unwrap();
    let unique = sqlx_0_8::query("INSERT INTO users VALUES (3, ?, '')").bind(VALUE).execute(&mut db).await;
    provoked.report(
        "unique",
        unique,
        (Class::UniqueViolation, Some("2067"), None, Some("users"), Some("email")),
    );
    let table = db.execute("SELECT * FROM ordres WHERE name = 'WislawaSzymborska'").await;
    provoked.report("no such table", table, (Class::Schema, Some("1"), None, Some("ordres"), None));
    let timeout = Err::<(), _>(sqlx_0_8::Error::PoolTimedOut);
    provoked.report("pool timeout", timeout, (Class::PoolTimeout, None, None, None, None));
    provoked.system = None;
    provoked.check();
}

#[test]
fn what_sqlite_refuses_is_told_by_its_class_and_names_through_diesel() {
    let mut provoked = Provoked::through(None);
    let mut db = diesel::SqliteConnection::establish(":memory:").unwrap();
    db.batch_execute(SCHEMA).unwrap();

    let insert = |text: &str| diesel::sql_query(text.to_owned()).bind::<diesel::sql_types::Text, _>(VALUE);
    let unique = insert("INSERT INTO users VALUES (3, ?, '')").execute(&mut db);
    provoked.report("unique", unique, (Class::UniqueViolation, None, None, Some("users"), Some("email")));
    let null = insert("INSERT INTO users VALUES (3, NULL, ?)").execute(&mut db);
    provoked.report("not null", null, (Class::NotNullViolation, None, None, Some("users"), Some("email")));
    let foreign = db.batch_execute("INSERT INTO orders VALUES (90210771, 77, 1)");
    provoked.report("foreign key", foreign, (Class::ForeignKeyViolation, None, None, None, None));
    let check = db.batch_execute("INSERT INTO orders VALUES (3, 1, -90210771)");
    provoked.report("check", check, (Class::CheckViolation, None, Some("positive"), None, None));
    let syntax = db.batch_execute("SELECT * FORM users WHERE name = 'WislawaSzymborska'");
    provoked.report("syntax", syntax, (Class::Syntax, None, None, None, None));
    let table = db.batch_execute("SELECT * FROM ordres WHERE name = 'WislawaSzymborska'");
    provoked.report("no such table", table, (Class::Schema, None, None, Some("ordres"), None));
    let name = diesel::dsl::sql::<diesel::sql_types::Text>("SELECT name FROM users WHERE id = 90210771");
    provoked.report("no row", name.get_result::<String>(&mut db), (Class::NotFound, None, None, None, None));
    let missing = diesel::SqliteConnection::establish("/nowhere/WislawaSzymborska.db");
    provoked.report("no such file", missing, (Class::Connection, None, None, None, None));
    provoked.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sqlite_refuses_is_told_by_its_class_and_names_through_seaorm() {
    let mut provoked = Provoked::through(None);
    let mut options = sea_orm::ConnectOptions::new("sqlite::memory:");
    options.max_connections(1).acquire_timeout(std::time::Duration::from_secs(1));
    let db = sea_orm::Database::connect(options).await.unwrap();
    db.execute_unprepared(SCHEMA).await.unwrap();

    let unique = db.execute_unprepared("INSERT INTO users VALUES (3, 'WislawaSzymborska', '')").await;
    provoked.report(
        "unique",
        unique,
        (Class::UniqueViolation, Some("2067"), None, Some("users"), Some("email")),
    );
    let foreign = db.execute_unprepared("INSERT INTO orders VALUES (90210771, 77, 1)").await;
    provoked.report("foreign key", foreign, (Class::ForeignKeyViolation, Some("787"), None, None, None));
    let check = db.execute_unprepared("INSERT INTO orders VALUES (3, 1, -90210771)").await;
    provoked.report("check", check, (Class::CheckViolation, Some("275"), Some("positive"), None, None));
    let table = db.execute_unprepared("SELECT * FROM ordres WHERE name = 'WislawaSzymborska'").await;
    provoked.report("no such table", table, (Class::Schema, Some("1"), None, Some("ordres"), None));
    let select = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "SELECT name FROM users");
    let row = db.query_one_raw(select).await.unwrap().unwrap();
    provoked.report(
        "decode",
        row.try_get::<i32>("", "name"),
        (Class::Decode, None, None, None, Some("name")),
    );
    let missing = sea_orm::Database::connect("sqlite:///nowhere/WislawaSzymborska.db").await;
    provoked.report("no such file", missing, (Class::Connection, Some("14"), None, None, None));
    provoked.check();
}
