//! An async client of a dqlite cluster.
//!
//! A [`Client`] is given some addresses and the name of a database. It finds the node that leads,
//! keeps a bounded pool of sessions there, follows the lead when it moves, and tries again only
//! what cannot take effect twice. What it cannot know it says: every [`Error`] tells its
//! [`Outcome`].
//!
//! ```text
//! Client ─┬─ execute, query ─────────┐ each on any session, with retry
//!         ├─ transaction(body) ──────┤ the body again as a whole, if it surely had no effect
//!         ├─ connection() ───────────┤ one session for as long as it is held, without retry
//!         │                          ├─ pool ── Session ── Link ── Network (dqlite-env)
//!         └─ cluster() ── members, roles, import, dump      └─ leader search
//! ```
//!
//! Drivers in other languages build on what lies below, where nothing is tried again: a
//! [`LeaderSearch`] finds the leader, and a [`CallSession`] runs whole statements with one node,
//! which a [`Canceller`] may stop. A [`Fault`] says what went wrong with one of its calls.
//!
//! Nothing here looks at a clock of its own or opens a socket: time is tokio's, and streams come
//! from the network of [`dqlite_env::Env`], which may reach a node in this process.
//!
//! ```no_run
//! # async fn example() -> Result<(), dqlite_client::Error> {
//! use dqlite_client::{Client, Env};
//!
//! let client = Client::new(Env::real(), ["127.0.0.1:9001", "127.0.0.1:9002"], "shop");
//! client.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)", ()).await?;
//! client.execute("INSERT INTO item (name) VALUES (?)", ("lamp",)).await?;
//! let mut rows = client.query("SELECT id, name FROM item WHERE id > ?", (0,)).await?;
//! while let Some(row) = rows.next().await? {
//!     println!("{} {}", row.get::<i64>(0)?, row.get::<String>("name")?);
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod attempts;
mod backup;
mod call_session;
mod canceller;
mod client;
mod cluster;
mod connection;
mod error;
mod fault;
mod import;
mod leader;
mod link;
mod options;
mod params;
mod pool;
mod row;
mod rows;
mod session;
mod shape;
mod transaction;
mod value;

pub use backup::BackupProgress;
pub use call_session::CallSession;
pub use canceller::Canceller;
pub use client::Client;
pub use cluster::{Cluster, Metadata};
pub use connection::{Connection, Executed, Statement, TransactionMode};
pub use error::{Error, ErrorKind, Outcome, Retryable};
pub use fault::Fault;
pub use leader::{LeaderLink, LeaderSearch};
pub use link::Link;
pub use options::ClientOptions;
pub use params::IntoParams;
pub use row::{ColumnIndex, Row};
pub use rows::Rows;
pub use transaction::Transaction;
pub use value::{FromValue, IntoValue};

pub use dqlite_env::Env;
pub use dqlite_wire::{
    DatabaseStatus, DumpFile, Metric, NodeAddress, NodeInfo, NodeStatus, Role, Text, Value,
};
