//! Why a node does not run.

use std::io;

/// What can go wrong with a node as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The options contradict each other, or what the data directory says.
    #[error("{0}")]
    Options(String),
    /// The node's files could not be read or written, or do not fit together.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The consensus could not start.
    #[error(transparent)]
    Raft(#[from] dqlite_raft::Error),
}
