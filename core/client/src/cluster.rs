//! The cluster itself: its leader, its members, the state of each node.

use std::sync::Arc;
use std::time::Duration;

use dqlite_wire::{
    ClusterFormat, DumpFile, Metric, NodeAddress, NodeInfo, NodeStatus, Request, Response, Role,
};
use tokio::io::AsyncRead;
use tokio::time::Instant;

use crate::attempts::Attempts;
use crate::error::Error;
use crate::fault::Effect;
use crate::import;
use crate::link::unexpected;
use crate::pool::Pool;

/// How long a change of the cluster, a dump or a chunk of an import may take at least: a new voter
/// is brought up to date first.
pub(crate) const LONG_TIMEOUT: Duration = Duration::from_secs(60);

/// Where a node stands, and how little it wants a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Nodes with the same number may fail together.
    pub failure_domain: u64,
    /// Of two nodes the one with the lower weight is preferred.
    pub weight: u64,
}

/// The cluster of a client. What concerns it as a whole is asked of the leader; what concerns one
/// node is asked of that node alone, and not tried again.
#[derive(Debug, Clone)]
pub struct Cluster {
    pool: Arc<Pool>,
}

impl Cluster {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// Who leads. The node has said so itself, a moment ago.
    ///
    /// # Errors
    /// No leader was found in time.
    pub async fn leader(&self) -> Result<NodeAddress, Error> {
        let deadline = Instant::now() + self.pool.options().timeout;
        Ok(self.pool.search().find(deadline).await?.leader)
    }

    /// The members and their roles, as the leader knows them.
    ///
    /// # Errors
    /// No leader was found, or no answer came.
    pub async fn members(&self) -> Result<Vec<NodeInfo>, Error> {
        let request = Request::Cluster { format: ClusterFormat::Roles };
        self.ask_leader(&request, Effect::Nothing, |response| match response {
            Response::Servers(members) => Ok(members),
            other => Err(other),
        })
        .await
    }

    /// Adds a member as a spare.
    ///
    /// # Errors
    /// The leader refused, for instance because the id or the address is in use; or no answer came.
    pub async fn add(&self, id: u64, address: &str) -> Result<(), Error> {
        self.change(&Request::Add { id, address: address.into() }).await
    }

    /// Gives a member a role; returns once it has it.
    ///
    /// # Errors
    /// The leader refused, for instance because the member has the role already; or no answer came.
    pub async fn assign(&self, id: u64, role: Role) -> Result<(), Error> {
        self.change(&Request::Assign { id, role }).await
    }

    /// Removes a member.
    ///
    /// # Errors
    /// The leader refused, or no answer came.
    pub async fn remove(&self, id: u64) -> Result<(), Error> {
        self.change(&Request::Remove { id }).await
    }

    /// Hands the lead over to a voter, or with 0 to any. It may be another that leads in the end.
    ///
    /// # Errors
    /// The leader still leads, or no answer came.
    pub async fn transfer(&self, id: u64) -> Result<(), Error> {
        self.change(&Request::Transfer { id }).await
    }

    /// The failure domain and the weight of the node at `address`.
    ///
    /// # Errors
    /// The node cannot be reached or did not answer.
    pub async fn describe(&self, address: &str) -> Result<Metadata, Error> {
        self.ask(address, &Request::Describe, Effect::Nothing, |response| match response {
            Response::Metadata { failure_domain, weight } => {
                Ok(Metadata { failure_domain, weight })
            }
            other => Err(other),
        })
        .await
    }

    /// Sets the weight of the node at `address`, until it stops.
    ///
    /// # Errors
    /// The node cannot be reached or did not answer.
    pub async fn set_weight(&self, address: &str, weight: u64) -> Result<(), Error> {
        self.ask(address, &Request::Weight { weight }, Effect::Whole, empty).await
    }

    /// How far the node at `address` is, with the log and with each database.
    ///
    /// # Errors
    /// The node cannot be reached, did not answer, or is not of this project.
    pub async fn status(&self, address: &str) -> Result<NodeStatus, Error> {
        self.ask(address, &Request::Status, Effect::Nothing, |response| match response {
            Response::Status(status) => Ok(status),
            other => Err(other),
        })
        .await
    }

    /// What the node at `address` counts.
    ///
    /// # Errors
    /// The node cannot be reached, did not answer, or is not of this project.
    pub async fn metrics(&self, address: &str) -> Result<Vec<Metric>, Error> {
        self.ask(address, &Request::Metrics, Effect::Nothing, |response| match response {
            Response::Metrics(metrics) => Ok(metrics),
            other => Err(other),
        })
        .await
    }

    /// The files of a database as the node at `address` has them, which may be behind the leader.
    ///
    /// # Errors
    /// The node cannot be reached, does not have the database, or did not answer.
    pub async fn dump(&self, address: &str, database: &str) -> Result<Vec<DumpFile>, Error> {
        let request = Request::Dump { name: database.into() };
        self.ask(address, &request, Effect::Nothing, |response| match response {
            Response::Files(files) => Ok(files),
            other => Err(other),
        })
        .await
    }

    /// Makes an SQLite file of `total_bytes` bytes a database. `progress` is told after each chunk
    /// how many bytes the leader has.
    ///
    /// # Errors
    /// The file cannot be read or is shorter, the leader refused, or no answer came. If that was
    /// the answer to the last chunk, the outcome is unknown; else nothing was imported.
    pub async fn import(
        &self,
        database: &str,
        source: impl AsyncRead + Unpin,
        total_bytes: u64,
        progress: impl FnMut(u64),
    ) -> Result<(), Error> {
        import::import(&self.pool, database, source, total_bytes, progress).await
    }

    async fn change(&self, request: &Request) -> Result<(), Error> {
        self.ask_leader(request, Effect::Whole, empty).await
    }

    async fn ask_leader<T>(
        &self,
        request: &Request,
        effect: Effect,
        read: impl Fn(Response) -> Result<T, Response>,
    ) -> Result<T, Error> {
        let mut attempts = Attempts::new(&self.pool, self.pool.options().timeout);
        loop {
            let mut found = self.pool.search().find(attempts.deadline).await?;
            let deadline = match effect {
                Effect::Nothing => attempts.deadline,
                _ => attempts.deadline.max(Instant::now() + LONG_TIMEOUT),
            };
            let answer = found.link.call(request, deadline).await;
            match answer.and_then(|response| read(response).map_err(|other| unexpected(&other))) {
                Ok(value) => return Ok(value),
                Err(fault) => {
                    attempts.again(&found.leader.address, fault.with(effect)).await?;
                }
            }
        }
    }

    async fn ask<T>(
        &self,
        address: &str,
        request: &Request,
        effect: Effect,
        read: impl Fn(Response) -> Result<T, Response>,
    ) -> Result<T, Error> {
        let timeout = self.pool.options().timeout;
        let timeout = match request {
            Request::Dump { .. } => timeout.max(LONG_TIMEOUT),
            _ => timeout,
        };
        let deadline = Instant::now() + timeout;
        let mut link = self.pool.search().dial(address, deadline).await?;
        let answer = link.call(request, deadline).await;
        let value = answer.and_then(|response| read(response).map_err(|other| unexpected(&other)));
        value.map_err(|fault| fault.with(effect).into())
    }
}

fn empty(response: Response) -> Result<(), Response> {
    match response {
        Response::Empty => Ok(()),
        other => Err(other),
    }
}
