//! `Connection.backup`, with a Python function that is told how far it is.

use dqlite::blocking;
use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::connection::Connection;
use crate::options;
use crate::records;

/// Copies the database into a file. It ends as interrupted when `progress` says `False`, and with
/// the exception that it raises.
///
/// # Errors
/// The core's, and what `progress` raises.
pub fn run(
    connection: &Connection,
    path: &Bound<'_, PyAny>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = path.py();
    let path = options::path("path", path)?;
    let progress = progress.map(|function| function.clone().unbind());
    let raised = Mutex::new(None);
    let copied = connection.wait(py, |core: &blocking::Connection| {
        core.backup(&path, |at| {
            let Some(progress) = &progress else { return };
            match Python::attach(|py| goes_on(py, progress, at)) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    raised.lock().get_or_insert(error);
                }
            }
            core.interrupt();
        })
    });
    match raised.into_inner() {
        Some(error) => Err(error),
        None => copied,
    }
}

fn goes_on(py: Python<'_>, progress: &Py<PyAny>, at: dqlite::Progress) -> PyResult<bool> {
    let said = progress.call1(py, (records::progress(py, at)?,))?;
    Ok(!said.bind(py).is(pyo3::types::PyBool::new(py, false)))
}
