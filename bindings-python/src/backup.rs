//! `Connection.backup`, with a Python function that is told how far it is.

use dqlite::blocking;
use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::connection::Connection;
use crate::options;

/// Copies the database into a file; an exception of `progress` ends it.
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
            let told = Python::attach(|py| {
                progress.call1(py, (at.remaining_pages, at.total_pages)).map(drop)
            });
            if let Err(error) = told {
                raised.lock().get_or_insert(error);
                core.interrupt();
            }
        })
    });
    match raised.into_inner() {
        Some(error) => Err(error),
        None => copied,
    }
}
