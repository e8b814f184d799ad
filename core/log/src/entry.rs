//! What the log keeps: entries at positions, and the vote.

use std::io;

use bytes::Bytes;

/// A place in the log. Ordered by term, then index, as Raft orders them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The term of the leader that wrote the entry.
    pub term: u64,
    /// The entry's number. Consecutive; the first one is the caller's choice.
    pub index: u64,
}

/// What an entry is to Raft. The log treats all alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Carries nothing: a new leader's first entry.
    Blank,
    /// A command for the state machine.
    Command,
    /// A cluster membership.
    Membership,
}

/// One entry. Cloning shares the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// What it is.
    pub kind: EntryKind,
    /// Its bytes in parts. Only the concatenation has a meaning: an entry that is read back may be
    /// cut in other places.
    pub payload: Vec<Bytes>,
}

impl Entry {
    /// The length of the payload in bytes.
    pub fn payload_bytes(&self) -> usize {
        self.payload.iter().map(Bytes::len).sum()
    }
}

/// What Raft must not forget about elections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vote {
    /// The term that was voted in.
    pub term: u64,
    /// The node that got the vote.
    pub voted_for: u64,
    /// True once a quorum granted that node the vote.
    pub committed: bool,
}

/// Hears once whether its request is durable.
pub type Completion = Box<dyn FnOnce(io::Result<()>) + Send>;
