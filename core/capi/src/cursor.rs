//! Cursors: one result at a time, read in batches.

use std::ffi::{c_char, c_int};
use std::sync::Arc;

use dqlite::{Operation, RowBatch, blocking};
use parking_lot::Mutex;

use crate::arguments::{Place, sql};
use crate::connection::{self, dqlite_connection};
use crate::error::dqlite_error;
use crate::failure::{Failure, answer};
use crate::handle::{Kind, Miss, Registry};
use crate::operation::{self, dqlite_operation};
use crate::parameters;
use crate::result::{Columns, dqlite_batch, dqlite_column, dqlite_result};

/// One result at a time of a connection. Calls of several threads take turns, but what a call gives
/// is borrowed until the next one, so that a cursor is best used by one thread.
pub struct dqlite_cursor {
    _opaque: [u8; 0],
}

/// A cursor, and what C borrows from it.
struct Reading {
    cursor: blocking::Cursor,
    columns: Columns,
    batch: RowBatch,
}

static CURSORS: Registry<Mutex<Reading>> = Registry::new(Kind::Cursor);

fn find(cursor: *mut dqlite_cursor) -> Result<Arc<Mutex<Reading>>, Failure> {
    CURSORS.get(cursor).map_err(|miss| Failure::handle(miss, "cursor", "cursor.closed"))
}

impl Reading {
    fn new(cursor: blocking::Cursor) -> Self {
        Self { cursor, columns: Columns::default(), batch: RowBatch::default() }
    }

    /// Runs a statement, which stops with `operation`, and gives what it gives.
    fn run(
        &mut self,
        operation: Option<Operation>,
        statement: impl FnOnce(&mut blocking::Cursor) -> Result<(), dqlite::Error>,
    ) -> Result<dqlite_result, Failure> {
        self.batch = RowBatch::default();
        self.columns = Columns::default();
        self.cursor.set_operation(operation.unwrap_or_default());
        statement(&mut self.cursor)?;
        self.result()
    }

    /// What the statement that ran gives.
    fn result(&mut self) -> Result<dqlite_result, Failure> {
        let mut result = dqlite_result::effect(&self.cursor);
        if let Some(columns) = self.cursor.columns() {
            self.columns = Columns::of(columns);
            result.columns = self.columns.start();
            result.column_count = self.columns.count();
            result.batch = self.next()?;
        }
        Ok(result)
    }

    fn next(&mut self) -> Result<dqlite_batch, Failure> {
        self.batch = RowBatch::default();
        let Some(batch) = self.cursor.next_batch()? else { return Ok(dqlite_batch::NONE) };
        self.batch = batch;
        Ok(dqlite_batch::of(&self.batch, self.cursor.has_more()))
    }
}

/// Gives C what a statement did, with a cursor if it gives rows and they are wanted.
///
/// # Safety
/// The places are NULL or can be written to; `result` holds its size.
pub(crate) unsafe fn deliver(
    cursor: blocking::Cursor,
    cursor_out: *mut *mut dqlite_cursor,
    result_out: *mut dqlite_result,
) -> Result<(), Failure> {
    let wanted = cursor.columns().is_some() && !cursor_out.is_null();
    let mut reading = Reading::new(cursor);
    let result = match wanted {
        true => reading.result()?,
        false => dqlite_result::effect(&reading.cursor),
    };
    if wanted {
        // The views do not move with what holds them: all they point to is on the heap.
        let handle = CURSORS.insert(Mutex::new(reading));
        // SAFETY: it is not NULL; the rest is the caller's promise.
        unsafe { cursor_out.write(handle) };
    }
    // SAFETY: the caller's promise.
    unsafe { give(result_out, result) }
}

/// # Safety
/// As [`deliver`].
unsafe fn give(place: *mut dqlite_result, result: dqlite_result) -> Result<(), Failure> {
    if !place.is_null() {
        // SAFETY: the caller's promise.
        unsafe { Place::sized(place, "result") }?.fill(result);
    }
    Ok(())
}

/// Checks what a call will be given its result in, before it has an effect.
///
/// # Safety
/// As [`deliver`].
pub(crate) unsafe fn check_places(
    cursor: *mut *mut dqlite_cursor,
    result: *mut dqlite_result,
) -> Result<(), Failure> {
    if !cursor.is_null() {
        // SAFETY: the caller's promise.
        unsafe { Place::required(cursor, "cursor") }?.set(std::ptr::null_mut());
    }
    if !result.is_null() {
        // SAFETY: the caller's promise.
        unsafe { Place::sized(result, "result") }?;
    }
    Ok(())
}

/// Makes a cursor, which can run one statement after the other. It must be closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_cursor(
    connection: *mut dqlite_connection,
    cursor: *mut *mut dqlite_cursor,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` and `cursor` are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(cursor, "cursor")?;
            let connection = connection::find(connection)?;
            let reading = Reading::new(connection.inner.cursor());
            place.set(CURSORS.insert(Mutex::new(reading)));
            Ok(())
        })
    }
}

/// Runs one statement in place of the last one: as dqlite_connection_execute(), with this cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cursor_execute(
    cursor: *mut dqlite_cursor,
    sql: *const c_char,
    sql_length: usize,
    parameters: *const u8,
    parameters_length: usize,
    operation: *mut dqlite_operation,
    result: *mut dqlite_result,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            check_places(std::ptr::null_mut(), result)?;
            let found = find(cursor)?;
            let sql = crate::arguments::sql(sql, sql_length)?;
            let set = parameters::set(parameters, parameters_length)?;
            let operation = operation::find(operation)?;
            let given = found.lock().run(operation, |cursor| cursor.execute(sql, set))?;
            give(result, given)
        })
    }
}

/// Runs one statement once for each set of parameters: as dqlite_connection_execute_many(), with
/// this cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cursor_execute_many(
    cursor: *mut dqlite_cursor,
    sql: *const c_char,
    sql_length: usize,
    parameters: *const u8,
    parameters_length: usize,
    operation: *mut dqlite_operation,
    result: *mut dqlite_result,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            check_places(std::ptr::null_mut(), result)?;
            let found = find(cursor)?;
            let sql = crate::arguments::sql(sql, sql_length)?;
            let sets = parameters::sets(parameters, parameters_length)?;
            let operation = operation::find(operation)?;
            let given = found.lock().run(operation, |cursor| cursor.execute_many(sql, sets))?;
            give(result, given)
        })
    }
}

/// Runs any number of statements: as dqlite_connection_execute_script(), with this cursor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cursor_execute_script(
    cursor: *mut dqlite_cursor,
    script: *const c_char,
    script_length: usize,
    operation: *mut dqlite_operation,
    result: *mut dqlite_result,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            check_places(std::ptr::null_mut(), result)?;
            let found = find(cursor)?;
            let script = sql(script, script_length)?;
            let operation = operation::find(operation)?;
            let given = found.lock().run(operation, |cursor| cursor.execute_script(script))?;
            give(result, given)
        })
    }
}

/// Fetches the next batch of rows: `batch->length` is 0 when there are no more. One that was given
/// before is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cursor_next_batch(
    cursor: *mut dqlite_cursor,
    operation: *mut dqlite_operation,
    batch: *mut dqlite_batch,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` and `batch` are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(batch, "batch")?;
            place.set(dqlite_batch::NONE);
            let found = find(cursor)?;
            let operation = operation::find(operation)?;
            let mut reading = found.lock();
            reading.cursor.set_operation(operation.unwrap_or_default());
            place.set(reading.next()?);
            Ok(())
        })
    }
}

/// The columns of the result, as dqlite_result has them; `*count` is 0 where there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cursor_columns(
    cursor: *mut dqlite_cursor,
    columns: *mut *const dqlite_column,
    count: *mut usize,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let columns = Place::required(columns, "columns")?;
            let count = Place::required(count, "count")?;
            let found = find(cursor)?;
            let reading = found.lock();
            columns.set(reading.columns.start());
            count.set(reading.columns.count());
            Ok(())
        })
    }
}

/// How many rows the last INSERT, UPDATE, DELETE or REPLACE changed; -1 for other statements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cursor_row_count(
    cursor: *mut dqlite_cursor,
    row_count: *mut i64,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(row_count, "row_count")?;
            place.set(find(cursor)?.lock().cursor.row_count());
            Ok(())
        })
    }
}

/// The rowid that the last INSERT gave; `*has_one` is false after statements of other kinds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cursor_last_row_id(
    cursor: *mut dqlite_cursor,
    last_row_id: *mut i64,
    has_one: *mut bool,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let last_row_id = Place::required(last_row_id, "last_row_id")?;
            let has_one = Place::required(has_one, "has_one")?;
            let found = find(cursor)?.lock().cursor.last_row_id();
            has_one.set(found.is_some());
            last_row_id.set(found.unwrap_or_default());
            Ok(())
        })
    }
}

/// Closes a cursor and lets go of its result, read or not; in the second case it takes its turn on
/// the connection. NULL is fine, and so is one that was closed. Every cursor must be closed, before
/// or after its connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_cursor_close(
    cursor: *mut dqlite_cursor,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe {
        answer(error, || match CURSORS.remove(cursor) {
            Ok(found) => {
                // On a connection that is closed there is nothing left to close.
                let _ = found.lock().cursor.close();
                Ok(())
            }
            Err(Miss::Null | Miss::Closed) => Ok(()),
            Err(miss) => Err(Failure::handle(miss, "cursor", "cursor.closed")),
        })
    }
}
