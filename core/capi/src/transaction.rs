//! Transactions.

use std::ffi::{c_int, c_void};

use dqlite::{Error, RetryOn, TransactionMode};

use crate::connection::{calling, dqlite_connection};
use crate::error::{self, dqlite_error};
use crate::failure::{Failure, answer};
use crate::operation::dqlite_operation;
use crate::tables;

/// What dqlite_connection_transaction() calls. 0 commits; anything else rolls back. Of a call in it
/// that failed, it hands the error on in `*error`, so that the transaction can be run again where
/// that may help.
pub type dqlite_transaction_body = Option<
    unsafe extern "C" fn(
        arg: *mut c_void,
        connection: *mut dqlite_connection,
        error: *mut *mut dqlite_error,
    ) -> c_int,
>;

fn mode(number: c_int) -> Result<TransactionMode, Failure> {
    match number {
        tables::TRANSACTION_DEFERRED => Ok(TransactionMode::Deferred),
        tables::TRANSACTION_IMMEDIATE => Ok(TransactionMode::Immediate),
        tables::TRANSACTION_EXCLUSIVE => Ok(TransactionMode::Exclusive),
        _ => Err(Failure::argument(format!("there is no transaction mode {number}"))),
    }
}

/// Begins a transaction: `mode` is DQLITE_TRANSACTION_*.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_begin(
    connection: *mut dqlite_connection,
    mode: c_int,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe { answer(error, || Ok(calling(connection, operation)?.begin(self::mode(mode)?)?)) }
}

/// Commits the open transaction. Without one it does nothing.
///
/// Where its answer is lost, what became of it is found out if time allows. Else the error has the
/// class DQLITE_CLASS_OUTCOME_UNKNOWN, and dqlite_error_resolve() finds it out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_commit(
    connection: *mut dqlite_connection,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe { answer(error, || Ok(calling(connection, operation)?.commit()?)) }
}

/// Ends the open transaction without effect. Without one it does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_rollback(
    connection: *mut dqlite_connection,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe { answer(error, || Ok(calling(connection, operation)?.rollback()?)) }
}

/// How a transaction failed.
enum BodyFailure {
    /// By itself, or in a call whose error the body handed on.
    Told(Failure),
    /// The body wants no commit, for a reason of its own.
    Refused(c_int),
}

impl From<Error> for BodyFailure {
    fn from(error: Error) -> Self {
        Self::Told(error.into())
    }
}

impl RetryOn for BodyFailure {
    fn error(&self) -> Option<&Error> {
        match self {
            Self::Told(Failure::Core(error)) => Some(error),
            Self::Told(Failure::Here { .. }) | Self::Refused(_) => None,
        }
    }
}

impl From<BodyFailure> for Failure {
    fn from(failure: BodyFailure) -> Self {
        match failure {
            BodyFailure::Told(failure) => failure,
            BodyFailure::Refused(returned) => Self::new(
                "transaction.aborted",
                format!("the body of the transaction returned {returned}"),
            ),
        }
    }
}

/// Runs `body` in a transaction, on the calling thread: commits when it returns 0, rolls back when
/// it does not.
///
/// When the failure is one of the moment (the leader is gone, another writer came first) and
/// nothing of the transaction is left, `body` is called again from the start, for about half a
/// minute. The error that it handed on becomes this call's. If it handed none on, the error's id is
/// "transaction.aborted" and its message has what it returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_transaction(
    connection: *mut dqlite_connection,
    mode: c_int,
    body: dqlite_transaction_body,
    arg: *mut c_void,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `error` is as the header demands.
    unsafe {
        answer(error, || {
            let mode = self::mode(mode)?;
            let Some(body) = body else { return Err(Failure::argument("body is NULL")) };
            let calling = calling(connection, operation)?;
            let done = calling.transaction(mode, |_| {
                let mut handed_on: *mut dqlite_error = std::ptr::null_mut();
                // SAFETY: the caller gave the body for this.
                let returned = body(arg, connection, &raw mut handed_on);
                match (returned, error::take(handed_on)) {
                    (0, _) => Ok(()),
                    (_, Some(failure)) => Err(BodyFailure::Told(failure)),
                    (_, None) => Err(BodyFailure::Refused(returned)),
                }
            });
            Ok(done?)
        })
    }
}
