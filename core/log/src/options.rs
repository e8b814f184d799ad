//! What can be chosen, and what opening tells.

use std::path::PathBuf;
use std::time::Duration;

use crate::entry::{Position, Vote};
use crate::lock::Holder;

/// What carries bytes to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `IoUring` where a probe passes, else `Threads`; `Inline` when the files of the environment
    /// are not the operating system's.
    Auto,
    /// A thread with a ring: linked write and fdatasync, several flushes in flight. Linux only.
    IoUring,
    /// A thread that writes and syncs in one call where the system has one.
    Threads,
    /// A task that goes through the environment's files: for simulations and odd file systems.
    Inline,
}

/// How a log is kept. Durability is not an option.
#[derive(Clone, Debug)]
pub struct Options {
    /// The nominal size of a segment file.
    pub segment_bytes: u64,
    /// How many segments are kept prepared ahead.
    pub spare_segments: usize,
    /// What carries bytes to the disk.
    pub backend: Backend,
    /// How many bytes of entries stay in memory to be read again. Entries that are not durable
    /// yet stay in any case.
    pub cache_bytes: usize,
    /// One flush takes up to this many bytes of waiting requests. A larger entry goes alone.
    pub batch_bytes_max: usize,
    /// How long the inline backend waits between a write and its sync.
    pub inline_flush_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            spare_segments: 2,
            backend: Backend::Auto,
            cache_bytes: 64 << 20,
            batch_bytes_max: 4 << 20,
            inline_flush_delay: Duration::ZERO,
        }
    }
}

/// What was found when a log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The first entry that is there.
    pub first: Option<Position>,
    /// The last entry, or the last purged position when there is no entry.
    pub last: Option<Position>,
    /// The last purged position.
    pub purged: Option<Position>,
    /// The vote in force.
    pub vote: Option<Vote>,
    /// A position of the log known to be committed: a hint, possibly far too low.
    pub committed: Option<Position>,
    /// Bytes of an unfinished, never acknowledged flush that were cut off, as far as known.
    pub torn_bytes: u64,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file system refuses. Remove the cause and open again.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process, or somebody in this one, has the folder open.
    #[error("{dir} is in use by {holder}")]
    Locked {
        /// The folder.
        dir: PathBuf,
        /// Who has it.
        holder: Holder,
    },
    /// Entries that were acknowledged once cannot be read. The node must not go on with this
    /// folder: restore it, or empty it and let the node be filled by the others as a new one.
    #[error("log damaged: {segment} at byte {offset}, from entry {index} on: {reason}")]
    Damaged {
        /// The file's name.
        segment: String,
        /// Where in the file, in bytes.
        offset: u64,
        /// The first entry in doubt.
        index: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A file is of a format that this build does not read. Use the build that wrote it.
    #[error("{segment} has format version {version}; this build reads version 1")]
    Version {
        /// The file's name.
        segment: String,
        /// The version it states.
        version: u32,
    },
    /// The backend that was asked for does not work here. Choose another one.
    #[error("backend {backend:?} is not available: {source}")]
    Backend {
        /// The backend.
        backend: Backend,
        /// What the system said.
        source: std::io::Error,
    },
}
