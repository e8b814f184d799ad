//! What `dqlite.aio.Connection` is made of.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::sync::Mutex;

use super::completions::Completions;
use super::cursor::AsyncCursor;
use super::operation::{Operation, droppable, start};
use crate::errors::{self, local};
use crate::fork::Owned;
use crate::options;
use crate::records;

/// A connection for one event loop.
#[pyclass(module = "dqlite._native", frozen)]
pub struct AsyncConnection {
    completions: Py<Completions>,
    core: Owned<dqlite::Connection>,
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
    let options = options::opening(py, &target, options)?;
    let back = completions.clone().unbind();
    let call =
        |operation| droppable(operation, async move { dqlite::connect(&target, options).await });
    start(py, completions.get(), call, move |py, core| match core {
        Some(core) => Ok(Py::new(py, AsyncConnection::new(back, core))?.into_any()),
        None => Ok(py.None()),
    })
}

impl AsyncConnection {
    /// Wraps an open connection.
    pub fn new(completions: Py<Completions>, core: dqlite::Connection) -> Self {
        let convert = core.convert() == dqlite::Convert::Decltype;
        Self { completions, core: Owned::new(core), convert }
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
        let core = self.core(py)?;
        start(py, self.completions.get(), |it| call(core.with_operation(it)), finish)
    }

    /// Starts a call that takes its operation itself.
    ///
    /// # Errors
    /// The process has forked since the connection was opened.
    pub fn operation<T, F>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(dqlite::Operation) -> F,
        finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Operation>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, dqlite::Error>> + Send + 'static,
    {
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
        self.start_plain(py, |core| async move {
            core.close().await;
            Ok(())
        })
    }

    fn wait_for(&self, py: Python<'_>, index: u64) -> PyResult<Operation> {
        self.start_plain(py, move |core| async move { core.wait_for(index).await })
    }

    /// Copies the database into a file; `progress` is called by the event loop.
    fn backup(&self, path: &Bound<'_, PyAny>, progress: Option<Py<PyAny>>) -> PyResult<Operation> {
        let py = path.py();
        let path = options::path("path", path)?;
        let queue = self.completions.get().queue(py)?.clone();
        self.start_plain(py, move |core| async move {
            core.backup(&path, |at| {
                let Some(progress) = &progress else { return };
                queue.call_soon(progress, |py| records::progress(py, at));
            })
            .await
        })
    }

    fn interrupt(&self, py: Python<'_>) -> PyResult<()> {
        let core = self.core(py)?;
        py.detach(|| core.interrupt());
        Ok(())
    }

    /// The tries at a transaction that is run as a function.
    fn tries(&self, py: Python<'_>) -> PyResult<Tries> {
        Ok(Tries::new(self.completions.clone_ref(py), self.core(py)?.tries()))
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

    /// Not while a transaction is open that this would commit: a setter cannot wait.
    #[setter]
    fn set_autocommit(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        let core = self.core(py)?;
        if on && core.in_transaction() {
            let message = "a transaction is open: await commit() or rollback() first";
            return Err(local(py, "misuse", message));
        }
        let setting = std::pin::pin!(core.set_autocommit(on));
        match setting.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(set) => set.map_err(|error| errors::raise_async(py, error)),
            // Another thread began a transaction meanwhile.
            Poll::Pending => Err(local(py, "misuse", "a transaction is open")),
        }
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

/// The tries at one transaction.
#[pyclass(module = "dqlite._native", frozen)]
pub struct Tries {
    completions: Py<Completions>,
    core: Arc<Mutex<dqlite::Tries>>,
}

impl Tries {
    fn new(completions: Py<Completions>, core: dqlite::Tries) -> Self {
        Self { completions, core: Arc::new(Mutex::new(core)) }
    }
}

#[pymethods]
impl Tries {
    /// Waits a little before the next try; false when there is no time for one.
    fn pause(&self, py: Python<'_>) -> PyResult<Operation> {
        let core = self.core.clone();
        let call = |_| async move { Ok(core.lock().await.pause().await) };
        start(py, self.completions.get(), call, |py, again: bool| {
            Ok(pyo3::types::PyBool::new(py, again).to_owned().into_any().unbind())
        })
    }
}
