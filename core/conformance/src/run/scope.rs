//! One case while it runs: its connections and cursors, and the order of its steps.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dqlite::blocking::{Connection, Cursor};
use dqlite::{Error, RetryOn};
use parking_lot::Mutex;
use toml::Table;

use super::act::Got;
use crate::control::Control;
use crate::load::Case;
use crate::record::Log;
use crate::step::{Step, filled_in};
use crate::value::NoValue;

/// Why a step did not end well.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The call failed.
    Error(Error),
    /// The body of a transaction was told to fail.
    Body,
    /// It gave something else than it must.
    Mismatch(String),
    /// It needs a value that Rust cannot say.
    Unsayable,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<NoValue> for Failure {
    fn from(reason: NoValue) -> Self {
        match reason {
            NoValue::Unsayable => Self::Unsayable,
            NoValue::Wrong(reason) => Self::Mismatch(reason),
        }
    }
}

impl RetryOn for Failure {
    fn error(&self) -> Option<&Error> {
        match self {
            Self::Error(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => write!(formatter, "fails: {error:?}"),
            Self::Body => formatter.write_str("the body fails"),
            Self::Mismatch(reason) => formatter.write_str(reason),
            Self::Unsayable => formatter.write_str("not sayable in Rust"),
        }
    }
}

/// A cursor that several threads may use.
pub(crate) type SharedCursor = Arc<Mutex<Cursor>>;

/// A case that runs.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub case: &'a Case,
    pub control: &'a Control,
    pub log: Option<&'a Log>,
    pub variables: Mutex<BTreeMap<String, String>>,
    pub connections: Mutex<BTreeMap<String, Connection>>,
    pub cursors: Mutex<BTreeMap<String, SharedCursor>>,
    pub last_error: Mutex<Option<Error>>,
}

impl<'a> Scope<'a> {
    pub fn new(
        case: &'a Case,
        control: &'a Control,
        log: Option<&'a Log>,
        variables: BTreeMap<String, String>,
    ) -> Self {
        Self {
            case,
            control,
            log,
            variables: Mutex::new(variables),
            connections: Mutex::default(),
            cursors: Mutex::default(),
            last_error: Mutex::default(),
        }
    }

    /// Runs all steps, the first of which is number 1.
    pub fn run(&self) -> Result<(), (usize, Failure)> {
        if self.case.opens {
            let connect = Table::from_iter([("do".to_owned(), "connect".into())]);
            self.step(&connect, 0, 0).map_err(|failure| (0, failure))?;
        }
        for (number, table) in (1..).zip(&self.case.steps) {
            self.step(table, 0, number).map_err(|failure| (number, failure))?;
        }
        Ok(())
    }

    /// Closes what the case left open.
    pub fn close(&self) {
        self.cursors.lock().clear();
        for connection in std::mem::take(&mut *self.connections.lock()).into_values() {
            // A case may have left it in any state; the next one has its own.
            let _ = connection.close();
        }
    }

    /// Runs the steps of a body in order; `n` is the nearest count.
    pub fn body(&self, steps: &[Table], n: i64, is_first: bool) -> Result<(), Failure> {
        for (number, table) in (1..).zip(steps) {
            let once = table.get("once").and_then(toml::Value::as_bool).unwrap_or(false);
            if !once || is_first {
                self.step(table, n, 0).map_err(|failure| match failure {
                    Failure::Mismatch(reason) => {
                        Failure::Mismatch(format!("inner step {number} (count {n}): {reason}"))
                    }
                    other => other,
                })?;
            }
        }
        Ok(())
    }

    /// Runs one step, and what goes on meanwhile, and compares what it gives with what it must.
    fn step(&self, table: &Table, n: i64, number: usize) -> Result<(), Failure> {
        let mut variables = self.variables.lock().clone();
        variables.insert("n".to_owned(), n.to_string());
        let step = Step::read(filled_in(table, &variables)).map_err(Failure::Mismatch)?;
        let mut got = Got::default();
        let ended = AtomicBool::new(false);
        let (result, others) = thread::scope(|threads| {
            let others: Vec<_> = step
                .meanwhile
                .iter()
                .map(|other| threads.spawn(|| self.meanwhile(other, n, &ended)))
                .chain(step.cancel_ms.map(|_| threads.spawn(|| self.cancel(&step, &ended))))
                .collect();
            let result = self.act(&step, n, &mut got);
            ended.store(true, Ordering::SeqCst);
            let others = others.into_iter().map(|other| other.join());
            (result, others.collect::<Vec<_>>())
        });
        if let (Some(log), true) = (self.log, number > 0) {
            return log.write(self, number, &step, &got, &result);
        }
        self.expect(&step, n, &got, result)?;
        for other in others {
            other.map_err(|_| Failure::Mismatch("a thread panicked".to_owned()))??;
        }
        Ok(())
    }

    fn meanwhile(&self, table: &Table, n: i64, ended: &AtomicBool) -> Result<(), Failure> {
        let wait = |key: &str| table.get(key).and_then(toml::Value::as_integer);
        if let Some(every_ms) = wait("every_ms") {
            while pause(every_ms, ended) {
                self.step(table, n, 0)?;
            }
            return Ok(());
        }
        if let Some(after_ms) = wait("after_ms") {
            thread::sleep(Duration::from_millis(after_ms.unsigned_abs()));
        }
        self.step(table, n, 0)
    }

    /// Interrupts, which is all that a blocking program can do: again and again, since the call may
    /// not have begun the first time.
    fn cancel(&self, step: &Step, ended: &AtomicBool) -> Result<(), Failure> {
        while pause(step.cancel_ms.map_or(0, u64::cast_signed), ended) {
            let connection = self.connections.lock().get(&step.on).cloned();
            connection.inspect(Connection::interrupt);
        }
        Ok(())
    }
}

/// Sleeps for `ms`, in pieces; false once the step has ended.
fn pause(ms: i64, ended: &AtomicBool) -> bool {
    const PIECE_MS: i64 = 5;
    let mut left = ms.max(1);
    while left > 0 && !ended.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(left.min(PIECE_MS).unsigned_abs()));
        left -= PIECE_MS;
    }
    !ended.load(Ordering::SeqCst)
}
