//! The world outside a node, behind narrow seams.
//!
//! A node touches four things that a simulation must own: files, the network, calls that block a
//! thread, and randomness. Each is a small trait here, with the real one beside it; the simulator
//! (`core/sim`) brings its own. Time needs no seam of ours: every crate asks tokio's clock, which a
//! simulation pauses and drives.
//!
//! ```text
//!  Env ── files    FileSystem, File      real: std + OFD locks     simulated: lost and torn writes
//!      ── network  Network, Stream       real: TCP, unix sockets   simulated: delay, partition
//!                                        none: NoNetwork
//!      ── blocking run(call)             real: a thread pool       simulated: inline
//!      ── entropy  next()                real: the OS              simulated: one seed
//! ```
#![forbid(unsafe_code)]

mod blocking;
mod entropy;
mod files;
mod network;
mod no_network;
mod sockets;

use std::sync::Arc;

pub use blocking::Blocking;
pub use entropy::Entropy;
pub use files::{File, FileSystem, OpenMode, RealFiles};
pub use network::{BoxFuture, Listener, Network, RealNetwork, Stream};
pub use no_network::NoNetwork;
pub use sockets::{Bound, adopt};

/// Everything a node takes from outside itself. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Env {
    /// Where durable state lives.
    pub files: Arc<dyn FileSystem>,
    /// How nodes and clients reach each other; [`NoNetwork`] where they do not.
    pub network: Arc<dyn Network>,
    /// Where calls run that may block their thread.
    pub blocking: Blocking,
    /// Where random numbers come from.
    pub entropy: Entropy,
}

impl Env {
    /// The machine the process runs on.
    pub fn real() -> Self {
        Self {
            files: Arc::new(RealFiles),
            network: Arc::new(RealNetwork),
            blocking: Blocking::Pool,
            entropy: Entropy::os(),
        }
    }
}
