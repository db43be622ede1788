//! What the codes of servers mean. Codes are the same in every language a server speaks; its texts are not.

use crate::record::DatabaseClass;

use DatabaseClass::{
    Authentication, CheckViolation, Connection, Data, Deadlock, ExclusionViolation, ForeignKeyViolation,
    NotNullViolation, Other, Permission, ReadOnly, Resources, Schema, Serialization, Syntax, Timeout,
    UniqueViolation,
};

/// What a code says: the class, and whether the same may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) class: DatabaseClass,
    pub(super) retryable: bool,
}

pub(super) const fn means(class: DatabaseClass) -> Meaning {
    Meaning { class, retryable: class.is_retryable() }
}

/// Somebody else holds the lock.
const LOCKED: Meaning = Meaning { class: Timeout, retryable: true };

/// A SQLSTATE, as PostgreSQL uses it (its appendix A) and others nearly so.
pub(super) fn of_sqlstate(code: &str) -> Meaning {
    let whole = match code {
        "40P01" => Deadlock,
        "40001" => Serialization,
        "55P03" => return LOCKED,
        // query_canceled (statement_timeout), idle in transaction for too long, transaction_timeout
        "57014" | "25P03" | "25P04" => Timeout,
        "25006" => ReadOnly,
        "23505" => UniqueViolation,
        "23503" | "23001" => ForeignKeyViolation,
        "23514" | "44000" => CheckViolation,
        "23502" => NotNullViolation,
        "23P01" => ExclusionViolation,
        // too_many_connections, and the server's ends and starts
        "53300" | "57P01" | "57P02" | "57P03" | "57P04" | "57P05" => Connection,
        "42501" => Permission,
        // undefined or duplicate: table, column, function, object, parameter, database, schema, ..; ambiguous column
        "42P01" | "42703" | "42883" | "42704" | "42P02" | "42P07" | "42701" | "42702" | "42710" | "42P06"
        | "42723" | "42P04" | "42725" | "42804" | "3D000" | "3F000" => Schema,
        // A prepared statement that is there already, or is not: of another client, behind a pooler.
        "42P05" | "26000" => Schema,
        // The files are damaged. Others of this class are what extensions raise without a code of their own.
        "XX001" | "XX002" => Resources,
        _ => return of_sqlstate_class(code),
    };
    means(whole)
}

/// The first two characters of a SQLSTATE.
fn of_sqlstate_class(code: &str) -> Meaning {
    means(match code.get(..2) {
        Some("08") => Connection,
        Some("22") => Data,
        Some("28") => Authentication,
        Some("40") => Serialization,
        // MySQL: a table, a column, an index.
        Some("42") if code.starts_with("42S") => Schema,
        Some("42") => Syntax,
        Some("53" | "58") => Resources,
        _ => Other,
    })
}

/// An error number of MySQL or MariaDB; what is not known by number is known by its SQLSTATE.
pub(super) fn of_mysql(number: u16, sqlstate: Option<&str>) -> Meaning {
    means(match number {
        1022 | 1062 | 1169 | 1586 | 1761 | 1762 | 1859 => UniqueViolation,
        1216 | 1217 | 1451 | 1452 => ForeignKeyViolation,
        1048 | 1364 => NotNullViolation,
        3819 => CheckViolation,
        // MariaDB's; MySQL's 4025 is another one.
        4025 if sqlstate == Some("23000") => CheckViolation,
        1213 => Deadlock,
        // MariaDB: the row changed since the transaction began to read.
        1020 => Serialization,
        1205 | 3572 => return LOCKED,
        // max_execution_time, MariaDB's max_statement_time, KILL QUERY
        1317 | 1969 | 3024 => Timeout,
        // Too many connections, of a user or in all; shutting down; network; blocked; killed.
        1040 | 1053 | 1129 | 1152 | 1158..=1161 | 1184 | 1203 | 1226 | 1927 | 2002..=2006 | 2013 | 4031 => {
            Connection
        }
        1045 | 1130 | 1698 => Authentication,
        1044 | 1142 | 1143 | 1227 | 1370 => Permission,
        1064 | 1065 | 1149 => Syntax,
        1007 | 1049..=1052 | 1054 | 1060 | 1061 | 1072 | 1091 | 1146 | 1305 => Schema,
        1264..=1266 | 1292 | 1365 | 1366 | 1406 | 1690 => Data,
        1290 | 1792 | 1836 => ReadOnly,
        1021 | 1037 | 1038 | 1041 | 1114 | 1135 => Resources,
        _ => return sqlstate.map_or(means(Other), of_sqlstate),
    })
}

/// An (extended) result code of SQLite, and its text, which is always English: the code of all that is wrong with a
/// statement is 1.
pub(super) fn of_sqlite(code: i32, message: &str) -> Meaning {
    let whole = match code {
        1555 | 2067 | 2579 => UniqueViolation,
        787 => ForeignKeyViolation,
        // Or what a trigger raised, for there is no other way to say more than a constraint can.
        275 | 1811 => CheckViolation,
        1299 => NotNullViolation,
        3091 => Data,
        // SQLITE_BUSY_SNAPSHOT: what was read is no longer true.
        517 => Serialization,
        1 => return of_english(message),
        _ => return of_primary(code & 0xff),
    };
    means(whole)
}

fn of_primary(code: i32) -> Meaning {
    means(match code {
        // Busy, locked, a race for the lock of the log.
        5 | 6 | 15 => return LOCKED,
        // The statement was prepared before the schema changed.
        17 => return Meaning { class: Schema, retryable: true },
        9 => Timeout,
        3 | 23 => Permission,
        7 | 10 | 11 | 13 | 26 => Resources,
        8 => ReadOnly,
        14 => Connection,
        18 | 20 => Data,
        _ => Other,
    })
}

/// Texts of servers and their clients, for drivers that give no code; `…` stands for anything. They are whole as far as
/// they go: what an application raises itself is taken for none of them. What is said in another language is `Other`.
const TEXTS: [(&str, Meaning); 40] = [
    ("no such table: …", means(Schema)),
    ("no such column: …", means(Schema)),
    ("no such function: …", means(Schema)),
    ("no such index: …", means(Schema)),
    ("no such view: …", means(Schema)),
    ("no such module: …", means(Schema)),
    ("no such trigger: …", means(Schema)),
    ("no such collation sequence: …", means(Schema)),
    ("ambiguous column name: …", means(Schema)),
    ("duplicate column name: …", means(Schema)),
    ("table … already exists", means(Schema)),
    ("table … has no column named …", means(Schema)),
    ("table … has … columns but … values were supplied", means(Schema)),
    ("relation \"…\" does not exist", means(Schema)),
    ("relation \"…\" already exists", means(Schema)),
    ("column \"…\" does not exist", means(Schema)),
    ("near \"…\": syntax error", means(Syntax)),
    ("unrecognized token: …", means(Syntax)),
    ("incomplete input", means(Syntax)),
    ("syntax error at …", means(Syntax)),
    ("You have an error in your SQL syntax…", means(Syntax)),
    ("database is locked", LOCKED),
    ("database table is locked…", LOCKED),
    ("Lock wait timeout exceeded…", LOCKED),
    ("canceling statement due to lock timeout", LOCKED),
    ("canceling statement due to …", means(Timeout)),
    ("deadlock detected", means(Deadlock)),
    ("Deadlock found …", means(Deadlock)),
    ("attempt to write a readonly database", means(ReadOnly)),
    ("permission denied for …", means(Permission)),
    ("Too many connections", means(Connection)),
    ("MySQL server has gone away", means(Connection)),
    ("Server has gone away", means(Connection)),
    ("Lost connection to …", means(Connection)),
    ("no connection to the server", means(Connection)),
    ("server closed the connection unexpectedly…", means(Connection)),
    ("terminating connection due to …", means(Connection)),
    ("the database system is …", means(Connection)),
    ("sorry, too many clients already", means(Connection)),
    ("remaining connection slots are reserved …", means(Connection)),
];

pub(super) fn of_english(message: &str) -> Meaning {
    TEXTS.iter().find(|(text, _)| fits(message, text)).map_or(means(Other), |(_, meaning)| *meaning)
}

/// Whether the message is this text, in which `…` stands for anything.
pub(super) fn fits(message: &str, text: &str) -> bool {
    let message = message.trim_end();
    let mut pieces = text.split('…');
    let Some(mut rest) = pieces.next().and_then(|begin| message.strip_prefix(begin)) else { return false };
    let Some(end) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(end)
}

/// The prefix of an error of Redis; `detail` is what follows it, always English.
pub(super) fn of_redis(code: &str, detail: &str) -> Meaning {
    let starts = |begins: &[&str]| begins.iter().any(|begin| detail.starts_with(begin));
    means(match code {
        "LOADING" | "CLUSTERDOWN" | "MASTERDOWN" | "NOREPLICAS" | "TRYAGAIN" | "MOVED" | "ASK" => Connection,
        "NOAUTH" | "WRONGPASS" => Authentication,
        "NOPERM" => Permission,
        "READONLY" => ReadOnly,
        "OOM" | "MISCONF" => Resources,
        "BUSY" => Timeout,
        "WRONGTYPE" | "NOSCRIPT" | "NOGROUP" => Schema,
        "CROSSSLOT" => Syntax,
        "ERR" if starts(&["max number of clients"]) => Connection,
        "ERR" if starts(&["unknown command", "unknown subcommand", "wrong number of", "syntax error"]) => {
            Syntax
        }
        "ERR" if detail.starts_with("value is") || detail.contains("out of range") => Data,
        _ => Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlstate_that_nobody_knows_has_the_meaning_of_its_class() {
        assert_eq!(of_sqlstate("22P02").class, Data);
        assert_eq!(of_sqlstate("42601").class, Syntax);
        assert_eq!(of_sqlstate("28P01").class, Authentication);
        for code in ["", "4", "99999", "é0001", "P0001"] {
            assert_eq!(of_sqlstate(code).class, Other, "{code}");
        }
    }

    #[test]
    fn a_lock_that_is_held_is_worth_another_try_and_a_timeout_is_not() {
        let retryable = |meaning: Meaning| (meaning.class == Timeout, meaning.retryable) == (true, true);
        assert!(retryable(of_sqlstate("55P03")) && retryable(of_mysql(1205, None)));
        assert!(retryable(of_sqlite(5, "")) && retryable(of_sqlite(261, "")) && retryable(of_sqlite(6, "")));
        assert_eq!(of_sqlstate("57014"), Meaning { class: Timeout, retryable: false });
        assert_eq!(of_mysql(3024, None), Meaning { class: Timeout, retryable: false });
    }

    #[test]
    fn the_number_wins_over_the_sqlstate_of_mysql() {
        assert_eq!(of_mysql(1213, Some("40001")).class, Deadlock);
        assert_eq!(of_mysql(4025, Some("23000")).class, CheckViolation);
        assert_eq!(of_mysql(4025, Some("HY000")).class, Other);
        assert_eq!(of_mysql(9999, Some("22003")).class, Data);
        assert_eq!(of_mysql(9999, None).class, Other);
    }

    #[test]
    fn what_an_extension_or_a_pooler_says_is_no_outage() {
        assert_eq!((of_sqlstate("XX000").class, of_sqlstate("XX001").class), (Other, Resources));
        // A prepared statement that another client of the pooler has, or that this one has not.
        assert_eq!((of_sqlstate("42P05").class, of_sqlstate("26000").class), (Schema, Schema));
        assert_eq!(
            (of_mysql(9999, Some("42S22")).class, of_mysql(1761, None).class),
            (Schema, UniqueViolation)
        );
        assert_eq!(of_mysql(1762, Some("23000")).class, UniqueViolation);
    }

    #[test]
    fn sqlite_says_what_may_be_tried_again() {
        assert_eq!(of_sqlite(15, "locking protocol"), LOCKED);
        assert_eq!(of_sqlite(17, "database schema has changed"), Meaning { class: Schema, retryable: true });
        assert_eq!(of_sqlite(1811, "no such product").class, CheckViolation);
    }

    #[test]
    fn what_sqlite_has_no_code_for_it_says_in_english() {
        assert_eq!(of_sqlite(1, "no such table: orders").class, Schema);
        assert_eq!(of_sqlite(1, "near \"FORM\": syntax error").class, Syntax);
        assert_eq!(of_sqlite(1, "something else").class, Other);
        assert_eq!((of_sqlite(2067, "").class, of_sqlite(14, "").class), (UniqueViolation, Connection));
    }
}
