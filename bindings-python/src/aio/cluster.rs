//! What `dqlite.aio.Cluster` is made of.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::completions::Completions;
use super::operation::{Operation, droppable, start};
use crate::fork::Owned;
use crate::node::{self, IfStopped, Lazy};
use crate::{cluster, options, records};

/// A cluster, for one event loop.
#[pyclass(module = "dqlite._native", frozen)]
pub struct AsyncCluster {
    completions: Py<Completions>,
    source: Owned<Source>,
}

/// Where the core's cluster comes from.
#[derive(Clone)]
enum Source {
    Url(dqlite::Cluster),
    /// A node, which may have to be started first.
    Node(Lazy),
}

impl Source {
    async fn cluster(self) -> Result<Option<dqlite::Cluster>, dqlite::Error> {
        match self {
            Self::Url(cluster) => Ok(Some(cluster)),
            Self::Node(node) => {
                let running = node.running(IfStopped::Refuse).await?;
                Ok(running.map(|node| node.cluster()))
            }
        }
    }
}

impl AsyncCluster {
    /// The cluster of a node.
    pub fn of_node(completions: Py<Completions>, node: Lazy) -> Self {
        Self { completions, source: Owned::new(Source::Node(node)) }
    }

    fn start<T, F>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(dqlite::Cluster) -> F + Send + 'static,
        finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Operation>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, dqlite::Error>> + Send + 'static,
    {
        let source = self.source.get(py)?.clone();
        let call = async move {
            match source.cluster().await? {
                Some(cluster) => call(cluster).await.map(Some),
                None => Ok(None),
            }
        };
        start(
            py,
            self.completions.get(),
            |it| droppable(it, call),
            |py, done| match done {
                Some(Some(value)) => finish(py, value),
                Some(None) => Err(node::stopped(py)),
                None => Ok(py.None()),
            },
        )
    }
}

fn nothing(py: Python<'_>, (): ()) -> PyResult<Py<PyAny>> {
    Ok(py.None())
}

#[pymethods]
impl AsyncCluster {
    #[new]
    #[pyo3(signature = (completions, target, **options))]
    fn new(
        completions: Py<Completions>,
        target: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let source = Source::Url(cluster::at(target, options)?);
        Ok(Self { completions, source: Owned::new(source) })
    }

    fn members(&self, py: Python<'_>) -> PyResult<Operation> {
        self.start(
            py,
            |core| async move { core.members().await },
            |py, members| Ok(records::members(py, &members)?.into_any().unbind()),
        )
    }

    fn leader(&self, py: Python<'_>) -> PyResult<Operation> {
        self.start(
            py,
            |core| async move { records::leader_of(&core).await },
            |py, leader| Ok(records::node_info(py, &leader)?.unbind()),
        )
    }

    fn add(&self, py: Python<'_>, id: u64, address: String, role: &str) -> PyResult<Operation> {
        let role = records::role(py, role)?;
        self.start(py, move |core| async move { core.add(id, &address, role).await }, nothing)
    }

    fn assign(&self, py: Python<'_>, id: u64, role: &str) -> PyResult<Operation> {
        let role = records::role(py, role)?;
        self.start(py, move |core| async move { core.assign(id, role).await }, nothing)
    }

    fn remove(&self, py: Python<'_>, id: u64) -> PyResult<Operation> {
        self.start(py, move |core| async move { core.remove(id).await }, nothing)
    }

    fn transfer(&self, py: Python<'_>, id: u64) -> PyResult<Operation> {
        self.start(py, move |core| async move { core.transfer(id).await }, nothing)
    }

    fn describe(&self, py: Python<'_>, address: String) -> PyResult<Operation> {
        self.start(
            py,
            |core| async move { core.describe(&address).await },
            |py, found| Ok(records::metadata(py, found)?.unbind()),
        )
    }

    fn weight(&self, py: Python<'_>, address: String, weight: u64) -> PyResult<Operation> {
        self.start(py, move |core| async move { core.weight(&address, weight).await }, nothing)
    }

    fn databases(&self, py: Python<'_>) -> PyResult<Operation> {
        self.start(
            py,
            |core| async move { core.databases().await },
            |py, databases| Ok(records::databases(py, &databases)?.into_any().unbind()),
        )
    }

    fn dump(&self, database: String, path: &Bound<'_, PyAny>) -> PyResult<Operation> {
        let py = path.py();
        let path = options::path("path", path)?;
        self.start(py, |core| async move { core.dump(&database, &path).await }, nothing)
    }
}
