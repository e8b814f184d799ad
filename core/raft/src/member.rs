//! Who is in the cluster, and in what role.

use std::fmt;

/// What a node does for the cluster. Every member receives the whole log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Votes, and counts when an entry is to be committed.
    Voter,
    /// Keeps up with the log, to take a voter's place.
    StandBy,
    /// Keeps a copy, and is nobody's first choice.
    #[default]
    Spare,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Voter => "voter",
            Self::StandBy => "stand-by",
            Self::Spare => "spare",
        })
    }
}

/// One node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The node's number, never given to another node.
    pub id: u64,
    /// Where the other nodes reach it.
    pub address: String,
    /// What it does.
    pub role: Role,
}

/// What the membership keeps of a member beside its number.
///
/// `role` is what the member was assigned. Whether it votes is the membership's own business; the
/// two differ only while a change is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemberInfo {
    pub address: String,
    pub role: Role,
}
