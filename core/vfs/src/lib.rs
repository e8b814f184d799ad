//! SQLite under a VFS of our own: the database file is on disk, the WAL and its index are memory.
//!
//! ```text
//!  Connection ── SQLite ──┬─ reads ─────────────> main file  <── checkpoint ──┐
//!   statements            │                                                   │
//!                         └─ xWrite, xRead ────> WAL: frames ── images shared ┤
//!                            xSync = commit ──────> Transaction ──> CommitSink (the engine)
//!                            xShmMap, xShmLock ─> WAL-index: header, marks, hash tables
//!                                                     ^
//!  Database ── apply, undo_to, restart ───────────────┘
//! ```
//!
//! It promises:
//! - Every transaction that a connection commits goes to the [`CommitSink`] before any connection
//!   can see it, whole, in commit order, and only that. What the sink refuses is rolled back.
//! - [`Database::apply`] makes a transaction visible at once and as a whole; snapshots of readers
//!   stay. SQLite can go on writing to a WAL that was applied, and the other way round.
//! - The file changes by [`Database::checkpoint`] alone, and never holds what the caller did not
//!   name. Replicas that made the same transactions have the same file, byte for byte.
//! - No other file is opened, save temporary ones, which are the default VFS's.
//!
//! `sys` and the statements speak C; the rest is safe code. `wal_index`, `wal`, `locks` and
//! `checksum` are pure.

mod apply;
mod checkpoint;
mod checksum;
mod connection;
mod copy;
mod database;
mod error;
mod first_page;
mod locks;
mod registry;
mod shared;
mod statement;
mod sys;
mod transaction;
mod undo;
mod value;
mod wal;
mod wal_index;

pub use checkpoint::Checkpoint;
pub use connection::{ConnectOptions, Connection, Interrupt, Prepared, StatementId};
pub use copy::Copied;
pub use database::Database;
pub use error::{SqliteError, WalError};
pub use registry::open_database_count;
pub use rusqlite;
pub use rusqlite::TransactionState;
pub use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
pub use statement::{Column, Statement, Step};
pub use transaction::{CommitSink, PAGE_BYTES, Page, Refused, Transaction, WalPosition};
pub use value::ValueRef;
