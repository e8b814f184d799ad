//! The cluster, asked by calls that wait.

use std::path::Path;

use crate::cluster::{DatabaseStatus, Metadata, NodeAddress, NodeInfo, Role};
use crate::error::Error;
use crate::options::ConnectOptions;
use crate::runtime;

/// The cluster: [`crate::Cluster`], whose calls wait.
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: crate::Cluster,
}

fn wait<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    runtime::block_on(runtime::handle()?, work, None)
}

impl Cluster {
    /// See [`crate::Cluster::new`].
    ///
    /// # Errors
    /// Those of the asynchronous call, as of all calls here.
    pub fn new(url: &str, options: ConnectOptions) -> Result<Self, Error> {
        crate::Cluster::new(url, options).map(Self::of)
    }

    pub(super) fn of(inner: crate::Cluster) -> Self {
        Self { inner }
    }

    /// The asynchronous twin.
    pub fn asynchronous(&self) -> crate::Cluster {
        self.inner.clone()
    }

    /// See [`crate::Cluster::members`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn members(&self) -> Result<Vec<NodeInfo>, Error> {
        wait(self.inner.members())
    }

    /// See [`crate::Cluster::leader`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn leader(&self) -> Result<NodeAddress, Error> {
        wait(self.inner.leader())
    }

    /// See [`crate::Cluster::add`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn add(&self, id: u64, address: &str, role: Role) -> Result<(), Error> {
        wait(self.inner.add(id, address, role))
    }

    /// See [`crate::Cluster::assign`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn assign(&self, id: u64, role: Role) -> Result<(), Error> {
        wait(self.inner.assign(id, role))
    }

    /// See [`crate::Cluster::remove`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn remove(&self, id: u64) -> Result<(), Error> {
        wait(self.inner.remove(id))
    }

    /// See [`crate::Cluster::transfer`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn transfer(&self, id: u64) -> Result<(), Error> {
        wait(self.inner.transfer(id))
    }

    /// See [`crate::Cluster::describe`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn describe(&self, address: &str) -> Result<Metadata, Error> {
        wait(self.inner.describe(address))
    }

    /// See [`crate::Cluster::weight`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn weight(&self, address: &str, weight: u64) -> Result<(), Error> {
        wait(self.inner.weight(address, weight))
    }

    /// See [`crate::Cluster::databases`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn databases(&self) -> Result<Vec<DatabaseStatus>, Error> {
        wait(self.inner.databases())
    }

    /// See [`crate::Cluster::dump`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn dump(&self, database: &str, path: &Path) -> Result<(), Error> {
        wait(self.inner.dump(database, path))
    }
}
