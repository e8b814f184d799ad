//! What each verb does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use dqlite::blocking::{Connection, connect};
use dqlite::{ConnectOptions, ParameterSet, TransactionMode, Value};
use parking_lot::Mutex;

use super::scope::{Failure, Scope, SharedCursor};
use crate::step::{Step, Verb};
use crate::value::Tagged;

/// What a step gave.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub rows: Option<Vec<Vec<Value>>>,
    pub row: Option<Vec<Value>>,
    pub count: Option<u64>,
    pub sum: Option<i128>,
    /// How much larger the process was after a stream than before, in MiB.
    pub memory_mib: Option<u64>,
    pub remaining: Option<u64>,
    pub reply: Option<String>,
    pub value: Option<bool>,
    pub runs: Option<u64>,
    pub failed: Option<bool>,
}

impl Scope<'_> {
    /// Does what the step says.
    pub(super) fn act(&self, step: &Step, n: i64, got: &mut Got) -> Result<(), Failure> {
        match step.verb {
            Verb::Connect => self.connect(step)?,
            Verb::Cursor => {
                let cursor = Arc::new(Mutex::new(self.connection(step)?.cursor()));
                self.cursors.lock().insert(step.cursor_name().to_owned(), cursor);
            }
            Verb::Execute | Verb::Query | Verb::ExecuteMany | Verb::ExecuteScript => {
                self.execute(step, n, got)?;
            }
            Verb::FetchOne => {
                let row = self.cursor(step)?.lock().fetch_one()?;
                got.row = Some(row.map_or_else(Vec::new, dqlite::Row::into_values));
            }
            Verb::FetchMany => {
                let cursor = self.cursor(step)?;
                let size = step.size.unwrap_or_else(|| cursor.lock().array_size());
                got.rows = Some(values(cursor.lock().fetch_many(size)?));
            }
            Verb::FetchAll => got.rows = Some(values(self.cursor(step)?.lock().fetch_all()?)),
            Verb::Stream => self.stream(step, got)?,
            Verb::SetArraySize => {
                let size = step.to.as_ref().and_then(toml::Value::as_integer).unwrap_or(1);
                self.cursor(step)?.lock().set_array_size(usize::try_from(size).unwrap_or(1));
            }
            Verb::CloseCursor => self.cursor(step)?.lock().close()?,
            Verb::Begin => self.connection(step)?.begin(mode(step)?)?,
            Verb::Commit => self.connection(step)?.commit()?,
            Verb::Rollback => self.connection(step)?.rollback()?,
            Verb::SetAutocommit => {
                let on = step.to.as_ref().and_then(toml::Value::as_bool).unwrap_or(true);
                self.connection(step)?.set_autocommit(on)?;
            }
            Verb::Transaction => self.transaction(step, n, got)?,
            Verb::Interrupt => self.connection(step)?.interrupt(),
            Verb::Backup => self.backup(step, got)?,
            Verb::WaitFor => self.wait_for(step)?,
            Verb::Resolve => self.resolve(step, got)?,
            Verb::Close => self.connection(step)?.close()?,
            Verb::Control => {
                let line = step.line.as_deref().unwrap_or_default();
                let reply = self.control.ask(line);
                let reply = reply.map_err(|error| Failure::Mismatch(error.to_string()))?;
                self.save(step, &reply);
                got.reply = Some(reply);
            }
            Verb::Repeat => {
                for n in 0..step.times.unwrap_or(0) {
                    self.body(&step.body, n, n == 0)?;
                }
            }
            Verb::Fail => return Err(Failure::Body),
            Verb::Look => {}
        }
        Ok(())
    }

    fn save(&self, step: &Step, value: &str) {
        if let Some(name) = &step.save {
            self.variables.lock().insert(name.clone(), value.to_owned());
        }
    }

    pub(crate) fn connection(&self, step: &Step) -> Result<Connection, Failure> {
        let found = self.connections.lock().get(&step.on).cloned();
        found.ok_or_else(|| Failure::Mismatch(format!("there is no connection {}", step.on)))
    }

    pub(crate) fn cursor(&self, step: &Step) -> Result<SharedCursor, Failure> {
        let name = step.cursor_name();
        let found = self.cursors.lock().get(name).cloned();
        found.ok_or_else(|| Failure::Mismatch(format!("there is no cursor {name}")))
    }

    fn connect(&self, step: &Step) -> Result<(), Failure> {
        let usual = self.variables.lock().get("target").cloned().unwrap_or_default();
        let target = step.target.as_ref().unwrap_or(&usual);
        let mut options = ConnectOptions::default();
        for (name, value) in step.options.as_ref().unwrap_or(&self.case.options) {
            match (value, name.strip_suffix("_ms")) {
                (toml::Value::String(text), _) => options.set(name, text)?,
                (toml::Value::Boolean(on), _) => options.set(name, &on.to_string())?,
                (toml::Value::Integer(ms), Some(name)) => options.set(name, &format!("{ms}ms"))?,
                (other, _) => {
                    return Err(Failure::Mismatch(format!("{name} cannot be {other:?}")));
                }
            }
        }
        if !target.contains('?') {
            options.autocommit = Some(options.autocommit.unwrap_or(true));
        }
        let connection = connect(target, options)?;
        self.connections.lock().insert(step.on.clone(), connection);
        Ok(())
    }

    fn execute(&self, step: &Step, n: i64, got: &mut Got) -> Result<(), Failure> {
        let connection = self.connection(step)?;
        let name = step.cursor_name().to_owned();
        let kept = match &step.cursor {
            Some(_) => {
                let mut cursors = self.cursors.lock();
                let make = || Arc::new(Mutex::new(connection.cursor()));
                Some(cursors.entry(name.clone()).or_insert_with(make).clone())
            }
            None => None,
        };
        let sql = step.sql();
        let cursor = match (step.verb, &kept) {
            (Verb::ExecuteMany, Some(kept)) => {
                kept.lock().execute_many(sql, sets(step, n)?)?;
                None
            }
            (Verb::ExecuteMany, None) => Some(connection.execute_many(sql, sets(step, n)?)?),
            (Verb::ExecuteScript, Some(kept)) => {
                kept.lock().execute_script(sql)?;
                None
            }
            (Verb::ExecuteScript, None) => Some(connection.execute_script(sql)?),
            (_, Some(kept)) => {
                kept.lock().execute(sql, parameters(step, n)?)?;
                None
            }
            (_, None) => Some(connection.execute(sql, parameters(step, n)?)?),
        };
        if let Some(cursor) = cursor {
            self.cursors.lock().insert(name, Arc::new(Mutex::new(cursor)));
        }
        if step.verb == Verb::Query {
            got.rows = Some(values(self.cursor(step)?.lock().fetch_all()?));
        }
        Ok(())
    }

    fn stream(&self, step: &Step, got: &mut Got) -> Result<(), Failure> {
        let cursor = self.cursor(step)?;
        let mut cursor = cursor.lock();
        let before = resident_mib();
        let (mut count, mut sum, mut most) = (0, 0, before);
        for row in &mut *cursor {
            if let Some(Value::Integer(first)) = row?.values().first() {
                sum += i128::from(*first);
            }
            count += 1;
            if count % 4096 == 0 {
                most = most.max(resident_mib());
            }
        }
        got.memory_mib = Some(most.max(resident_mib()).saturating_sub(before));
        (got.count, got.sum) = (Some(count), Some(sum));
        Ok(())
    }

    fn transaction(&self, step: &Step, n: i64, got: &mut Got) -> Result<(), Failure> {
        let mut runs = 0;
        let connection = self.connection(step)?;
        let ran = connection.transaction(mode(step)?, |_| {
            runs += 1;
            self.body(&step.body, n, runs == 1)
        });
        got.runs = Some(runs);
        got.failed = Some(matches!(ran, Err(Failure::Body)));
        if matches!(ran, Err(Failure::Body)) { Ok(()) } else { ran }
    }

    fn backup(&self, step: &Step, got: &mut Got) -> Result<(), Failure> {
        let connection = self.connection(step)?;
        let path = step.path.as_deref().unwrap_or_default();
        connection.backup(Path::new(path), |progress| {
            got.remaining = Some(progress.remaining_pages);
            if step.stop {
                connection.interrupt();
            }
        })?;
        Ok(())
    }

    fn wait_for(&self, step: &Step) -> Result<(), Failure> {
        let index = match (&step.of, &step.index) {
            (Some(of), _) => self.connections.lock().get(of).map(Connection::last_index),
            (None, index) => index.as_ref().and_then(|digits| digits.parse().ok()),
        };
        let index = index.ok_or_else(|| Failure::Mismatch("there is no index".to_owned()))?;
        Ok(self.connection(step)?.wait_for(index)?)
    }

    fn resolve(&self, step: &Step, got: &mut Got) -> Result<(), Failure> {
        let Some(error) = self.last_error.lock().clone() else {
            return Err(Failure::Mismatch("there was no error to resolve".to_owned()));
        };
        let applied = error.resolve_blocking()?;
        self.save(step, if applied { "1" } else { "0" });
        got.value = Some(applied);
        Ok(())
    }
}

fn values(rows: Vec<dqlite::Row>) -> Vec<Vec<Value>> {
    rows.into_iter().map(dqlite::Row::into_values).collect()
}

fn mode(step: &Step) -> Result<TransactionMode, Failure> {
    Ok(TransactionMode::from_str(step.mode.as_deref().unwrap_or("deferred"))?)
}

fn parameters(step: &Step, n: i64) -> Result<ParameterSet, Failure> {
    match (&step.params, &step.named) {
        (_, Some(named)) => by_name(named, n),
        (Some(list), None) => {
            let values = list.counted(n).map(|(n, value)| value.value(n));
            Ok(ParameterSet::Positional(values.collect::<Result<_, _>>()?))
        }
        (None, None) => Ok(ParameterSet::default()),
    }
}

fn sets(step: &Step, n: i64) -> Result<Vec<ParameterSet>, Failure> {
    if let Some(sets) = &step.named_sets {
        return sets.iter().map(|set| by_name(set, n)).collect();
    }
    let sets = step.sets.iter().flat_map(|sets| sets.counted(n));
    sets.map(|(n, set)| {
        let values = set.iter().map(|value| value.value(n));
        Ok(ParameterSet::Positional(values.collect::<Result<_, _>>()?))
    })
    .collect()
}

fn by_name(named: &BTreeMap<String, Tagged>, n: i64) -> Result<ParameterSet, Failure> {
    let values = named.iter().map(|(name, value)| Ok((name.as_str().into(), value.value(n)?)));
    Ok(ParameterSet::Named(values.collect::<Result<_, Failure>>()?))
}

/// How much memory the process has, in MiB; 0 where the system does not tell in Linux's way.
fn resident_mib() -> u64 {
    const PAGES_PER_MIB: u64 = 256;
    let status = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.map_or(0, |pages| pages / PAGES_PER_MIB)
}
