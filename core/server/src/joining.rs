//! How a new node gets its place in a cluster.
//!
//! 1. A node that was in a cluster before never begins another one.
//! 2. A node with nobody to join begins a cluster of its own, as its only voter.
//! 3. One that is to wait until it is added does nothing: somebody else sees to its place.
//! 4. Any other asks the members it was told of to add it, then for the role that is needed most:
//!    voter, stand-by, or none (spare). It tries until that is done, also after a restart: until
//!    then the file `joining` stands in its data directory. It does so once, so that the role that
//!    somebody assigns later stays.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dqlite_env::{Env, FileSystem, OpenMode};
use dqlite_wire::{ClusterFormat, NodeInfo, Request, Response, Role};

use crate::asking::Asking;
use crate::node::Shared;
use crate::options::NodeOptions;

const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Notes durably that a new node is to join a cluster. Blocks.
pub(crate) fn intend(env: &Env, options: &NodeOptions) -> io::Result<()> {
    env.files.open(&marker(&options.data_dir), OpenMode::Create)?.sync_all()?;
    env.files.sync_dir(&options.data_dir)
}

/// Notes durably that the node has its place, or needs none any more. Blocks.
pub(crate) fn give_up(files: &dyn FileSystem, data_dir: &Path) -> io::Result<()> {
    let marker = marker(data_dir);
    if files.exists(&marker)? {
        files.remove(&marker)?;
        files.sync_dir(data_dir)?;
    }
    Ok(())
}

fn marker(data_dir: &Path) -> PathBuf {
    data_dir.join("joining")
}

/// Gives the node a place, and tells.
pub(crate) async fn take_a_place(node: Arc<Shared>) {
    let placed = if node.options.wait_to_be_added && node.options.join.is_empty() {
        Ok(()) // (3)
    } else if node.options.join.is_empty() {
        node.raft.bootstrap().await.map(|_| ()).map_err(io::Error::other)
    } else {
        join(&node).await
    };
    match placed {
        Ok(()) => {
            node.joined.send_replace(true);
        }
        Err(error) => tracing::error!(%error, "the node has no place in a cluster"),
    }
}

async fn join(node: &Shared) -> io::Result<()> {
    let files = node.env.files.clone();
    if !files.exists(&marker(&node.data_dir))? {
        return Ok(());
    }
    loop {
        match ask(node).await {
            Ok(role) => {
                tracing::info!(?role, "joined the cluster");
                return give_up(&*files, &node.data_dir);
            }
            Err(error) => {
                tracing::info!(%error, "not in the cluster yet");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}

/// Asks the leader for a place. Asking again after a failure in the middle does no harm.
async fn ask(node: &Shared) -> io::Result<Role> {
    let mut leader = find_leader(node).await?;
    let mut members = members(&mut leader).await?;
    let id = node.identity.id;
    if !members.iter().any(|member| member.id == id) {
        let address = node.identity.address.as_str().into();
        leader.expect_empty(&Request::Add { id, address }).await?;
        members = self::members(&mut leader).await?;
    }
    let others = |role| members.iter().filter(|it| it.role == role && it.id != id).count();
    let needed = if others(Role::Voter) < node.options.voters {
        Role::Voter
    } else if others(Role::Standby) < node.options.standbys {
        Role::Standby
    } else {
        Role::Spare
    };
    let present = members.iter().find(|member| member.id == id).map(|member| member.role);
    if present != Some(needed) {
        leader.expect_empty(&Request::Assign { id, role: needed }).await?;
    }
    Ok(needed)
}

/// Asks the members that the node was told of until one knows who leads.
async fn find_leader(node: &Shared) -> io::Result<Asking> {
    let mut failure = io::Error::other("nobody to join");
    for address in &node.options.join {
        match leader_known_to(node, address).await {
            Ok(leader) => return Ok(leader),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn leader_known_to(node: &Shared, address: &str) -> io::Result<Asking> {
    let network = &*node.env.network;
    let mut member = Asking::connect(network, address).await?;
    match member.ask(&Request::Leader).await? {
        Response::Server { address: leader, .. } if leader == address => Ok(member),
        Response::Server { address: leader, .. } if !leader.is_empty() => {
            Asking::connect(network, &leader).await
        }
        _ => Err(io::Error::other(format!("{address} knows no leader"))),
    }
}

async fn members(leader: &mut Asking) -> io::Result<Vec<NodeInfo>> {
    match leader.ask(&Request::Cluster { format: ClusterFormat::Roles }).await? {
        Response::Servers(members) => Ok(members),
        _ => Err(io::Error::other("the leader does not list the members")),
    }
}
