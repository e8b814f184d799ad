//! Whole nodes, three or four in one process, over loopback TCP and real files.

#![allow(clippy::unwrap_used)]

mod flush;
mod harness;
mod leading;
mod machine;
mod membership;
mod recovery;
mod replication;
