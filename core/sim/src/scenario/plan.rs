//! What follows from a seed before anything runs.

use std::time::Duration;

use dqlite_server::{Backend, NodeOptions};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// The names of the hosts that run nodes; each node listens on port 9000.
pub const NODES: [&str; 3] = ["n1", "n2", "n3"];
/// The name of the host that runs all clients.
pub const CLIENTS: &str = "clients";

/// A rule of the product that is broken on purpose, to see that the simulation notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// The disk says that the log is durable, and it is not.
    Flush,
    /// Answers do not wait until their transaction is committed.
    CommitWait,
    /// A restarted leader goes on in its term without an election.
    LeaderRestore,
    /// What was not committed stays in a deposed leader's WAL.
    Undo,
    /// A leader tells what became of a commit while it may still be made.
    Fence,
}

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// The rule that is broken.
    pub sabotage: Option<Sabotage>,
    /// How long faults happen.
    pub trouble: Duration,
    tuning: Tuning,
}

/// Settings that decide how soon checkpoints, purges and snapshots come.
#[derive(Clone, Copy, Debug)]
struct Tuning {
    checkpoint_frames: u32,
    snapshot_entries: u64,
    log_entries_kept: u64,
    segment_bytes: u64,
    cache_bytes: usize,
    flush_delay: Duration,
    backlog_bytes_max: u64,
}

impl Plan {
    /// The plan that belongs to `seed`.
    pub fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let tuning = Tuning {
            checkpoint_frames: random.random_range(8..120),
            snapshot_entries: random.random_range(20..160),
            log_entries_kept: random.random_range(8..80),
            segment_bytes: 1 << random.random_range(16..19),
            cache_bytes: 1 << random.random_range(12..20),
            flush_delay: Duration::from_millis(random.random_range(0..6)),
            backlog_bytes_max: 1 << random.random_range(15..22),
        };
        Self { seed, sabotage, trouble: Duration::from_secs(12), tuning }
    }

    /// The address of the node on `host`.
    pub fn address(host: &str) -> String {
        format!("{host}:9000")
    }

    /// The settings of the node on `host`.
    pub fn node(&self, host: &str) -> NodeOptions {
        let mut options = NodeOptions::new("/data", Self::address(host));
        if host != NODES[0] {
            options.join = vec![Self::address(NODES[0])];
        }
        options.heartbeat = Duration::from_millis(60);
        options.election_min = Duration::from_millis(250);
        options.election_max = Duration::from_millis(500);
        options.snapshot_entries = self.tuning.snapshot_entries;
        options.log_entries_kept = self.tuning.log_entries_kept;
        options.engine.checkpoint_frames = self.tuning.checkpoint_frames;
        options.engine.busy_timeout = Duration::from_secs(1);
        options.engine.commit_timeout = Duration::from_secs(2);
        options.engine.backlog_bytes_max = self.tuning.backlog_bytes_max;
        options.engine.faults.skip_commit_wait = self.sabotage == Some(Sabotage::CommitWait);
        options.engine.faults.skip_undo = self.sabotage == Some(Sabotage::Undo);
        options.engine.faults.skip_fence = self.sabotage == Some(Sabotage::Fence);
        options.faults.leader_restore = self.sabotage == Some(Sabotage::LeaderRestore);
        options.log.backend = Backend::Inline;
        options.log.segment_bytes = self.tuning.segment_bytes;
        options.log.spare_segments = 1;
        options.log.cache_bytes = self.tuning.cache_bytes;
        options.log.inline_flush_delay = self.tuning.flush_delay;
        options
    }
}
