//! Why a node does not run.

use std::io;
use std::path::PathBuf;

use dqlite_log::Holder;

/// What can go wrong with a node as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The options contradict each other, or what the data directory says.
    #[error("{0}")]
    Options(String),
    /// The data directory is another node's for the time being: one process runs a node, once.
    #[error("{dir} is in use by {holder}")]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// Who has it.
        holder: Holder,
    },
    /// No other node can do what this one does.
    #[error("no other node can take over from this one")]
    NobodyToTakeOver,
    /// The node's files could not be read or written, or do not fit together.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The consensus could not start.
    #[error(transparent)]
    Raft(#[from] dqlite_raft::Error),
}
