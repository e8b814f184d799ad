//! What passes between a database and whoever replicates it.

use std::fmt::Debug;

use bytes::Bytes;

/// The size of every page, in bytes.
pub const PAGE_BYTES: usize = 4096;

/// A page image of exactly [`PAGE_BYTES`] bytes, shared with the WAL's own memory.
pub type Page = Bytes;

/// A place in a database's WAL: the first `frame` frames of a generation.
///
/// A generation ends when the WAL is restarted, which happens only once all its frames are in the
/// database file. So a place in an older generation means the start of the present one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WalPosition {
    /// Counts restarts of the WAL since the database was opened.
    pub generation: u64,
    /// The last frame, counted from 1; 0 stands before the first.
    pub frame: u32,
}

/// A transaction that a connection on this node commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The pages that changed, by page number, each once.
    pub pages: Vec<(u32, Page)>,
    /// The database's size after the transaction, in pages.
    pub page_count: u32,
    /// The WAL generation that the transaction stands in.
    pub generation: u64,
    /// The WAL frame that commits the transaction.
    pub last_frame: u32,
}

impl Transaction {
    /// Where the WAL ends with this transaction.
    pub fn position(&self) -> WalPosition {
        WalPosition { generation: self.generation, frame: self.last_frame }
    }
}

/// A commit was not taken: SQLite rolls the transaction back, and nobody ever sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("commit refused")]
pub struct Refused;

/// Where commits go.
pub trait CommitSink: Debug + Send + Sync {
    /// Takes a transaction, on the thread that commits it, before any connection can see it.
    ///
    /// Once this has returned `Ok` the transaction is in the WAL to stay, until it is undone. The
    /// committing connection holds the database's write lock meanwhile, and nothing else: reads
    /// and checkpoints go on. Calls for one database come one at a time, in commit order.
    fn commit(&self, transaction: Transaction) -> Result<(), Refused>;
}
