//! Waiting for the core: detached from the interpreter, and ready for a signal.
//!
//! A blocking call runs with the interpreter released. The core asks a [`dqlite::Watch`] about every
//! 50 ms whether to go on; ours lets Python run its signal handlers, and an exception that one of
//! them raises (Ctrl-C: `KeyboardInterrupt`) cancels the call and comes out of it.

use std::cell::RefCell;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::errors;

thread_local! {
    /// What a signal handler raised while this thread waited.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

struct Signals;

impl dqlite::Watch for Signals {
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
pub fn watch() -> Arc<dyn dqlite::Watch> {
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
        if let Err(error) = result
            && error.class() == dqlite::ErrorClass::OutcomeUnknown
        {
            raised.set_cause(py, Some(errors::raise(py, error)));
        }
        return Err(raised);
    }
    result.map_err(|error| errors::raise(py, error))
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
