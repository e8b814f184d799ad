//! A node: its log, its part in the cluster, and the engine that it drives.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use dqlite_engine::{Consensus, Machine};
use dqlite_env::{Env, Stream};
use dqlite_log::Log;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{InitializeError, RaftError};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::change::{Changer, nothing_yielded};
use crate::error::Error;
use crate::growth::Growth;
use crate::handle::Handle;
use crate::leadership;
use crate::machine::Replica;
use crate::member::{Member, MemberInfo, Role};
use crate::options::{CHUNK_TIMEOUT, INSTALL_TIMEOUT, Options};
use crate::status::{self, Leader, Status};
use crate::storage::Storage;
use crate::transport::{PeerContext, PeerFactory, PeerService};
use crate::types::{Metrics, Raft, TypeConfig};

/// One member of a cluster. Clones are the same node.
///
/// [`open`](Self::open) reads the node's files and applies again what was committed;
/// [`run`](Self::run) lets it take part. In between the engine can be given the
/// [`handle`](Self::handle), which it needs before it may lead.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    raft: Raft,
    log: Log,
    machine: Arc<dyn Machine>,
    growth: Arc<Growth>,
    handle: Arc<Handle>,
    changer: Changer,
    service: PeerService,
    stopping: watch::Sender<bool>,
    /// What the node died of.
    failure: watch::Sender<Option<String>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.inner.options.id).finish_non_exhaustive()
    }
}

impl Node {
    /// Opens the node whose files are in `data_dir`, or a new one if there are none. `machine` is
    /// given what was committed since its last checkpoint before this returns. The node takes no
    /// part in the cluster before [`run`](Self::run).
    ///
    /// # Errors
    /// When the files cannot be read or do not fit together, or `machine` fails.
    pub async fn open(
        env: Env,
        data_dir: &Path,
        options: Options,
        machine: Arc<dyn Machine>,
    ) -> Result<Self, Error> {
        let config = options.consensus()?;
        let (log, recovered) = open_log(&env, data_dir, options.log.clone()).await?;
        let growth = Arc::new(Growth::new(options.snapshot_entries, options.snapshot_bytes));
        let replica =
            Replica::open(env.clone(), data_dir.to_owned(), machine.clone(), growth.clone())
                .await?;
        let context = PeerContext {
            network: env.network.clone(),
            machine: machine.clone(),
            id: options.id,
            append_window: options.append_window,
            dial_timeout: options.election_max,
            append_timeout: options.election_max * 2,
            chunk_timeout: CHUNK_TIMEOUT,
            install_timeout: INSTALL_TIMEOUT,
        };
        let factory = PeerFactory { context: Arc::new(context) };
        let storage = Storage::new(log.clone(), &recovered);
        let raft = Raft::build(options.id, config, factory, storage, replica)
            .await
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self { inner: Arc::new(Inner::new(options, raft, log, machine, growth)) })
    }

    /// [`open`](Self::open), then [`run`](Self::run).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn start(
        env: Env,
        data_dir: &Path,
        options: Options,
        machine: Arc<dyn Machine>,
    ) -> Result<Self, Error> {
        let node = Self::open(env, data_dir, options, machine).await?;
        node.run();
        Ok(node)
    }

    /// Lets the node take part in the cluster. A second call does nothing.
    pub fn run(&self) {
        let mut tasks = self.inner.tasks.lock();
        if !tasks.is_empty() || *self.inner.stopping.borrow() {
            return;
        }
        self.inner.raft.run();
        tasks.push(tokio::spawn(watch_leadership(self.inner.clone())));
        tasks.push(tokio::spawn(keep_house(self.inner.clone())));
    }

    /// Makes this new node the first one of a new cluster, its only voter. False, and nothing
    /// happens, when the node was in a cluster before.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn bootstrap(&self) -> Result<bool, Error> {
        let options = &self.inner.options;
        let info = MemberInfo { address: options.address.clone(), role: Role::Voter };
        match self.inner.raft.initialize(BTreeMap::from([(options.id, info)])).await {
            Ok(()) => Ok(true),
            Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(false),
            Err(_) => Err(Error::Stopped),
        }
    }

    /// What the engine proposes through.
    pub fn handle(&self) -> Arc<dyn Consensus> {
        self.inner.handle.clone()
    }

    /// Serves a connection from another node until it ends. Its first eight bytes are
    /// [`PEER_MAGIC`](crate::PEER_MAGIC); `already_read` is what has been read of it.
    pub async fn serve_peer(&self, stream: Box<dyn Stream>, already_read: &[u8]) {
        self.inner.service.serve(stream, already_read).await;
    }

    /// The node's state, as of a moment ago.
    pub fn status(&self) -> Status {
        Status::new(&self.inner.raft.metrics().borrow_watched())
    }

    /// What the log has written since the node was opened.
    pub fn log_metrics(&self) -> dqlite_log::Metrics {
        self.inner.log.metrics()
    }

    /// All members, by id.
    pub fn members(&self) -> Vec<Member> {
        self.status().members
    }

    /// Who leads, as far as this node knows.
    pub fn leader(&self) -> Option<Leader> {
        status::leader(&self.inner.raft.metrics().borrow_watched())
    }

    /// Resolves once this node knows who leads.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn wait_leader(&self) -> Result<Leader, Error> {
        self.wait_for(status::leader).await
    }

    /// Resolves once `found` finds what it looks for in the node's status.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn wait_status<T>(
        &self,
        mut found: impl FnMut(&Status) -> Option<T>,
    ) -> Result<T, Error> {
        self.wait_for(|metrics| found(&Status::new(metrics))).await
    }

    async fn wait_for<T>(&self, mut found: impl FnMut(&Metrics) -> Option<T>) -> Result<T, Error> {
        let mut metrics = self.inner.raft.metrics();
        loop {
            {
                let metrics = metrics.borrow_watched();
                if metrics.running_state.is_err() {
                    return Err(Error::Stopped);
                }
                if let Some(value) = found(&metrics) {
                    return Ok(value);
                }
            }
            metrics.changed().await.map_err(|_| Error::Stopped)?;
        }
    }

    /// Adds a node as a spare. The leader only; one change at a time.
    ///
    /// # Errors
    /// [`Error::IdInUse`], [`Error::AddressInUse`], and what every change may give:
    /// [`Error::NotLeader`], [`Error::ChangeInProgress`], [`Error::Unsettled`],
    /// [`Error::Stopped`].
    pub async fn add(&self, id: u64, address: impl Into<String>) -> Result<(), Error> {
        self.inner.changer.add(id, address.into()).await
    }

    /// Gives a member another role. One that becomes a voter must have caught up with the log,
    /// which is waited for. The leader only; one change at a time.
    ///
    /// # Errors
    /// [`Error::UnknownId`], [`Error::AlreadyHasRole`], [`Error::NotCaughtUp`],
    /// [`Error::LastVoter`], and what every change may give: see [`add`](Self::add).
    pub async fn assign(&self, id: u64, role: Role) -> Result<(), Error> {
        self.inner.changer.assign(id, role).await
    }

    /// Removes a member; a leader that removes itself steps down. The leader only; one change at
    /// a time.
    ///
    /// # Errors
    /// [`Error::UnknownId`], [`Error::LastVoter`], and what every change may give: see
    /// [`add`](Self::add).
    pub async fn remove(&self, id: u64) -> Result<(), Error> {
        self.inner.changer.remove(id).await
    }

    /// Hands leadership to the voter `to`, or if that is 0 to the one that is most up to date.
    /// Returns once this node has stepped down.
    ///
    /// # Errors
    /// [`Error::TransferFailed`] when no voter is there to take over, or none did within about an
    /// election timeout; this node may then step down later all the same.
    pub async fn transfer(&self, to: u64) -> Result<(), Error> {
        self.inner.changer.transfer(to).await
    }

    /// Ends the node's part in the cluster and closes its log.
    pub async fn shutdown(&self) {
        self.inner.stopping.send_replace(true);
        if self.inner.raft.shutdown().await.is_err() {
            tracing::error!("consensus ended with a panic");
        }
        let tasks = std::mem::take(&mut *self.inner.tasks.lock());
        for task in tasks {
            // A task that panicked has nothing left to end.
            let _ = task.await;
        }
        self.inner.log.close().await;
    }

    /// Resolves when the node has died: its log or its engine failed. Says of what.
    pub async fn failed(&self) -> String {
        let mut failure = self.inner.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(failure) => failure.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }
}

impl Inner {
    fn new(
        options: Options,
        raft: Raft,
        log: Log,
        machine: Arc<dyn Machine>,
        growth: Arc<Growth>,
    ) -> Self {
        let (stopping, _) = watch::channel(false);
        let handle = Arc::new(Handle {
            raft: raft.clone(),
            log: log.clone(),
            lease: options.lease(),
            patience: options.election_max * 2,
            yielded: nothing_yielded(),
            refused: Arc::new(Notify::new()),
        });
        let changer = Changer {
            raft: raft.clone(),
            handle: handle.clone(),
            election_max: options.election_max,
            catch_up_timeout: options.catch_up_timeout,
            asked: Arc::default(),
            turn: Arc::default(),
        };
        let quiet = match options.faults.early_votes {
            true => std::time::Duration::ZERO,
            false => options.election_min,
        };
        let service = PeerService {
            raft: raft.clone(),
            machine: machine.clone(),
            id: options.id,
            chunk_timeout: CHUNK_TIMEOUT,
            votes_from: Instant::now() + quiet,
            stopping: stopping.subscribe(),
            newest: Mutex::default(),
        };
        let (failure, _) = watch::channel(None);
        let tasks = Mutex::default();
        Self {
            options,
            raft,
            log,
            machine,
            growth,
            handle,
            changer,
            service,
            stopping,
            failure,
            tasks,
        }
    }
}

/// Opens the log of the node with its files in `data_dir`.
pub(crate) async fn open_log(
    env: &Env,
    data_dir: &Path,
    log: dqlite_log::Options,
) -> Result<(Log, dqlite_log::Recovered), Error> {
    let runtime = tokio::runtime::Handle::current();
    let (inner_env, dir) = (env.clone(), data_dir.to_owned());
    let opened = env
        .blocking
        .run(move || {
            let _runtime = runtime.enter();
            inner_env.files.create_dir_all(&dir)?;
            Log::open(&inner_env, &dir.join("log"), log).map_err(std::io::Error::other)
        })
        .await?;
    Ok(opened)
}

async fn watch_leadership(inner: Arc<Inner>) {
    let stopping = inner.stopping.subscribe();
    let refused = inner.handle.refused.clone();
    let watch = leadership::watch(inner.raft.clone(), inner.machine.clone(), refused, stopping);
    if let Some(failure) = watch.await
        && !*inner.stopping.borrow()
    {
        tracing::error!(id = inner.options.id, failure, "node has failed");
        inner.stopping.send_replace(true);
        inner.failure.send_replace(Some(failure));
    }
}

/// Takes snapshots when they are due, and completes changes that an earlier leader left.
async fn keep_house(inner: Arc<Inner>) {
    let mut stopping = inner.stopping.subscribe();
    let mut metrics = inner.raft.metrics();
    let mut led = None;
    if is_alone(&inner).await && inner.raft.trigger().elect(false).await.is_err() {
        return;
    }
    loop {
        let leads = {
            let metrics = metrics.borrow_watched();
            metrics.state.is_leader().then_some(metrics.current_term)
        };
        if led != leads {
            led = leads;
            inner.changer.complete().await;
        }
        tokio::select! {
            biased;
            () = leadership::stopped(&mut stopping) => return,
            () = inner.growth.due() => {
                if inner.raft.trigger().snapshot().await.is_err() {
                    return;
                }
            }
            changed = metrics.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Whether this node is the only voter: it need not wait to hear from another leader then.
async fn is_alone(inner: &Inner) -> bool {
    let id = inner.options.id;
    let voters = |state: &openraft::RaftState<TypeConfig>| {
        state.membership_state.effective().voter_ids().collect::<Vec<_>>()
    };
    inner.raft.with_raft_state(voters).await.is_ok_and(|voters| voters == [id])
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::testing::Nothing;

    /// The one that was asked may be elected while this node's lease runs.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_leader_that_asked_another_to_take_over_relies_on_no_lease() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::new(1, "nowhere");
        let machine = Arc::new(Nothing::default());
        let node = Node::start(Env::real(), dir.path(), options, machine).await.unwrap();
        node.bootstrap().await.unwrap();
        let term = node.wait_leader().await.unwrap().term;
        let handle = &node.inner.handle;
        handle.confirm_leadership(term).await.unwrap();
        assert_eq!(handle.holds_lease(term), Ok(true));
        handle.yielded.store(term, Ordering::SeqCst);
        assert_eq!(handle.holds_lease(term), Ok(false));
        node.shutdown().await;
    }
}
