//! Databases whose commits are put in order by a log.
//!
//! The engine runs SQLite. On the leader it lets transactions commit in SQLite at once, one on top
//! of the other, and holds every answer back until the log has made certain what it tells of. On
//! every node it puts what the log has committed into the databases, byte for byte.
//!
//! ```text
//! Session ── statements, calls, results, the answer held back until it is certain; or a reader,
//!    |       on any node, of what that has applied
//!    |  write lane: one writer at a time, in the order of asking
//! SQLite on the VFS ── a commit's pages ── capture ── Speculation: who waits for what
//!    |                                        |
//!    |                                     pipeline ── Consensus::propose ── the log
//!    |                                                                         |
//! Database ── WAL in memory <── confirm (own) or put (others') <── Machine::apply
//!    |                             undo: back to what is committed
//! checkpoint ── the database file, with Meta beside it
//! ```
//!
//! It promises: an answer never tells of a transaction that is not committed; a transaction called
//! failed is never seen by anybody; all nodes hold the same bytes at the same index; what became of
//! a client's last commit can be found out for certain. The rules that make it so stand at the top
//! of `call`, `operation`, `chain`, `speculation`, `database`, `pipeline`, `meta`, `snapshot` and
//! `outcomes`.
#![forbid(unsafe_code)]

mod authorizer;
mod call;
mod cell;
mod chain;
mod command;
mod consensus;
mod context;
mod database;
mod engine;
mod error;
mod folder;
mod lane;
mod meta;
mod name;
mod operation;
mod outcomes;
mod pipeline;
mod session;
mod snapshot;
mod speculation;
mod words;

pub use call::{
    BackupProgress, BatchSink, Call, CallKind, CallParameters, Columns, Fetched, Ran, timeout_of_ms,
};
pub use consensus::{
    Consensus, Machine, OnRefused, Payload, Position, Refused, SnapshotReader, SnapshotWriter,
};
#[doc(hidden)]
pub use context::Faults;
pub use context::Options;
pub use database::DatabaseStatus;
pub use engine::Engine;
pub use error::Error;
pub use name::DatabaseName;
pub use operation::{Canceller, Operation, Watch};
pub use outcomes::Outcome;
pub use session::{
    Batch, Consistency, Cursor, Executed, Interrupter, Parameters, Prepared, RowSink, Rows,
    Session, Source, Tail,
};

pub use dqlite_vfs::{Column, Statement, StatementId, ValueRef};
