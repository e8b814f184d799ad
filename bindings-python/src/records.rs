//! The core's records as the named tuples of `dqlite.records`.

use dqlite::{DatabaseStatus, Metadata, NodeInfo, Progress, Role};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use crate::errors::local;
use crate::wait::imported;

macro_rules! record {
    ($py:expr, $name:literal, $fields:expr) => {{
        static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        imported($py, &CLASS, "dqlite.records", $name)?.call1($fields)
    }};
}

/// A member of a cluster.
///
/// # Errors
/// Python's.
pub fn node_info<'py>(py: Python<'py>, node: &NodeInfo) -> PyResult<Bound<'py, PyAny>> {
    record!(py, "NodeInfo", (node.id, &*node.address, role_name(node.role)))
}

/// How far a backup is.
///
/// # Errors
/// Python's.
pub fn progress(py: Python<'_>, at: Progress) -> PyResult<Bound<'_, PyAny>> {
    record!(py, "Progress", (at.remaining_pages, at.total_pages))
}

/// Where a node stands.
///
/// # Errors
/// Python's.
pub fn metadata(py: Python<'_>, found: Metadata) -> PyResult<Bound<'_, PyAny>> {
    record!(py, "Metadata", (found.failure_domain, found.weight))
}

/// The databases of a node.
///
/// # Errors
/// Python's.
pub fn databases<'py>(
    py: Python<'py>,
    databases: &[DatabaseStatus],
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for it in databases {
        let fields = (&*it.name, it.applied_index, it.checkpoint_index, it.page_count);
        list.append(record!(py, "DatabaseStatus", fields)?)?;
    }
    Ok(list)
}

/// The members of a cluster.
///
/// # Errors
/// Python's.
pub fn members<'py>(py: Python<'py>, members: &[NodeInfo]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for member in members {
        list.append(node_info(py, member)?)?;
    }
    Ok(list)
}

/// A role's name.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Voter => "voter",
        Role::Standby => "standby",
        Role::Spare => "spare",
    }
}

/// The role of this name.
///
/// # Errors
/// `InterfaceError`: there is none.
pub fn role(py: Python<'_>, name: &str) -> PyResult<Role> {
    match name {
        "voter" => Ok(Role::Voter),
        "standby" => Ok(Role::Standby),
        "spare" => Ok(Role::Spare),
        _ => {
            let message = format!("role is voter, standby or spare, not {name:?}");
            Err(local(py, "option.value", message))
        }
    }
}

/// A node's view of itself and of the log.
///
/// # Errors
/// Python's.
pub fn status<'py>(py: Python<'py>, node: &dqlite::Node) -> PyResult<Bound<'py, PyAny>> {
    let status = node.status();
    let role = status.role.map(|role| match role {
        dqlite::MemberRole::Voter => "voter",
        dqlite::MemberRole::StandBy => "standby",
        dqlite::MemberRole::Spare => "spare",
    });
    let leader = status.leader.as_ref().map_or(0, |leader| leader.id);
    let fields = (
        status.id,
        role,
        leader,
        status.term,
        status.last_index,
        status.commit_index,
        status.applied_index,
        databases(py, &node.databases())?,
    );
    Ok(record!(py, "NodeStatus", fields)?)
}

/// Who leads a cluster, with its role, which the core's answer leaves out.
///
/// # Errors
/// Those of the core.
pub async fn leader_of(cluster: &dqlite::Cluster) -> Result<NodeInfo, dqlite::Error> {
    let leader = cluster.leader().await?;
    Ok(NodeInfo { id: leader.id, address: leader.address, role: Role::Voter })
}
