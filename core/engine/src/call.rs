//! Calls: whole texts run in one go, with everything that there is to know about their effect.
//!
//! 1. A compiled statement belongs to the cache, or to one open result: never to both. So a result
//!    that is being read is not disturbed when its text is run again.
//! 2. The values of a set fit the statement's places exactly, or nothing is run.
//! 3. With `begin`, a transaction is opened right before the first statement that writes, once its
//!    parameters are known to fit.

mod cache;
mod columns;
mod cursors;
mod kept;
mod many;
mod parameters;
mod sink;
mod work;

use std::time::Duration;

use dqlite_vfs::WalPosition;

use crate::cell::Inner;
use crate::session::Consistency;

pub(crate) use cache::StatementCache;
pub use columns::Columns;
pub(crate) use cursors::{Cursors, close, close_of, fetch};
pub use parameters::CallParameters;
pub use sink::BatchSink;
pub(crate) use work::{Outcome, Work};

use std::sync::Arc;

/// What a text holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallKind {
    /// One statement, with one set of parameters.
    #[default]
    One,
    /// One statement that gives no rows, once for each set of parameters: all or nothing.
    Many,
    /// Any number of statements without parameters; rows are thrown away.
    Script,
}

/// A text to run.
#[derive(Clone, Debug)]
pub struct Call<T, P> {
    /// The text.
    pub sql: T,
    /// What it holds.
    pub kind: CallKind,
    /// The sets of parameters.
    pub parameters: P,
    /// Open a transaction before the first statement that writes, if none is open.
    pub begin: bool,
    /// Stands for what the call may commit in the record of outcomes; 0 for none.
    pub mark: u64,
    /// How sure reads must be that nobody else has written since.
    pub consistency: Consistency,
    /// Run no sooner than this node has applied the log up to here.
    pub at_least: u64,
}

/// What a call came to.
#[derive(Clone, Debug)]
pub struct Ran<S> {
    /// The sink, with the first rows.
    pub sink: S,
    /// The columns; `None` where the statement gives no rows.
    pub columns: Option<Arc<Columns>>,
    /// Rows that were inserted, updated or deleted; `None` where the statement does none of that.
    pub changes: Option<u64>,
    /// The session's last inserted rowid.
    pub last_insert_rowid: i64,
    /// Rows that the session has changed since it was opened.
    pub total_changes: u64,
    /// A transaction is open now.
    pub in_transaction: bool,
    /// All that the answer tells of is in the log up to here.
    pub index: u64,
    /// Where the result goes on; `None` after its last row.
    pub cursor: Option<u32>,
}

/// Some more rows of a result.
#[derive(Clone, Debug)]
pub struct Fetched<S> {
    /// The sink, with the rows.
    pub sink: S,
    /// More rows may follow.
    pub more: bool,
}

/// How far a backup has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupProgress {
    /// Pages that are still to be copied.
    pub remaining_pages: u64,
    /// Pages of the whole.
    pub total_pages: u64,
}

/// What of a session's state every answer tells, as it was after its last call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub in_transaction: bool,
    pub total_changes: u64,
    pub last_insert_rowid: i64,
}

/// What a session's connection keeps for calls.
#[derive(Debug, Default)]
pub(crate) struct CallState {
    pub cache: StatementCache,
    pub cursors: Cursors,
    /// What has run tells nothing of the database.
    pub told_nothing: bool,
}

impl Inner {
    /// Where the WAL ends, if a result is being read and it matters.
    pub fn wal_state(&self) -> Option<WalPosition> {
        let connection = self.connection.as_ref().filter(|_| !self.calls.cursors.is_empty())?;
        Some(connection.database().position())
    }

    /// The session has committed, and the WAL ended at `state` before.
    pub fn wrote(&mut self, state: Option<WalPosition>) {
        let after = self.wal_state();
        if let (Some(before), Some(after)) = (state, after) {
            self.calls.cursors.own_commit(before, after);
        }
    }
}

/// A timeout in milliseconds; none for 0.
pub fn timeout_of_ms(timeout_ms: u64) -> Option<Duration> {
    (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms))
}
