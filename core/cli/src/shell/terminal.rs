//! The shell at a terminal: lines are edited and remembered.

use std::path::PathBuf;

use anyhow::Result;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::script::{Input, Script};
use super::session::{Flow, Session};

/// The history's file in the home folder.
const HISTORY: &str = ".dqlite_history";

/// Reads and runs until the end. Ctrl-C drops the line, or stops the statement that runs.
///
/// # Errors
/// The terminal is gone.
pub async fn run(mut session: Session) -> Result<()> {
    println!("dqlite {} on {}; .help helps", env!("CARGO_PKG_VERSION"), session.database());
    let mut editor = DefaultEditor::new()?;
    let history = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(HISTORY));
    if let Some(history) = &history {
        // There is none before the first use.
        let _ = editor.load_history(history);
    }
    let mut script = Script::default();
    loop {
        let prompt = match (script.is_pending(), session.in_transaction()) {
            (true, _) => "   ...> ",
            (false, true) => "dqlite*> ",
            (false, false) => "dqlite> ",
        };
        let line = tokio::task::block_in_place(|| editor.readline(prompt));
        let line = match line {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                script.forget();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        };
        if !line.trim().is_empty() {
            editor.add_history_entry(&line)?;
        }
        if run_all(&mut session, script.line(&line)).await == Flow::Quit {
            break;
        }
    }
    if let Some(history) = &history
        && let Err(error) = editor.save_history(history)
    {
        eprintln!("the history is not kept: {error}");
    }
    Ok(())
}

/// Runs what a line completed, up to the first error.
async fn run_all(session: &mut Session, inputs: Vec<Input>) -> Flow {
    for input in inputs {
        let outcome = tokio::select! {
            outcome = session.run(input) => Some(outcome),
            _ = tokio::signal::ctrl_c() => None,
        };
        match outcome {
            Some(Ok(Flow::Next)) => continue,
            Some(Ok(Flow::Quit)) => return Flow::Quit,
            Some(Err(error)) => eprintln!("error: {error:#}"),
            None => {
                session.disconnect();
                eprintln!("interrupted");
            }
        }
        return Flow::Next;
    }
    Flow::Next
}
