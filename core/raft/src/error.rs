//! What can go wrong with a node.

use std::io;

use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};

use crate::types::TypeConfig;

/// Why a node could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another node leads, or none does: ask the leader.
    #[error("not leader")]
    NotLeader,
    /// The membership is being changed already: try again later.
    #[error("a configuration change is already in progress")]
    ChangeInProgress,
    /// A member has this id.
    #[error("a node with id {0} is in the cluster already")]
    IdInUse(u64),
    /// A member has this address.
    #[error("a node with address {0} is in the cluster already")]
    AddressInUse(String),
    /// No member has this id.
    #[error("no node with id {0} is in the cluster")]
    UnknownId(u64),
    /// The member has this role.
    #[error("the node has that role already")]
    AlreadyHasRole,
    /// The cluster needs at least one voter.
    #[error("the cluster would be left without a voter")]
    LastVoter,
    /// The member lags too far behind to become a voter: try again later.
    #[error("the node did not catch up with the log in time")]
    NotCaughtUp,
    /// No voter could take over, or the one that should did not in time.
    #[error("leadership was not transferred")]
    TransferFailed,
    /// Leadership changed meanwhile: whether the change was made is not known.
    #[error("leadership changed; the outcome is not known")]
    Unsettled,
    /// The node is stopping, or has failed.
    #[error("node is stopping")]
    Stopped,
    /// The options contradict each other, or an argument is out of range.
    #[error("invalid options: {0}")]
    Options(String),
    /// The node's files could not be read or written, or do not fit together.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<RaftError<TypeConfig, ClientWriteError<TypeConfig>>> for Error {
    fn from(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> Self {
        match error {
            RaftError::Fatal(_) => Self::Stopped,
            RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => Self::NotLeader,
            RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => Self::Unsettled,
            RaftError::APIError(ClientWriteError::PreconditionFailed(_)) => Self::ChangeInProgress,
            RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => match error {
                ChangeMembershipError::EmptyMembership(_) => Self::LastVoter,
                ChangeMembershipError::LearnerNotFound(learner) => Self::UnknownId(learner.node_id),
                _ => Self::ChangeInProgress,
            },
        }
    }
}
