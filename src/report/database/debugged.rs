//! What `Debug` shows of a driver's error, without what it quotes of rows: that is what `unwrap`, `expect` and sqlx's
//! `Row::get` put into a panic, and some wrappers into their text.
//!
//! Nothing but the text is there, so it ends where the first value may stand. What comes before is kept: the kind of the
//! error, its code, the column.

/// How an error begins, and what stands before the first value in it.
const ERRORS: [(&str, &str); 16] = [
    ("PgDatabaseError {", "message: "),
    ("MySqlDatabaseError {", "message: "),
    ("SqliteError {", "message: "),
    // tokio-postgres
    ("DbError {", "message: "),
    ("kind: FromSql", "cause: "),
    ("kind: ToSql", "cause: "),
    // diesel: the kind stands before the comma.
    ("DatabaseError(", ","),
    ("DeserializationError(", ""),
    ("SerializationError(", ""),
    // sqlx: what a type's own decoder said, for instance `invalid value "..." for enum Mood`
    ("ColumnDecode {", "source: "),
    ("Decode(", ""),
    ("Encode(", ""),
    // redis
    ("ParsingError {", "description: "),
    ("ServerError(", "detail: "),
    // SeaORM
    (": Type(\"", ""),
    (": Json(\"", ""),
];

/// What redis says before it quotes a value that it did not expect.
const UNEXPECTED: [&str; 3] = ["Incompatible type - ", "\" (value was ", "\" (response was "];

/// The errors of a server of Redis, as `redis::ServerErrorKind` names them.
const OF_SERVER: [&str; 14] = [
    "ResponseError",
    "ExecAbort",
    "BusyLoading",
    "NoScript",
    "Moved",
    "Ask",
    "TryAgain",
    "ClusterDown",
    "CrossSlot",
    "MasterDown",
    "ReadOnly",
    "NotBusy",
    "NoSub",
    "NoPerm",
];

/// Those of its client, as `redis::ErrorKind` names them, where they have a text of their own.
const OF_CLIENT: [&str; 9] = [
    "Parse",
    "AuthenticationFailed",
    "UnexpectedReturnType",
    "InvalidClientConfig",
    "Io",
    "Client",
    "Extension",
    "Serialize",
    "ClusterConnectionNotFound",
];

/// A panic's text.
pub(crate) fn debugged(text: String) -> String {
    let end = [of_errors(&text), of_redis(&text)].into_iter().flatten().min();
    cut(text, end)
}

/// The text of an error that may print another's `Debug`, or the panic of a task.
pub(crate) fn printed(text: String) -> String {
    if text.contains("panicked") {
        return debugged(text);
    }
    // The errors of redis print themselves as everybody does.
    let end = of_errors(&text);
    cut(text, end)
}

fn cut(mut text: String, end: Option<usize>) -> String {
    if let Some(end) = end {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn of_errors(text: &str) -> Option<usize> {
    let end = |(begin, value): &(&str, &str)| {
        let (before, after) = text.split_once(begin)?;
        let kept = before.len().saturating_add(begin.len());
        Some(kept.saturating_add(after.find(value).unwrap_or_default()))
    };
    ERRORS.iter().filter_map(end).min()
}

/// Where an error of redis begins to quote; its `Debug` is its `Display`.
fn of_redis(text: &str) -> Option<usize> {
    let end = |begin: &&str| Some(text.find(begin)?.saturating_add(begin.len()));
    let unexpected = UNEXPECTED.iter().filter_map(end).min();
    // `ResponseError: ..`, `"WRONGTYPE": ..`, `no such node - Client: ..`
    let said = text.match_indices(": ").find_map(|(at, colon)| {
        let before = text.get(..at)?;
        let (before, word) = before.rsplit_once(' ').unwrap_or(("", before));
        let is_first = before.is_empty() || before.ends_with(':');
        let of_server = is_first && (OF_SERVER.contains(&word) || is_code(word));
        let of_client = before.ends_with(" -") && OF_CLIENT.contains(&word);
        (of_server || of_client).then(|| at.saturating_add(colon.len()))
    });
    [unexpected, said].into_iter().flatten().min()
}

/// A code that the client has no name for, in quotes, which a panic's text within another has escaped.
fn is_code(word: &str) -> bool {
    let inside = word.strip_prefix("\\\"").and_then(|word| word.strip_suffix("\\\""));
    let inside = inside.or_else(|| word.strip_prefix('"')?.strip_suffix('"'));
    inside.is_some_and(|code| code.len() > 1 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_unwrap_prints_of_a_drivers_error_ends_before_the_servers_message() {
        let unwrapped = "called `Result::unwrap()` on an `Err` value: ";
        for (error, shown) in [
            (
                r#"Database(PgDatabaseError { severity: Error, code: "23505", message: "secret", detail: Some("secret") })"#,
                r#"Database(PgDatabaseError { severity: Error, code: "23505", …"#,
            ),
            (
                r#"Database(MySqlDatabaseError { code: Some("23000"), number: 1062, message: "secret" })"#,
                r#"Database(MySqlDatabaseError { code: Some("23000"), number: 1062, …"#,
            ),
            (
                r#"Error { kind: Db, cause: Some(DbError { severity: "ERROR", code: SqlState(E23505), message: "secret" }) }"#,
                r#"Error { kind: Db, cause: Some(DbError { severity: "ERROR", code: SqlState(E23505), …"#,
            ),
            (r#"DatabaseError(UniqueViolation, "secret")"#, "DatabaseError(UniqueViolation…"),
            (
                r#"DatabaseError(Unknown, "invalid input syntax for type integer: \"secret message: x\"")"#,
                "DatabaseError(Unknown…",
            ),
            (r#"DeserializationError("secret")"#, "DeserializationError(…"),
            (r#"ColumnDecode { index: "0", source: "secret" }"#, r#"ColumnDecode { index: "0", …"#),
            (r#"Exec(SqlxError(Encode("secret")))"#, "Exec(SqlxError(Encode(…"),
            (r#"Decode(Error("invalid type: string \"secret\"", line: 1))"#, "Decode(…"),
            (r#"Type("secret")"#, "Type(\"…"),
            (r#"Error { kind: FromSql(0), cause: Some("secret") }"#, "Error { kind: FromSql(0), …"),
            (
                "Row(\n    ColumnDecode {\n        index: \"0\",\n        source: \"secret\"",
                "Row(\n    ColumnDecode {\n        index: \"0\",\n        …",
            ),
            ("DatabaseError(\n    Unknown,\n    \"secret\"", "DatabaseError(\n    Unknown…"),
            (
                "Pipeline failure: [(Index 0, error: ResponseError: secret)]",
                "Pipeline failure: [(Index 0, error: ResponseError: …",
            ),
            ("SqliteError {", "SqliteError {…"),
            ("ParseIntError { kind: InvalidDigit }", "ParseIntError { kind: InvalidDigit }"),
        ] {
            assert_eq!(debugged(format!("{unwrapped}{error}")), format!("{unwrapped}{shown}"));
        }
    }

    #[test]
    fn what_people_write_stays() {
        for text in
            ["no such order: 7", "upload: Ask: who?", "the disk is full - Io: wait", "Decode (later)", ""]
        {
            assert_eq!(printed(text.to_owned()), text);
        }
        for text in ["Ask the owner: it is closed", "called `Option::unwrap()` on a `None` value", "Io: none"]
        {
            assert_eq!(debugged(text.to_owned()), text);
        }
    }
}
