//! One call under way: its future, and a way to cancel it and hear of its end.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use tokio::sync::Notify;

use super::completions::{Completions, Finish, Queue};
use super::runtime;
use super::turns::{Skipped, Turns};
use crate::errors;

/// A call under way.
#[pyclass(module = "dqlite._native", frozen)]
pub struct Operation {
    future: Py<PyAny>,
    waiting: Arc<Waiting>,
    queue: Arc<Queue>,
}

/// Who waits for a call.
pub struct Waiting {
    cancel: Notify,
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
        self.waiting.cancel.notify_one();
        Ok(Some(ended))
    }
}

/// Starts a call.
///
/// # Errors
/// The process has forked since, or has no thread for it.
pub fn start<T: Send + 'static>(
    py: Python<'_>,
    completions: &Completions,
    call: impl AsyncCall<T>,
    finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
) -> PyResult<Operation> {
    let queue = completions.queue(py)?.clone();
    let future = queue.future(py)?;
    let waiting = Arc::new(Waiting {
        cancel: Notify::new(),
        future: Mutex::new(Some(future.clone_ref(py))),
    });
    let (told, back) = (waiting.clone(), queue.clone());
    runtime::handle()?.spawn(async move {
        let result = call.run(&told.cancel).await;
        let finish: Finish = Box::new(move |py| match result {
            Ok(Ok(value)) => finish(py, value),
            Ok(Err(error)) => Err(errors::raise(py, error)),
            Err(Skipped) => Ok(py.None()),
        });
        back.push(told, finish);
    });
    Ok(Operation { future, waiting, queue })
}

/// What [`start`] runs.
pub trait AsyncCall<T>: Send + 'static {
    /// Runs it, until it ends or was cancelled and has ended.
    fn run(
        self,
        cancel: &Notify,
    ) -> impl Future<Output = Result<Result<T, dqlite::Error>, Skipped>> + Send;
}

/// A call on a connection, in turn.
pub struct InTurn<F> {
    /// The connection's turns.
    pub turns: Turns,
    /// The connection.
    pub connection: dqlite::Connection,
    /// The call.
    pub call: F,
}

impl<T, F> AsyncCall<T> for InTurn<F>
where
    T: Send + 'static,
    F: Future<Output = Result<T, dqlite::Error>> + Send + 'static,
{
    async fn run(self, cancel: &Notify) -> Result<Result<T, dqlite::Error>, Skipped> {
        self.turns.run(&self.connection, cancel, self.call).await
    }
}

/// A call that is dropped when it is cancelled: it changes nothing that could be half done.
pub struct Droppable<F>(pub F);

impl<T, F> AsyncCall<T> for Droppable<F>
where
    T: Send + 'static,
    F: Future<Output = Result<T, dqlite::Error>> + Send + 'static,
{
    async fn run(self, cancel: &Notify) -> Result<Result<T, dqlite::Error>, Skipped> {
        tokio::select! {
            biased;
            () = cancel.notified() => Err(Skipped),
            result = self.0 => Ok(result),
        }
    }
}
