//! The engine's way to have commands ordered.
//!
//! 1. A lease is worth something only while no voter would vote for somebody else: not after this
//!    leader has asked one to take over, nor when it is no voter itself and may step down so.
//! 2. Leadership is confirmed as of a moment after the call: the lease's end is compared with a
//!    clock that is read after it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dqlite_engine::{Consensus, OnRefused, Payload, Refused};
use dqlite_env::BoxFuture;
use dqlite_log::Log;
use futures::StreamExt;
use openraft::ReadPolicy;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, ForwardReason, LinearizableReadError, RaftError};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::types::{Command, Raft};
use crate::view;

/// What the engine holds.
pub(crate) struct Handle {
    pub raft: Raft,
    pub log: Log,
    pub lease: Duration,
    /// Longer than this without a quorum, nothing is confirmed and nothing proposed.
    pub patience: Duration,
    /// The term in which this node asked another to take over: (1).
    pub yielded: AtomicU64,
    /// Rung when openraft refused commands of a term that this node goes on to lead.
    pub refused: Arc<Notify>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", self.raft.node_id()).finish_non_exhaustive()
    }
}

impl Handle {
    /// Whether this node is certain, without asking anybody, to be the only leader right now.
    /// `Err` when it does not lead `term`.
    pub(crate) fn holds_lease(&self, term: u64) -> Result<bool, Refused> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        if metrics.running_state.is_err() {
            return Err(Refused::Stopped);
        }
        if !view::leads(&metrics, term) {
            return Err(Refused::NotLeader);
        }
        let votes = metrics.membership_config.membership().voter_ids().any(|id| id == metrics.id);
        let held = votes && view::holds_lease(&metrics, self.lease); // (2)
        Ok(held && self.yielded.load(Ordering::SeqCst) != term) // (1)
    }

    /// Waits until openraft is likely to take commands.
    async fn wait_for_quorum(&self, term: u64) -> Result<(), Refused> {
        let deadline = Instant::now() + self.patience;
        let mut metrics = self.raft.metrics();
        loop {
            {
                let metrics = metrics.borrow_watched();
                if metrics.running_state.is_err() {
                    return Err(Refused::Stopped);
                }
                if !view::leads(&metrics, term) {
                    return Err(Refused::NotLeader);
                }
                if view::holds_lease(&metrics, self.lease) {
                    return Ok(());
                }
            }
            match timeout_at(deadline, metrics.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Refused::Stopped),
                Err(_) => return Err(Refused::NotLeader),
            }
        }
    }

    async fn offer(
        &self,
        term: u64,
        commands: Vec<Payload>,
        refused: OnRefused,
    ) -> Result<(), (Refused, OnRefused)> {
        if commands.is_empty() {
            return Ok(());
        }
        if let Err(reason) = self.wait_for_quorum(term).await {
            return Err((reason, refused));
        }
        let Ok(mut results) = self.raft.client_write_many(commands.into_iter().map(Command)).await
        else {
            return Err((Refused::Stopped, refused));
        };
        let ring = self.refused.clone();
        tokio::spawn(async move {
            // A batch is refused whole, so the first result tells. An entry that was discarded
            // later, or lost with openraft, had been taken.
            if let Some(Ok(Err(ClientWriteError::ForwardToLeader(forward)))) = results.next().await
            {
                refused(Refused::NotLeader);
                if forward.reason == ForwardReason::LeaseExpired {
                    ring.notify_one();
                }
            }
        });
        Ok(())
    }

    async fn confirm(&self, term: u64) -> Result<(), Refused> {
        let deadline = Instant::now() + self.patience;
        loop {
            if self.holds_lease(term)? {
                return Ok(());
            }
            let asked = self.raft.get_read_linearizer(ReadPolicy::ReadIndex);
            match timeout_at(deadline, asked).await {
                Ok(Ok(confirmed)) => {
                    let led = *confirmed.read_log_id().log_id().leader_id;
                    return if led == term { Ok(()) } else { Err(Refused::NotLeader) };
                }
                Ok(Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)))) => {}
                Ok(Err(RaftError::Fatal(_))) => return Err(Refused::Stopped),
                Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(_))))
                | Err(_) => return Err(Refused::NotLeader),
            }
        }
    }
}

impl Consensus for Handle {
    fn propose(&self, term: u64, commands: Vec<Payload>, refused: OnRefused) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err((reason, refused)) = self.offer(term, commands, refused).await {
                refused(reason);
                if view::leads(&self.raft.metrics().borrow_watched(), term) {
                    self.refused.notify_one();
                }
            }
        })
    }

    fn confirm_leadership(&self, term: u64) -> BoxFuture<'_, Result<(), Refused>> {
        Box::pin(self.confirm(term))
    }

    fn leads_for_certain(&self, term: u64) -> bool {
        matches!(self.holds_lease(term), Ok(true))
    }

    fn wait_durable(&self, index: u64) -> BoxFuture<'_, Result<(), Refused>> {
        Box::pin(async move { self.log.wait_durable(index).await.map_err(|_| Refused::Stopped) })
    }
}
