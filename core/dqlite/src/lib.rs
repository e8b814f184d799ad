//! Replicated SQLite: one interface for programs, wherever the database is.
//!
//! A [`Connection`] runs SQL. [`connect`] opens one by the path of a folder, which a node in this
//! process then serves, or by the URL of a running cluster, whose leader it follows. A [`Node`]
//! makes this process a member of a cluster. Every error says whether the call took effect.
//!
//! ```text
//! Connection ── Cursor ── rows, in batches
//!    │ calls in turn; again where that cannot apply them twice; outcomes of lost commits found out
//! Target ──┬─ memory ── Node (dqlite-server) ── SQLite, log
//!          └─ network ─ nodes elsewhere
//! ```
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().to_str().ok_or("path")?;
//! use dqlite::{ConnectOptions, TransactionMode, blocking::connect};
//!
//! let connection = connect(path, ConnectOptions::default())?;
//! connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)", ())?;
//! connection.transaction(TransactionMode::Immediate, |it| {
//!     it.execute("INSERT INTO item (name) VALUES (?), (?)", ("lamp", "chair")).map(|_| ())
//! })?;
//! let mut found = Vec::new();
//! for row in connection.execute("SELECT id, name FROM item ORDER BY id", ())? {
//!     let row = row?;
//!     found.push((row.get::<i64>("id")?, row.get::<String>("name")?));
//! }
//! assert_eq!(found, [(1, "lamp".to_owned()), (2, "chair".to_owned())]);
//! connection.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! The same calls without `blocking` are asynchronous, for programs on tokio.
#![forbid(unsafe_code)]

mod backup;
pub mod blocking;
mod cluster;
mod connect;
mod connection;
mod cursor;
mod embedded;
mod error;
mod node;
mod operation;
mod options;
mod outcome;
mod parameters;
mod row;
mod runtime;
mod session;
mod target;
mod tls;
mod transaction;
mod url;
mod verb;

pub use backup::Progress;
pub use cluster::{Cluster, DatabaseStatus, Metadata, NodeAddress, NodeInfo, Role};
pub use connect::connect;
pub use connection::Connection;
pub use cursor::Cursor;
pub use error::{ERRORS, Entry, Error, ErrorClass, Outcome, Retryable};
pub use node::{Member, Node, Role as MemberRole, Status, recover};
pub use operation::Operation;
pub use options::{
    ConnectOptions, Convert, Kind, Level, NodeSettings, OPTIONS, OptionEntry, Scope,
};
pub use parameters::IntoParameters;
pub use row::{ColumnIndex, Row};
pub use transaction::{RetryOn, TransactionMode, Tries};

pub use dqlite_client::{FromValue, IntoValue};
pub use dqlite_wire::call::{Column, ParameterSet, RowBatch};
pub use dqlite_wire::{Text, Value, ValueRef};
