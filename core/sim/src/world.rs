//! The world that a simulated cluster lives in: disks, a network, randomness, one seed.
//!
//! Time is tokio's, paused and driven by turmoil, host by host, a millisecond a step. Everything
//! runs on one thread; a call that would block takes no time.

mod disk;
mod files;
mod network;

use std::collections::BTreeMap;
use std::sync::Arc;

use dqlite_env::{Blocking, Entropy, Env};
use parking_lot::Mutex;

pub use disk::{Disk, DiskCounts};
pub use files::SimulatedFiles;
pub use network::{SimulatedNetwork, Streams};

/// Disks by host, and the streams between hosts. Clones are the same world.
#[derive(Clone, Debug)]
pub struct World {
    seed: u64,
    streams: Streams,
    hosts: Arc<Mutex<BTreeMap<String, Host>>>,
}

#[derive(Debug)]
struct Host {
    disk: Disk,
    boots: u64,
}

impl World {
    /// An empty world. Consensus, too, draws its random numbers from `seed` from now on.
    pub fn new(seed: u64) -> Self {
        dqlite_raft::seed_thread(seed);
        Self { seed, streams: Streams::default(), hosts: Arc::default() }
    }

    /// What a process that starts on `host` takes from outside itself.
    pub fn boot(&self, host: &str) -> Env {
        let mut hosts = self.hosts.lock();
        let entry = self.entry(&mut hosts, host);
        entry.boots += 1;
        let seed = mix(self.seed, host).wrapping_add(entry.boots);
        let network = SimulatedNetwork { host: host.to_owned(), streams: self.streams.clone() };
        Env {
            files: Arc::new(SimulatedFiles::mount(&entry.disk)),
            network: Arc::new(network),
            blocking: Blocking::Inline,
            entropy: Entropy::seeded(seed),
        }
    }

    /// The disk of `host`.
    pub fn disk(&self, host: &str) -> Disk {
        self.entry(&mut self.hosts.lock(), host).disk.clone()
    }

    /// All streams between hosts.
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    fn entry<'a>(&self, hosts: &'a mut BTreeMap<String, Host>, host: &str) -> &'a mut Host {
        hosts
            .entry(host.to_owned())
            .or_insert_with(|| Host { disk: Disk::new(mix(self.seed, host)), boots: 0 })
    }
}

/// A seed of its own for `name` (FNV-1a).
fn mix(seed: u64, name: &str) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(name.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
