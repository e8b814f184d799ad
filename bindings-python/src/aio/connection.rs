//! What `dqlite.aio.Connection` is made of.

use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::completions::Completions;
use super::cursor::AsyncCursor;
use super::operation::{Droppable, InTurn, Operation, start};
use super::turns::Turns;
use crate::fork::Owned;
use crate::options::{self, Opening};

/// A connection for one event loop.
#[pyclass(module = "dqlite._native", frozen)]
pub struct AsyncConnection {
    completions: Py<Completions>,
    core: Owned<dqlite::Connection>,
    turns: Turns,
    convert: bool,
}

/// Starts to open a connection; its operation gives an [`AsyncConnection`].
#[pyfunction]
#[pyo3(signature = (completions, target, **options))]
pub fn connect_async(
    completions: &Bound<'_, Completions>,
    target: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<Operation> {
    let py = target.py();
    let target = options::target(target)?;
    let Opening { core, convert } = options::opening(py, options)?;
    let call = async move { dqlite::connect(&target, core).await };
    let back = completions.clone().unbind();
    start(py, completions.get(), Droppable(call), move |py, core| {
        Ok(Py::new(py, AsyncConnection::new(back, core, convert))?.into_any())
    })
}

impl AsyncConnection {
    /// Wraps an open connection.
    pub fn new(completions: Py<Completions>, core: dqlite::Connection, convert: bool) -> Self {
        Self { completions, core: Owned::new(core), turns: Turns::default(), convert }
    }

    /// The core's connection.
    ///
    /// # Errors
    /// The process has forked since it was opened.
    pub fn core(&self, py: Python<'_>) -> PyResult<&dqlite::Connection> {
        self.core.get(py)
    }

    /// Whether values are converted by their columns' declared types.
    pub fn convert(&self) -> bool {
        self.convert
    }

    /// Starts a call on the connection.
    ///
    /// # Errors
    /// The process has forked since it was opened.
    pub fn start<T, F>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(dqlite::Connection) -> F,
        finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Operation>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, dqlite::Error>> + Send + 'static,
    {
        let connection = self.core(py)?.clone();
        let call = call(connection.clone());
        let call = InTurn { turns: self.turns.clone(), connection, call };
        start(py, self.completions.get(), call, finish)
    }

    fn start_plain<F>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(dqlite::Connection) -> F,
    ) -> PyResult<Operation>
    where
        F: Future<Output = Result<(), dqlite::Error>> + Send + 'static,
    {
        self.start(py, call, |py, ()| Ok(py.None()))
    }
}

#[pymethods]
impl AsyncConnection {
    fn cursor(slf: &Bound<'_, Self>) -> PyResult<AsyncCursor> {
        AsyncCursor::of(slf)
    }

    fn begin(&self, py: Python<'_>, mode: &str) -> PyResult<Operation> {
        let mode = options::mode(py, mode)?;
        self.start_plain(py, |core| async move { core.begin(mode).await })
    }

    fn commit(&self, py: Python<'_>) -> PyResult<Operation> {
        self.start_plain(py, |core| async move { core.commit().await })
    }

    fn rollback(&self, py: Python<'_>) -> PyResult<Operation> {
        self.start_plain(py, |core| async move { core.rollback().await })
    }

    fn close(&self, py: Python<'_>) -> PyResult<Operation> {
        self.start_plain(py, |core| async move { core.close().await })
    }

    fn wait_for(&self, py: Python<'_>, index: u64) -> PyResult<Operation> {
        self.start_plain(py, move |core| async move { core.wait_for(index).await })
    }

    fn set_autocommit(&self, py: Python<'_>, on: bool) -> PyResult<Operation> {
        self.start_plain(py, move |core| async move { core.set_autocommit(on).await })
    }

    /// Copies the database into a file; `progress` is called by the event loop.
    fn backup(
        &self,
        path: &Bound<'_, PyAny>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Operation> {
        let py = path.py();
        let path = options::path("path", path)?;
        let queue = self.completions.get().queue(py)?.clone();
        self.start_plain(py, move |core| async move {
            core.backup(&path, |at| {
                let Some(progress) = &progress else { return };
                queue.call_soon(progress, at.remaining_pages, at.total_pages);
            })
            .await
        })
    }

    fn interrupt(&self, py: Python<'_>) -> PyResult<()> {
        let core = self.core(py)?;
        py.detach(|| core.interrupt());
        Ok(())
    }

    #[getter]
    fn in_transaction(&self, py: Python<'_>) -> PyResult<bool> {
        let core = self.core(py)?;
        Ok(py.detach(|| core.in_transaction()))
    }

    #[getter]
    fn autocommit(&self, py: Python<'_>) -> PyResult<bool> {
        let core = self.core(py)?;
        Ok(py.detach(|| core.autocommit()))
    }

    #[getter]
    fn total_changes(&self, py: Python<'_>) -> PyResult<u64> {
        let core = self.core(py)?;
        Ok(py.detach(|| core.total_changes()))
    }

    #[getter]
    fn last_index(&self, py: Python<'_>) -> PyResult<u64> {
        let core = self.core(py)?;
        Ok(py.detach(|| core.last_index()))
    }

    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        let core = self.core(py)?;
        Ok(py.detach(|| core.is_closed()))
    }

    #[getter]
    fn event_loop(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.completions.get().queue(py)?.event_loop(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.completions)
    }
}
