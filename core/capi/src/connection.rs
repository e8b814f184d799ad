//! Connections: opened, asked, closed.

use std::ffi::{CString, c_char, c_int};
use std::sync::Arc;

use dqlite::{Convert, blocking};

use crate::arguments::{Place, text};
use crate::error::{c_text, dqlite_error};
use crate::failure::{Failure, answer};
use crate::handle::{Kind, Miss, Registry};
use crate::operation::{self, dqlite_operation};
use crate::options::{self, dqlite_option};
use crate::tables;

/// A session with one database. It follows the leader. Calls of several threads take turns.
pub struct dqlite_connection {
    _opaque: [u8; 0],
}

/// A connection, and what C borrows of it.
pub(crate) struct Held {
    pub inner: blocking::Connection,
    database: CString,
}

static CONNECTIONS: Registry<Held> = Registry::new(Kind::Connection);

/// Issues a handle for a connection.
pub(crate) fn issue(inner: blocking::Connection) -> *mut dqlite_connection {
    let database = c_text(inner.database());
    CONNECTIONS.insert(Held { inner, database })
}

pub(crate) fn find(connection: *mut dqlite_connection) -> Result<Arc<Held>, Failure> {
    CONNECTIONS
        .get(connection)
        .map_err(|miss| Failure::handle(miss, "connection", "connection.closed"))
}

/// The connection, for a call that stops with `operation`.
pub(crate) fn calling(
    connection: *mut dqlite_connection,
    operation: *mut dqlite_operation,
) -> Result<blocking::Connection, Failure> {
    let held = find(connection)?;
    Ok(match operation::find(operation)? {
        Some(operation) => held.inner.with_operation(operation),
        None => held.inner.clone(),
    })
}

/// Opens a connection.
///
/// `target` is the path of a folder, made if need be, which a node in this process then serves (all
/// connections of the process to one folder share it, and it ends with the last of them); or
/// "dqlite://host:port,host:port/database?option=value", which names nodes of a running cluster.
/// The options are those of the scope "connect" in the reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connect(
    target: *const c_char,
    options: *const dqlite_option,
    option_count: usize,
    operation: *mut dqlite_operation,
    connection: *mut *mut dqlite_connection,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(connection, "connection")?;
            place.set(std::ptr::null_mut());
            let target = text(target, "target")?;
            let options = options::for_connection(options, option_count)?;
            let operation = operation::find(operation)?;
            let opening = dqlite::connect(target, options);
            let opened = blocking::wait(opening, operation.as_ref())?;
            place.set(issue(blocking::Connection::from(opened)));
            Ok(())
        })
    }
}

/// Stops the call that runs on the connection now, if one does, and never a later one. From any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_interrupt(
    connection: *mut dqlite_connection,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe {
        answer(error, || {
            find(connection)?.inner.interrupt();
            Ok(())
        })
    }
}

/// Closes a connection. An open transaction is rolled back, a call that runs is stopped, and
/// cursors give no more rows. NULL is fine, and so is a connection that was closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_close(
    connection: *mut dqlite_connection,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe {
        answer(error, || match CONNECTIONS.remove(connection) {
            Ok(held) => Ok(held.inner.close()?),
            Err(Miss::Null | Miss::Closed) => Ok(()),
            Err(miss) => Err(Failure::handle(miss, "connection", "connection.closed")),
        })
    }
}

/// Whether the connection was closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_closed(
    connection: *mut dqlite_connection,
    closed: *mut bool,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(closed, "closed")?;
            place.set(match CONNECTIONS.get(connection) {
                Ok(held) => held.inner.is_closed(),
                Err(Miss::Closed) => true,
                Err(miss) => return Err(Failure::handle(miss, "connection", "connection.closed")),
            });
            Ok(())
        })
    }
}

/// Writes what `ask` says of an open connection to `place`.
///
/// # Safety
/// `place` and `error` are NULL or can be written to.
unsafe fn tell<T>(
    connection: *mut dqlite_connection,
    place: *mut T,
    error: *mut *mut dqlite_error,
    ask: impl FnOnce(&Held) -> T,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        answer(error, || {
            let place = Place::required(place, "the place for the answer")?;
            place.set(ask(&*find(connection)?));
            Ok(())
        })
    }
}

/// Whether a transaction is open. One that was lost with its node counts until it is rolled back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_in_transaction(
    connection: *mut dqlite_connection,
    in_transaction: *mut bool,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe { tell(connection, in_transaction, error, |it| it.inner.in_transaction()) }
}

/// Whether each statement commits by itself. If not, the first one that writes begins a
/// transaction, which lasts until dqlite_connection_commit() or dqlite_connection_rollback().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_autocommit(
    connection: *mut dqlite_connection,
    autocommit: *mut bool,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe { tell(connection, autocommit, error, |it| it.inner.autocommit()) }
}

/// Changes it. To turn it on commits an open transaction.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_set_autocommit(
    connection: *mut dqlite_connection,
    autocommit: bool,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe { answer(error, || Ok(calling(connection, operation)?.set_autocommit(autocommit)?)) }
}

/// Rows inserted, updated or deleted through the connection since it was opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_total_changes(
    connection: *mut dqlite_connection,
    total_changes: *mut u64,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe { tell(connection, total_changes, error, |it| it.inner.total_changes()) }
}

/// The index of the log that the connection has seen: for dqlite_connection_wait_for() of another.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_last_index(
    connection: *mut dqlite_connection,
    last_index: *mut u64,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe { tell(connection, last_index, error, |it| it.inner.last_index()) }
}

/// Waits until what the connection reads from has the log up to `index`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_wait_for(
    connection: *mut dqlite_connection,
    index: u64,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe { answer(error, || Ok(calling(connection, operation)?.wait_for(index)?)) }
}

/// The name of the connection's database. It lives as long as the connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_database(
    connection: *mut dqlite_connection,
    database: *mut *const c_char,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe { tell(connection, database, error, |it| it.database.as_ptr()) }
}

/// What whoever reads the rows is to make of values, DQLITE_CONVERT_*: batches hold them as they
/// are stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_convert(
    connection: *mut dqlite_connection,
    convert: *mut c_int,
    error: *mut *mut dqlite_error,
) -> c_int {
    let number = |held: &Held| match held.inner.asynchronous().convert() {
        Convert::None => tables::CONVERT_NONE,
        Convert::Decltype => tables::CONVERT_DECLTYPE,
    };
    // SAFETY: all are as the header demands.
    unsafe { tell(connection, convert, error, number) }
}
