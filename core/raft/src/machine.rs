//! The engine, as openraft drives it.
//!
//! 1. An entry counts as applied only once the engine has taken it; so it is redone after a crash.
//!    The engine skips what its files hold already.
//! 2. A snapshot is the manifest: it is made durable before openraft hears of it, because the log
//!    up to it goes then.
//! 3. A received snapshot is the engine's before it is the manifest's. After a crash in between the
//!    files are ahead of the manifest, which (1) covers; the other way round would lose entries.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use dqlite_engine::{Machine, SnapshotWriter};
use dqlite_env::Env;
use futures::{Stream, TryStreamExt};
use openraft::alias::SnapshotOf;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder, Snapshot};
use parking_lot::Mutex;

use crate::growth::{Growth, Sending};
use crate::history::History;
use crate::manifest::Manifest;
use crate::types::{
    EntryPayload, LogId, SnapshotMeta, StoredMembership, TypeConfig, position, position_or_zero,
};

/// What openraft passes around in place of a snapshot's content.
#[derive(Debug)]
pub(crate) enum SnapshotHandle {
    /// The live database files; the log is not compacted while they are being sent.
    Local { _sending: Option<Sending> },
    /// What another node sent.
    Received(Box<dyn SnapshotWriter>),
}

/// The engine and what has been applied to it.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    env: Env,
    dir: PathBuf,
    machine: Arc<dyn Machine>,
    growth: Arc<Growth>,
    history: Mutex<History>,
    /// One manifest is written at a time.
    storing: tokio::sync::Mutex<()>,
}

impl Replica {
    /// The engine as of the manifest in `dir`.
    pub(crate) async fn open(
        env: Env,
        dir: PathBuf,
        machine: Arc<dyn Machine>,
        growth: Arc<Growth>,
    ) -> io::Result<Self> {
        let manifest = Manifest::load(&env, &dir).await?;
        machine.resume(position_or_zero(manifest.last));
        let history = Mutex::new(History::new(manifest));
        let storing = tokio::sync::Mutex::new(());
        Ok(Self { shared: Arc::new(Shared { env, dir, machine, growth, history, storing }) })
    }

    async fn apply_entry(&self, id: LogId, payload: EntryPayload) -> io::Result<()> {
        let shared = &*self.shared;
        let mut bytes = 0;
        let mut membership = None;
        match payload {
            EntryPayload::Normal(command) => {
                bytes = command.len_bytes();
                shared.machine.apply(position(id), command.0).await?;
            }
            EntryPayload::Blank => shared.machine.pass(position(id)).await?,
            EntryPayload::Membership(applied) => {
                shared.machine.pass(position(id)).await?;
                membership = Some(StoredMembership::new(Some(id), applied));
            }
        }
        let mut history = shared.history.lock();
        history.push(id); // (1)
        membership.into_iter().for_each(|membership| history.push_membership(membership));
        drop(history);
        shared.growth.add(bytes as u64);
        Ok(())
    }
}

impl Shared {
    /// Makes the manifest for `index` durable, unless a newer one is; gives the newest.
    async fn advance(&self, index: u64) -> io::Result<Manifest> {
        let _turn = self.storing.lock().await;
        let next = {
            let history = self.history.lock();
            // The engine may be one entry ahead of what is noted here.
            let index = index.min(position_or_zero(history.last()).index);
            match history.manifest_at(index) {
                Some(next) => next,
                None => return Ok(history.base().clone()),
            }
        };
        next.store(&self.env, &self.dir).await?; // (2)
        self.history.lock().rebase(next.clone());
        Ok(next)
    }
}

impl RaftStateMachine<TypeConfig> for Replica {
    type SnapshotData = SnapshotHandle;
    type SnapshotBuilder = Checkpoint;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let history = self.shared.history.lock();
        Ok((history.last(), history.membership().clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            self.apply_entry(entry.log_id, entry.payload).await?;
            if let Some(responder) = responder {
                responder.send(());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Checkpoint {
        Checkpoint { shared: self.shared.clone() }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotHandle,
    ) -> io::Result<()> {
        let Some(last) = meta.last_log_id else { return Ok(()) };
        let shared = &*self.shared;
        // A local one is what the files hold already.
        if let SnapshotHandle::Received(writer) = snapshot {
            shared.machine.install_snapshot(position(last), writer).await?; // (3)
        }
        let _turn = shared.storing.lock().await;
        if shared.history.lock().base().last >= Some(last) {
            return Ok(());
        }
        let manifest = Manifest { last: Some(last), membership: meta.last_membership.clone() };
        manifest.store(&shared.env, &shared.dir).await?;
        shared.history.lock().rebase(manifest);
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<SnapshotOf<TypeConfig, SnapshotHandle>>> {
        let base = self.shared.history.lock().base().clone();
        if base.last.is_none() {
            return Ok(None);
        }
        let snapshot =
            SnapshotHandle::Local { _sending: Some(Growth::sending(&self.shared.growth)) };
        Ok(Some(Snapshot { meta: base.meta(), snapshot }))
    }
}

/// Makes checkpoints, beside `apply`.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    shared: Arc<Shared>,
}

impl RaftSnapshotBuilder<TypeConfig> for Checkpoint {
    type SnapshotData = SnapshotHandle;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<TypeConfig, SnapshotHandle>> {
        let index = self.shared.machine.checkpoint().await?;
        let manifest = self.shared.advance(index).await?;
        tracing::debug!(index, last = ?manifest.last, "checkpoint");
        let snapshot = SnapshotHandle::Local { _sending: None };
        Ok(Snapshot { meta: manifest.meta(), snapshot })
    }
}

#[cfg(test)]
mod tests;
