//! Replicated SQLite for Rust programs.
//!
//! A [`Node`] keeps SQLite databases in a folder and agrees with the other nodes of its cluster on
//! every commit. A [`Client`] runs SQL on whichever node leads. One program may have both: its
//! client then reaches the node through memory while that leads, and the others over the network.
//!
//! ```text
//! your program ── Client ──┬─ memory ── Node (dqlite-server) ── SQLite, log
//!                          └─ network ─ nodes elsewhere
//! ```
//!
//! ```
//! use dqlite::{Env, Node, NodeExt, NodeOptions};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let (data_dir, address) = (dir.path(), format!("@dqlite-doc-{}", std::process::id()));
//! let node = Node::start(Env::real(), NodeOptions::new(data_dir, address)).await?;
//! node.ready().await?;
//!
//! let client = node.client("shop");
//! client.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)", ()).await?;
//! client.execute("INSERT INTO item (name) VALUES (?), (?)", ("lamp", "chair")).await?;
//! let mut rows = client.query("SELECT id, name FROM item ORDER BY id", ()).await?;
//! while let Some(row) = rows.next().await? {
//!     println!("{} {}", row.get::<i64>("id")?, row.get::<String>("name")?);
//! }
//! # assert_eq!(client.query_all("SELECT * FROM item", ()).await?.len(), 2);
//! node.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! For a second and third node, name members of the cluster in [`NodeOptions::join`]. A program
//! that only uses a cluster elsewhere needs [`Client::new`] and some of its addresses.
#![forbid(unsafe_code)]

pub use dqlite_client::{
    Client, ClientOptions, Cluster, ColumnIndex, Connection, DatabaseStatus, DumpFile, Env, Error,
    ErrorKind, Executed, FromValue, IntoParams, IntoValue, Metadata, Metric, NodeAddress, NodeInfo,
    NodeStatus, Outcome, Retryable, Role, Row, Rows, Statement, Text, Transaction, TransactionMode,
    Value,
};
pub use dqlite_server::{EngineOptions, Error as NodeError, LogOptions, Node, NodeOptions, Status};

/// What a node offers to the program around it.
pub trait NodeExt {
    /// A client of one of the cluster's databases, which the first write makes. While this node
    /// leads it is reached through memory; when another does, the client finds it.
    fn client(&self, database: &str) -> Client;

    /// The same with other settings than the usual ones.
    fn client_with_options(&self, database: &str, options: ClientOptions) -> Client;
}

impl NodeExt for Node {
    fn client(&self, database: &str) -> Client {
        self.client_with_options(database, ClientOptions::default())
    }

    fn client_with_options(&self, database: &str, options: ClientOptions) -> Client {
        Client::with_options(self.env(), [self.address()], database, options)
    }
}
