//! One call under way: its future, and a way to cancel it and hear of its end.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;

use super::completions::{Completions, Finish, Queue};
use crate::errors;
use crate::exit;
use crate::runtime;

/// A call under way.
#[pyclass(module = "dqlite._native", frozen)]
pub struct Operation {
    future: Py<PyAny>,
    waiting: Arc<Waiting>,
    queue: Arc<Queue>,
}

/// Who waits for a call.
pub struct Waiting {
    core: dqlite::Operation,
    /// The future to set; `None` once the call has ended.
    future: Mutex<Option<Py<PyAny>>>,
}

impl Waiting {
    /// Sets the future, on the event loop's thread.
    ///
    /// # Errors
    /// The future's.
    pub fn end(&self, py: Python<'_>, result: PyResult<Py<PyAny>>) -> PyResult<()> {
        let Some(future) = self.future.lock().take() else { return Ok(()) };
        let future = future.bind(py);
        if future.call_method0(pyo3::intern!(py, "done"))?.is_truthy()? {
            return Ok(());
        }
        match result {
            Ok(value) => future.call_method1(pyo3::intern!(py, "set_result"), (value,)),
            Err(error) => future.call_method1(pyo3::intern!(py, "set_exception"), (error,)),
        }?;
        Ok(())
    }
}

#[pymethods]
impl Operation {
    fn __await__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.future.call_method0(py, pyo3::intern!(py, "__await__"))
    }

    /// Asks the call to end, and gives a new future for its end; `None` if it has ended.
    fn cancel(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let ended = self.queue.future(py)?;
        let _old = {
            let mut future = self.waiting.future.lock();
            if future.is_none() {
                return Ok(None);
            }
            future.replace(ended.clone_ref(py))
        };
        self.waiting.core.cancel();
        Ok(Some(ended))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.future)
    }
}

/// Starts a call. `call` is told of its operation, by which it is cancelled.
///
/// # Errors
/// The process has forked since, or has no thread for it.
pub fn start<T, F>(
    py: Python<'_>,
    completions: &Completions,
    call: impl FnOnce(dqlite::Operation) -> F,
    finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
) -> PyResult<Operation>
where
    T: Send + 'static,
    F: Future<Output = Result<T, dqlite::Error>> + Send + 'static,
{
    let queue = completions.queue(py)?.clone();
    exit::reopen();
    let future = queue.future(py)?;
    let core = dqlite::Operation::new();
    let call = call(core.clone());
    let waiting = Arc::new(Waiting { core, future: Mutex::new(Some(future.clone_ref(py))) });
    let (told, back) = (waiting.clone(), queue.clone());
    runtime::handle()?.spawn(async move {
        let result = call.await;
        let finish: Finish = Box::new(move |py| match result {
            Ok(value) => finish(py, value),
            Err(error) => Err(errors::raise_async(py, error)),
        });
        back.push(told, finish);
    });
    Ok(Operation { future, waiting, queue })
}

/// Runs a call that is dropped when its operation is cancelled; `None` then. For calls that leave
/// nothing half done.
pub async fn droppable<T>(
    operation: dqlite::Operation,
    call: impl Future<Output = Result<T, dqlite::Error>>,
) -> Result<Option<T>, dqlite::Error> {
    tokio::select! {
        biased;
        result = call => result.map(Some),
        () = operation.cancelled() => Ok(None),
    }
}
