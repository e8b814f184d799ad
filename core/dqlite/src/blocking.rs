//! The same interface for programs without a runtime: every call waits on the calling thread.
//!
//! Where the node is in this process, SQLite runs on the calling thread too, so a small statement
//! costs a few microseconds and no change of thread.

mod cluster;
mod connection;
mod cursor;
mod node;

pub use cluster::Cluster;
pub use connection::{Connection, connect};
pub use cursor::Cursor;
pub use node::{Node, recover};

pub use dqlite_server::Watch;
