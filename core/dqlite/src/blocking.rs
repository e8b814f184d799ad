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

use crate::error::Error;
use crate::operation::Operation;
use crate::runtime;

/// Waits for an asynchronous call on this thread. It is dropped when `operation` is cancelled or
/// its time is over.
///
/// # Errors
/// Those of the call.
pub fn wait<T>(
    call: impl Future<Output = Result<T, Error>>,
    operation: Option<&Operation>,
) -> Result<T, Error> {
    let handle = runtime::handle()?;
    match operation {
        None => runtime::block_on(handle, call, None),
        Some(operation) => runtime::block_on(handle, operation.unless_over(call), None)?,
    }
}
