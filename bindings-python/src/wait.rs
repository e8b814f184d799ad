//! Waiting for the core: detached from the interpreter, and ready for a signal.
//!
//! A blocking call runs with the interpreter released. The core asks a [`Watch`] about every 50 ms
//! whether to go on; ours lets Python run its signal handlers, and an exception that one of them
//! raises (Ctrl-C: `KeyboardInterrupt`) cancels the call and comes out of it.

use std::cell::RefCell;
use std::sync::Arc;

use dqlite::blocking::Watch;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::errors;

thread_local! {
    /// What a signal handler raised while this thread waited.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
    /// The connections whose turn this thread has in those calls.
    static TURNS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

struct Signals;

impl Watch for Signals {
    fn should_stop(&self) -> bool {
        // Nothing to ask once the interpreter is going down. Python runs handlers on its main
        // thread only; on any other this finds nothing to do.
        let checked = Python::try_attach(|py| py.check_signals());
        match checked {
            Some(Err(error)) => {
                RAISED.set(Some(error));
                true
            }
            _ => false,
        }
    }
}

/// The watch for a new connection.
pub fn watch() -> Arc<dyn Watch> {
    Arc::new(Signals)
}

/// Runs a call that may wait, detached from the interpreter.
///
/// # Errors
/// What a signal handler raised meanwhile; else the call's own error.
pub fn detached<T: Send>(
    py: Python<'_>,
    call: impl FnOnce() -> Result<T, dqlite::Error> + Send,
) -> PyResult<T> {
    let result = py.detach(call);
    if let Some(raised) = RAISED.take() {
        return Err(told_with(py, raised, result.err()));
    }
    result.map_err(|error| errors::raise(py, error))
}

/// An exception of a signal handler, with what it left undecided.
fn told_with(py: Python<'_>, raised: PyErr, error: Option<dqlite::Error>) -> PyErr {
    if let Some(error) = error
        && error.class() == dqlite::ErrorClass::OutcomeUnknown
    {
        raised.set_cause(py, Some(errors::raise(py, error)));
    }
    raised
}

/// As [`detached`], for a call that has its turn on the connection at this address. Python code
/// that runs within such a call, a signal handler say, must not wait for another turn of it.
///
/// # Errors
/// This is such code; else as [`detached`].
pub fn in_turn<T: Send>(
    py: Python<'_>,
    connection: usize,
    call: impl FnOnce() -> Result<T, dqlite::Error> + Send,
) -> PyResult<T> {
    if TURNS.with_borrow(|turns| turns.contains(&connection)) {
        let message = "the connection is in the middle of the call that this code runs within";
        return Err(errors::local(py, "misuse", message));
    }
    TURNS.with_borrow_mut(|turns| turns.push(connection));
    let result = detached(py, call);
    TURNS.with_borrow_mut(Vec::pop);
    result
}

/// An attribute of a Python module, looked up once.
///
/// # Errors
/// The module or the attribute is not there.
pub fn imported<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    module: &str,
    name: &str,
) -> PyResult<&'py Bound<'py, PyAny>> {
    cell.get_or_try_init(py, || Ok(py.import(module)?.getattr(name)?.unbind()))
        .map(|found| found.bind(py))
}
