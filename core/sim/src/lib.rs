//! Whole clusters in simulated time.
//!
//! Three nodes, with all that a real one has (framing, log, consensus, SQLite), run in one process
//! and one thread, on disks that lose what was not synced, over a network that breaks, in a time
//! that jumps from event to event. Clients work on them all the while. One seed decides everything
//! that happens, so whatever goes wrong once goes wrong again.
//!
//! ```text
//! scenario ── sets up, troubles, heals, judges ─────────────── verdict, report
//!    ├── cluster    nodes (dqlite-server) ──┐
//!    ├── faults     power, links, restarts  ├── world     disks, network, one seed (dqlite-env)
//!    └── workload   clients (dqlite-client)─┘
//!           └── history    what was asked and answered, and whether that can be
//! ```
//!
//! It promises: a seed has one history, in every process on every machine with the same build. A
//! run fails when an acknowledged write is lost, a failed one is there, a read could not have come
//! in any order, a transaction is there in part, replicas differ, or a healed cluster stands still.
//! One process runs one seed: threads remember things between runs.
#![forbid(unsafe_code)]

pub mod history;
pub mod scenario;
pub mod workload;
pub mod world;
