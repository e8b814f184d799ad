//! The durable log of a Raft node.
//!
//! Entries, the vote, truncations and purges are records of one stream, written to segment files
//! that were filled with zeros beforehand. A writer takes all requests that wait, puts them on
//! disk with one flush and answers them in their order: many callers share one flush.
//!
//! It promises:
//!
//! - A completion that heard `Ok` is durable, and so is everything that was requested before it.
//! - After a crash the log is what some prefix of the requests made, at least all that were
//!   answered; each entry of an append counts as a request. A torn tail is cut; anything else that
//!   is missing is an error that names it.
//! - After the first error nothing more is written, and nothing is retried.
//!
//! ```text
//!  callers ── append, save_vote, truncate_after, purge
//!     |  one lock: the index changes, the request joins the queue        index, shared, log
//!     v
//!  writer ── takes what waits, makes one batch, places it in a segment   writer, batch, format
//!     |                                   segments from the pool         pool, segment
//!     v
//!  backend ── write, make durable                                        backend/*
//!     |
//!     v
//!  writer ── completions in order, purged segments back to the pool
//!
//!  opening: segment bytes ── scan ── recovery ── index                   scan, recovery, open
//!           a lock keeps others out                              lock
//! ```
//!
//! The bytes on disk are described in `docs/formats/log.md`. The log knows nothing of Raft's rules
//! but that indexes are consecutive and terms do not fall.
#![deny(unsafe_code)]

mod backend;
mod batch;
mod buffer;
mod entry;
mod format;
mod index;
mod lock;
mod log;
mod metrics;
mod open;
mod options;
mod pool;
mod read;
mod recovery;
mod scan;
mod segment;
mod shared;
mod writer;

#[cfg(any(test, fuzzing))]
pub mod fuzz;

pub use entry::{Completion, Entry, EntryKind, Position, Vote};
pub use lock::{DirLock, Holder};
pub use log::{Log, State};
pub use metrics::{FLUSH_CLASSES, Metrics};
pub use options::{Backend, OpenError, Options, Recovered};
