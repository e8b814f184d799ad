//! A node whose calls wait.

use std::path::Path;

use super::{Cluster, Connection};
use crate::cluster::DatabaseStatus;
use crate::error::Error;
use crate::node::{Member, Status};
use crate::options::{ConnectOptions, NodeSettings};
use crate::runtime;

/// A node: [`crate::Node`], whose calls wait.
#[derive(Clone, Debug)]
pub struct Node {
    inner: crate::Node,
}

impl Node {
    /// See [`crate::Node::start`].
    ///
    /// # Errors
    /// Those of the asynchronous call, as of all calls here.
    pub fn start(settings: NodeSettings) -> Result<Self, Error> {
        let starting = crate::Node::start(settings);
        runtime::block_on(runtime::handle()?, starting, None).map(|inner| Self { inner })
    }

    /// The asynchronous twin. It is the same node.
    pub fn asynchronous(&self) -> crate::Node {
        self.inner.clone()
    }

    /// See [`crate::Node::connect`].
    pub fn connect(&self, database: &str, options: ConnectOptions) -> Connection {
        Connection::new(self.inner.connect(database, options))
    }

    /// The node's cluster.
    pub fn cluster(&self) -> Cluster {
        Cluster::of(self.inner.cluster())
    }

    /// See [`crate::Node::ready`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn ready(&self) -> Result<(), Error> {
        runtime::block_on(runtime::handle()?, self.inner.ready(), None)
    }

    /// See [`crate::Node::handover`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn handover(&self) -> Result<(), Error> {
        runtime::block_on(runtime::handle()?, self.inner.handover(), None)
    }

    /// See [`crate::Node::stop`].
    ///
    /// # Errors
    /// There are no threads to stop it with.
    pub fn stop(&self) -> Result<(), Error> {
        runtime::block_on(runtime::handle()?, self.inner.stop(), None);
        Ok(())
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

/// See [`crate::recover`].
///
/// # Errors
/// Those of the asynchronous call.
pub fn recover(data_dir: &Path, members: &[Member]) -> Result<(), Error> {
    runtime::block_on(runtime::handle()?, crate::recover(data_dir, members), None)
}
