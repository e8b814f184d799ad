//! What a node tells of itself in answer to STATUS and METRICS: additions of this project.

use bytes::BytesMut;

use crate::Text;
use crate::error::DecodeError;
use crate::node::Role;
use crate::reader::Reader;
use crate::writer::{put_text, put_u64};

/// How a role that the node does not know is written.
const ROLE_UNKNOWN: u64 = 3;

/// A node's view of itself and of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeStatus {
    /// The node's id.
    pub id: u64,
    /// What the node does, if it knows.
    pub role: Option<Role>,
    /// The leader's id, 0 if the node knows of none.
    pub leader_id: u64,
    /// The current term.
    pub term: u64,
    /// The index of the last entry in the node's log.
    pub last_log_index: u64,
    /// The index up to which the node knows entries to be committed.
    pub commit_index: u64,
    /// The index up to which the node has applied them.
    pub applied_index: u64,
    /// The node's databases.
    pub databases: Vec<DatabaseStatus>,
}

/// One database of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseStatus {
    /// The database's name.
    pub name: Text,
    /// The index of the last transaction applied to it.
    pub applied_index: u64,
    /// The index up to which its file holds all transactions.
    pub checkpoint_index: u64,
    /// Its size in pages.
    pub page_count: u64,
}

/// One number that a node counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metric {
    /// What is counted, with its unit.
    pub name: Text,
    /// The count.
    pub value: u64,
}

impl NodeStatus {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut status = Self {
            id: reader.u64()?,
            role: match reader.u64()? {
                ROLE_UNKNOWN => None,
                role => Some(Role::try_from(role)?),
            },
            leader_id: reader.u64()?,
            term: reader.u64()?,
            last_log_index: reader.u64()?,
            commit_index: reader.u64()?,
            applied_index: reader.u64()?,
            databases: Vec::new(),
        };
        for _ in 0..reader.count(32)? {
            status.databases.push(DatabaseStatus {
                name: reader.text()?,
                applied_index: reader.u64()?,
                checkpoint_index: reader.u64()?,
                page_count: reader.u64()?,
            });
        }
        Ok(status)
    }

    pub(crate) fn put(&self, out: &mut BytesMut) {
        put_u64(out, self.id);
        put_u64(out, self.role.map_or(ROLE_UNKNOWN, Role::number));
        put_u64(out, self.leader_id);
        put_u64(out, self.term);
        put_u64(out, self.last_log_index);
        put_u64(out, self.commit_index);
        put_u64(out, self.applied_index);
        put_u64(out, self.databases.len() as u64);
        for database in &self.databases {
            put_text(out, database.name.as_bytes());
            put_u64(out, database.applied_index);
            put_u64(out, database.checkpoint_index);
            put_u64(out, database.page_count);
        }
    }
}

impl Metric {
    pub(crate) fn decode_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        let mut metrics = Vec::new();
        for _ in 0..reader.count(16)? {
            metrics.push(Self { name: reader.text()?, value: reader.u64()? });
        }
        Ok(metrics)
    }

    pub(crate) fn put_all(metrics: &[Self], out: &mut BytesMut) {
        put_u64(out, metrics.len() as u64);
        for metric in metrics {
            put_text(out, metric.name.as_bytes());
            put_u64(out, metric.value);
        }
    }
}
