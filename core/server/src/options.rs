//! How a node is set up.

use std::path::PathBuf;
use std::time::Duration;

/// A node's settings. The timing must be the same on all nodes of a cluster.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The folder with all the node's files, made if need be. One process at a time.
    pub data_dir: PathBuf,
    /// Where clients and other nodes reach the node, spelled as they dial it.
    pub address: String,
    /// Where to listen, if not on `address`.
    pub bind: Option<String>,
    /// The node's number; else the one in `data_dir`, else a random one. Never 0.
    pub id: Option<u64>,
    /// Addresses of members of the cluster to join. With none, a node with a new data directory
    /// begins a cluster of its own.
    pub join: Vec<String>,
    /// How many voters a joining node finds enough.
    pub voters: usize,
    /// How many stand-bys a joining node finds enough.
    pub standbys: usize,
    /// Told to whoever asks, to place voters apart.
    pub failure_domain: u64,
    /// How often a leader lets itself be heard.
    pub heartbeat: Duration,
    /// The shortest time without a leader after which a voter stands for election.
    pub election_min: Duration,
    /// The longest such time.
    pub election_max: Duration,
    /// How many entries are applied between two checkpoints of everything, after which the log
    /// before them may go.
    pub snapshot_entries: u64,
    /// How many entries are kept for nodes that lag behind.
    pub log_entries_kept: u64,
    /// The largest request that is taken, in bytes.
    pub frame_bytes_max: usize,
    /// The databases' settings.
    pub engine: dqlite_engine::Options,
    /// The log's settings.
    pub log: dqlite_log::Options,
    /// Rules to break, so that a simulation can show that they are needed.
    #[doc(hidden)]
    pub faults: Faults,
}

/// Rules to break on purpose, in a simulation only. Those of the databases are in `engine`.
#[doc(hidden)]
pub type Faults = dqlite_raft::Faults;

impl NodeOptions {
    /// The usual settings for a node with its files in `data_dir`, reached at `address`.
    pub fn new(data_dir: impl Into<PathBuf>, address: impl Into<String>) -> Self {
        let raft = dqlite_raft::Options::new(1, "");
        Self {
            data_dir: data_dir.into(),
            address: address.into(),
            bind: None,
            id: None,
            join: Vec::new(),
            voters: 3,
            standbys: 3,
            failure_domain: 0,
            heartbeat: raft.heartbeat,
            election_min: raft.election_min,
            election_max: raft.election_max,
            snapshot_entries: raft.snapshot_entries,
            log_entries_kept: raft.log_entries_kept,
            frame_bytes_max: dqlite_wire::limits::BODY_BYTES_MAX,
            engine: dqlite_engine::Options::default(),
            log: dqlite_log::Options::default(),
            faults: Faults::default(),
        }
    }

    /// What the consensus is told of them.
    pub(crate) fn raft(&self, id: u64) -> dqlite_raft::Options {
        dqlite_raft::Options {
            heartbeat: self.heartbeat,
            election_min: self.election_min,
            election_max: self.election_max,
            snapshot_entries: self.snapshot_entries,
            log_entries_kept: self.log_entries_kept,
            log: self.log.clone(),
            faults: self.faults,
            ..dqlite_raft::Options::new(id, self.address.clone())
        }
    }
}
