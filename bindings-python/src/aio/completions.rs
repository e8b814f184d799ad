//! What has ended and waits for its event loop to hear of it.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;

use super::operation::Waiting;
use crate::exit;
use crate::fork::Owned;

/// Makes what a call came to into a Python object, on the event loop's thread.
pub type Finish = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// The way back to one event loop. All connections that were opened on it share this.
#[pyclass(module = "dqlite._native", frozen, weakref)]
pub struct Completions {
    queue: Owned<Arc<Queue>>,
}

/// Results for one event loop.
pub struct Queue {
    ended: Mutex<Vec<(Arc<Waiting>, Finish)>>,
    event_loop: Py<PyAny>,
    call_soon: Py<PyAny>,
}

#[pymethods]
impl Completions {
    #[new]
    fn new(event_loop: Bound<'_, PyAny>) -> PyResult<Self> {
        let call_soon = event_loop.getattr("call_soon_threadsafe")?.unbind();
        let queue = Queue { ended: Mutex::default(), event_loop: event_loop.unbind(), call_soon };
        Ok(Self { queue: Owned::new(Arc::new(queue)) })
    }

    /// The event loop.
    #[getter]
    fn event_loop(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.queue.get(py)?.event_loop.clone_ref(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(queue) = self.queue.get_quietly() else { return Ok(()) };
        // Operations under way hold the queue as well, out of the collector's sight.
        if Arc::strong_count(queue) > 1 {
            return Ok(());
        }
        visit.call(&queue.event_loop)?;
        visit.call(&queue.call_soon)
    }
}

impl Completions {
    /// The queue.
    ///
    /// # Errors
    /// The process has forked since.
    pub fn queue(&self, py: Python<'_>) -> PyResult<&Arc<Queue>> {
        self.queue.get(py)
    }
}

impl Queue {
    /// The event loop.
    pub fn event_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.clone_ref(py)
    }

    /// Has the event loop call a function, which nobody waits for.
    pub fn call_soon(
        &self,
        function: &Py<PyAny>,
        argument: impl FnOnce(Python<'_>) -> PyResult<Bound<'_, PyAny>>,
    ) {
        exit::attached(|py| {
            // It fails if the event loop is closed; then nobody wants to know.
            let _ = argument(py).and_then(|it| self.call_soon.call1(py, (function, it)));
        });
    }

    /// A new future of the event loop.
    ///
    /// # Errors
    /// The event loop's.
    pub fn future(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.event_loop.call_method0(py, pyo3::intern!(py, "create_future"))
    }

    /// Puts in what an operation came to, and wakes the event loop if it does not know yet.
    pub fn push(self: &Arc<Self>, waiting: Arc<Waiting>, finish: Finish) {
        let first = {
            let mut ended = self.ended.lock();
            ended.push((waiting, finish));
            ended.len() == 1
        };
        if !first {
            return;
        }
        // Nobody is left to hear of it when the interpreter is going down.
        exit::attached(|py| {
            let woken = Bound::new(py, Drain { queue: self.clone() })
                .and_then(|drain| self.call_soon.call1(py, (drain,)));
            if woken.is_err() {
                // The event loop is closed.
                let _lost = std::mem::take(&mut *self.ended.lock());
            }
        });
    }
}

/// Called by the event loop: hands out every result there is.
#[pyclass(module = "dqlite._native", frozen)]
struct Drain {
    queue: Arc<Queue>,
}

#[pymethods]
impl Drain {
    fn __call__(&self, py: Python<'_>) {
        let ended = std::mem::take(&mut *self.queue.ended.lock());
        for (waiting, finish) in ended {
            if let Err(error) = waiting.end(py, finish(py)) {
                error.write_unraisable(py, None);
            }
        }
    }
}
