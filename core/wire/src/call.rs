//! What a driver asks of a node: sessions that run whole statements in one exchange.
//!
//! dqlite's own requests prepare, bind and stream one result at a time. A driver wants more of one
//! exchange: run a text with its parameters, learn everything about the effect, and get the first
//! rows with it; read several results side by side; know for certain what became of a commit. These
//! are the messages for that, the same between threads of one process and between machines.
//!
//! ```text
//! SESSION ── RUN ─┬─ RAN: effect, columns, first rows ── FETCH ── BATCH ... CLOSE
//!                 └─ FAILURE
//! OUTCOME: "did my commit number 7 take effect?"       WAIT, BARRIER: indexes of the log
//! BACKUP: the whole database, piece by piece
//! ```

mod batch;
mod decode;
mod encode;
mod parameters;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use crate::Text;
use crate::value::Value;

pub use batch::{BatchedRows, RowBatchEncoder};
pub(crate) use decode::decode_cursor;

/// Opens a session for this connection: SESSION.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// The database's name.
    pub database: Text,
    /// Names the client in the replicated record of outcomes, over all its connections to come.
    /// Random; 0 if its outcomes need not be recorded.
    pub client: u128,
    /// Where it may read and write.
    pub place: Place,
    /// How long a write waits for its turn, in milliseconds.
    pub busy_timeout_ms: u64,
}

/// Which node a session wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// The node that leads: the session reads and writes, and ends with the lead.
    #[default]
    Leader,
    /// This node, whether it leads or not: the session only reads.
    Here,
}

/// A session is open: answers SESSION.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The node that serves it.
    pub node: u64,
    /// The last index that the node had applied then. What the client commits comes after it.
    pub index: u64,
}

/// How sure a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// It sees everything that was acknowledged before it began.
    #[default]
    Linearizable,
    /// As the leader sees things, without making sure that it still leads.
    Leader,
    /// It sees at least the log up to this index. On any node.
    AtLeast(u64),
    /// It sees everything that was acknowledged this many milliseconds before it began;
    /// `u64::MAX` for no bound. On any node.
    Within(u64),
}

/// What a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunKind {
    /// One statement, with one set of parameters.
    #[default]
    One,
    /// One statement that gives no rows, once for each set of parameters: all or nothing.
    Many,
    /// Any number of statements without parameters; rows are thrown away. Not atomic by itself.
    Script,
}

/// The values for a statement's placeholders.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterSet {
    /// In order: `?`, `?NNN`, and named ones in the order of their appearance.
    Positional(Vec<Value>),
    /// By name, without `:`, `@` or `$`.
    Named(Vec<(Text, Value)>),
}

impl Default for ParameterSet {
    fn default() -> Self {
        Self::Positional(Vec::new())
    }
}

/// How much one batch of rows holds at most: it ends with the first row that reaches a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Rows.
    pub rows: u32,
    /// Bytes of encoded rows.
    pub bytes: u32,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { rows: 256, bytes: 64 << 10 }
    }
}

/// Runs SQL in the session: RUN, answered by RAN.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// The text.
    pub sql: Text,
    /// What it holds.
    pub kind: RunKind,
    /// The parameters: one set for [`RunKind::One`], any number for [`RunKind::Many`], none for
    /// [`RunKind::Script`].
    pub parameters: Vec<ParameterSet>,
    /// Open a transaction before the statement if it writes and none is open (PEP 249).
    pub begin: bool,
    /// How sure what is read must be.
    pub consistency: Consistency,
    /// The number that stands for what this call may commit in the record of outcomes. Each call of
    /// a client that may commit has a higher one than the last. 0 for none.
    pub mark: u64,
    /// The call is interrupted after this many milliseconds; 0 for never.
    pub timeout_ms: u64,
    /// The size of the first batch.
    pub limits: BatchLimits,
}

impl Ran {
    const IN_TRANSACTION: u64 = 1;
    const HAS_CHANGES: u64 = 2;
    const HAS_CURSOR: u64 = 4;
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name.
    pub name: Text,
    /// The type in the table's declaration, where the column is one of a table's. Never empty.
    pub declared_type: Option<Text>,
}

/// What a call came to: RAN.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ran {
    /// The columns; none where the statement gives no rows.
    pub columns: Arc<[Column]>,
    /// Rows that were inserted, updated or deleted; `None` where the statement does none of that.
    pub changes: Option<u64>,
    /// The session's last inserted rowid.
    pub last_insert_rowid: i64,
    /// Rows that the session has changed since it was opened.
    pub total_changes: u64,
    /// A transaction is open now.
    pub in_transaction: bool,
    /// What the session has seen: the log up to here.
    pub index: u64,
    /// The first rows.
    pub rows: RowBatch,
    /// Where the result goes on; `None` after its last row.
    pub cursor: Option<u32>,
}

/// Asks for more rows of a result: FETCH, answered by BATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// [`Ran::cursor`].
    pub cursor: u32,
    /// The size of the batch.
    pub limits: BatchLimits,
}

/// More rows of a result: BATCH, answers FETCH.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// The rows.
    pub rows: RowBatch,
    /// More rows may follow.
    pub more: bool,
}

/// Rows in one buffer, as they cross every border (`docs/formats/row-batch.md`).
///
/// ```text
/// batch = rows u32 | columns u32 | value*          row by row, nothing is padded
/// value = 0                                        NULL
///       | 1 i64                                    INTEGER
///       | 2 f64                                    REAL
///       | 3 length u32, bytes                      TEXT
///       | 4 length u32, bytes                      BLOB
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowBatch(pub Bytes);

/// Asks what became of a commit: OUTCOME. Only a leader can tell, and whatever the client's
/// sessions were doing with marks up to this one ends there and then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskOutcome {
    /// The database's name.
    pub database: Text,
    /// The client.
    pub client: u128,
    /// The mark of the call.
    pub mark: u64,
    /// [`Opened::index`] of the session that ran it.
    pub since: u64,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has no effect, and never will.
    NotApplied,
    /// It took effect, with the entry at this index.
    Applied(u64),
    /// So many others have committed since that the record does not reach back so far.
    Forgotten,
}

/// Waits until the node has applied the log up to an index: WAIT, answered by INDEX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The index.
    pub index: u64,
    /// The wait fails after this many milliseconds; 0 for never.
    pub timeout_ms: u64,
}

/// Asks for a piece of a database as a file: BACKUP. The pieces are asked for in order; offset 0
/// takes a new copy, and the node drops it after the last piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskBackup {
    /// The database's name.
    pub database: Text,
    /// Where in the file the piece begins, in bytes: where the last one ended.
    pub offset_bytes: u64,
}

/// A piece of a database file: answers BACKUP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupPiece {
    /// The size of the whole file, in bytes.
    pub total_bytes: u64,
    /// The piece; empty only if the file is.
    pub content: Bytes,
}
