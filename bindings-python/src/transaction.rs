//! Transactions as a `with` block, and as a function that is run again where that is safe.

use parking_lot::Mutex;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;

use crate::connection::Connection;
use crate::errors;
use crate::wait::detached;

/// `with connection.transaction():`
#[pyclass(module = "dqlite", frozen)]
pub struct Transaction {
    connection: Py<Connection>,
    mode: dqlite::TransactionMode,
}

impl Transaction {
    /// A transaction that begins when the block is entered.
    pub fn new(connection: &Bound<'_, Connection>, mode: dqlite::TransactionMode) -> Self {
        Self { connection: connection.clone().unbind(), mode }
    }
}

#[pymethods]
impl Transaction {
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<Connection>> {
        self.connection.get().wait(py, |core| core.begin(self.mode))?;
        Ok(self.connection.clone_ref(py))
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        leave(self.connection.get(), py, kind.is_none())?;
        Ok(false)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.connection)
    }
}

/// Ends a block: commits if it went well, and rolls back if it did not or the commit fails.
///
/// # Errors
/// The commit's; after a block that failed, nothing hides its own error.
pub fn leave(connection: &Connection, py: Python<'_>, well: bool) -> PyResult<()> {
    if !well {
        // A connection that is lost or closed has no transaction any more.
        return match connection.rollback(py) {
            Err(error) if error.is_instance_of::<pyo3::exceptions::PyKeyboardInterrupt>(py) => {
                Err(error)
            }
            _ => Ok(()),
        };
    }
    connection.commit(py).inspect_err(|_| {
        // Of the two errors the commit's says more.
        let _ = connection.rollback(py);
    })
}

/// Runs a function in a transaction, again if it failed in a way that asks for it.
///
/// # Errors
/// What the function raises, and the core's.
pub fn run<'py>(
    connection: &Bound<'py, Connection>,
    body: &Bound<'py, PyAny>,
    mode: dqlite::TransactionMode,
) -> PyResult<Bound<'py, PyAny>> {
    let py = connection.py();
    let core = connection.get().core(py)?;
    let (body, this) = (body.clone().unbind(), connection.clone().unbind());
    // What the body raised last: the core sees only whether to run it again.
    let raised = Mutex::new(None);
    let result = detached(py, || {
        core.transaction(mode, |_| {
            Python::attach(|py| {
                raised.lock().take();
                body.call1(py, (&this,)).map_err(|error| {
                    let fault = errors::fault_of(py, &error);
                    *raised.lock() = Some(error);
                    fault.unwrap_or_else(dqlite::Error::aborted)
                })
            })
        })
    });
    match (result, raised.into_inner()) {
        (Ok(value), _) => Ok(value.into_bound(py)),
        (Err(_), Some(error)) => Err(error),
        (Err(error), None) => Err(error),
    }
}
