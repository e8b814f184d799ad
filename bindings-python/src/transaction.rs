//! Transactions as a `with` block, and as a function that is run again where that is safe.

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
    let ran = detached(py, || {
        Ok(core.transaction(mode, |_| {
            Python::attach(|py| {
                body.call1(py, (&this,)).map_err(|error| Failure::raised(py, error))
            })
        }))
    })?;
    match ran {
        Ok(value) => Ok(value.into_bound(py)),
        Err(Failure::Core(error)) => Err(errors::raise(py, error)),
        Err(Failure::Body(error, _)) => Err(error),
    }
}

/// Why a transaction that was run as a function failed.
enum Failure {
    /// BEGIN, COMMIT or ROLLBACK failed.
    Core(dqlite::Error),
    /// The function raised; behind that may stand an error of the core.
    Body(PyErr, Option<dqlite::Error>),
}

impl Failure {
    fn raised(py: Python<'_>, error: PyErr) -> Self {
        let fault = errors::fault_of(py, &error);
        Self::Body(error, fault)
    }
}

impl From<dqlite::Error> for Failure {
    fn from(error: dqlite::Error) -> Self {
        Self::Core(error)
    }
}

impl dqlite::RetryOn for Failure {
    fn error(&self) -> Option<&dqlite::Error> {
        match self {
            Self::Core(error) => Some(error),
            Self::Body(_, fault) => fault.as_ref(),
        }
    }
}
