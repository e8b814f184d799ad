//! `dqlite.Node`: a node of a cluster in this process.

use std::sync::Arc;

use dqlite::{Member, NodeSettings};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::sync::Mutex;

use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::errors::local;
use crate::fork::Owned;
use crate::{options, records, runtime};

/// A node, begun with its first use.
#[derive(Clone)]
pub struct Lazy(Arc<Inner>);

struct Inner {
    settings: NodeSettings,
    /// Held while it starts or stops.
    state: Mutex<State>,
}

enum State {
    Described,
    Running(dqlite::Node),
    Stopped,
}

/// Whether a stopped node may be used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum IfStopped {
    /// It is started again.
    Start,
    /// It is not.
    Refuse,
}

impl Lazy {
    /// A node that does not run yet.
    pub fn new(settings: NodeSettings) -> Self {
        Self(Arc::new(Inner { settings, state: Mutex::new(State::Described) }))
    }

    /// How it was described.
    pub fn settings(&self) -> &NodeSettings {
        &self.0.settings
    }

    /// The running node, started if need be; `None` if it was stopped and that is to be respected.
    ///
    /// # Errors
    /// It cannot start.
    pub async fn running(&self, stopped: IfStopped) -> Result<Option<dqlite::Node>, dqlite::Error> {
        let mut state = self.0.state.lock().await;
        match &*state {
            State::Running(node) => return Ok(Some(node.clone())),
            State::Stopped if stopped == IfStopped::Refuse => return Ok(None),
            State::Described | State::Stopped => {}
        }
        let node = dqlite::Node::start(self.settings().clone()).await?;
        *state = State::Running(node.clone());
        Ok(Some(node))
    }

    /// Stops it, if it runs.
    pub async fn stop(&self) {
        let mut state = self.0.state.lock().await;
        if let State::Running(node) = std::mem::replace(&mut *state, State::Stopped) {
            node.stop().await;
        }
    }

    /// The running node, if it runs and is not just being started or stopped.
    pub fn if_running(&self) -> Option<dqlite::Node> {
        match &*self.0.state.try_lock().ok()? {
            State::Running(node) => Some(node.clone()),
            State::Described | State::Stopped => None,
        }
    }
}

/// The error for a node that was stopped.
pub fn stopped(py: Python<'_>) -> PyErr {
    local(py, "node.stopped", "the node was stopped")
}

/// A node of a cluster in this process.
#[pyclass(module = "dqlite", frozen)]
pub struct Node {
    node: Owned<Lazy>,
}

impl Node {
    fn running(&self, py: Python<'_>, if_stopped: IfStopped) -> PyResult<dqlite::Node> {
        let node = self.node.get(py)?.clone();
        let running = runtime::wait(py, async move { node.running(if_stopped).await })?;
        running.ok_or_else(|| stopped(py))
    }
}

#[pymethods]
impl Node {
    #[new]
    #[pyo3(
        signature = (data_dir, **options),
        text_signature = "(data_dir, *, tls_ca=None, tls_cert=None, tls_key=None, address, \
                          join=None, id=None, bind=None, voters=None, standbys=None, \
                          failure_domain=None, weight=None, log_backend=None, \
                          checkpoint_frames=None, snapshot_threshold=None, \
                          election_timeout=None, heartbeat=None)"
    )]
    fn new(data_dir: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let settings = options::of_node(data_dir, options)?;
        Ok(Self { node: Owned::new(Lazy::new(settings)) })
    }

    /// Starts the node, unless it runs.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        self.running(py, IfStopped::Start).map(drop)
    }

    /// Waits until the node is a member of a cluster with a leader.
    fn ready(&self, py: Python<'_>) -> PyResult<()> {
        let node = self.running(py, IfStopped::Refuse)?;
        runtime::wait(py, async move { node.ready().await })
    }

    /// Opens a connection to one of the cluster's databases.
    #[pyo3(
        signature = (database = "main", **options),
        text_signature = "($self, database='main', *, autocommit=None, consistency=None, \
                          max_staleness=None, timeout=None, busy_timeout=None, retry=None, \
                          convert=None)"
    )]
    fn connect(
        &self,
        py: Python<'_>,
        database: &str,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Connection> {
        let options = options::through_node(py, options)?;
        let node = self.running(py, IfStopped::Refuse)?;
        Ok(Connection::new(node.connect(database, options).into()))
    }

    /// The cluster of the node.
    fn cluster(&self, py: Python<'_>) -> PyResult<Cluster> {
        Ok(Cluster::of(self.running(py, IfStopped::Refuse)?.cluster()))
    }

    /// Hands the lead, and the vote, over to others.
    fn handover(&self, py: Python<'_>) -> PyResult<()> {
        let node = self.running(py, IfStopped::Refuse)?;
        runtime::wait(py, async move { node.handover().await })
    }

    /// Stops the node. Its connections end.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let node = self.node.get(py)?.clone();
        runtime::wait(py, async move {
            node.stop().await;
            Ok(())
        })
    }

    /// How far the node is.
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let node = self.running(py, IfStopped::Refuse)?;
        records::status(py, &node)
    }

    /// The node's number; `None` before it has started, unless it was given.
    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        let node = self.node.get(py)?;
        Ok(node.if_running().map(|node| node.id()).or(node.settings().id))
    }

    /// Where clients and other nodes reach it.
    #[getter]
    fn address(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.node.get(py)?.settings().address.clone())
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        slf.get().start(slf.py())?;
        Ok(slf.clone())
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        self.stop(py)?;
        Ok(false)
    }
}

/// What `recover` takes.
///
/// # Errors
/// The members are no members.
pub fn members(members: &Bound<'_, PyAny>) -> PyResult<Vec<Member>> {
    let py = members.py();
    let mut converted = Vec::new();
    for member in members.try_iter()? {
        let (id, address, role) = member?.extract::<(u64, String, String)>()?;
        let role = match records::role(py, &role)? {
            dqlite::Role::Voter => dqlite::MemberRole::Voter,
            dqlite::Role::Standby => dqlite::MemberRole::StandBy,
            dqlite::Role::Spare => dqlite::MemberRole::Spare,
        };
        converted.push(Member { id, address, role });
    }
    Ok(converted)
}

/// Gives the node in a data directory, which must not run, a new set of members.
#[pyfunction]
pub fn recover(data_dir: &Bound<'_, PyAny>, members: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = data_dir.py();
    let (path, members) = (options::path("data_dir", data_dir)?, self::members(members)?);
    runtime::wait(py, async move { dqlite::recover(&path, &members).await })
}
