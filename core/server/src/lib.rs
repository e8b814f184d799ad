//! A dqlite node.
//!
//! A node listens on one address for clients and for other nodes: the first eight bytes tell which
//! it is. Clients speak dqlite's wire protocol to a [gateway](gateway), which runs their SQL in the
//! engine when this node leads and tells them who does when it does not.
//!
//! Drivers in the same process skip all of that: [`Node::open_session`] gives a [`CallSession`],
//! which calls the engine where it is asked to, on the calling thread if need be.
//!
//! ```text
//! stream ── listener ──┬─ a client's hello ── Gateway ── engine::Session
//!                      └─ a node's hello ──── raft::Node::serve_peer
//! Node = identity (who am I) + Engine (databases) + raft::Node (the log) + joining
//! ```
#![forbid(unsafe_code)]

mod asking;
mod call_session;
mod error;
mod freshness;
mod gateway;
mod handover;
mod identity;
mod joining;
mod listener;
mod network;
mod node;
mod options;
mod placement;
mod recovery;
mod survey;

pub use call_session::{BackupProgress, CallError, CallSession, Canceller, Watch};
pub use error::Error;
pub use node::Node;
#[doc(hidden)]
pub use options::Faults;
pub use options::NodeOptions;
pub use recovery::{describe_last_entry, recover};

pub use dqlite_engine::Options as EngineOptions;
pub use dqlite_env::Blocking;
pub use dqlite_log::{Backend, Holder, Options as LogOptions};
pub use dqlite_raft::{Leader, Member, Role, Status};
