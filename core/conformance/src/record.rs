//! Writes down what each step of a case gives, one line of JSON each, for [`crate::compare`].

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use dqlite::{Error, Value};
use parking_lot::Mutex;
use serde_json::{Map, json};

use crate::run::{Failure, Got, Scope, columns};
use crate::step::{Step, Verb};
use crate::value::to_json;

/// A log of what steps gave.
#[derive(Debug)]
pub struct Log(Mutex<BufWriter<File>>);

impl Log {
    /// A new log at `path`, in place of what is there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self(Mutex::new(BufWriter::new(File::create(path)?))))
    }

    /// Writes down what a step gave.
    pub(crate) fn write(
        &self,
        scope: &Scope<'_>,
        number: usize,
        step: &Step,
        got: &Got,
        result: &Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut line = Map::new();
        line.insert("case".to_owned(), json!(scope.case.name));
        line.insert("step".to_owned(), json!(number));
        match result {
            Ok(()) => {}
            Err(Failure::Error(error)) => {
                line.insert("error".to_owned(), error_fields(error));
            }
            Err(other) => return Err(other.clone()),
        }
        put_got(&mut line, got);
        if result.is_ok() && has_cursor(step.verb) {
            put_cursor(&mut line, scope, step);
        }
        if let Ok(connection) = scope.connection(step) {
            line.insert("in_transaction".to_owned(), json!(connection.in_transaction()));
            line.insert("autocommit".to_owned(), json!(connection.autocommit()));
            line.insert("total_changes".to_owned(), json!(connection.total_changes()));
        }
        let written = writeln!(self.0.lock(), "{}", serde_json::Value::Object(line));
        written.map_err(|error| Failure::Mismatch(format!("the log: {error}")))
    }

    /// Writes all that is still in memory to the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn flush(&self) -> Result<()> {
        Ok(self.0.lock().flush()?)
    }
}

/// Whether the step is one that looks at a cursor.
fn has_cursor(verb: Verb) -> bool {
    use Verb::{Cursor, Execute, ExecuteMany, ExecuteScript, FetchAll, FetchMany, FetchOne};
    use Verb::{Look, Query, SetArraySize, Stream};
    let runs = matches!(verb, Cursor | Execute | Query | ExecuteMany | ExecuteScript);
    runs || matches!(verb, FetchOne | FetchMany | FetchAll | Stream | SetArraySize | Look)
}

fn error_fields(error: &Error) -> serde_json::Value {
    json!({
        "class": error.class().name(),
        "id": error.id(),
        "code": error.code(),
        "name": error.name(),
        "retryable": error.retryable().name(),
        "outcome": error.outcome().name(),
    })
}

fn put_got(line: &mut Map<String, serde_json::Value>, got: &Got) {
    let row = |row: &Vec<Value>| row.iter().map(to_json).collect::<Vec<_>>();
    let rows = got.rows.as_ref().map(|rows| json!(rows.iter().map(row).collect::<Vec<_>>()));
    let given = [
        ("rows", rows),
        ("row", got.row.as_ref().map(|it| json!(row(it)))),
        ("count", got.count.map(|count| json!(count))),
        ("sum", got.sum.map(|sum| json!(sum.to_string()))),
        ("reply", got.reply.as_ref().map(|reply| json!(reply))),
        ("value", got.value.map(|value| json!(value))),
        ("runs", got.runs.map(|runs| json!(runs))),
        ("failed", got.failed.map(|failed| json!(failed))),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            line.insert(name.to_owned(), value);
        }
    }
}

fn put_cursor(line: &mut Map<String, serde_json::Value>, scope: &Scope<'_>, step: &Step) {
    let Ok(cursor) = scope.cursor(step) else { return };
    let cursor = cursor.lock();
    let last_row_id = cursor.last_row_id().map_or(Value::Null, Value::Integer);
    line.insert("columns".to_owned(), json!(columns(&cursor)));
    line.insert("row_count".to_owned(), json!(cursor.row_count()));
    line.insert("last_row_id".to_owned(), to_json(&last_row_id));
}
