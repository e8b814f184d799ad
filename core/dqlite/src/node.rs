//! A node of a cluster in this process.

use std::path::Path;

use dqlite_env::Env;
use dqlite_server::{Backend, NodeOptions};

pub use dqlite_server::{Member, Role, Status};

use crate::cluster::{Cluster, DatabaseStatus};
use crate::connect;
use crate::connection::Connection;
use crate::error::Error;
use crate::options::{ConnectOptions, NodeSettings};
use crate::{runtime, tls};

/// A running node. Clones are the same node; it runs until [`Node::stop`].
#[derive(Clone, Debug)]
pub struct Node {
    inner: dqlite_server::Node,
}

impl Node {
    /// Starts the node whose files are in the folder, or a new one if there are none. It runs on
    /// threads of this crate's own, whatever runtime the caller has.
    ///
    /// # Errors
    /// `OperationalError` when the folder is in use (the message names the process), the address
    /// cannot be listened on, or the files are damaged; `InterfaceError` when options contradict
    /// each other or the folder.
    pub async fn start(settings: NodeSettings) -> Result<Self, Error> {
        let options = node_options(&settings)?;
        let env = tls::node_env(&settings)?;
        let starting =
            runtime::handle()?.spawn(async move { dqlite_server::Node::start(env, options).await });
        let started = starting.await.map_err(|it| Error::new("internal", it.to_string()))?;
        Ok(Self { inner: started.map_err(error)? })
    }

    /// A connection to a database of the cluster: directly while this node leads, over the network
    /// when another does.
    pub fn connect(&self, database: &str, options: ConnectOptions) -> Connection {
        let named = ConnectOptions { database: Some(database.to_owned()), ..options };
        connect::through(&self.inner, named)
    }

    /// The node's cluster.
    pub fn cluster(&self) -> Cluster {
        Cluster::through(&self.inner)
    }

    /// Waits until the node has its place in a cluster and knows who leads it.
    ///
    /// # Errors
    /// The node is stopping.
    pub async fn ready(&self) -> Result<(), Error> {
        self.inner.ready().await.map_err(error)
    }

    /// Gives away what the cluster needs: the lead to another voter, and the vote to a member that
    /// can take it. For a node that is to stop.
    ///
    /// # Errors
    /// Nobody could take over in time.
    pub async fn handover(&self) -> Result<(), Error> {
        let inner = self.inner.clone();
        on_runtime(async move { inner.handover().await }).await?.map_err(error)
    }

    /// Ends all sessions and closes the files. The lead goes to another voter if one can take it.
    pub async fn stop(&self) {
        let inner = self.inner.clone();
        if let Err(error) = on_runtime(async move { inner.stop().await }).await {
            tracing::warn!(%error, "the node was not stopped cleanly; its log has it all");
        }
    }

    /// The node's state, as of a moment ago.
    pub fn status(&self) -> Status {
        self.inner.status()
    }

    /// The node's databases, as they are now.
    pub fn databases(&self) -> Vec<DatabaseStatus> {
        self.inner.databases()
    }

    /// The node's number.
    pub fn id(&self) -> u64 {
        self.inner.id()
    }

    /// The address by which the node is known.
    pub fn address(&self) -> &str {
        self.inner.address()
    }
}

/// Forces a new membership on a stopped node whose cluster has lost its quorum for good. The folder
/// then starts as that cluster; give copies of it to its other members, and the folders of members
/// that are not in the list to nobody.
///
/// # Errors
/// The folder is in use, holds no node, or its node is not among `members`.
pub async fn recover(data_dir: &Path, members: &[Member]) -> Result<(), Error> {
    let (dir, members) = (data_dir.to_owned(), members.to_vec());
    let recovering =
        on_runtime(async move { dqlite_server::recover(&Env::real(), &dir, &members).await });
    recovering.await?.map_err(error)
}

async fn on_runtime<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Error> {
    runtime::handle()?.spawn(work).await.map_err(|error| Error::new("internal", error.to_string()))
}

fn node_options(settings: &NodeSettings) -> Result<NodeOptions, Error> {
    let mut options = NodeOptions::new(&settings.data_dir, &settings.address);
    options.id = settings.id;
    options.bind = settings.bind.clone();
    options.join = settings.join.clone();
    options.voters = settings.voters.unwrap_or(options.voters);
    options.standbys = settings.standbys.unwrap_or(options.standbys);
    options.failure_domain = settings.failure_domain.unwrap_or(options.failure_domain);
    options.weight = settings.weight.unwrap_or(options.weight);
    options.snapshot_entries = settings.snapshot_threshold.unwrap_or(options.snapshot_entries);
    options.heartbeat = settings.heartbeat.unwrap_or(options.heartbeat);
    if let Some(timeout) = settings.election_timeout {
        (options.election_min, options.election_max) = (timeout, timeout * 2);
    }
    if let Some(frames) = settings.checkpoint_frames {
        options.engine.checkpoint_frames = frames.max(1);
    }
    options.log.backend = match settings.log_backend.as_deref() {
        None | Some("auto") => Backend::Auto,
        Some("io_uring") => Backend::IoUring,
        Some("threads") => Backend::Threads,
        Some(other) => {
            let reason = format!("log_backend {other:?}: it is auto, io_uring or threads");
            return Err(Error::new("option.value", reason));
        }
    };
    Ok(options)
}

/// The errors of nodes.
pub(crate) fn error(error: dqlite_server::Error) -> Error {
    let id = match &error {
        dqlite_server::Error::Options(_) => "option.value",
        dqlite_server::Error::Locked { .. } => "node.data_directory_in_use",
        dqlite_server::Error::NobodyToTakeOver => "cluster.unavailable",
        _ => "node.start",
    };
    Error::new(id, error.to_string())
}
