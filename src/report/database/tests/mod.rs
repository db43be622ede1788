//! No literal of a statement survives, and what is left is worth reading.
#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test")]

mod pieces;

use proptest::prelude::*;

use super::statement::{Shown, shown};
use crate::record::System;
use pieces::{CANARY, DIALECTS, NUMBER, statement};

const SYSTEMS: [Option<System>; 4] =
    [Some(System::PostgreSql), Some(System::MySql), Some(System::Sqlite), None];

fn named(name: &str) -> Option<System> {
    SYSTEMS.into_iter().flatten().find(|system| system.as_str() == name)
}

#[track_caller]
fn assert_shown(system: Option<System>, cases: &[(&str, &str, &str)]) {
    for (statement, text, summary) in cases {
        let expected = Shown { text: (*text).to_owned(), summary: (*summary).to_owned() };
        assert_eq!(shown(statement, system), expected, "{system:?}: {statement}");
    }
}

#[test]
fn literals_comments_and_long_lists_are_gone_and_the_rest_stays() {
    for system in SYSTEMS {
        assert_shown(
            system,
            &[
                ("SELECT * FROM orders WHERE id = 42", "SELECT * FROM orders WHERE id = ?", "SELECT orders"),
                ("select a from b where c in (1, 2,3)", "select a from b where c in (?)", "SELECT b"),
                (
                    "SELECT a FROM b WHERE c NOT IN (?, ?, -1, NULL)",
                    "SELECT a FROM b WHERE c NOT IN (?)",
                    "SELECT b",
                ),
                (
                    "SELECT a FROM b WHERE c IN (SELECT d FROM e)",
                    "SELECT a FROM b WHERE c IN (SELECT d FROM e)",
                    "SELECT b SELECT e",
                ),
                (
                    "INSERT INTO t(a, b) VALUES ('x', 1.5), ('o''brien', -2e3)",
                    "INSERT INTO t(a, b) VALUES (?)",
                    "INSERT t",
                ),
                (
                    "UPDATE t SET a = N'x', b = x'ff' WHERE c LIKE '%y' -- why\n AND d",
                    "UPDATE t SET a = ?, b = ? WHERE c LIKE ? AND d",
                    "UPDATE t",
                ),
                (
                    "DELETE FROM shop.t /* old */ WHERE a = NULL",
                    "DELETE FROM shop.t WHERE a = NULL",
                    "DELETE shop.t",
                ),
                (
                    "SELECT a\n\tFROM b, c JOIN d ON b.x=c.y",
                    "SELECT a FROM b, c JOIN d ON b.x=c.y",
                    "SELECT b c d",
                ),
                (
                    "SELECT EXTRACT(year FROM a) FROM f(1) WHERE a IS DISTINCT FROM b",
                    "SELECT EXTRACT(year FROM a) FROM f(?) WHERE a IS DISTINCT FROM b",
                    "SELECT",
                ),
                ("SELECT a FROM b FOR UPDATE", "SELECT a FROM b FOR UPDATE", "SELECT b"),
                ("CREATE TABLE IF NOT EXISTS t (a int)", "CREATE TABLE IF NOT EXISTS t (a int)", "CREATE t"),
                ("BEGIN", "BEGIN", "BEGIN"),
                ("hello world", "hello world", ""),
                ("", "", ""),
            ],
        );
    }
}

#[test]
fn each_dialect_keeps_its_names_and_loses_its_literals() {
    assert_shown(
        Some(System::PostgreSql),
        &[
            (
                "SELECT \"a\".\"b\" FROM \"t\" WHERE c = $1 AND d = $$x$$",
                "SELECT \"a\".\"b\" FROM \"t\" WHERE c = ? AND d = ?",
                "SELECT \"t\"",
            ),
            (
                "SELECT $q$it's$q$, E'a\\n', a::int, b->>'c' FROM t",
                "SELECT ?, ?, a::int, b->>? FROM t",
                "SELECT t",
            ),
            (
                "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 2",
                "INSERT INTO t VALUES (?) ON CONFLICT (a) DO UPDATE SET b = ?",
                "INSERT t",
            ),
            (
                "SELECT a FROM t WHERE b = ANY(ARRAY[1, 2]) /* a /* b */ c */",
                "SELECT a FROM t WHERE b = ANY(ARRAY[?])",
                "SELECT t",
            ),
            ("COPY t FROM stdin;\nada\t1\n", "COPY t FROM stdin;", "COPY t"),
            // A text that somebody put in double quotes.
            (
                "SELECT a FROM \"t\" WHERE b = \"Krakow\" AND c ILIKE \"Ada%\" AND d !~* \"x\"",
                "SELECT a FROM \"t\" WHERE b = ? AND c ILIKE ? AND d !~* ?",
                "SELECT \"t\"",
            ),
            (
                "SELECT a FROM t WHERE b IN (\"Ada\", \"Eve\") OR c BETWEEN \"a\" AND \"z\"",
                "SELECT a FROM t WHERE b IN (?) OR c BETWEEN ? AND ?",
                "SELECT t",
            ),
            (
                "INSERT INTO \"t\" (\"a\", \"b\") VALUES (\"Ada\", 1), (\"Eve\", 2)",
                "INSERT INTO \"t\" (\"a\", \"b\") VALUES (?)",
                "INSERT \"t\"",
            ),
            (
                "SELECT \"a\" FROM \"t\" JOIN \"u\" ON \"t\".\"id\" = \"u\".\"id\" WHERE lower(\"b\") <> \"Ada\"",
                "SELECT \"a\" FROM \"t\" JOIN \"u\" ON \"t\".\"id\" = \"u\".\"id\" WHERE lower(\"b\") <> ?",
                "SELECT \"t\" \"u\"",
            ),
        ],
    );
    assert_shown(
        Some(System::MySql),
        &[
            (
                "SELECT `a` FROM `shop`.`t` WHERE b = \"x\" # why\n LIMIT 5",
                "SELECT `a` FROM `shop`.`t` WHERE b = ? LIMIT ?",
                "SELECT `shop`.`t`",
            ),
            ("SELECT _utf8mb4'x', @v, a FROM t", "SELECT ?, @v, a FROM t", "SELECT t"),
        ],
    );
    assert_shown(
        Some(System::Sqlite),
        &[
            (
                "SELECT \"t\".\"a\" FROM \"t\" WHERE \"t\".\"b\" = ?1 AND c = \"ada\"",
                "SELECT \"t\".\"a\" FROM \"t\" WHERE \"t\".\"b\" = ? AND c = ?",
                "SELECT \"t\"",
            ),
            (
                "INSERT INTO \"t\" (\"a\", \"b\") VALUES (?, ?)",
                "INSERT INTO \"t\" (\"a\", \"b\") VALUES (?)",
                "INSERT \"t\"",
            ),
            ("SELECT [a b] FROM t WHERE c = :c", "SELECT [a b] FROM t WHERE c = ?", "SELECT t"),
            (
                "INSERT INTO main.\"t\" (a, \"b\") SELECT lower(\"c\"), \"d\" FROM u",
                "INSERT INTO main.\"t\" (a, \"b\") SELECT lower(?), ? FROM u",
                "INSERT main.\"t\" SELECT u",
            ),
        ],
    );
    assert_shown(
        Some(System::Redis),
        &[
            ("SET user:42 secret", "SET ?", "SET"),
            ("ft.search secret", "FT.SEARCH ?", "FT.SEARCH"),
            ("ping", "PING", "PING"),
            ("{secret}", "?", ""),
            ("HUNTERTWO", "?", ""),
            ("", "?", ""),
        ],
    );
}

#[test]
fn where_dialects_part_reading_ends() {
    for (system, statement, text) in [
        (Some(System::MySql), "SELECT 'it\\'s secret', a", "SELECT …"),
        (None, "SELECT 'it\\'s secret', a", "SELECT …"),
        (None, "SELECT a # b", "SELECT a …"),
        (None, "SELECT a --b\n, c", "SELECT a …"),
        (None, "SELECT $$secret$$", "SELECT …"),
        (None, "SELECT \"secret\" FROM t", "SELECT ? FROM t"),
        (None, "SELECT 'a' /* b /* c */ 'd", "SELECT ? …"),
        (Some(System::MySql), "SELECT 1 /*! + 'secret' */", "SELECT ? …"),
        (Some(System::PostgreSql), "SELECT a\u{a0}'secret'", "SELECT a…"),
        (None, "SELECT 'secret", "SELECT …"),
        (None, "SELECT \\ 'secret'", "SELECT …"),
        (None, "SELECT q'[it's secret]'", "SELECT …"),
    ] {
        assert_eq!(shown(statement, system).text, text, "{system:?}: {statement}");
    }
}

#[test]
fn at_most_two_kilobytes_are_shown_and_deep_brackets_are_no_trouble() {
    let long = format!("SELECT {} FROM t", vec!["column_of_some_length"; 700].join(", "));
    let text = shown(&long, None).text;
    assert!(text.len() <= 2048 && text.ends_with('…'), "{} bytes", text.len());
    let deep = format!("SELECT a FROM t WHERE b IN {}1", "(".repeat(5000));
    assert!(shown(&deep, None).text.len() <= 2048);
    let many = format!("SELECT 1 FROM {}", "a,".repeat(5000));
    assert!(shown(&many, None).summary.len() <= 255);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_literal_survives_in_its_dialect_or_in_none(bytes in prop::collection::vec(any::<u8>(), 2..40)) {
        let (dialect, statement) = statement(&bytes);
        for system in [named(DIALECTS[dialect]), None] {
            let Shown { text, summary } = shown(&statement, system);
            for left in [CANARY, NUMBER] {
                prop_assert!(!text.contains(left), "{system:?}\n{statement}\nis shown as\n{text}");
                prop_assert!(!summary.contains(left), "{system:?}\n{statement}\nis summed up as\n{summary}");
            }
        }
    }

    #[test]
    fn any_text_can_be_shown_and_is_bounded(text in "[ -~\n'\"`$\\\\é]{0,120}") {
        for system in SYSTEMS {
            let shown = shown(&text, system);
            prop_assert!(shown.text.len() <= 2048 && shown.summary.len() <= 255);
        }
    }

    #[test]
    fn what_is_shown_of_a_text_in_quotes_is_nothing(text in "[ -~\n]{0,40}") {
        // Doubled quotes are understood everywhere; what stands after a backslash is anybody's guess.
        let quoted = format!("SELECT a FROM t WHERE b = '{}'", text.replace('\'', "''"));
        for system in SYSTEMS {
            let shown = shown(&quoted, system).text;
            prop_assert!(["SELECT a FROM t WHERE b = ?", "SELECT a FROM t WHERE b = …"].contains(&&*shown), "{shown}");
        }
    }
}
