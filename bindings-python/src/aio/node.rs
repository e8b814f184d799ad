//! What `dqlite.aio.Node` is made of.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::cluster::AsyncCluster;
use super::completions::Completions;
use super::connection::AsyncConnection;
use super::operation::{Operation, start};
use crate::fork::Owned;
use crate::node::{self, IfStopped, Lazy};
use crate::{options, records};

/// A node, for one event loop.
#[pyclass(module = "dqlite._native", frozen)]
pub struct AsyncNode {
    node: Owned<Lazy>,
}

impl AsyncNode {
    /// Starts a call on the running node.
    fn start_call<T, F>(
        &self,
        completions: &Bound<'_, Completions>,
        if_stopped: IfStopped,
        call: impl FnOnce(dqlite::Node) -> F + Send + 'static,
        finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Operation>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, dqlite::Error>> + Send + 'static,
    {
        let py = completions.py();
        let node = self.node.get(py)?.clone();
        let call = |_| async move {
            match node.running(if_stopped).await? {
                Some(running) => call(running).await.map(Some),
                None => Ok(None),
            }
        };
        start(py, completions.get(), call, |py, done| match done {
            Some(value) => finish(py, value),
            None => Err(node::stopped(py)),
        })
    }
}

fn nothing(py: Python<'_>, (): ()) -> PyResult<Py<PyAny>> {
    Ok(py.None())
}

#[pymethods]
impl AsyncNode {
    #[new]
    #[pyo3(signature = (data_dir, **options))]
    fn new(data_dir: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let settings = options::of_node(data_dir, options)?;
        Ok(Self { node: Owned::new(Lazy::new(settings)) })
    }

    fn start(&self, completions: &Bound<'_, Completions>) -> PyResult<Operation> {
        self.start_call(completions, IfStopped::Start, async |_| Ok(()), nothing)
    }

    fn ready(&self, completions: &Bound<'_, Completions>) -> PyResult<Operation> {
        let call = |node: dqlite::Node| async move { node.ready().await };
        self.start_call(completions, IfStopped::Refuse, call, nothing)
    }

    fn handover(&self, completions: &Bound<'_, Completions>) -> PyResult<Operation> {
        let call = |node: dqlite::Node| async move { node.handover().await };
        self.start_call(completions, IfStopped::Refuse, call, nothing)
    }

    fn stop(&self, completions: &Bound<'_, Completions>) -> PyResult<Operation> {
        let py = completions.py();
        let node = self.node.get(py)?.clone();
        let call = |_| async move {
            node.stop().await;
            Ok(())
        };
        start(py, completions.get(), call, nothing)
    }

    fn status(&self, completions: &Bound<'_, Completions>) -> PyResult<Operation> {
        let call = |node: dqlite::Node| async move { Ok(node) };
        self.start_call(completions, IfStopped::Refuse, call, |py, node| {
            Ok(records::status(py, &node)?.unbind())
        })
    }

    /// Gives an [`AsyncConnection`].
    #[pyo3(signature = (completions, database, **options))]
    fn connect(
        &self,
        completions: &Bound<'_, Completions>,
        database: String,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Operation> {
        let options = options::through_node(completions.py(), options)?;
        let back = completions.clone().unbind();
        let call = |node: dqlite::Node| async move { Ok(node.connect(&database, options)) };
        self.start_call(completions, IfStopped::Refuse, call, |py, core| {
            Ok(Py::new(py, AsyncConnection::new(back, core))?.into_any())
        })
    }

    fn cluster(&self, completions: Py<Completions>, py: Python<'_>) -> PyResult<AsyncCluster> {
        Ok(AsyncCluster::of_node(completions, self.node.get(py)?.clone()))
    }

    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        let node = self.node.get(py)?;
        Ok(node.if_running().map(|node| node.id()).or(node.settings().id))
    }

    #[getter]
    fn address(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.node.get(py)?.settings().address.clone())
    }
}

/// Gives the node in a data directory, which must not run, a new set of members.
#[pyfunction]
pub fn recover_async(
    completions: &Bound<'_, Completions>,
    data_dir: &Bound<'_, PyAny>,
    members: &Bound<'_, PyAny>,
) -> PyResult<Operation> {
    let (path, members) = (options::path("data_dir", data_dir)?, node::members(members)?);
    let call = |_| async move { dqlite::recover(&path, &members).await };
    start(completions.py(), completions.get(), call, nothing)
}
