//! What a statement's first words tell of it, without compiling it.
//!
//! Only conclusions are drawn from it that are safe when the guess is wrong: a statement that is
//! taken for a write though it reads is merely repeated less often.

/// What a statement does, as far as its first words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// It reads: SELECT, VALUES, EXPLAIN.
    Read,
    /// It may read or write: WITH, PRAGMA.
    Either,
    /// It ends a transaction by keeping what it did: COMMIT, END, RELEASE.
    Commit,
    /// It takes a whole transaction back.
    Rollback,
    /// It sets something of the connection itself: PRAGMA with a value.
    Setting,
    /// It opens a transaction or a savepoint, or goes back to one.
    Control,
    /// Anything else.
    Write,
}

impl Verb {
    /// The verb of the first statement in `sql`.
    pub fn of(sql: &str) -> Self {
        let rest = skip_blank(sql);
        let (word, rest) = first_word(rest);
        match word.to_ascii_uppercase().as_str() {
            "SELECT" | "VALUES" | "EXPLAIN" => Self::Read,
            "PRAGMA" if setting(rest).is_some() => Self::Setting,
            "WITH" | "PRAGMA" | "" => Self::Either,
            "COMMIT" | "END" | "RELEASE" => Self::Commit,
            "ROLLBACK" if goes_to_savepoint(rest) => Self::Control,
            "ROLLBACK" => Self::Rollback,
            "BEGIN" | "SAVEPOINT" => Self::Control,
            _ => Self::Write,
        }
    }

    /// Whether a node that does not lead may be asked first.
    pub fn may_read(self) -> bool {
        matches!(self, Self::Read | Self::Either)
    }

    /// Whether the statement itself can make something durable, given whether a transaction was
    /// open before it.
    pub fn may_commit(self, in_transaction: bool) -> bool {
        match self {
            Self::Commit => true,
            Self::Write | Self::Either => !in_transaction,
            Self::Read | Self::Rollback | Self::Setting | Self::Control => false,
        }
    }
}

/// What PRAGMA can set of a connection, and so must be set again on each new session.
const SETTINGS: [&str; 16] = [
    "analysis_limit",
    "automatic_index",
    "cache_size",
    "case_sensitive_like",
    "cell_size_check",
    "foreign_keys",
    "full_column_names",
    "ignore_check_constraints",
    "legacy_alter_table",
    "query_only",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "short_column_names",
    "temp_store",
    "trusted_schema",
];

/// What a PRAGMA sets of its connection, if it does.
pub(crate) fn setting_of(sql: &str) -> Option<&'static str> {
    let (word, rest) = first_word(skip_blank(sql));
    word.eq_ignore_ascii_case("PRAGMA").then(|| setting(rest)).flatten()
}

/// The setting that the text behind `PRAGMA` names, if it gives it a value.
fn setting(rest: &str) -> Option<&'static str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let rest = skip_blank(rest);
    let (name, rest) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
    let name = name.rsplit('.').next().unwrap_or_default();
    let has_value = skip_blank(rest).starts_with(['=', '(']);
    SETTINGS.into_iter().find(|it| has_value && it.eq_ignore_ascii_case(name))
}

/// Whether the rows of a statement would be missed if only its effect were known.
pub(crate) fn gives_rows(sql: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    sql.split(|c| !is_word(c)).any(|word| word.eq_ignore_ascii_case("RETURNING"))
}

fn goes_to_savepoint(rest: &str) -> bool {
    let (word, rest) = first_word(skip_blank(rest));
    let word = if word.eq_ignore_ascii_case("TRANSACTION") {
        first_word(skip_blank(rest)).0
    } else {
        word
    };
    word.eq_ignore_ascii_case("TO")
}

fn first_word(sql: &str) -> (&str, &str) {
    let end = sql.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(sql.len());
    sql.split_at(end)
}

/// What follows white space, comments and empty statements.
fn skip_blank(mut sql: &str) -> &str {
    loop {
        let trimmed = sql.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        sql = if let Some(comment) = trimmed.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = trimmed.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, rest)| rest)
        } else {
            return trimmed;
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_tell() {
        for (sql, verb) in [
            ("SELECT 1", Verb::Read),
            (" ;-- a comment\n/* and another */ select 1", Verb::Read),
            ("VALUES (1)", Verb::Read),
            ("with x as (select 1) insert into t select * from x", Verb::Either),
            ("", Verb::Either),
            ("/* never closed", Verb::Either),
            ("commit", Verb::Commit),
            ("END TRANSACTION", Verb::Commit),
            ("RELEASE a", Verb::Commit),
            ("ROLLBACK", Verb::Rollback),
            ("rollback transaction;", Verb::Rollback),
            ("ROLLBACK TO a", Verb::Control),
            ("ROLLBACK TRANSACTION TO SAVEPOINT a", Verb::Control),
            ("BEGIN IMMEDIATE", Verb::Control),
            ("INSERT INTO t VALUES (1)", Verb::Write),
            ("selectx", Verb::Write),
        ] {
            assert_eq!(Verb::of(sql), verb, "{sql:?}");
        }
    }

    #[test]
    fn settings_are_told_from_questions() {
        assert_eq!(setting_of("PRAGMA foreign_keys = OFF"), Some("foreign_keys"));
        assert_eq!(setting_of("pragma main.Foreign_Keys(0)"), Some("foreign_keys"));
        for sql in ["PRAGMA foreign_keys", "PRAGMA table_info(t)", "PRAGMA user_version = 3", ""] {
            assert_eq!(setting_of(sql), None, "{sql:?}");
        }
        assert_eq!(Verb::of("PRAGMA foreign_keys=1"), Verb::Setting);
        assert_eq!(Verb::of("PRAGMA foreign_keys"), Verb::Either);
    }

    #[test]
    fn only_what_can_be_durable_is_in_doubt() {
        assert!(Verb::Write.may_commit(false) && !Verb::Write.may_commit(true));
        assert!(Verb::Commit.may_commit(true));
        assert!(!Verb::Read.may_commit(false));
        assert!(gives_rows("INSERT INTO t VALUES (1) returning *"));
        assert!(!gives_rows("INSERT INTO t_returning VALUES (1)"));
    }
}
