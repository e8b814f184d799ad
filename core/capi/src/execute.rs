//! Running statements: one crossing gives effect, columns and first rows.

use std::ffi::{c_char, c_int};

use crate::arguments::sql;
use crate::connection::{calling, dqlite_connection};
use crate::cursor::{check_places, deliver, dqlite_cursor};
use crate::error::dqlite_error;
use crate::failure::answer;
use crate::operation::dqlite_operation;
use crate::parameters;
use crate::result::dqlite_result;

/// Runs one statement.
///
/// `sql` is `sql_length` bytes of UTF-8. `parameters` is one set of parameters in
/// `parameters_length` bytes; 0 bytes are no parameters. A set is
///
///     0, 1 byte | count, 4 bytes | values                        for ?, ?NNN, in order
///     1, 1 byte | count, 4 bytes | (length, 4 bytes, name | value)...    for :name, @name, $name
///
/// with numbers and values as in a dqlite_batch, and names of UTF-8 without the mark before them.
/// dqlite_values.h has functions that write it. Nothing of it is kept after the call.
///
/// If the statement gives rows, `*cursor` is a new cursor, which must be closed, and `result` has
/// the columns and the first batch; `result->batch.more` tells whether to ask for more. If it gives
/// none, `*cursor` is NULL and nothing need be closed. Where `cursor` is NULL, rows are let go.
/// `result` may be NULL.
///
/// Of a failed write, dqlite_error_outcome() tells whether it took effect.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_execute(
    connection: *mut dqlite_connection,
    sql: *const c_char,
    sql_length: usize,
    parameters: *const u8,
    parameters_length: usize,
    operation: *mut dqlite_operation,
    cursor: *mut *mut dqlite_cursor,
    result: *mut dqlite_result,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            check_places(cursor, result)?;
            let connection = calling(connection, operation)?;
            let sql = crate::arguments::sql(sql, sql_length)?;
            let set = parameters::set(parameters, parameters_length)?;
            deliver(connection.execute(sql, set)?, cursor, result)
        })
    }
}

/// Runs one statement, which may give no rows, once for each set of parameters. With autocommit
/// either all of it takes effect or nothing.
///
/// `parameters` is the count of the sets in 4 bytes, then the sets as in
/// dqlite_connection_execute().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_execute_many(
    connection: *mut dqlite_connection,
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
            let connection = calling(connection, operation)?;
            let sql = crate::arguments::sql(sql, sql_length)?;
            let sets = parameters::sets(parameters, parameters_length)?;
            deliver(connection.execute_many(sql, sets)?, std::ptr::null_mut(), result)
        })
    }
}

/// Runs any number of statements without parameters and stops at the first error. Rows are thrown
/// away. Statements before the one that failed may have taken effect, unless the script makes
/// itself a transaction.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_execute_script(
    connection: *mut dqlite_connection,
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
            let connection = calling(connection, operation)?;
            let script = sql(script, script_length)?;
            deliver(connection.execute_script(script)?, std::ptr::null_mut(), result)
        })
    }
}
