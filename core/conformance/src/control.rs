//! The runner's end of the pipe to `conformance-cluster`: a line asks, a line answers.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;

/// Names the program to use in place of the one beside this one.
pub const PROGRAM_VARIABLE: &str = "DQLITE_CONFORMANCE_CLUSTER";

/// A running control program, which ends with this value.
#[derive(Debug)]
pub struct Control {
    pipe: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    child: Mutex<Child>,
}

impl Control {
    /// Starts the program.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(program: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| program.display().to_string())?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.context("the control program has no pipes")?;
        let pipe = Mutex::new((stdin, BufReader::new(stdout)));
        Ok(Self { pipe, child: Mutex::new(child) })
    }

    /// Starts the program that `DQLITE_CONFORMANCE_CLUSTER` names, else the one beside this one.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_usual() -> Result<Self> {
        let beside = || env::current_exe().map(|me| me.with_file_name("conformance-cluster"));
        let program = env::var_os(PROGRAM_VARIABLE).map_or_else(beside, |it| Ok(it.into()));
        let program: PathBuf = program?;
        Self::start(&program)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The answer is an error, or there is none.
    pub fn ask(&self, line: &str) -> Result<String> {
        let mut pipe = self.pipe.lock();
        writeln!(pipe.0, "{line}")?;
        pipe.0.flush()?;
        let mut answer = String::new();
        pipe.1.read_line(&mut answer)?;
        let answer = answer.trim_end_matches(['\r', '\n']);
        match answer.split_once(' ').unwrap_or((answer, "")) {
            ("ok", reply) => Ok(reply.to_owned()),
            ("error", reason) => bail!("{line}: {reason}"),
            _ => bail!("{line}: the control program ended, or answers {answer:?}"),
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // It ends with its input; what has ended already needs nothing.
        let _ = self.ask("quit");
        let _ = self.child.lock().wait();
    }
}
