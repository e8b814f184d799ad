//! A shell's connection with the cluster: runs statements and dot commands, and prints.
//!
//! 1. All statements go over one connection, so that transactions, temporary tables and
//!    `last_insert_rowid()` work as in SQLite's own shell.
//! 2. A connection that is lost is replaced for the next statement. The statement at hand is tried
//!    once more only if it surely had no effect and no transaction was open.

use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use dqlite_client::{Client, Connection, Error, ErrorKind, Outcome};
use dqlite_wire::codes;

use super::dot::{Dot, HELP};
use super::run_script;
use super::script::Input;
use crate::output::{Printer, Style};
use crate::{cluster, dump, output, status};

/// What comes after an input.
#[derive(Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next one.
    Next,
    /// The end.
    Quit,
}

/// The state of one shell.
#[derive(Debug)]
pub struct Session {
    client: Client,
    database: String,
    style: Style,
    timer: bool,
    connection: Option<Connection>,
    in_transaction: bool,
    /// How deep `.read` is nested.
    depth: usize,
}

/// Enough for any use that is meant, too little to exhaust the stack.
const READ_DEPTH_MAX: usize = 16;

impl Session {
    /// A shell that connects with its first statement.
    pub fn new(client: Client, database: String, style: Style) -> Self {
        Self {
            client,
            database,
            style,
            timer: false,
            connection: None,
            in_transaction: false,
            depth: 0,
        }
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Lets go of the connection; a statement that runs there is interrupted, and a transaction
    /// that is open is rolled back.
    pub fn disconnect(&mut self) {
        self.connection = None;
        self.in_transaction = false;
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Runs one input and prints what it gives.
    ///
    /// # Errors
    /// It failed; the text has the code and its name, where there is one.
    pub async fn run(&mut self, input: Input) -> Result<Flow> {
        match input {
            Input::Statement(sql) => {
                let begun = Instant::now();
                self.statement(&sql).await?;
                if self.timer {
                    println!("{:.3} s", begun.elapsed().as_secs_f64());
                }
                Ok(Flow::Next)
            }
            Input::Dot(line) => {
                let dot = Dot::parse(&line).map_err(anyhow::Error::msg)?;
                self.dot(dot).await
            }
        }
    }

    async fn statement(&mut self, sql: &str) -> Result<()> {
        let was_in_transaction = self.in_transaction;
        let mut outcome = self.attempt(sql).await;
        if let Err(Failure::Database(error)) = &outcome
            && is_about_the_connection(error)
        {
            self.disconnect();
            if was_in_transaction {
                let lost = "the transaction that was open is rolled back";
                return Err(anyhow::anyhow!("{}; {lost}", explained(error)));
            }
            if error.outcome == Outcome::NotApplied {
                outcome = self.attempt(sql).await; // (2)
            }
        }
        match outcome {
            Ok(()) => {
                self.in_transaction = after(sql, self.in_transaction);
                Ok(())
            }
            Err(Failure::Database(error)) => {
                if is_about_the_connection(&error) {
                    self.disconnect();
                }
                Err(anyhow::anyhow!(explained(&error)))
            }
            Err(Failure::Output(error)) => Err(error).context("cannot write the rows"),
        }
    }

    async fn attempt(&mut self, sql: &str) -> Result<(), Failure> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            slot => slot.insert(self.client.connection().await?),
        };
        let mut rows = connection.query(sql, ()).await?;
        let columns = rows.columns().to_vec();
        let out = BufWriter::new(std::io::stdout());
        let mut printer = Printer::new(out, self.style, &columns);
        while let Some(row) = rows.next().await? {
            printer.row(row.values()).map_err(Failure::Output)?;
        }
        // No columns, no result: there is nothing to show, not even an empty one.
        if !columns.is_empty() {
            printer.finish().map_err(Failure::Output)?;
        }
        Ok(())
    }

    async fn dot(&mut self, dot: Dot) -> Result<Flow> {
        let cluster = self.client.cluster();
        match dot {
            Dot::Help => println!("{HELP}"),
            Dot::Tables => {
                let sql = "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') \
                           AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
                self.statement(sql).await?;
            }
            Dot::Schema(table) => self.schema(table.as_deref()).await?,
            Dot::Cluster => println!("{}", cluster::members(&cluster).await?),
            Dot::Leader => println!("{}", cluster::leader(&cluster).await?),
            Dot::Status => println!("{}", status::table(&cluster).await?),
            Dot::Describe(address) => {
                let metadata = cluster.describe(&address).await?;
                let mut table = output::table(["failure domain", "weight"]);
                table.add_row([metadata.failure_domain, metadata.weight]);
                println!("{table}");
            }
            Dot::Weight(address, weight) => cluster.set_weight(&address, weight).await?,
            Dot::Dump(file) => {
                let file = file.unwrap_or_else(|| format!("{}.sqlite", self.database).into());
                dump::to_file(&cluster, None, &self.database, &file, false).await?;
                println!("{}", file.display());
            }
            Dot::Mode(mode) => self.style.mode = mode,
            Dot::Headers(headers) => self.style.headers = headers,
            Dot::Timer(timer) => self.timer = timer.unwrap_or(!self.timer),
            Dot::Read(file) => return self.read(&file).await,
            Dot::Quit => return Ok(Flow::Quit),
        }
        Ok(Flow::Next)
    }

    /// Prints the statements that made a table and what belongs to it, or everything.
    async fn schema(&mut self, table: Option<&str>) -> Result<()> {
        let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL \
                   AND (?1 IS NULL OR lower(tbl_name) = lower(?1)) ORDER BY rowid";
        let rows = self.client.query_all(sql, (table.map(str::to_owned),)).await;
        for row in rows.map_err(|error| anyhow::anyhow!(explained(&error)))? {
            println!("{};", row.get::<String>(0)?);
        }
        Ok(())
    }

    async fn read(&mut self, file: &Path) -> Result<Flow> {
        anyhow::ensure!(self.depth < READ_DEPTH_MAX, "too many files that read each other");
        let text = tokio::fs::read_to_string(file)
            .await
            .with_context(|| format!("cannot read {}", file.display()))?;
        self.depth += 1;
        let outcome = Box::pin(run_script(self, text.lines())).await;
        self.depth -= 1;
        outcome.with_context(|| file.display().to_string())
    }
}

#[derive(Debug)]
enum Failure {
    Database(Error),
    Output(std::io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// The connection is of no use any more.
fn is_about_the_connection(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::NotLeader
            | ErrorKind::Closed
            | ErrorKind::Timeout
            | ErrorKind::OutcomeUnknown
            | ErrorKind::Protocol
    )
}

/// The message with its code and the code's name.
fn explained(error: &Error) -> String {
    match (error.code, codes::name(error.code)) {
        (0, _) => error.message.clone(),
        (code, Some(name)) => format!("{code} {name}: {}", error.message),
        (code, None) => format!("{code}: {}", error.message),
    }
}

/// Whether a transaction is open after a statement that succeeded, by its first words.
fn after(sql: &str, was_open: bool) -> bool {
    let mut words = sql.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_ascii_uppercase();
    match first.as_str() {
        "BEGIN" | "SAVEPOINT" => true,
        "COMMIT" | "END" => false,
        // ROLLBACK TO goes back inside the transaction.
        "ROLLBACK" => was_open && words.any(|word| word.eq_ignore_ascii_case("to")),
        _ => was_open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_followed_by_their_words() {
        assert!(after("begin immediate;", false));
        assert!(after("INSERT INTO t VALUES('COMMIT');", true));
        assert!(!after("COMMIT;", true));
        assert!(!after("end transaction;", true));
        assert!(!after("ROLLBACK;", true));
        assert!(after("ROLLBACK TO a;", true));
        assert!(!after("SELECT 1;", false));
    }
}
