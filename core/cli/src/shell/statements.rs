//! Where one SQL statement ends and the next begins, without understanding either.
//!
//! A semicolon ends a statement unless it stands in a string, a quoted name, a comment, or the body
//! of a trigger, which ends with `; END ;` instead. These are SQLite's own rules for a shell.

/// What a scan of a text finds.
#[derive(Debug, PartialEq, Eq)]
pub struct Split<'a> {
    /// Whole statements with their semicolons, those with nothing in them left out.
    pub statements: Vec<&'a str>,
    /// What follows the last of them: the beginning of a statement, or nothing of meaning.
    pub rest: &'a str,
}

/// Cuts a text into statements.
pub fn split(text: &str) -> Split<'_> {
    let mut statements = Vec::new();
    let mut start = 0;
    let mut shape = Shape::default();
    for (token, end) in Tokens::new(text) {
        if shape.ends_with(token) {
            if shape.has_words {
                statements.push(text[start..end].trim());
            }
            start = end;
            shape = Shape::default();
        }
    }
    Split { statements, rest: text[start..].trim_start() }
}

/// Whether a text holds nothing but white space and finished comments.
pub fn is_blank(text: &str) -> bool {
    Tokens::new(text).next().is_none()
}

/// How far the beginning of a statement has been recognised.
#[derive(Default)]
struct Shape {
    has_words: bool,
    opening: Opening,
    /// The tokens before: true after a `;` of a trigger's body, then true after its `END`.
    after_semicolon: bool,
    after_end: bool,
}

#[derive(Default, PartialEq)]
enum Opening {
    #[default]
    Nothing,
    Explain,
    Create,
    Trigger,
    Other,
}

impl Shape {
    /// Takes the next token and says whether it ends the statement.
    fn ends_with(&mut self, token: Token<'_>) -> bool {
        let Token::Word(word) = token else {
            let ends = self.opening != Opening::Trigger || self.after_end;
            (self.after_semicolon, self.after_end) = (true, false);
            return ends && token == Token::Semicolon;
        };
        let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
        self.has_words = true;
        self.after_end = self.after_semicolon && is(&["end"]);
        self.after_semicolon = false;
        self.opening = match self.opening {
            Opening::Nothing if is(&["explain"]) => Opening::Explain,
            Opening::Explain if is(&["query", "plan"]) => Opening::Explain,
            Opening::Nothing | Opening::Explain if is(&["create"]) => Opening::Create,
            Opening::Create if is(&["temp", "temporary"]) => Opening::Create,
            Opening::Create if is(&["trigger"]) => Opening::Trigger,
            Opening::Trigger => Opening::Trigger,
            _ => Opening::Other,
        };
        false
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Semicolon,
    /// Anything else that means something; quoted things stand with their quotes.
    Word(&'a str),
    /// A string, a name or a comment whose end is still to come.
    Unfinished,
}

/// The tokens of a text, each with the byte at which it ends.
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Takes everything up to and with `end`, behind the opening of `opening_bytes`.
    fn enclosed(&mut self, opening_bytes: usize, end: &str) -> Token<'a> {
        let start = self.at;
        let body = start + opening_bytes;
        match self.text.get(body..).and_then(|rest| rest.find(end)) {
            Some(length) => {
                self.at = body + length + end.len();
                Token::Word(&self.text[start..self.at])
            }
            None => {
                self.at = self.text.len();
                Token::Unfinished
            }
        }
    }

    fn run_of(&mut self, belongs: impl Fn(char) -> bool) -> Token<'a> {
        let start = self.at;
        let rest = &self.text[start..];
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        // A character that begins no run is a token by itself.
        let first_bytes = rest.chars().next().map_or(0, char::len_utf8);
        self.at += length.max(first_bytes);
        Token::Word(&self.text[start..self.at])
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (Token<'a>, usize);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = &self.text[self.at..];
            let token = match rest.as_bytes() {
                [] => return None,
                [space, ..] if space.is_ascii_whitespace() => {
                    self.at += 1;
                    continue;
                }
                [b'-', b'-', ..] => {
                    self.at += rest.find('\n').unwrap_or(rest.len());
                    continue;
                }
                [b'/', b'*', ..] => match self.enclosed(2, "*/") {
                    Token::Unfinished => Token::Unfinished,
                    _ => continue,
                },
                [b';', ..] => {
                    self.at += 1;
                    Token::Semicolon
                }
                // A doubled quote closes one string and opens the next: the effect is the same.
                [b'\'', ..] => self.enclosed(1, "'"),
                [b'"', ..] => self.enclosed(1, "\""),
                [b'`', ..] => self.enclosed(1, "`"),
                [b'[', ..] => self.enclosed(1, "]"),
                _ => self.run_of(|c| c.is_alphanumeric() || c == '_' || c == '$'),
            };
            return Some((token, self.at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> (Vec<&str>, &str) {
        let split = split(text);
        (split.statements, split.rest)
    }

    #[test]
    fn statements_end_at_semicolons() {
        assert_eq!(cut("a; b;\n c"), (vec!["a;", "b;"], "c"));
        assert_eq!(cut("a;"), (vec!["a;"], ""));
        assert_eq!(cut(" ; ;; a;;"), (vec!["a;"], ""));
        assert_eq!(cut(""), (vec![], ""));
    }

    #[test]
    fn semicolons_inside_quotes_and_comments_do_not_count() {
        for text in ["a ';' b;", "a \";\";", "a [;];", "a `;`;", "a -- ;\n b;", "a /* ; */ b;"] {
            assert_eq!(cut(text), (vec![text], ""), "{text}");
        }
        assert_eq!(cut("a 'it''s; one'; b"), (vec!["a 'it''s; one';"], "b"));
        assert_eq!(cut("größe 'ü;'; ß"), (vec!["größe 'ü;';"], "ß"));
    }

    #[test]
    fn what_is_not_closed_goes_on() {
        for text in ["a 'b; c;", "a /* b; c;", "a \"b; ", "/*"] {
            assert_eq!(cut(text), (vec![], text), "{text}");
            assert!(!is_blank(text));
        }
    }

    #[test]
    fn a_comment_is_no_statement() {
        assert!(is_blank(" -- only this\n /* and this */ "));
        assert!(!is_blank("-- this\n x"));
        assert_eq!(cut("-- a;\n; select 1;"), (vec!["select 1;"], ""));
    }

    #[test]
    fn a_trigger_ends_after_its_end() {
        let trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n\
                       UPDATE b SET c = CASE WHEN 1 THEN 2 END; SELECT 1;\nEND;";
        assert_eq!(cut(&format!("{trigger} x;")), (vec![trigger, "x;"], ""));
        let temp = "explain query plan create temp trigger t after insert on a begin \
                    delete from b; end ;";
        assert_eq!(cut(temp), (vec![temp], ""));
        let open = "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;";
        assert_eq!(cut(open), (vec![], open));
        assert_eq!(cut("create table trigger_like(a); b;").0.len(), 2);
    }
}
