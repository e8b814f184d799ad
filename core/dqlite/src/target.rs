//! Where a connection's calls go: to the node in this process, or over the network.
//!
//! 1. A node in this process that leads is called directly.
//! 2. Otherwise the leader is searched for among the addresses that are known.

use std::sync::Arc;
use std::time::Duration;

use dqlite_client::{CallSession as RemoteSession, Fault, LeaderSearch};
use dqlite_env::Env;
use dqlite_wire::call::{AskOutcome, OpenSession, Opened, Outcome, Place};
use dqlite_wire::codes;
use tokio::time::{Instant, timeout_at};

use crate::embedded::Lease;
use crate::error::Error;
use crate::session::{Session, refused};

/// How long one node may take to accept a connection and to say who leads.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A pause between two tries to find a leader that serves.
const PAUSE: Duration = Duration::from_millis(50);

/// Where calls go.
#[derive(Debug)]
pub(crate) struct Target {
    /// The node in this process.
    pub node: Option<dqlite_server::Node>,
    /// What is taken from outside this process.
    pub env: Env,
    /// Where nodes may be.
    pub addresses: Vec<String>,
    /// The search for the leader among them.
    pub search: LeaderSearch,
    /// Keeps the embedded node running that was opened by its path.
    pub lease: Option<Lease>,
}

impl Target {
    /// A target at `addresses`, or in this process.
    pub fn new(
        env: Env,
        addresses: Vec<String>,
        node: Option<dqlite_server::Node>,
        lease: Option<Lease>,
    ) -> Self {
        let search = LeaderSearch::new(env.clone(), addresses.clone(), CONNECT_TIMEOUT);
        Self { node, env, addresses, search, lease }
    }

    /// A session with the leader.
    pub async fn open_leader(
        self: &Arc<Self>,
        open: &OpenSession,
        deadline: Instant,
    ) -> Result<(Session, Opened), Error> {
        loop {
            let fault = match self.try_leader(open, deadline).await? {
                Ok(opened) => return Ok(opened),
                Err(fault) => fault,
            };
            let repeats = fault.is_not_leader()
                || fault.is_busy()
                || matches!(fault, Fault::Unsent(_) | Fault::Lost(_));
            if !repeats {
                return Err(Error::from_fault(fault));
            }
            if Instant::now() + PAUSE >= deadline {
                return Err(Error::new(
                    "cluster.unavailable",
                    format!("no leader served in time: {}", Error::from_fault(fault)),
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_leader(
        self: &Arc<Self>,
        open: &OpenSession,
        deadline: Instant,
    ) -> Result<Result<(Session, Opened), Fault>, Error> {
        if let Some(node) = &self.node
            && node.is_leading()
        {
            return Ok(open_local(node, open).await); // (1)
        }
        let found = self.search.find(deadline).await?; // (2)
        let address = found.leader.address.to_string();
        if let Some(node) = &self.node
            && node.address() == address
        {
            return Ok(open_local(node, open).await); // (1), elected meanwhile
        }
        let opened = RemoteSession::open_on(found.link, open, deadline).await;
        if opened.is_err() {
            self.search.forget(&address);
        }
        Ok(opened.map(|session| {
            let opened = session.opened();
            (Session::Remote(Box::new(session)), opened)
        }))
    }

    /// A session that reads, with the node in this process, else with the first that answers.
    /// `first` chooses where to begin, so that clients spread.
    pub async fn open_reader(
        &self,
        open: &OpenSession,
        first: usize,
        deadline: Instant,
    ) -> Result<Session, Error> {
        debug_assert_eq!(open.place, Place::Here);
        if let Some(node) = &self.node {
            return match open_local(node, open).await {
                Ok((session, _)) => Ok(session),
                Err(fault) => Err(Error::from_fault(fault)),
            };
        }
        let addresses = &self.addresses;
        let mut answers = Vec::new();
        for turn in 0..addresses.len() {
            let address = &addresses[(first + turn) % addresses.len()];
            let soon = deadline.min(Instant::now() + CONNECT_TIMEOUT);
            let network = &*self.env.network;
            match RemoteSession::open(network, address, open, soon).await {
                Ok(session) => return Ok(Session::Remote(Box::new(session))),
                Err(fault) => answers.push(format!("{address}: {}", Error::from_fault(fault))),
            }
        }
        let answers = answers.join("; ");
        Err(Error::new("cluster.unavailable", format!("no node serves reads: {answers}")))
    }

    /// What became of a commit, by the leader.
    pub async fn outcome(
        self: &Arc<Self>,
        ask: &AskOutcome,
        deadline: Instant,
    ) -> Result<Outcome, Error> {
        loop {
            let fault = match self.try_outcome(ask, deadline).await? {
                Ok(outcome) => return Ok(outcome),
                Err(fault) => fault,
            };
            // To ask has no effect, so whatever went wrong on the way is tried again.
            let is_final = matches!(&fault, Fault::Refused { code, .. }
                if !fault.is_not_leader() && !codes::is_leadership_lost(*code) && !fault.is_busy());
            if is_final || Instant::now() + PAUSE >= deadline {
                return Err(Error::from_fault(fault));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_outcome(
        self: &Arc<Self>,
        ask: &AskOutcome,
        deadline: Instant,
    ) -> Result<Result<Outcome, Fault>, Error> {
        if let Some(node) = &self.node
            && node.is_leading()
        {
            return Ok(node.outcome(ask).await.map_err(refused));
        }
        let mut found = self.search.find(deadline).await?;
        let answer = found.link.outcome(ask, deadline).await;
        if answer.is_err() {
            self.search.forget(&found.leader.address);
        }
        Ok(answer)
    }

    /// Resolves once the node in this process leads, if there is no other that could.
    pub async fn ready(&self, deadline: Instant) -> Result<(), Error> {
        let Some(node) = self.node.as_ref().filter(|_| self.lease.is_some()) else {
            return Ok(());
        };
        match timeout_at(deadline, node.ready()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(crate::node::error(error)),
            Err(_) => Err(Error::new("cluster.unavailable", "the node was not ready in time")),
        }
    }
}

async fn open_local(
    node: &dqlite_server::Node,
    open: &OpenSession,
) -> Result<(Session, Opened), Fault> {
    let session = node.open_session(open).await.map_err(refused)?;
    let opened = Opened { node: node.id(), index: session.opened_index() };
    Ok((Session::Local(Box::new(session)), opened))
}
