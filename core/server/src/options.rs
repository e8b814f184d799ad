//! How a node is set up.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;

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
    /// How little the node wants to vote, of those that could: told to whoever asks, until it is
    /// changed.
    pub weight: u64,
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
            weight: 0,
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

    /// Whether the settings go together. [`Node::start`](crate::Node::start) asks too.
    ///
    /// # Errors
    /// [`Error::Options`], which names two that contradict each other, or one out of range.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Options(text));
        if self.address.is_empty() || self.address.contains(['\n', '\0']) {
            return wrong("a node needs an address by which clients and nodes reach it".into());
        }
        if self.bind.as_ref().is_some_and(String::is_empty) {
            return wrong("a node cannot listen on an empty address".into());
        }
        if self.id == Some(0) {
            return wrong("0 cannot be a node's id".into());
        }
        if !self.join.is_empty() && self.join.iter().all(|address| *address == self.address) {
            return wrong(format!("the node at {} cannot join itself", self.address));
        }
        if self.voters == 0 {
            return wrong("a cluster needs at least one voter".into());
        }
        self.check_timing()?;
        for (name, value) in [
            ("snapshot entries", self.snapshot_entries),
            ("checkpoint frames", self.engine.checkpoint_frames.into()),
            ("the largest request", self.frame_bytes_max as u64),
        ] {
            if value == 0 {
                return wrong(format!("{name}: 0 is too few"));
            }
        }
        Ok(())
    }

    fn check_timing(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Options(text));
        let (heartbeat, min, max) = (self.heartbeat, self.election_min, self.election_max);
        if heartbeat < Duration::from_millis(1) {
            return wrong(format!("a heartbeat of {heartbeat:?} is shorter than a millisecond"));
        }
        if heartbeat * 2 > min {
            return wrong(format!(
                "a heartbeat of {heartbeat:?} is too slow for elections after {min:?}: \
                 it may be half of that at most"
            ));
        }
        if max <= min {
            return wrong(format!(
                "the longest election timeout, {max:?}, must be longer than the shortest, {min:?}"
            ));
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_contradict_each_other_are_named() {
        let ms = Duration::from_millis;
        let check = |change: &dyn Fn(&mut NodeOptions)| {
            let mut options = NodeOptions::new("dir", "a:1");
            change(&mut options);
            options.check().map_err(|error| error.to_string())
        };
        check(&|_| {}).unwrap();
        check(&|it| it.join = vec!["a:1".into(), "b:1".into()]).unwrap();
        check(&|it| it.heartbeat = it.election_min / 2).unwrap();
        type Change<'a> = &'a dyn Fn(&mut NodeOptions);
        let wrong: [(Change<'_>, &str); 12] = [
            (&|it| it.address = String::new(), "needs an address"),
            (&|it| it.address = "a\nb".into(), "needs an address"),
            (&|it| it.bind = Some(String::new()), "empty address"),
            (&|it| it.id = Some(0), "0 cannot be"),
            (&|it| it.join = vec!["a:1".into()], "at a:1 cannot join itself"),
            (&|it| it.voters = 0, "at least one voter"),
            (&|it| it.heartbeat = ms(0), "shorter than a millisecond"),
            (&|it| it.heartbeat = ms(251), "251ms is too slow for elections after 500ms"),
            (&|it| it.election_max = it.election_min, "500ms, must be longer"),
            (&|it| it.snapshot_entries = 0, "snapshot entries: 0"),
            (&|it| it.engine.checkpoint_frames = 0, "checkpoint frames: 0"),
            (&|it| it.frame_bytes_max = 0, "the largest request: 0"),
        ];
        for (change, why) in wrong {
            let error = check(change).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
