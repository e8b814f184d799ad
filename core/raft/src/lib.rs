//! The replicated log of a dqlite cluster.
//!
//! A [`Node`] is one member. It keeps the log in its folder, agrees with the other nodes on what
//! stands in it, and gives what is committed to a [`Machine`](dqlite_engine::Machine), on every
//! node in the same order. The engine proposes through a [`Consensus`](dqlite_engine::Consensus)
//! handle. The agreement itself is openraft's; none of its types is seen outside this crate.
//!
//! What is promised:
//! - An entry that was applied on any node was durable on a majority of the voters, and stands at
//!   its position for good. A flush that failed ends its node.
//! - Of each batch that is proposed all or nothing is taken. What was taken may still be lost with
//!   its leader: the machine hears what became of it, in what it is given to apply.
//! - `confirm_leadership` says yes only when no other node can have led at that moment, provided
//!   that no clock of the cluster runs faster than another by a tenth.
//! - A node that cannot be brought up from the log any more is sent the database files.
//!
//! ```text
//!  engine ── propose ──> Handle ──> openraft ── append ──> Storage ──> dqlite-log
//!     ^                                │  └──── Peer ══ frames ══> PeerService ──> openraft ...
//!     └──── apply, lead, follow ── Replica, leadership
//! ```
//! On disk, in the node's folder: `log/`, and `raft-manifest`, which says what the database files
//! hold. On the wire: `docs/formats/peer-protocol.md`.
#![forbid(unsafe_code)]

mod change;
mod codec;
mod error;
mod growth;
mod handle;
mod history;
mod leadership;
mod machine;
mod manifest;
mod member;
mod node;
mod options;
mod recover;
mod runtime;
mod status;
mod storage;
#[cfg(test)]
mod testing;
mod transport;
mod types;
mod view;

pub use codec::PEER_MAGIC;
pub use error::Error;
pub use member::{Member, Role};
pub use node::Node;
#[doc(hidden)]
pub use options::Faults;
pub use options::Options;
pub use recover::{describe_last_entry, recover};
pub use runtime::seed_thread;
pub use status::{Leader, Status};
