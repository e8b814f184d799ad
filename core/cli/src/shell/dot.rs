//! Dot commands: what the shell does by itself.

use std::path::PathBuf;

use crate::output::Mode;

/// A line that begins with a dot, understood.
#[derive(Debug, PartialEq, Eq)]
pub enum Dot {
    Help,
    Tables,
    Schema(Option<String>),
    Cluster,
    Leader,
    Describe(String),
    Weight(String, u64),
    Status,
    Dump(Option<PathBuf>),
    Mode(Mode),
    Headers(bool),
    /// `None` turns the timer over.
    Timer(Option<bool>),
    Read(PathBuf),
    Quit,
}

/// What `.help` prints.
pub const HELP: &str = "\
.cluster             the members of the cluster and their roles
.describe ADDR       a node's failure domain and weight
.dump [FILE]         write the database to an SQLite file (default: its name with .sqlite)
.headers on|off      column names above the rows
.help                this
.leader              the leader's id and address
.mode MODE           how rows are shown: table, json, csv, line, list
.quit                leave (also .exit, or Ctrl-D)
.read FILE           run the statements of a file
.schema [TABLE]      the statements that made the database, or one table
.status              every node's place in the log
.tables              tables and views
.timer [on|off]      how long each statement takes
.weight ADDR N       set how little a node wants a role
Anything else is SQL, up to a semicolon.";

impl Dot {
    /// Reads a line that begins with a dot.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, String> {
        let words = words(line)?;
        let (name, rest) = words.split_first().ok_or("an empty line")?;
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let dot = match (name.as_str(), rest.as_slice()) {
            (".help", []) => Self::Help,
            (".tables", []) => Self::Tables,
            (".schema", []) => Self::Schema(None),
            (".schema", [table]) => Self::Schema(Some((*table).to_owned())),
            (".cluster", []) => Self::Cluster,
            (".leader", []) => Self::Leader,
            (".describe", [address]) => Self::Describe((*address).to_owned()),
            (".weight", [address, weight]) => {
                let weight = weight.parse().map_err(|_| format!("{weight} is not a weight"))?;
                Self::Weight((*address).to_owned(), weight)
            }
            (".status", []) => Self::Status,
            (".dump", []) => Self::Dump(None),
            (".dump", [file]) => Self::Dump(Some(file.into())),
            (".mode", [mode]) => Self::Mode(mode.parse()?),
            (".headers" | ".header", [switch]) => Self::Headers(on_or_off(switch)?),
            (".timer", []) => Self::Timer(None),
            (".timer", [switch]) => Self::Timer(Some(on_or_off(switch)?)),
            (".read", [file]) => Self::Read(file.into()),
            (".quit" | ".exit" | ".q", []) => Self::Quit,
            (name, _) => return Err(complaint(name)),
        };
        Ok(dot)
    }
}

/// Says how a known command is used, or that there is no such command.
fn complaint(name: &str) -> String {
    let is_about = |line: &&str| line.split(' ').next() == Some(name);
    match HELP.lines().find(is_about) {
        Some(line) => format!("usage: {line}"),
        None => format!("there is no {name}; .help lists the commands"),
    }
}

fn on_or_off(word: &str) -> Result<bool, String> {
    match word {
        "on" | "yes" | "1" => Ok(true),
        "off" | "no" | "0" => Ok(false),
        _ => Err(format!("{word} is neither on nor off")),
    }
}

/// Cuts a line at white space that is not inside quotes.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.trim().chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match quote {
        Some(open) => Err(format!("a {open} is not closed")),
        None => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_understood() {
        assert_eq!(Dot::parse(".tables"), Ok(Dot::Tables));
        assert_eq!(Dot::parse(".schema  users "), Ok(Dot::Schema(Some("users".into()))));
        assert_eq!(Dot::parse(".weight 127.0.0.1:9000 7"), {
            Ok(Dot::Weight("127.0.0.1:9000".into(), 7))
        });
        assert_eq!(Dot::parse(".mode csv"), Ok(Dot::Mode(Mode::Csv)));
        assert_eq!(Dot::parse(".headers off"), Ok(Dot::Headers(false)));
        assert_eq!(Dot::parse(".timer"), Ok(Dot::Timer(None)));
        assert_eq!(Dot::parse(".exit"), Ok(Dot::Quit));
    }

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(Dot::parse(".read 'my file.sql'"), Ok(Dot::Read("my file.sql".into())));
        assert_eq!(Dot::parse(".dump \"a 'b'.db\""), Ok(Dot::Dump(Some("a 'b'.db".into()))));
        assert_eq!(Dot::parse(".schema ''"), Ok(Dot::Schema(Some(String::new()))));
        assert!(Dot::parse(".read 'half").is_err_and(|reason| reason.contains("not closed")));
    }

    #[test]
    fn mistakes_are_explained() {
        assert_eq!(Dot::parse(".what"), Err("there is no .what; .help lists the commands".into()));
        assert!(Dot::parse(".weight a").is_err_and(|reason| reason.starts_with("usage: .weight")));
        assert!(Dot::parse(".weight a b").is_err_and(|reason| reason == "b is not a weight"));
        assert!(Dot::parse(".mode html").is_err_and(|reason| reason.contains("table")));
        assert!(Dot::parse(".headers maybe").is_err());
        assert!(Dot::parse(".").is_err());
    }

    #[test]
    fn every_command_has_a_line_of_help() {
        let shown: Vec<&str> = HELP.lines().filter_map(|line| line.split(' ').next()).collect();
        for name in [".cluster", ".describe", ".dump", ".headers", ".leader", ".mode", ".read"] {
            assert!(shown.contains(&name), "{name}");
        }
    }
}
