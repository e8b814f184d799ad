//! What the engine asks of the log that puts its commits in order, and what it offers in return.
//!
//! The engine stands between the two traits of this file. It calls a [`Consensus`] to have commands
//! ordered and made durable; whoever implements that calls the engine's [`Machine`] with every
//! command that came out committed, on every node, in log order.

use std::fmt::Debug;
use std::io;

use bytes::Bytes;
use dqlite_env::BoxFuture;

/// The bytes of one log entry, in parts so that page images are shared and never copied. Only the
/// concatenation has a meaning: an entry that comes back from the log may be cut in other places.
pub type Payload = Vec<Bytes>;

/// A place in the log. Ordered by term, then index, as Raft orders them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The term of the leader that wrote the entry.
    pub term: u64,
    /// The entry's number, from 1.
    pub index: u64,
}

/// Why commands were not taken. None of them is in the log, and none ever will be.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// This node does not lead the term that was asked for.
    #[error("not leader")]
    NotLeader,
    /// The node is stopping, or its log has failed.
    #[error("node is stopping")]
    Stopped,
}

/// Called at most once, when commands that were handed over turn out to be refused.
pub type OnRefused = Box<dyn FnOnce(Refused) + Send>;

/// An ordered, durable, replicated log: what the engine asks to have replicated goes in here.
pub trait Consensus: Debug + Send + Sync {
    /// Hands `commands` over, to stand in the log in this order, in `term`, which this node leads.
    ///
    /// Returns once they are queued behind all earlier calls. A batch is taken or refused whole;
    /// `refused` hears of a refusal. A command that was taken may still be lost with its leader.
    fn propose(&self, term: u64, commands: Vec<Payload>, refused: OnRefused) -> BoxFuture<'_, ()>;

    /// Resolves once it is certain that this node led `term` at a moment after the call: no other
    /// leader can have acknowledged a write before that moment.
    fn confirm_leadership(&self, term: u64) -> BoxFuture<'_, Result<(), Refused>>;

    /// True where [`confirm_leadership`](Self::confirm_leadership) has nothing to wait for: it is
    /// certain already.
    fn leads_for_certain(&self, term: u64) -> bool {
        let _ = term;
        false
    }

    /// Resolves once all entries up to `index` are durable in this node's own log.
    fn wait_durable(&self, index: u64) -> BoxFuture<'_, Result<(), Refused>>;
}

/// What the log drives on every node. Calls come one at a time, except where noted.
pub trait Machine: Debug + Send + Sync {
    /// The node starts: all up to `position` was applied before, and what follows comes again.
    fn resume(&self, position: Position);

    /// Applies a committed command. An error stops the node: its state can no longer follow the
    /// log.
    fn apply(&self, position: Position, command: Payload) -> BoxFuture<'_, io::Result<()>>;

    /// Passes a committed entry that holds no command (a new leader's blank one, a membership).
    fn pass(&self, position: Position) -> BoxFuture<'_, io::Result<()>>;

    /// This node leads `term`, and has applied an entry of that term. May come during `apply`.
    fn lead(&self, term: u64) -> BoxFuture<'_, ()>;

    /// This node does not lead. May come during `apply`, and more than once.
    fn follow(&self) -> BoxFuture<'_, ()>;

    /// Brings the database files as far up to date as readers allow and gives the highest index
    /// such that it and all before it are durably in the files: the log up to it may go. May come
    /// during `apply`.
    fn checkpoint(&self) -> BoxFuture<'_, io::Result<u64>>;

    /// Opens a stream of the database files as they are, and go on changing. The receiver needs
    /// the log from the index that the last `checkpoint` gave. May come during `apply`.
    fn read_snapshot(&self) -> BoxFuture<'_, io::Result<Box<dyn SnapshotReader>>>;

    /// Opens a place to put such a stream, beside the present state. May come during `apply`.
    fn write_snapshot(&self) -> BoxFuture<'_, io::Result<Box<dyn SnapshotWriter>>>;

    /// Replaces all state by a complete stream, which stands for the log up to `position`.
    fn install_snapshot(
        &self,
        position: Position,
        snapshot: Box<dyn SnapshotWriter>,
    ) -> BoxFuture<'_, io::Result<()>>;
}

/// The source of a snapshot: opaque chunks, in order.
pub trait SnapshotReader: Debug + Send + Sync {
    /// The next chunk, of at most 1 MiB; `None` after the last.
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Bytes>>>;
}

/// The target of a snapshot. Dropped before it was installed, it leaves no trace.
pub trait SnapshotWriter: Debug + Send + Sync + 'static {
    /// Takes the next chunk. `InvalidData` when it cannot be one.
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, io::Result<()>>;
    /// All chunks were given: makes them durable. `InvalidData` when something is missing.
    fn finish(&mut self) -> BoxFuture<'_, io::Result<()>>;
    /// Lets the machine that opened the writer find its own type again.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any + Send>;
}
