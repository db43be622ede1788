//! Statements of a dialect that are made of pieces, chosen by bytes: for properties and for the fuzzer.
//!
//! Texts and comments hold `CANARY`, numbers hold `NUMBER`; nothing else does.

/// In every text and every comment.
pub(crate) const CANARY: &str = "zqsecretqz";
/// In every number.
pub(crate) const NUMBER: &str = "70177";

/// The dialects, by OpenTelemetry's names.
pub(crate) const DIALECTS: [&str; 3] = ["postgresql", "mysql", "sqlite"];

/// What holds no literal, in any dialect. Quotes and comment signs in names, and signs that begin something elsewhere.
const CODE: [&str; 26] = [
    "SELECT",
    "a",
    "b.c",
    "FROM orders",
    "WHERE",
    "x =",
    "AND",
    "IN (",
    ")",
    "(",
    ",",
    "VALUES",
    ";",
    "+",
    "*",
    "/",
    "<>",
    "NULL",
    "count(*)",
    "\n",
    "\r\n",
    "insert into t (a, b)",
    "größe",
    "x IS DISTINCT FROM",
    "update",
    "-",
];
const POSTGRES: [&str; 20] = [
    "\"it's\"",
    "\"a\\\"",
    "\"order\"",
    "$1",
    "a$b$c",
    "a::text",
    "arr[",
    "]",
    "#>",
    "#>>",
    "@>",
    "?|",
    "E'zqsecretqz\\' -- it'",
    "$$it's zqsecretqz$$",
    "$t$ zqsecretqz $$ ' $t$",
    "U&'zqsecretqz\\'",
    "/* it's /* zqsecretqz */ zqsecretqz */",
    "--zqsecretqz'\n",
    "E'\\\\'",
    "\"x\"\"y\"",
];
const MYSQL: [&str; 18] = [
    "`it's`",
    "`a`",
    "`a\"b`",
    "`a``b`",
    "$a$",
    "$1",
    "5--70177",
    "\"zqsecretqz\"",
    "\"it's zqsecretqz\"",
    "\"\\\" zqsecretqz\"",
    "'\\' zqsecretqz'",
    "'\\\\'",
    "# zqsecretqz's\n",
    "#zqsecretqz\n",
    "_utf8mb4'zqsecretqz'",
    "@v",
    "a <=> b",
    "/*! 'zqsecretqz' */",
];
const SQLITE: [&str; 16] = [
    "[it's]",
    "[a]",
    "`it's`",
    "\"it's zqsecretqz\"",
    "\"zqsecretqz text'\"",
    "'zqsecretqz\\'",
    "'\\'",
    "?7",
    ":name",
    "@name",
    "$name",
    "--zqsecretqz'\n",
    "x'70177a'",
    "'\\\\\\'",
    "[a.b]",
    "$name::x",
];
const LITERALS: [&str; 16] = [
    "'zqsecretqz'",
    "'it''s zqsecretqz'",
    "''''",
    "''",
    "'-- zqsecretqz'",
    "'/* zqsecretqz'",
    "N'zqsecretqz'",
    "x'70177'",
    "70177",
    "-70177.5e+70177",
    ".70177",
    "0x70177f",
    "'zqsecretqz\n'",
    "1e--zqsecretqz's\n",
    "/* it's zqsecretqz */",
    "-- zqsecretqz's\n",
];

/// A dialect and a statement in it; cut off at the end when the bytes say so.
pub(crate) fn statement(bytes: &[u8]) -> (usize, String) {
    let (dialect, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let (cut, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let which = usize::from(*dialect) % DIALECTS.len();
    let own: &[&str] = [POSTGRES.as_slice(), &MYSQL, &SQLITE].get(which).copied().unwrap_or_default();
    let mut statement = String::new();
    for byte in bytes.iter().take(64) {
        let of = |pieces: &[&'static str]| {
            pieces.get(usize::from(byte / 3) % pieces.len()).copied().unwrap_or_default()
        };
        let piece = match byte % 3 {
            0 => of(&CODE),
            1 => own.get(usize::from(byte / 3) % own.len()).copied().unwrap_or_default(),
            _ => of(&LITERALS),
        };
        // `--` is a comment in MySQL only before a space, and there it is an operator.
        let piece = if which == 1 && piece.starts_with("1e--") { "70177 - -70177" } else { piece };
        statement.push_str(piece);
        statement.push(' ');
    }
    if cut % 4 == 1 {
        let length = usize::from(*cut) * statement.len() / 255;
        statement.truncate(statement.floor_char_boundary(length));
    }
    (which, statement)
}
