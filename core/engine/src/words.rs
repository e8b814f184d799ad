//! What kind of statement a text is, from its first word.

/// The first word of the first statement in `sql`: behind space, comments and empty statements.
pub(crate) fn first_word(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest
            .trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ';' || c == '\u{feff}');
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
        } else {
            break;
        }
    }
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    &rest[..end]
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|it| word.eq_ignore_ascii_case(it))
}

/// True where a statement that writes and begins with `word` counts the rows that it changes.
pub(crate) fn changes_rows(word: &str) -> bool {
    is_one_of(word, &["INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"])
}

/// True where a statement that writes and begins with `word` belongs into a transaction. The others
/// are about transactions themselves, or cannot be in one.
pub(crate) fn belongs_into_a_transaction(word: &str) -> bool {
    const OUTSIDE: [&str; 10] = [
        "BEGIN",
        "COMMIT",
        "END",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "VACUUM",
        "PRAGMA",
        "ATTACH",
        "DETACH",
    ];
    !is_one_of(word, &OUTSIDE)
}

/// A guess that spares a statement a second try; being wrong costs only time.
pub(crate) fn writes(sql: &str) -> bool {
    const WRITING: [&str; 9] =
        ["INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER", "VACUUM", "REINDEX"];
    is_one_of(first_word(sql), &WRITING)
}

/// True where `sql` does no more than open a transaction that has read nothing yet. Any other text,
/// one that is only compiled too, may tell of the schema.
pub(crate) fn only_begins(sql: &str) -> bool {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    is_one_of(sql, &["BEGIN", "BEGIN TRANSACTION", "BEGIN DEFERRED", "BEGIN DEFERRED TRANSACTION"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_stands_behind_space_and_comments() {
        for (sql, word) in [
            ("", ""),
            ("SELECT 1", "SELECT"),
            (" \n\t; -- INSERT\n /* UPDATE */ delete/**/ FROM t", "delete"),
            ("-- nothing", ""),
            ("/* open", ""),
            ("'text'", ""),
            ("ROLLBACK;", "ROLLBACK"),
        ] {
            assert_eq!(first_word(sql), word, "{sql:?}");
        }
    }

    #[test]
    fn statements_about_transactions_open_none() {
        assert!(belongs_into_a_transaction("insert") && belongs_into_a_transaction("CREATE"));
        assert!(!belongs_into_a_transaction("begin") && !belongs_into_a_transaction("VACUUM"));
        assert!(only_begins(" begin ; ") && !only_begins("BEGIN IMMEDIATE"));
    }
}
