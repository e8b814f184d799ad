//! How nodes talk: connections, the requests that go out and the service that answers them.
//!
//! ```text
//!  openraft ── Peer ─┬─ append     Pipeline: up to `window` unanswered ─┐
//!                    ├─ unary      votes, transfers                     ├─ PeerService ─ openraft
//!                    ├─ heartbeat  no append stands before one          │  of the other node
//!                    └─ snapshot   chunks of files, then one answer ────┘
//! ```

mod connection;
mod peer;
mod pipeline;
mod service;
mod snapshot;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use dqlite_engine::Machine;
use dqlite_env::Network;

use crate::codec::{Hello, StreamKind};
use connection::Connection;

pub(crate) use peer::PeerFactory;
pub(crate) use service::PeerService;

/// What every outgoing connection needs to know.
#[derive(Debug)]
pub(crate) struct PeerContext {
    pub network: Arc<dyn Network>,
    pub machine: Arc<dyn Machine>,
    pub id: u64,
    /// Appends that may be unanswered on one connection.
    pub append_window: usize,
    /// How long a connection may take to stand.
    pub dial_timeout: Duration,
    /// How long the oldest unanswered append may wait for news.
    pub append_timeout: Duration,
    /// How long one chunk of a snapshot may take.
    pub chunk_timeout: Duration,
    /// How long a complete snapshot may take to be installed.
    pub install_timeout: Duration,
}

/// All nodes of one process belong to one cluster for now.
const CLUSTER: u64 = 0;

impl PeerContext {
    async fn dial(&self, target: u64, address: &str, kind: StreamKind) -> io::Result<Connection> {
        let hello = Hello { kind, cluster: CLUSTER, sender: self.id, receiver: target };
        within(self.dial_timeout, async {
            let stream = self.network.connect(address).await?;
            Connection::greet(stream, &hello).await
        })
        .await
    }
}

/// `TimedOut` when `future` takes longer than `limit`.
async fn within<T>(limit: Duration, future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(limit, future).await {
        Ok(result) => result,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests;
