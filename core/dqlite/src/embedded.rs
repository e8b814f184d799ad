//! Nodes that are opened by the path of their folder, shared by all connections of the process.
//!
//! 1. A folder has at most one node, and whoever opens it while that is stopping waits.
//! 2. The node stops when the last connection lets it go.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use dqlite_env::{Env, NoNetwork};
use dqlite_server::{Node, NodeOptions};
use parking_lot::Mutex;

use crate::error::Error;
use crate::{node, runtime};

/// The address of every node that has no network.
const ADDRESS: &str = "embedded";

/// A node of this process, and how many connections it has.
#[derive(Debug, Default)]
struct Slot {
    node: Option<Node>,
    users: usize,
}

/// Held while a folder's node starts or stops. (1)
type SharedSlot = Arc<tokio::sync::Mutex<Slot>>;

/// By process, since a child that was forked has no use of its parent's nodes, and by path.
static SLOTS: LazyLock<Mutex<HashMap<(u32, PathBuf), SharedSlot>>> = LazyLock::new(Mutex::default);

/// A node, and the right to use it.
pub(crate) struct Opened {
    pub node: Node,
    pub lease: Lease,
}

/// The right to use a node. (2)
#[derive(Debug)]
pub(crate) struct Lease {
    slot: SharedSlot,
    ended: AtomicBool,
    process: u32,
}

/// The node of the folder at `path`, started if need be.
pub(crate) async fn open(path: &Path) -> Result<Opened, Error> {
    let path = canonical(path)?;
    let key = (std::process::id(), path.clone());
    let slot = SLOTS.lock().entry(key).or_default().clone();
    // On the process's own runtime: the node may outlive the one of its first caller.
    let opening = runtime::handle()?.spawn(async move {
        let mut held = slot.lock().await;
        let node = match &held.node {
            Some(node) => node.clone(),
            None => start(&path).await?,
        };
        held.node = Some(node.clone());
        held.users += 1;
        drop(held);
        let lease = Lease { slot, ended: AtomicBool::new(false), process: std::process::id() };
        Ok(Opened { node, lease })
    });
    opening.await.map_err(|error| Error::new("internal", error.to_string()))?
}

async fn start(path: &Path) -> Result<Node, Error> {
    let env = Env { network: Arc::new(NoNetwork), ..Env::real() };
    Node::start(env, NodeOptions::new(path, ADDRESS)).await.map_err(node::error)
}

/// The folder's one name, so that two spellings of it mean one node.
fn canonical(path: &Path) -> Result<PathBuf, Error> {
    let refused =
        |error: std::io::Error| Error::new("node.start", format!("{}: {error}", path.display()));
    let files = Env::real().files;
    files.create_dir_all(path).map_err(refused)?;
    path.canonicalize().map_err(refused)
}

impl Lease {
    /// Gives the node up and, if nobody else uses it, waits until it has stopped.
    pub async fn end(&self) {
        if self.process != std::process::id() || self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        let slot = self.slot.clone();
        if let Ok(runtime) = runtime::handle()
            && let Err(error) = runtime.spawn(release(slot)).await
        {
            tracing::warn!(%error, "a node was not stopped cleanly; its log has it all");
        }
    }
}

async fn release(slot: SharedSlot) {
    let mut held = slot.lock().await;
    held.users -= 1;
    if held.users == 0
        && let Some(node) = held.node.take()
    {
        node.stop().await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.process != std::process::id() || self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Ok(runtime) = runtime::handle() {
            runtime.spawn(release(self.slot.clone()));
        }
    }
}
