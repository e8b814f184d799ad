//! The C library `libdqlite`: dqlite's own API under its own names, and the interface in C.
//!
//! It converts and decides nothing: part a ([`node`]) is a face of `dqlite_server::Node`, part b of
//! `dqlite::blocking`. The header `include/dqlite.h` is generated from here, documentation and all;
//! `exports.txt` lists every name that leaves the library.
//!
//! ```text
//! C program ──┬─ dqlite_node_*, dqlite_server_*     part a ── dqlite_server::Node
//!             └─ dqlite_connect, dqlite_connection_*,
//!                dqlite_cursor_*, dqlite_cluster_* … part b ── dqlite::blocking
//!                        │
//!              handle: numbers that are looked up, never followed
//!              failure: an error object, or a panic made one
//! ```
//!
//! All of it is C's ABI, so functions are `unsafe` where they take places to read or write: these
//! must be NULL or valid for what the header says. Handles need no trust.
#![expect(clippy::missing_safety_doc, reason = "the docs are the header's; see the crate's")]
#![expect(non_camel_case_types, reason = "types have their names of C")]

mod arguments;
mod backup;
mod cluster;
mod connection;
mod cursor;
mod embedded;
mod error;
mod execute;
mod failure;
mod given;
mod handle;
mod node;
mod operation;
mod options;
mod parameters;
mod result;
mod server;
mod tables;
mod transaction;
mod version;
