//! `dqlite.Cluster`: who is in a cluster and what they do.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::fork::Owned;
use crate::{options, records, runtime};

/// A cluster as a whole.
#[pyclass(module = "dqlite", frozen)]
pub struct Cluster {
    core: Owned<dqlite::Cluster>,
}

impl Cluster {
    /// Wraps a cluster of the core.
    pub fn of(core: dqlite::Cluster) -> Self {
        Self { core: Owned::new(core) }
    }

    /// Runs a call of the core.
    fn wait<T, F>(&self, py: Python<'_>, call: impl FnOnce(dqlite::Cluster) -> F) -> PyResult<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, dqlite::Error>> + Send + 'static,
    {
        runtime::wait(py, call(self.core.get(py)?.clone()))
    }
}

/// The cluster at a URL.
///
/// # Errors
/// `InterfaceError`: the URL or an option is wrong.
pub fn at(
    target: &Bound<'_, PyAny>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<dqlite::Cluster> {
    let py = target.py();
    let target = options::target(target)?;
    let options = options::of_cluster(py, keywords)?;
    // The core's client may start tasks.
    let _entered = runtime::handle()?.enter();
    dqlite::Cluster::new(&target, options).map_err(|error| crate::errors::raise(py, error))
}

#[pymethods]
impl Cluster {
    #[new]
    #[pyo3(
        signature = (target, **options),
        text_signature = "(target, *, timeout=None, tls_ca=None, tls_cert=None, tls_key=None)"
    )]
    fn new(target: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        at(target, options).map(Self::of)
    }

    /// The members and their roles.
    fn members<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let members = self.wait(py, |core| async move { core.members().await })?;
        records::members(py, &members)
    }

    /// Who leads.
    fn leader<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let leader = self.wait(py, |core| async move { records::leader_of(&core).await })?;
        records::node_info(py, &leader)
    }

    /// Adds a member in a role.
    #[pyo3(signature = (id, address, role = "spare"))]
    fn add(&self, py: Python<'_>, id: u64, address: String, role: &str) -> PyResult<()> {
        let role = records::role(py, role)?;
        self.wait(py, move |core| async move { core.add(id, &address, role).await })
    }

    /// Gives a member a role.
    fn assign(&self, py: Python<'_>, id: u64, role: &str) -> PyResult<()> {
        let role = records::role(py, role)?;
        self.wait(py, move |core| async move { core.assign(id, role).await })
    }

    /// Removes a member.
    fn remove(&self, py: Python<'_>, id: u64) -> PyResult<()> {
        self.wait(py, move |core| async move { core.remove(id).await })
    }

    /// Hands the lead over to a voter, or with 0 to any.
    #[pyo3(signature = (id = 0))]
    fn transfer(&self, py: Python<'_>, id: u64) -> PyResult<()> {
        self.wait(py, move |core| async move { core.transfer(id).await })
    }

    /// The failure domain and the weight of the node at an address.
    fn describe<'py>(&self, py: Python<'py>, address: String) -> PyResult<Bound<'py, PyAny>> {
        let found = self.wait(py, |core| async move { core.describe(&address).await })?;
        records::metadata(py, found)
    }

    /// Sets the weight of the node at an address, until it stops.
    fn weight(&self, py: Python<'_>, address: String, weight: u64) -> PyResult<()> {
        self.wait(py, move |core| async move { core.weight(&address, weight).await })
    }

    /// The databases, as the leader has them.
    fn databases<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let databases = self.wait(py, |core| async move { core.databases().await })?;
        records::databases(py, &databases)
    }

    /// Writes a database into a SQLite file.
    fn dump(&self, database: String, path: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = path.py();
        let path = options::path("path", path)?;
        self.wait(py, |core| async move { core.dump(&database, &path).await })
    }
}
