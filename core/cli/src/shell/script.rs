//! From lines to what is to be run.

use super::statements;

/// One thing to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// One statement.
    Statement(String),
    /// A line that begins with a dot.
    Dot(String),
}

/// The lines so far of a statement that is not finished.
#[derive(Debug, Default)]
pub struct Script {
    pending: String,
}

impl Script {
    /// Takes the next line and gives what it completes.
    pub fn line(&mut self, line: &str) -> Vec<Input> {
        if !self.is_pending() {
            self.pending.clear();
            let trimmed = line.trim();
            if trimmed.starts_with('.') {
                return vec![Input::Dot(trimmed.to_owned())];
            }
        }
        if !self.pending.is_empty() {
            self.pending.push('\n');
        }
        self.pending.push_str(line);
        let split = statements::split(&self.pending);
        let inputs = split.statements.iter().map(|it| Input::Statement((*it).to_owned())).collect();
        self.pending = split.rest.to_owned();
        inputs
    }

    /// Whether a statement has begun.
    pub fn is_pending(&self) -> bool {
        !statements::is_blank(&self.pending)
    }

    /// Forgets the statement that has begun.
    pub fn forget(&mut self) {
        self.pending.clear();
    }

    /// What is left at the end: a statement without a semicolon.
    pub fn rest(self) -> Option<Input> {
        self.is_pending().then_some(Input::Statement(self.pending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &str) -> Input {
        Input::Statement(text.to_owned())
    }

    #[test]
    fn statements_may_span_lines_and_share_them() {
        let mut script = Script::default();
        assert_eq!(script.line("select 1; select"), [statement("select 1;")]);
        assert!(script.is_pending());
        assert_eq!(script.line(".5;"), [statement("select\n.5;")]);
        assert!(!script.is_pending());
        assert_eq!(script.line("-- a note"), []);
        assert_eq!(script.line(" .tables "), [Input::Dot(".tables".to_owned())]);
        assert_eq!(script.line("select 2"), []);
        assert_eq!(script.rest(), Some(statement("select 2")));
    }

    #[test]
    fn nothing_is_left_of_comments() {
        let mut script = Script::default();
        assert_eq!(script.line("select 1; -- done"), [statement("select 1;")]);
        assert_eq!(script.rest(), None);
    }

    #[test]
    fn what_was_begun_can_be_forgotten() {
        let mut script = Script::default();
        script.line("select '");
        script.forget();
        assert_eq!(script.line("x;"), [statement("x;")]);
    }
}
