//! Where the rows of a call go, and the flow of rows there.

use dqlite_vfs::{Statement, Step, ValueRef};

use crate::error::Error;

/// Takes the rows of a result, value by value.
pub trait BatchSink: Send + 'static {
    /// Rows of so many values come. Called once before the first row, also where there is no row
    /// in the end, but not where the statement gives none at all.
    fn begin(&mut self, columns: usize);
    /// The row's next value.
    fn push(&mut self, value: ValueRef<'_>);
    /// The row is whole. Gives true when no more have room.
    fn end_row(&mut self) -> bool;
}

/// Gives rows to `sink`: until it is full, or, where `may_pause` is false, all there are. True when
/// more may follow.
pub(super) fn pump<S: BatchSink>(
    statement: &mut Statement,
    sink: &mut S,
    may_pause: bool,
) -> Result<bool, Error> {
    let mut columns = None;
    while statement.step()? == Step::Row {
        // Known only after a step: it may find that the schema has changed.
        let count = match columns {
            Some(count) => count,
            None => *columns.insert(begin(statement, sink)),
        };
        for column in 0..count {
            sink.push(statement.value(column));
        }
        if sink.end_row() && may_pause {
            return Ok(true);
        }
    }
    if columns.is_none() {
        begin(statement, sink);
    }
    Ok(false)
}

fn begin<S: BatchSink>(statement: &Statement, sink: &mut S) -> usize {
    let count = statement.column_count();
    if count > 0 {
        sink.begin(count);
    }
    count
}
