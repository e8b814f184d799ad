//! One node, or one holder of a folder, as a process of this same program.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, io};

use anyhow::{Context, Result, bail, ensure};
use dqlite::blocking::{Node, connect};
use dqlite::{ConnectOptions, NodeSettings};

/// What a process says when it is ready.
const READY: &str = "ready";
/// How much of a node's log an error shows.
const LOG_LINES_SHOWN: usize = 12;

/// A process that does its work until its standard input ends.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Starts this program with `arguments` and waits until it is ready; what it has to complain of
    /// goes to the file `log`.
    pub fn start(arguments: &[&str], log: &Path) -> Result<Self> {
        let errors = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut process = Self(command.spawn().context("cannot start a process")?);
        let stdout = process.0.stdout.take().context("the process has no output")?;
        let mut first = String::new();
        BufReader::new(stdout).read_line(&mut first)?;
        if first.trim_end() != READY {
            // It has ended, or will when it is dropped.
            drop(process);
            bail!("{arguments:?} did not start: {}", last_lines(log));
        }
        Ok(process)
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Stops it where it is, or lets it go on.
    pub fn pause(&self, stop: bool) -> Result<()> {
        let signal = if stop { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &self.id().to_string()]).status()?;
        ensure!(status.success(), "kill {signal}: {status}");
        Ok(())
    }

    /// Has it end by itself, and waits for that.
    pub fn end(mut self) -> Result<()> {
        drop(self.0.stdin.take());
        let status = self.0.wait()?;
        ensure!(status.success(), "the process ended with {status}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join(" | ")
}

/// Runs a node until standard input ends.
///
/// # Errors
/// It cannot start.
pub fn node(dir: PathBuf, address: &str, join: Option<String>) -> Result<()> {
    let settings =
        NodeSettings { join: join.into_iter().collect(), ..NodeSettings::new(dir, address) };
    let node = Node::start(settings)?;
    ready()?;
    node.stop()?;
    Ok(())
}

/// Keeps a folder in use, as an embedded node of its own, until standard input ends.
///
/// # Errors
/// The folder cannot be opened.
pub fn hold(dir: &str) -> Result<()> {
    let connection = connect(dir, ConnectOptions::default())?;
    ready()?;
    connection.close()?;
    Ok(())
}

/// Says that all is ready, and waits until standard input ends.
fn ready() -> Result<()> {
    println!("{READY}");
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
