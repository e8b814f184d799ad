//! How a node is set up.

use std::sync::Arc;
use std::time::Duration;

use openraft::{Config, SnapshotPolicy, StepDownPolicy};

use crate::error::Error;

/// A node's settings. The timing must be the same on all nodes of a cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node's number, not 0, never used by another node of the cluster before.
    pub id: u64,
    /// Where the other nodes reach it.
    pub address: String,
    /// How often a leader lets itself be heard.
    pub heartbeat: Duration,
    /// The shortest time without a leader after which a node stands for election. Reads that rely
    /// on the leader's lease rely on clocks that differ by less than a tenth in speed.
    pub election_min: Duration,
    /// The longest such time.
    pub election_max: Duration,
    /// Entries that are applied between two checkpoints.
    pub snapshot_entries: u64,
    /// Bytes of commands that are applied between two checkpoints.
    pub snapshot_bytes: u64,
    /// Entries before a checkpoint that are kept for nodes that lag behind.
    pub log_entries_kept: u64,
    /// Appends to one node that may be unanswered.
    pub append_window: usize,
    /// How long a node may take to catch up before it is made a voter.
    pub catch_up_timeout: Duration,
    /// The log's own settings.
    pub log: dqlite_log::Options,
    /// What a simulation breaks on purpose.
    #[doc(hidden)]
    pub faults: Faults,
}

/// Safeguards that a simulation takes away, to see that it notices.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A restarted leader resumes its term without an election, and may so give a position to two
    /// entries.
    pub leader_restore: bool,
    /// Restarted nodes vote at once, and may so elect a leader while the last one's lease runs.
    pub early_votes: bool,
}

impl Options {
    /// The usual settings for the node `id` at `address`.
    pub fn new(id: u64, address: impl Into<String>) -> Self {
        Self {
            id,
            address: address.into(),
            heartbeat: Duration::from_millis(100),
            election_min: Duration::from_millis(500),
            election_max: Duration::from_millis(1000),
            snapshot_entries: 8192,
            snapshot_bytes: 64 << 20,
            log_entries_kept: 4096,
            append_window: 6,
            catch_up_timeout: Duration::from_secs(30),
            log: dqlite_log::Options::default(),
            faults: Faults::default(),
        }
    }

    /// How long after a quorum last heard from it a leader is certain to be the only one.
    pub(crate) fn lease(&self) -> Duration {
        self.election_min * 9 / 10
    }

    pub(crate) fn consensus(&self) -> Result<Arc<Config>, Error> {
        let millis = |duration: Duration| duration.as_millis() as u64;
        let config = Config {
            cluster_name: "dqlite".to_owned(),
            heartbeat_interval: millis(self.heartbeat),
            heartbeat_min_interval: Some(millis(self.heartbeat) / 2),
            election_timeout_min: millis(self.election_min),
            election_timeout_max: millis(self.election_max),
            enable_pre_vote: Some(true),
            // A leader that lost its last entries in a crash must not go on in the same term: it
            // would give their positions to other entries.
            enable_leader_restore: Some(self.faults.leader_restore),
            max_payload_entries: 256,
            max_append_entries: Some(1024),
            install_snapshot_timeout: millis(INSTALL_TIMEOUT),
            snapshot_policy: SnapshotPolicy::Never,
            max_in_snapshot_log_to_keep: self.log_entries_kept,
            purge_batch_size: (self.log_entries_kept / 8).clamp(1, 512),
            removed_leader_step_down: StepDownPolicy::After(millis(self.heartbeat)),
            ..Config::default()
        };
        config.validate().map(Arc::new).map_err(|error| Error::Options(error.to_string()))
    }
}

/// How long a received snapshot may take to be installed.
pub(crate) const INSTALL_TIMEOUT: Duration = Duration::from_secs(600);
/// How long one chunk of a snapshot may take.
pub(crate) const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);
/// An address longer than this is refused.
pub(crate) const ADDRESS_BYTES_MAX: usize = 1024;
