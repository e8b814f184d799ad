//! What all databases of an engine share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dqlite_env::Env;
use tokio::sync::{mpsc, watch};

use crate::database::Database;
use crate::pipeline::Proposal;

/// How an engine behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// A checkpoint begins when the WAL holds this many frames that are not in the file.
    pub checkpoint_frames: u32,
    /// How long a writer waits for its turn before it is told that the database is locked.
    pub busy_timeout: Duration,
    /// How long an answer waits for its transaction to be settled before the outcome is called
    /// unknown.
    pub commit_timeout: Duration,
    /// The most bytes of commits of one database that may wait for the log; writers then pause.
    pub backlog_bytes_max: u64,
    /// Rules to break, so that tests can show that they are needed.
    #[doc(hidden)]
    pub faults: Faults,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            checkpoint_frames: 1000,
            busy_timeout: Duration::from_secs(5),
            commit_timeout: Duration::from_secs(10),
            backlog_bytes_max: 64 << 20,
            faults: Faults::default(),
        }
    }
}

/// Rules to break on purpose, in tests only.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Answer before the transaction is committed.
    pub skip_commit_wait: bool,
    /// Leave uncommitted frames in the WAL when leadership is lost.
    pub skip_undo: bool,
    /// Tell what became of a commit while it may still be made.
    pub skip_fence: bool,
}

#[derive(Debug)]
pub(crate) struct Context {
    pub env: Env,
    pub options: Options,
    pub faults: Faults,
    pub proposals: mpsc::UnboundedSender<Proposal>,
    pub checkpoints: mpsc::UnboundedSender<Arc<Database>>,
    leading_term: watch::Sender<u64>,
    applied_index: AtomicU64,
    applied: watch::Sender<u64>,
    reached_index: AtomicU64,
}

impl Context {
    pub fn new(
        env: Env,
        options: Options,
        proposals: mpsc::UnboundedSender<Proposal>,
        checkpoints: mpsc::UnboundedSender<Arc<Database>>,
    ) -> Self {
        let faults = options.faults;
        Self {
            env,
            options,
            faults,
            proposals,
            checkpoints,
            leading_term: watch::Sender::new(0),
            applied_index: AtomicU64::new(0),
            applied: watch::Sender::new(0),
            reached_index: AtomicU64::new(0),
        }
    }

    /// The term that this node leads, while it does and has applied all of the terms before.
    pub fn leading_term(&self) -> Option<u64> {
        Some(*self.leading_term.borrow()).filter(|&term| term > 0)
    }

    /// Resolves once this node leads.
    pub async fn wait_leading(&self) {
        // The sender lives as long as `self`.
        let _ = self.leading_term.subscribe().wait_for(|&term| term > 0).await;
    }

    /// Notes the term that this node leads; 0 for none.
    pub fn set_leading_term(&self, term: u64) {
        self.leading_term.send_replace(term);
    }

    /// All entries up to this index are applied.
    pub fn applied_index(&self) -> u64 {
        self.applied_index.load(Ordering::SeqCst)
    }

    /// Notes that all entries up to `index` are applied.
    pub fn set_applied_index(&self, index: u64) {
        self.set_reached_index(index);
        self.applied_index.store(index, Ordering::SeqCst);
        self.applied.send_replace(index);
    }

    /// Resolves once all entries up to `index` are applied.
    pub async fn wait_applied(&self, index: u64) {
        if self.applied_index() >= index {
            return;
        }
        // The sender lives as long as `self`.
        let _ = self.applied.subscribe().wait_for(|&applied| applied >= index).await;
    }

    /// The entry that is being applied, or was applied last. What any answer of this node tells of
    /// is at or before it: answers are released while their entry is being applied.
    pub fn reached_index(&self) -> u64 {
        self.reached_index.load(Ordering::SeqCst)
    }

    /// Notes that the entry at `index` is being applied.
    pub fn set_reached_index(&self, index: u64) {
        self.reached_index.fetch_max(index, Ordering::SeqCst);
    }
}
