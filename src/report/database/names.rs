//! Names of the schema in the messages of servers, where a driver has no field for them.
//!
//! A message may quote a row's value, so a name is taken only from a place where the server puts nothing else, and
//! only if it looks like one. Everything else of a message is left behind.

use crate::record::DatabaseFailure;

/// As long as names are: PostgreSQL's have 63 bytes, MySQL's 64 characters, and with a schema before them twice that.
const MAX_NAME: usize = 128;

/// The text if it is a name: letters, digits, `_`, `$`, `-`, and a dot between two.
pub(super) fn name(text: &str) -> Option<&str> {
    let begins = |part: &str| part.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    let is_part = |part: &str| {
        begins(part) && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-'))
    };
    (text.len() <= MAX_NAME && text.split('.').all(is_part)).then_some(text)
}

pub(super) fn owned(text: Option<&str>) -> Option<String> {
    text.and_then(name).map(str::to_owned)
}

/// The column of PostgreSQL's `null value in column "email" of relation "users" ..`: the name in quotes that is not
/// the table's, in whatever language and quotes, if there are just these two.
pub(super) fn column_beside(message: &str, table: &str) -> Option<String> {
    const QUOTES: [char; 14] = ['"', '\'', '«', '»', '„', '“', '”', '‘', '’', '‚', '「', '」', '『', '』'];
    let quoted = |(at, piece): (usize, &'_ str)| (at % 2 == 1).then(|| piece.trim().to_owned());
    let mut names: Vec<_> = message.split(QUOTES).enumerate().filter_map(quoted).collect();
    let at = names.iter().position(|quoted| quoted == table)?;
    names.remove(at);
    match names.as_slice() {
        [column] if !column.contains('.') => owned(Some(column)),
        _ => None,
    }
}

/// What a message of MySQL or MariaDB names.
pub(super) fn of_mysql(failure: &mut DatabaseFailure, number: u16, message: &str) {
    match number {
        // The value comes before the key, and may hold anything.
        1062 | 1586 => {
            let key = message.rsplit_once(" for key '").and_then(|(_, key)| key.strip_suffix('\''));
            set_constraint(failure, key);
        }
        // `shop`.`orders`, CONSTRAINT `fk` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
        1451 | 1452 => {
            failure.table =
                owned(between(message, "(`", "`, CONSTRAINT").map(|both| both.replace('`', "")).as_deref());
            failure.constraint = owned(between(message, "CONSTRAINT `", "`"));
            failure.column = owned(between(message, "FOREIGN KEY (`", "`"));
        }
        // CONSTRAINT `positive` failed for `shop`.`orders`
        4025 => {
            failure.constraint = owned(between(message, "CONSTRAINT `", "`"));
            let table = message.rsplit_once(" for `").and_then(|(_, table)| table.strip_suffix('`'));
            failure.table = owned(table.map(|both| both.replace('`', "")).as_deref());
        }
        3819 => failure.constraint = owned(only_quoted(message)),
        1048 | 1364 => failure.column = owned(only_quoted(message)),
        // The statement has it, too.
        1146 => failure.table = owned(between(message, "Table '", "' doesn't exist")),
        1050 => failure.table = owned(between(message, "Table '", "' already exists")),
        1051 => failure.table = owned(only_quoted(message)),
        // A column that does not exist (1054) may be a text in double quotes.
        _ => {}
    }
}

/// What a message of SQLite names; it is always English.
pub(super) fn of_sqlite(failure: &mut DatabaseFailure, message: &str) {
    let after = |begin: &str| message.strip_prefix(begin);
    if let Some(columns) = after("UNIQUE constraint failed: ").or(after("NOT NULL constraint failed: ")) {
        // `users.email`, `users.email, users.shop`, `index 'by_lower_email'`
        let first = columns.split(", ").next().and_then(name);
        if let Some((table, column)) = first.and_then(|both| both.rsplit_once('.')) {
            failure.table = Some(table.to_owned());
            failure.column = (!columns.contains(',')).then(|| column.to_owned());
        }
        failure.constraint =
            owned(columns.strip_prefix("index '").and_then(|index| index.strip_suffix('\'')));
    } else if let Some(constraint) = after("CHECK constraint failed: ") {
        // Without a name it is the condition.
        failure.constraint = owned(Some(constraint));
    } else if let Some(table) = after("no such table: ") {
        failure.table = owned(Some(table));
    }
    // A column that does not exist may be a text in double quotes.
}

/// What a message of PostgreSQL names that a driver has no field for.
pub(super) fn of_postgres(failure: &mut DatabaseFailure, code: &str, message: &str) {
    if code == "23502" && failure.column.is_none() {
        failure.column = failure.table.as_deref().and_then(|table| column_beside(message, table));
    }
    // undefined_table
    if code == "42P01" && failure.table.is_none() {
        failure.table = owned(only_quoted(message));
    }
}

/// A key of MySQL 8.0.19 and later has its table before it: `users.email`.
fn set_constraint(failure: &mut DatabaseFailure, key: Option<&str>) {
    let Some(key) = key.and_then(name) else { return };
    match key.rsplit_once('.') {
        Some((table, key)) => {
            failure.table = Some(table.to_owned());
            failure.constraint = Some(key.to_owned());
        }
        None => failure.constraint = Some(key.to_owned()),
    }
}

/// What stands between the first `begin` and the next `end`.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

/// The quoted text of a message that quotes just one.
fn only_quoted(message: &str) -> Option<&str> {
    let quote = message.chars().find(|c| matches!(c, '"' | '\'' | '«' | '»' | '„' | '“'))?;
    let (open, close): (&[char], &[char]) = match quote {
        '"' => (&['"'], &['"']),
        '\'' => (&['\''], &['\'']),
        _ => (&['«', '»', '„', '“'], &['«', '»', '“', '”']),
    };
    let (_, rest) = message.split_once(open)?;
    let (inside, rest) = rest.split_once(close)?;
    (!rest.contains(open)).then(|| inside.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::DatabaseClass;

    fn failure() -> DatabaseFailure {
        DatabaseFailure::new("test", DatabaseClass::Other)
    }

    fn of_mysql_message(number: u16, message: &str) -> [Option<String>; 3] {
        let mut failure = failure();
        of_mysql(&mut failure, number, message);
        [failure.constraint, failure.table, failure.column]
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_name_is_a_name_and_a_value_mostly_is_not() {
        for good in ["users", "users_email_key", "shop.users", "größe", "_a$1", "fk-1"] {
            assert_eq!(name(good), Some(good));
        }
        for bad in ["", "a b", "1", "ada@example.org", "a'b", "a..b", ".", "x=1", "a\nb", &"x".repeat(129)] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_key_of_mysql_is_found_behind_any_value() {
        for value in ["ada", "o'brien", "x' for key 'secret", "", "' for key '", "for key 'a'"] {
            let message = format!("Duplicate entry '{value}' for key 'users.email'");
            assert_eq!(of_mysql_message(1062, &message), [some("email"), some("users"), None], "{value}");
        }
        assert_eq!(of_mysql_message(1062, "Duplicate entry 'a' for key 'email'")[0], some("email"));
        for odd in ["Duplicate entry 'x' for key 'cut of", "Doppelter Eintrag 'x' für Schlüssel 'email'", ""]
        {
            assert_eq!(of_mysql_message(1062, odd), [None, None, None], "{odd}");
        }
    }

    #[test]
    fn the_other_names_of_mysql() {
        let foreign = "Cannot add or update a child row: a foreign key constraint fails (`shop`.`orders`, CONSTRAINT \
                       `fk_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`))";
        assert_eq!(of_mysql_message(1452, foreign), [some("fk_user"), some("shop.orders"), some("user_id")]);
        let check = "CONSTRAINT `positive` failed for `shop`.`orders`";
        assert_eq!(of_mysql_message(4025, check), [some("positive"), some("shop.orders"), None]);
        assert_eq!(of_mysql_message(1048, "Column 'email' cannot be null"), [None, None, some("email")]);
        assert_eq!(
            of_mysql_message(1146, "Table 'shop.nope' doesn't exist"),
            [None, some("shop.nope"), None]
        );
        // Under ANSI_QUOTES a text in double quotes is a column that is missing.
        assert_eq!(of_mysql_message(1054, "Unknown column 'ada' in 'where clause'"), [None, None, None]);
        assert_eq!(
            of_mysql_message(1366, "Incorrect integer value: 'secret' for column 'a'"),
            [None, None, None]
        );
    }

    #[test]
    fn the_column_of_postgres_is_found_in_every_language() {
        for message in [
            "null value in column \"email\" of relation \"users\" violates not-null constraint",
            "NULL-Wert in Spalte »email« von Relation »users« verletzt Not-Null-Constraint",
            "une valeur NULL viole la contrainte NOT NULL de la colonne « email » dans la relation « users »",
            "リレーション\"users\"の列\"email\"のNULL値が非NULL制約に違反しています",
            "значение NULL в столбце \"email\" отношения \"users\" нарушает ограничение NOT NULL",
        ] {
            assert_eq!(column_beside(message, "users"), some("email"), "{message}");
        }
        for odd in ["\"a\" \"b\" \"users\"", "\"users\"", "", "\"users\" \"an e-mail of ada\"", "\"users"] {
            assert_eq!(column_beside(odd, "users"), None, "{odd}");
        }
    }

    #[test]
    fn a_table_that_is_missing_is_named_by_postgres_in_every_language() {
        for message in [
            "relation \"ordres\" does not exist",
            "Relation »ordres« existiert nicht",
            "la relation « ordres » n'existe pas",
        ] {
            let mut failure = failure();
            of_postgres(&mut failure, "42P01", message);
            assert_eq!(failure.table, some("ordres"), "{message}");
        }
    }

    #[test]
    fn the_names_of_sqlite() {
        let of = |message: &str| {
            let mut failure = failure();
            of_sqlite(&mut failure, message);
            [failure.constraint, failure.table, failure.column]
        };
        assert_eq!(of("UNIQUE constraint failed: users.email"), [None, some("users"), some("email")]);
        assert_eq!(of("UNIQUE constraint failed: users.email, users.shop"), [None, some("users"), None]);
        assert_eq!(of("UNIQUE constraint failed: index 'by_email'"), [some("by_email"), None, None]);
        assert_eq!(of("CHECK constraint failed: positive"), [some("positive"), None, None]);
        assert_eq!(of("CHECK constraint failed: price > 0"), [None, None, None]);
        assert_eq!(of("no such table: ordres"), [None, some("ordres"), None]);
        assert_eq!(of("no such column: ada"), [None, None, None]);
    }
}
