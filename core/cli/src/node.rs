//! `dqlite node`: one node, until it is told to stop or cannot go on.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use dqlite_log::Backend;
use dqlite_server::{Node, NodeOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::tls::TlsArguments;

/// Run a node.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder with the node's files; made if need be
    #[arg(long)]
    dir: PathBuf,
    /// Where clients and other nodes reach the node: HOST:PORT, a path, or @name
    #[arg(long)]
    address: String,
    /// Where to listen, if not on the address
    #[arg(long)]
    bind: Option<String>,
    /// The node's number [default: the one in the folder, else a random one]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    id: Option<u64>,
    /// Addresses of members of the cluster to join; without any, a new node begins a cluster
    #[arg(long, value_delimiter = ',', value_name = "ADDRESS,…")]
    join: Vec<String>,
    /// How many voters a joining node finds enough
    #[arg(long, default_value_t = 3)]
    voters: usize,
    /// How many stand-bys a joining node finds enough
    #[arg(long, default_value_t = 3)]
    standbys: usize,
    /// Where the node stands, told to those who place voters apart
    #[arg(long, default_value_t = 0)]
    failure_domain: u64,
    /// How little the node wants to vote, of those that could
    #[arg(long, default_value_t = 0)]
    weight: u64,
    /// What carries the log to the disk
    #[arg(long, value_enum, default_value_t = LogBackend::Auto)]
    log_backend: LogBackend,
    /// How long a writer waits for its turn, in milliseconds
    #[arg(long, value_name = "MS")]
    busy_timeout: Option<u64>,
    /// Frames in the WAL at which a checkpoint begins
    #[arg(long, value_name = "N")]
    checkpoint_frames: Option<u32>,
    /// Entries between two snapshots, after which the log before them may go
    #[arg(long, value_name = "N")]
    snapshot_entries: Option<u64>,
    /// How often a leader lets itself be heard, in milliseconds; the same on all nodes
    #[arg(long, value_name = "MS")]
    heartbeat: Option<u64>,
    /// The shortest time without a leader before an election, in milliseconds; the longest is
    /// twice that; the same on all nodes
    #[arg(long, value_name = "MS")]
    election: Option<u64>,
    #[command(flatten)]
    tls: TlsArguments,
    /// Stop as soon as standard input ends: for a parent that may die without a word
    #[arg(long, hide = true)]
    pub until_stdin_ends: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LogBackend {
    /// io_uring where it works
    Auto,
    #[value(name = "io_uring")]
    IoUring,
    Threads,
}

impl Arguments {
    fn options(&self) -> NodeOptions {
        let mut options = NodeOptions::new(&self.dir, &self.address);
        options.bind = self.bind.clone();
        options.id = self.id;
        options.join = self.join.clone();
        options.voters = self.voters;
        options.standbys = self.standbys;
        options.failure_domain = self.failure_domain;
        options.weight = self.weight;
        options.log.backend = match self.log_backend {
            LogBackend::Auto => Backend::Auto,
            LogBackend::IoUring => Backend::IoUring,
            LogBackend::Threads => Backend::Threads,
        };
        if let Some(busy_ms) = self.busy_timeout {
            options.engine.busy_timeout = Duration::from_millis(busy_ms);
        }
        if let Some(frames) = self.checkpoint_frames {
            options.engine.checkpoint_frames = frames;
        }
        if let Some(entries) = self.snapshot_entries {
            options.snapshot_entries = entries;
        }
        if let Some(heartbeat_ms) = self.heartbeat {
            options.heartbeat = Duration::from_millis(heartbeat_ms);
        }
        if let Some(election_ms) = self.election {
            options.election_min = Duration::from_millis(election_ms);
            options.election_max = Duration::from_millis(election_ms.saturating_mul(2));
        }
        options
    }
}

/// Runs the node until SIGINT or SIGTERM.
///
/// # Errors
/// The node cannot start, or cannot go on.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stopped = async {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            () = orphaned(arguments.until_stdin_ends) => "the parent's end",
        }
    };
    tokio::pin!(stopped);
    let start = Node::start(arguments.tls.node_env()?, arguments.options());
    let node = tokio::select! {
        node = start => node.context("the node cannot start")?,
        _ = &mut stopped => return Ok(()),
    };
    println!("listening on {}", node.listening_on());
    tracing::info!(id = node.id(), address = node.address(), "serving");
    tokio::select! {
        cause = &mut stopped => tracing::info!("stopping after {cause}"),
        reason = node.failed() => bail!("the node cannot go on: {reason}"),
    }
    // A second signal does not wait for a clean end.
    tokio::select! {
        () = node.stop() => {}
        _ = interrupt_again() => bail!("stopped before the node was closed cleanly"),
    }
    Ok(())
}

async fn interrupt_again() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Resolves when standard input ends; never, unless asked to watch it.
async fn orphaned(watched: bool) {
    if !watched {
        return std::future::pending().await;
    }
    let (ended_in, ended) = tokio::sync::oneshot::channel::<()>();
    // A thread that nobody waits for: a read of standard input cannot be cancelled.
    std::thread::spawn(move || {
        let mut ignored = [0; 64];
        while let Ok(1..) = std::io::stdin().read(&mut ignored) {}
        drop(ended_in);
    });
    // It only ever ends without a word.
    let _ = ended.await;
}
