//! A node's life: opened, serving, stopped.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use dqlite_engine::Engine;
use dqlite_env::{Env, Network};
use dqlite_log::DirLock;
use dqlite_raft::Status;
use dqlite_wire::DatabaseStatus;
use dqlite_wire::call::{AskOutcome, OpenSession, Outcome};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::call_session::{CallError, CallSession};
use crate::error::Error;
use crate::freshness::Freshness;
use crate::gateway::scratch;
use crate::handover;
use crate::identity::Identity;
use crate::joining;
use crate::listener;
use crate::network::ShortCut;
use crate::options::NodeOptions;
use crate::recovery;

/// A running node. Dropping it leaves it running; [`Node::stop`] ends it.
#[derive(Clone, Debug)]
pub struct Node {
    shared: Arc<Shared>,
}

/// What all parts of a node share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Held until the node has stopped.
    lock: Mutex<Option<DirLock>>,
    pub env: Env,
    pub options: NodeOptions,
    pub data_dir: PathBuf,
    pub identity: Identity,
    pub engine: Engine,
    pub raft: dqlite_raft::Node,
    pub weight: AtomicU64,
    pub freshness: Freshness,
    pub stopping: watch::Sender<bool>,
    /// True once the node has a place in a cluster.
    pub joined: watch::Sender<bool>,
    listening_on: String,
    tasks: Mutex<JoinSet<()>>,
}

impl Node {
    /// The node that these are the parts of.
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Starts the node whose files are in the data directory, or a new one if there are none.
    ///
    /// Everything that was committed and is known to be is applied again before this returns.
    ///
    /// # Errors
    /// When the options contradict the data directory, the address cannot be listened on, another
    /// process runs the node, or its files are damaged.
    pub async fn start(env: Env, options: NodeOptions) -> Result<Self, Error> {
        options.check()?;
        let blocking = env.blocking;
        let (lock, identity) = {
            let (env, options) = (env.clone(), options.clone());
            let establish = move || {
                let lock = recovery::lock(&env, &options.data_dir)?;
                Ok::<_, Error>((lock, Identity::establish(&env, &options)?))
            };
            blocking.run(establish).await?
        };
        let data_dir = options.data_dir.clone();
        let engine = {
            let (env, dir, options) = (env.clone(), data_dir.clone(), options.engine.clone());
            blocking.run(move || Engine::open(env, &dir, options)).await?
        };
        let raft_options = options.raft(identity.id);
        let machine = Arc::new(engine.clone());
        let raft = dqlite_raft::Node::open(env.clone(), &data_dir, raft_options, machine).await?;
        engine.attach(raft.handle());
        {
            let (env, dir) = (env.clone(), data_dir.clone());
            blocking.run(move || scratch::clear(&env, &dir)).await?;
        }
        let bind = options.bind.as_deref().unwrap_or(&options.address);
        let listener = match env.network.listen(bind).await {
            Ok(listener) => listener,
            Err(error) => {
                // Let go of the files, so that the process may try again.
                engine.close().await?;
                raft.shutdown().await;
                let reason = format!("cannot listen on {bind}: {error}");
                return Err(std::io::Error::new(error.kind(), reason).into());
            }
        };
        let weight = options.weight;
        let shared = Arc::new(Shared {
            lock: Mutex::new(lock),
            env,
            options,
            data_dir,
            identity,
            engine,
            raft,
            weight: AtomicU64::new(weight),
            freshness: Freshness::default(),
            stopping: watch::Sender::new(false),
            joined: watch::Sender::new(false),
            listening_on: listener.address(),
            tasks: Mutex::default(),
        });
        shared.raft.run();
        {
            let mut tasks = shared.tasks.lock();
            tasks.spawn(listener::listen(shared.clone(), listener));
            tasks.spawn(joining::take_a_place(shared.clone()));
        }
        Ok(Self { shared })
    }

    /// The node's number.
    pub fn id(&self) -> u64 {
        self.shared.identity.id
    }

    /// The address by which the node is known.
    pub fn address(&self) -> &str {
        &self.shared.identity.address
    }

    /// The address that is listened on.
    pub fn listening_on(&self) -> String {
        self.shared.listening_on.clone()
    }

    /// The node's state, as of a moment ago.
    pub fn status(&self) -> Status {
        self.shared.raft.status()
    }

    /// The node's databases, as they are now.
    pub fn databases(&self) -> Vec<DatabaseStatus> {
        let told = |database: dqlite_engine::DatabaseStatus| DatabaseStatus {
            name: database.name.into(),
            applied_index: database.applied_index,
            checkpoint_index: database.checkpoint_index,
            page_count: database.page_count.into(),
        };
        self.shared.engine.databases().into_iter().map(told).collect()
    }

    /// Resolves once the node has its place in a cluster and knows who leads it; should it be the
    /// leader itself, once it can serve.
    ///
    /// # Errors
    /// The node is stopping.
    pub async fn ready(&self) -> Result<(), Error> {
        let mut joined = self.shared.joined.subscribe();
        if joined.wait_for(|joined| *joined).await.is_err() {
            return Err(dqlite_raft::Error::Stopped.into());
        }
        let id = self.id();
        let follows = self.shared.raft.wait_status(|status| {
            status.leader.as_ref().filter(|leader| leader.id != id).map(|_| ())
        });
        tokio::select! {
            followed = follows => Ok(followed?),
            () = self.shared.engine.wait_leading() => Ok(()),
        }
    }

    /// Opens a session of a driver with a database, which is created if need be.
    ///
    /// # Errors
    /// [`dqlite_wire::codes::NOT_LEADER`] where the session wants a leader and this node is none.
    pub async fn open_session(&self, open: &OpenSession) -> Result<CallSession, CallError> {
        CallSession::open(self.shared.clone(), open).await
    }

    /// True while this node leads and has applied all that was committed before.
    pub fn is_leading(&self) -> bool {
        self.shared.engine.is_leading()
    }

    /// All entries of the log up to this index are applied here.
    pub fn applied_index(&self) -> u64 {
        self.shared.engine.applied_index()
    }

    /// Resolves once all entries of the log up to `index` are applied here.
    pub async fn wait_applied(&self, index: u64) {
        self.shared.engine.wait_applied(index).await;
    }

    /// An index at or after everything that any node acknowledged before the call.
    ///
    /// # Errors
    /// [`dqlite_wire::codes::NOT_LEADER`] when it is not certain that this node leads.
    pub async fn barrier(&self) -> Result<u64, CallError> {
        Ok(self.shared.engine.barrier().await?)
    }

    /// What became of a client's commit. Sessions of the client that have not ended do so.
    ///
    /// # Errors
    /// [`dqlite_wire::codes::NOT_LEADER`] when it is not certain that this node leads.
    pub async fn outcome(&self, ask: &AskOutcome) -> Result<Outcome, CallError> {
        let engine = &self.shared.engine;
        Ok(match engine.outcome(&ask.database, ask.client, ask.mark, ask.since).await? {
            dqlite_engine::Outcome::NotApplied => Outcome::NotApplied,
            dqlite_engine::Outcome::Applied(index) => Outcome::Applied(index),
            dqlite_engine::Outcome::Forgotten => Outcome::Forgotten,
        })
    }

    /// The record of outcomes of a database as this node has applied it.
    ///
    /// # Errors
    /// There is no such database.
    #[doc(hidden)]
    pub fn record_of_outcomes(&self, database: &str) -> Result<Vec<u8>, CallError> {
        Ok(self.shared.engine.record_of_outcomes(database)?)
    }

    /// A network that reaches this node through memory and all others as usual: for clients in
    /// this process.
    pub fn network(&self) -> Arc<dyn Network> {
        Arc::new(ShortCut {
            node: Arc::downgrade(&self.shared),
            network: self.shared.env.network.clone(),
        })
    }

    /// What the node takes from outside itself, with [`Node::network`] in it.
    pub fn env(&self) -> Env {
        Env { network: self.network(), ..self.shared.env.clone() }
    }

    /// Gives up what this node does for the cluster, as before a long stop: the lead if it has it,
    /// and its vote if a stand-by or a spare that is there and up to date can have it, so that the
    /// cluster keeps its number of voters. This node is a spare then, and goes on serving as one.
    /// With nobody to take its vote it gives the lead away and stays a voter.
    ///
    /// # Errors
    /// [`Error::NobodyToTakeOver`] when nothing could be given away; [`Error::Raft`] when a change
    /// of the cluster failed half way, after which the call may be made again.
    pub async fn handover(&self) -> Result<(), Error> {
        handover::give_up(&self.shared).await
    }

    /// Hands the lead over if this node has it and somebody can take it, ends all sessions and
    /// closes the files.
    pub async fn stop(&self) {
        let leads = self.status().leader.is_some_and(|leader| leader.id == self.id());
        if leads && let Err(error) = self.shared.raft.transfer(0).await {
            tracing::debug!(%error, "stopping without having handed the lead over");
        }
        self.shared.stopping.send_replace(true);
        let mut tasks = std::mem::take(&mut *self.shared.tasks.lock());
        tasks.shutdown().await;
        if let Err(error) = self.shared.engine.close().await {
            tracing::warn!(%error, "the databases were not closed cleanly; the log has it all");
        }
        self.shared.raft.shutdown().await;
        *self.shared.lock.lock() = None;
    }

    /// Resolves when the node cannot go on, with the reason: its log or a database failed.
    pub async fn failed(&self) -> String {
        tokio::select! {
            reason = self.shared.raft.failed() => reason,
            reason = self.shared.engine.failed() => reason,
        }
    }
}
