//! Cancelling calls, and giving them a deadline.

use std::ffi::c_int;
use std::time::Duration;

use dqlite::Operation;

use crate::arguments::Place;
use crate::error::dqlite_error;
use crate::failure::{Failure, answer};
use crate::handle::{Kind, Registry};

/// What calls are cancelled by.
///
/// Every call that can wait takes one, or NULL. Given to several calls, it cancels all of them.
pub struct dqlite_operation {
    _opaque: [u8; 0],
}

static OPERATIONS: Registry<Operation> = Registry::new(Kind::Operation);

/// The operation of a call; none for NULL.
pub(crate) fn find(operation: *mut dqlite_operation) -> Result<Option<Operation>, Failure> {
    if operation.is_null() {
        return Ok(None);
    }
    let found = OPERATIONS.get(operation);
    found.map(|it| Some((*it).clone())).map_err(|miss| Failure::handle(miss, "operation", "handle"))
}

/// Makes an operation. Calls that it is given to end when `timeout_ms` milliseconds from now are
/// over, with the class DQLITE_CLASS_TIMEOUT; with 0 there is no such limit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_operation_new(
    timeout_ms: u64,
    operation: *mut *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` and `operation` are as the header demands.
    unsafe {
        answer(error, || {
            let place = Place::required(operation, "operation")?;
            let made = match timeout_ms {
                0 => Operation::new(),
                ms => Operation::with_timeout(Duration::from_millis(ms)),
            };
            place.set(OPERATIONS.insert(made));
            Ok(())
        })
    }
}

/// Stops the calls that the operation was given to, from any thread: one that waits or runs now,
/// wherever it stands, and one that begins later, at once. They end with the class
/// DQLITE_CLASS_INTERRUPTED, and never a call that the operation was not given to.
///
/// A cancelled statement leaves its transaction open and usable. A cancelled commit may have taken
/// effect: its error has DQLITE_OUTCOME_UNKNOWN then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_operation_cancel(
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe {
        answer(error, || {
            if let Some(operation) = find(operation)? {
                operation.cancel();
            }
            Ok(())
        })
    }
}

/// Frees an operation; calls that it was given to go on. NULL is fine, and so is one that was
/// freed.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_operation_free(operation: *mut dqlite_operation) {
    let _ = OPERATIONS.remove(operation);
}
