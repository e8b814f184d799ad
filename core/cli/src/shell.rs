//! `dqlite shell`: SQL by hand, by `-c`, or through a pipe.
//!
//! ```text
//!  terminal ─┐
//!  -c, pipe ─┼─ script: lines to statements and dot commands ─ session: run and print
//!  .read    ─┘
//! ```
//!
//! At a terminal an error is shown and the next line is read; elsewhere the first error ends the
//! run with exit status 1.

mod dot;
mod script;
mod session;
mod statements;
mod terminal;

use std::io::{BufRead, IsTerminal};

use anyhow::Result;

use crate::output::{Mode, Style};
use crate::servers::Servers;
use script::Script;
use session::{Flow, Session};

/// Run SQL, by hand, with -c, or from standard input.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pub servers: Servers,
    /// The database's name; it is made with the first write
    #[arg(default_value = "main")]
    database: String,
    /// Statements and dot commands to run instead of standard input
    #[arg(short, long, value_name = "SQL")]
    command: Option<String>,
    /// How rows are shown
    #[arg(long, value_enum, default_value_t = Mode::Table)]
    mode: Mode,
    /// Leave the names of the columns out
    #[arg(long)]
    no_headers: bool,
}

/// Runs what `-c`, a pipe or a person says.
///
/// # Errors
/// The first error of a script; at a terminal only what ends the shell.
pub async fn run(arguments: Arguments) -> Result<()> {
    let style = Style { mode: arguments.mode, headers: !arguments.no_headers };
    let client = arguments.servers.client(&arguments.database)?;
    let mut session = Session::new(client, arguments.database, style);
    if let Some(text) = arguments.command {
        return run_script(&mut session, text.lines()).await.map(|_| ());
    }
    if std::io::stdin().is_terminal() {
        return terminal::run(session).await;
    }
    let mut script = Script::default();
    let mut lines = std::io::stdin().lock().lines();
    // Line by line, so that a program at the other end of the pipe sees each answer.
    while let Some(line) = tokio::task::block_in_place(|| lines.next()) {
        for input in script.line(&line?) {
            if session.run(input).await? == Flow::Quit {
                return Ok(());
            }
        }
    }
    run_rest(&mut session, script).await.map(|_| ())
}

/// Runs the lines of a script up to the first error.
///
/// # Errors
/// The first error.
async fn run_script(
    session: &mut Session,
    lines: impl Iterator<Item = impl AsRef<str>>,
) -> Result<Flow> {
    let mut script = Script::default();
    for line in lines {
        for input in script.line(line.as_ref()) {
            if session.run(input).await? == Flow::Quit {
                return Ok(Flow::Quit);
            }
        }
    }
    run_rest(session, script).await
}

/// The last statement of a script needs no semicolon.
async fn run_rest(session: &mut Session, script: Script) -> Result<Flow> {
    match script.rest() {
        Some(input) => session.run(input).await,
        None => Ok(Flow::Next),
    }
}
