//! The types that openraft is instantiated with, and how they map to ours.
//!
//! Openraft numbers entries from 0, and gives the first membership number 0. We number from 1, so
//! that 0 can mean "nothing": index here is always openraft's plus one.

use std::fmt;

use dqlite_engine::{Payload, Position};
use openraft::alias::{CommittedLeaderIdOf, EntryOf, LeaderIdOf, LogIdOf, StoredMembershipOf};

use crate::machine::Replica;
use crate::member::MemberInfo;
use crate::runtime::Runtime;

/// What an entry carries for the engine.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Command(pub Payload);

impl Command {
    pub(crate) fn len_bytes(&self) -> usize {
        self.0.iter().map(|part| part.len()).sum()
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({} bytes)", self.len_bytes())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len_bytes())
    }
}

openraft::declare_raft_types!(
    pub(crate) TypeConfig:
        D = Command,
        R = (),
        NodeId = u64,
        Node = MemberInfo,
        LeaderId = openraft::impls::leader_id_std::LeaderId<Self::Term, Self::NodeId>,
        AsyncRuntime = Runtime,
);

pub(crate) type LeaderId = LeaderIdOf<TypeConfig>;
pub(crate) type LogId = LogIdOf<TypeConfig>;
pub(crate) type Vote = openraft::Vote<LeaderId>;
pub(crate) type Entry = EntryOf<TypeConfig>;
pub(crate) type EntryPayload = openraft::EntryPayload<Command, u64, MemberInfo>;
pub(crate) type Membership = openraft::Membership<u64, MemberInfo>;
pub(crate) type StoredMembership = StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
pub(crate) type RaftInstant = openraft::alias::InstantOf<TypeConfig>;
pub(crate) type Metrics = openraft::RaftMetrics<TypeConfig>;
pub(crate) type MetricsReceiver = openraft::alias::WatchReceiverOf<TypeConfig, Metrics>;
pub(crate) type Raft = openraft::Raft<TypeConfig, Replica>;

pub(crate) fn log_id(position: Position) -> LogId {
    debug_assert!(position.index > 0);
    LogId::new(CommittedLeaderIdOf::<TypeConfig>::new(position.term), position.index - 1)
}

pub(crate) fn position(id: LogId) -> Position {
    Position { term: *id.leader_id, index: id.index + 1 }
}

/// The position of `id`; all zero when there is none.
pub(crate) fn position_or_zero(id: Option<LogId>) -> Position {
    id.map(position).unwrap_or_default()
}

/// The reverse of [`position_or_zero`].
pub(crate) fn log_id_or_none(position: Position) -> Option<LogId> {
    (position.index > 0).then(|| log_id(position))
}

pub(crate) fn vote(term: u64, voted_for: u64, committed: bool) -> Vote {
    Vote { leader_id: LeaderId { term, voted_for }, committed }
}
