//! Compares what a step gave with what it must give.

use std::fmt::Debug;

use dqlite::Value;

use super::act::Got;
use super::scope::{Failure, Scope};
use crate::step::{ExpectedError, Step};
use crate::value::{Tagged, is_same, show};

/// How many rows a report shows.
const ROWS_SHOWN: usize = 5;

fn mismatch<T>(step: &Step, what: &str, expected: T, actual: T) -> Failure
where
    T: std::fmt::Display,
{
    let verb = format!("{:?}", step.verb);
    Failure::Mismatch(format!("{verb}: {what}: expected {expected}, got {actual}"))
}

impl Scope<'_> {
    /// Compares. An error that the step does not expect is passed on as it is.
    pub(super) fn expect(
        &self,
        step: &Step,
        n: i64,
        got: &Got,
        result: Result<(), Failure>,
    ) -> Result<(), Failure> {
        match (result, &step.error) {
            (Err(Failure::Error(error)), Some(expected)) => {
                *self.last_error.lock() = Some(error.clone());
                expect_error(step, expected, &error)?;
            }
            (Err(failure), _) => return Err(failure),
            (Ok(()), Some(expected)) => {
                let expected = format!("{expected:?}");
                return Err(mismatch(step, "error", expected, "none".to_owned()));
            }
            (Ok(()), None) => {}
        }
        expect_got(step, n, got)?;
        self.expect_connection(step)?;
        self.expect_cursor(step, n)
    }

    fn expect_connection(&self, step: &Step) -> Result<(), Failure> {
        let Ok(connection) = self.connection(step) else { return Ok(()) };
        equal(step, "in_transaction", step.in_transaction, || connection.in_transaction())?;
        equal(step, "autocommit", step.autocommit, || connection.autocommit())?;
        equal(step, "total_changes", step.total_changes, || connection.total_changes())?;
        equal(step, "closed", step.closed, || connection.is_closed())
    }

    fn expect_cursor(&self, step: &Step, n: i64) -> Result<(), Failure> {
        let Ok(cursor) = self.cursor(step) else { return Ok(()) };
        let cursor = cursor.lock();
        equal(step, "row_count", step.row_count, || cursor.row_count())?;
        equal(step, "array_size", step.array_size, || cursor.array_size())?;
        equal(step, "columns", step.columns.clone(), || columns(&cursor))?;
        if let Some(expected) = &step.last_row_id {
            let actual = cursor.last_row_id().map_or(Value::Null, Value::Integer);
            expect_row(step, "last_row_id", n, std::slice::from_ref(expected), &[actual])?;
        }
        Ok(())
    }
}

/// The columns as case files have them: none where there is no result.
pub(crate) fn columns(cursor: &dqlite::blocking::Cursor) -> Vec<Vec<String>> {
    let columns = cursor.columns().map_or(&[][..], |columns| columns);
    let name_and_type = |column: &dqlite::Column| {
        let declared = column.declared_type.as_deref().map(str::to_owned);
        std::iter::once(column.name.to_string()).chain(declared).collect()
    };
    columns.iter().map(name_and_type).collect()
}

fn equal<T: PartialEq + Debug>(
    step: &Step,
    what: &str,
    expected: Option<T>,
    actual: impl FnOnce() -> T,
) -> Result<(), Failure> {
    let Some(expected) = expected else { return Ok(()) };
    let actual = actual();
    if expected == actual {
        return Ok(());
    }
    Err(mismatch(step, what, format!("{expected:?}"), format!("{actual:?}")))
}

/// What is expected and was not given at all is a mismatch too.
fn same<T: PartialEq + Debug>(
    step: &Step,
    what: &str,
    expected: Option<T>,
    actual: Option<T>,
) -> Result<(), Failure> {
    equal(step, what, expected.map(Some), || actual)
}

fn expect_got(step: &Step, n: i64, got: &Got) -> Result<(), Failure> {
    if let Some(expected) = &step.rows {
        let actual = got.rows.as_deref().unwrap_or_default();
        if expected.len() != actual.len() || got.rows.is_none() {
            let rows = |count: usize, rows: &str| format!("{count} rows {rows}");
            let actual = rows(actual.len(), &show_rows(actual));
            return Err(mismatch(step, "rows", rows(expected.len(), ""), actual));
        }
        for (expected, actual) in expected.iter().zip(actual) {
            expect_row(step, "row", n, expected, actual)?;
        }
    }
    if let Some(expected) = &step.row {
        expect_row(step, "row", n, expected, got.row.as_deref().unwrap_or_default())?;
    }
    if let Some(limit_mib) = step.memory_mib {
        let is_more = got.memory_mib.is_none_or(|mib| mib > limit_mib);
        if is_more {
            let actual = format!("{:?}", got.memory_mib);
            return Err(mismatch(step, "memory_mib", format!("at most {limit_mib}"), actual));
        }
    }
    same(step, "count", step.count, got.count)?;
    same(step, "sum", step.sum.clone(), got.sum.map(|sum| sum.to_string()))?;
    same(step, "remaining", step.remaining, got.remaining)?;
    same(step, "reply", step.reply.as_ref(), got.reply.as_ref())?;
    same(step, "value", step.value, got.value)?;
    same(step, "runs", step.runs, got.runs)?;
    same(step, "failed", step.failed, got.failed)
}

fn expect_row(
    step: &Step,
    what: &str,
    n: i64,
    expected: &[Tagged],
    actual: &[Value],
) -> Result<(), Failure> {
    let expected: Vec<Value> =
        expected.iter().map(|value| value.value(n)).collect::<Result<_, _>>()?;
    let same = expected.len() == actual.len()
        && expected.iter().zip(actual).all(|(expected, actual)| is_same(expected, actual));
    if same { Ok(()) } else { Err(mismatch(step, what, show_row(&expected), show_row(actual))) }
}

fn show_row(row: &[Value]) -> String {
    format!("[{}]", row.iter().map(show).collect::<Vec<_>>().join(", "))
}

fn show_rows(rows: &[Vec<Value>]) -> String {
    rows.iter().take(ROWS_SHOWN).map(|row| show_row(row)).collect::<Vec<_>>().join(" ")
}

fn expect_error(
    step: &Step,
    expected: &ExpectedError,
    actual: &dqlite::Error,
) -> Result<(), Failure> {
    let fits = |expected: &Option<String>, actual: &str| {
        expected.as_ref().is_none_or(|expected| expected == actual)
    };
    let all_fit = fits(&expected.class, actual.class().name())
        && fits(&expected.id, actual.id())
        && expected.code.is_none_or(|code| code == actual.code())
        && fits(&expected.name, actual.name())
        && fits(&expected.retryable, actual.retryable().name())
        && fits(&expected.outcome, actual.outcome().name())
        && expected.says.iter().all(|text| actual.message().contains(text));
    if all_fit {
        return Ok(());
    }
    Err(mismatch(step, "error", format!("{expected:?}"), format!("{actual:?}")))
}
