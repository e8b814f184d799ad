//! What a text of SQL may do, as far as its words tell. The server does not say, and the client
//! must know before it sends the text again; so whatever is not certain counts as the worse.

use crate::fault::Effect;

/// What the words of a text tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Its effect outside of a transaction.
    pub effect: Effect,
    /// It may begin a transaction.
    pub may_begin: bool,
    /// It may end one.
    pub may_end: bool,
}

impl Shape {
    pub fn of(sql: &str) -> Self {
        let (mut first, mut changes, mut ended, mut several) = (None, false, false, false);
        let (mut may_begin, mut may_end) = (false, false);
        for token in Tokens(sql) {
            if token == ";" {
                ended = first.is_some();
                continue;
            }
            several |= ended;
            let is_any = |words: &[&str]| words.iter().any(|word| token.eq_ignore_ascii_case(word));
            changes |= is_any(&["INSERT", "UPDATE", "DELETE", "REPLACE"]);
            may_begin |= is_any(&["BEGIN", "SAVEPOINT"]);
            may_end |= is_any(&["COMMIT", "END", "ROLLBACK", "RELEASE"]);
            first.get_or_insert(token);
        }
        let first = first.unwrap_or_default();
        let is_first = |word: &str| first.eq_ignore_ascii_case(word);
        let reads = ["SELECT", "VALUES", "EXPLAIN"].into_iter().any(is_first)
            || (is_first("WITH") && !changes);
        let effect = match (several, reads) {
            (true, _) => Effect::InParts,
            (false, true) => Effect::Nothing,
            (false, false) => Effect::Whole,
        };
        Self { effect, may_begin, may_end }
    }
}

/// Words and single signs, without white space and comments. A quoted text is one token.
struct Tokens<'a>(&'a str);

impl<'a> Tokens<'a> {
    /// Takes `length` bytes, or all there are.
    fn take(&mut self, length: usize) -> &'a str {
        let (token, rest) = self.0.split_at_checked(length).unwrap_or((self.0, ""));
        self.0 = rest;
        token
    }

    /// Takes up to and including `end`, after the first `from` bytes.
    fn take_through(&mut self, from: usize, end: &str) -> &'a str {
        let found = self.0.get(from..).and_then(|rest| rest.find(end));
        self.take(found.map_or(usize::MAX, |at| from + at + end.len()))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            self.0 = self.0.trim_start_matches(|sign: char| sign.is_ascii_whitespace());
            if self.0.starts_with("--") {
                self.take_through(2, "\n");
            } else if self.0.starts_with("/*") {
                self.take_through(2, "*/");
            } else {
                break;
            }
        }
        let first = self.0.chars().next()?;
        let is_word =
            |sign: char| sign.is_alphanumeric() || matches!(sign, '_' | '$') || !sign.is_ascii();
        Some(match first {
            // A doubled quote reads as two quoted texts, which is all the same here.
            '\'' => self.take_through(1, "'"),
            '"' => self.take_through(1, "\""),
            '`' => self.take_through(1, "`"),
            '[' => self.take_through(1, "]"),
            sign if is_word(sign) => {
                self.take(self.0.find(|sign| !is_word(sign)).unwrap_or(usize::MAX))
            }
            sign => self.take(sign.len_utf8()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(sql: &str) -> Effect {
        Shape::of(sql).effect
    }

    #[test]
    fn only_certain_reads_count_as_reads() {
        for sql in [
            "SELECT 1",
            " /* ; */ select 'a;b' ; -- c\n",
            "VALUES (1), (2);",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "EXPLAIN DELETE FROM t",
        ] {
            assert_eq!(effect(sql), Effect::Nothing, "{sql}");
        }
        for sql in [
            "INSERT INTO t VALUES (';')",
            "WITH a AS (SELECT 1) DELETE FROM t",
            "PRAGMA user_version = 3",
            "BEGIN",
            "[SELECT] 1",
            "UPDATE t SET a = 'SELECT'",
        ] {
            assert_eq!(effect(sql), Effect::Whole, "{sql}");
        }
    }

    #[test]
    fn several_statements_take_effect_in_parts() {
        for sql in ["SELECT 1; SELECT 2", "INSERT INTO t VALUES (1);DELETE FROM t;", "a;\n'b'"] {
            assert_eq!(effect(sql), Effect::InParts, "{sql}");
        }
        for sql in [";;INSERT INTO t VALUES (1);; -- ; end", "INSERT INTO t VALUES ('it''s; so')"] {
            assert_eq!(effect(sql), Effect::Whole, "{sql}");
        }
    }

    #[test]
    fn words_of_transactions_are_found_outside_of_quotes() {
        let begin = Shape::of("INSERT INTO t VALUES (1); begin immediate");
        assert!(begin.may_begin && !begin.may_end);
        assert!(Shape::of("COMMIT").may_end && Shape::of("end transaction").may_end);
        let quoted = Shape::of("SELECT 'COMMIT', \"BEGIN\" -- END");
        assert!(!quoted.may_begin && !quoted.may_end);
    }

    #[test]
    fn any_text_comes_to_an_end() {
        for sql in ["'", "/*", "--", "[é", "é'é", "\"", "a`", ";", "", "\u{a0}x"] {
            Shape::of(sql);
        }
    }
}
