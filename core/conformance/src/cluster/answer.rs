//! The lines that a runner may write, and their answers.

use std::fs;
use std::io::{BufRead, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::nodes::Nodes;
use super::process::Process;

/// What a runner has asked for so far.
#[derive(Debug, Default)]
struct Served {
    one: Option<Nodes>,
    three: Option<Nodes>,
    held: Vec<Process>,
}

/// Answers lines until `quit` or the end of the input.
///
/// # Errors
/// The answer cannot be written.
pub fn serve(input: impl BufRead, mut output: impl Write) -> Result<()> {
    let mut served = Served::default();
    for line in input.lines() {
        let line = line?;
        let answer = match served.answer(&line) {
            Ok(reply) => format!("ok {reply}"),
            Err(error) => format!("error {error:#}").replace('\n', " "),
        };
        writeln!(output, "{}", answer.trim_end())?;
        output.flush()?;
        if line == "quit" {
            break;
        }
    }
    Ok(())
}

impl Served {
    fn answer(&mut self, line: &str) -> Result<String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let done = |()| String::new();
        match word {
            "one" => self.one().map(|nodes| nodes.addresses()),
            "restart-one" => self.restart_one().map(done),
            "three" => self.three().map(|nodes| nodes.addresses()),
            "restart" => self.three()?.restart().map(done),
            "leader" => self.three()?.leader().map(|number| self.address(number)),
            "follower" => self.three()?.follower().map(|number| self.address(number)),
            "transfer" => self.three()?.transfer().map(|number| self.address(number)),
            "kill-leader" => self.three()?.leader().map(|number| self.kill(number)),
            "kill-follower" => self.three()?.follower().map(|number| self.kill(number)),
            "kill-majority" => self.three()?.kill_majority().map(done),
            "kill-all" => self.three().map(Nodes::kill_all).map(done),
            "pause-followers" => self.three()?.pause_followers().map(done),
            "settle" => self.three()?.settle(rest).map(done),
            "hold" => self.hold(Path::new(rest)),
            "release" => self.held.drain(..).try_for_each(Process::end).map(done),
            "exists" => Ok(Path::new(rest).exists().to_string()),
            "write" => fs::write(rest, "some text\n").context("cannot write").map(done),
            "sqlite" => {
                let (path, sql) = rest.split_once(' ').context("sqlite PATH SQL")?;
                rows_of(path, sql).map(|rows| rows.to_string())
            }
            "quit" => Ok(String::new()),
            _ => bail!("what is {word:?}?"),
        }
    }

    fn one(&mut self) -> Result<&mut Nodes> {
        started(&mut self.one, 1)
    }

    fn three(&mut self) -> Result<&mut Nodes> {
        started(&mut self.three, 3)
    }

    fn restart_one(&mut self) -> Result<()> {
        let nodes = self.one()?;
        nodes.kill_all();
        nodes.restart()
    }

    fn address(&self, number: usize) -> String {
        self.three.as_ref().map(|nodes| nodes.address(number)).unwrap_or_default()
    }

    fn kill(&mut self, number: usize) -> String {
        if let Some(nodes) = &mut self.three {
            nodes.kill(number);
        }
        self.address(number)
    }

    fn hold(&mut self, path: &Path) -> Result<String> {
        let log = path.with_extension("holder");
        let dir = path.to_str().context("the path is not UTF-8")?;
        let process = Process::start(&["hold", dir], &log)?;
        let id = process.id();
        self.held.push(process);
        Ok(id.to_string())
    }
}

fn started(nodes: &mut Option<Nodes>, count: usize) -> Result<&mut Nodes> {
    if nodes.is_none() {
        *nodes = Some(Nodes::start(count)?);
    }
    nodes.as_mut().context("the nodes were just started")
}

/// What a query of a SQLite file gives, as logs have it.
fn rows_of(path: &str, sql: &str) -> Result<Value> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(sql)?;
    let width = statement.column_count();
    let rows = statement.query_map((), |row| {
        let values = (0..width).map(|column| Ok(tagged(row.get_ref(column)?)));
        values.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    Ok(json!(rows.collect::<rusqlite::Result<Vec<_>>>()?))
}

fn tagged(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => json!({ "null": true }),
        ValueRef::Integer(number) => json!({ "int": number.to_string() }),
        ValueRef::Real(number) => json!({ "real": format!("0x{:016x}", number.to_bits()) }),
        ValueRef::Text(text) => json!({ "text": String::from_utf8_lossy(text) }),
        ValueRef::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "blob": digits })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_answered_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.db");
        let path = path.to_str().unwrap();
        Connection::open(path)
            .unwrap()
            .execute_batch("CREATE TABLE t (a); PRAGMA user_version = 7")
            .unwrap();
        let lines = format!(
            "exists {path}\nexists {path}x\nnonsense\n\
             sqlite {path} PRAGMA user_version\nquit\nquit\n"
        );
        let mut answers = Vec::new();
        serve(lines.as_bytes(), &mut answers).unwrap();
        let expected =
            "ok true\nok false\nerror what is \"nonsense\"?\nok [[{\"int\":\"7\"}]]\nok\n";
        assert_eq!(String::from_utf8(answers).unwrap(), expected);
    }
}
