//! Errors: the core's become exceptions of `dqlite.errors`, which has one class for each.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::aio::completions::Completions;
use crate::aio::operation::{self, Operation};
use crate::runtime;
use crate::wait::imported;

/// What stands behind an exception: the core's error, which can find out its outcome.
#[pyclass(module = "dqlite._native", frozen)]
pub struct Fault {
    error: dqlite::Error,
}

impl Fault {
    /// The core's error.
    pub fn error(&self) -> &dqlite::Error {
        &self.error
    }
}

#[pymethods]
impl Fault {
    /// Whether the transaction whose outcome was unknown has committed.
    fn resolve(&self, py: Python<'_>) -> PyResult<bool> {
        let error = self.error.clone();
        runtime::wait(py, async move { error.resolve().await })
    }

    /// The same, for an event loop.
    fn resolve_async(&self, completions: &Bound<'_, Completions>) -> PyResult<Operation> {
        let error = self.error.clone();
        let call = |it| operation::droppable(it, async move { error.resolve().await });
        operation::start(completions.py(), completions.get(), call, |py, committed| {
            Ok(committed.into_pyobject(py)?.unbind())
        })
    }
}

/// The exception for an error of the core.
pub fn raise(py: Python<'_>, error: dqlite::Error) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    made(py, &MAKE, "_from_fault", error)
}

/// The same for an event loop: what its `resolve` gives is awaited.
pub fn raise_async(py: Python<'_>, error: dqlite::Error) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    made(py, &MAKE, "_from_fault_async", error)
}

fn made(
    py: Python<'_>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    maker: &str,
    error: dqlite::Error,
) -> PyErr {
    let made = || -> PyResult<Bound<'_, PyAny>> {
        let make = imported(py, cell, "dqlite.errors", maker)?;
        let fields = (
            error.class().name(),
            error.id(),
            error.code(),
            error.name(),
            error.message(),
            error.retryable().name(),
            error.outcome().name(),
        );
        let fault = Bound::new(py, Fault { error: error.clone() })?;
        make.call1((fields, fault))
    };
    match made() {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}

/// The exception for an error that the binding itself finds, by its id in the table of errors.
pub fn local(py: Python<'_>, id: &str, message: impl AsRef<str>) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = imported(py, &MAKE, "dqlite.errors", "_from_table")
        .and_then(|make| make.call1((id, message.as_ref())));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}

/// The core's error behind an exception, if there is one.
pub fn fault_of(py: Python<'_>, exception: &PyErr) -> Option<dqlite::Error> {
    let fault = exception.value(py).getattr("_fault").ok()?;
    let fault = fault.cast_into::<Fault>().ok()?;
    Some(fault.get().error().clone())
}
