//! asyncio: operations on a small runtime of their own, results to the event loop in one go.
//!
//! ```text
//!  event loop thread                         runtime's thread
//!  start: future, task ────────────────────> the core's call
//!                                            result ─> queue ── first one: call_soon_threadsafe
//!  drain: every result that has come <───────────────────────────────────────┘
//! ```
//!
//! Nothing waits for the interpreter but the runtime's one thread when it wakes the loop, and while
//! it waits further results gather behind the one that woke it. The nodes of this process run
//! elsewhere, so a busy interpreter does not slow them down.

pub mod cluster;
pub mod completions;
pub mod connection;
pub mod cursor;
pub mod node;
pub mod operation;
