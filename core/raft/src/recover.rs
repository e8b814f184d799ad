//! A new membership by decree, for a node that does not run and whose quorum is gone.
//!
//! 1. The membership becomes an entry behind the last one, of a term that this node has not seen.
//!    All that stands in the log before it counts as committed from then on: what was acknowledged
//!    by a lost quorum and has reached this node is kept, and so may be what was not acknowledged.
//! 2. The vote is made durable before the entry: no entry is of a later term than the vote.
//! 3. The directory may be copied to the other members: log, vote and files are the same for all.
//!    Whoever has another log, written after the one that was chosen, must not come back.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use dqlite_engine::Position;
use dqlite_env::Env;
use dqlite_log::{Entry, EntryKind, Log, Recovered, Vote};
use tokio::sync::oneshot;

use crate::codec::encode_membership;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::member::{Member, MemberInfo, Role};
use crate::node::open_log;
use crate::options::ADDRESS_BYTES_MAX;
use crate::types::{Membership, position_or_zero};

/// Makes `members` the cluster of the node `id`, whose files are in `data_dir` and which does not
/// run. Gives the place of the entry that says so.
///
/// # Errors
/// [`Error::Options`] when the members contradict each other, none votes, `id` is not among them,
/// or the node was in no cluster; [`Error::Io`] when its files are in use, damaged, or cannot be
/// written.
pub async fn recover(
    env: &Env,
    data_dir: &Path,
    id: u64,
    members: &[Member],
) -> Result<Position, Error> {
    let membership = membership(id, members)?;
    let (log, ground) = Ground::open(env, data_dir).await?;
    let written = write(&log, &ground, id, &membership).await;
    log.close().await;
    Ok(written?)
}

/// The last entry that the node with its files in `data_dir` has: of several nodes, the one with
/// the highest is to be recovered. The node must not run.
///
/// # Errors
/// [`Error::Options`] when it was in no cluster; [`Error::Io`] when its files are in use or
/// damaged.
pub async fn describe_last_entry(env: &Env, data_dir: &Path) -> Result<Position, Error> {
    let (log, ground) = Ground::open(env, data_dir).await?;
    log.close().await;
    Ok(ground.last)
}

/// What a directory holds.
struct Ground {
    last: Position,
    recovered: Recovered,
}

impl Ground {
    async fn open(env: &Env, data_dir: &Path) -> Result<(Log, Self), Error> {
        let (files, folder) = (env.files.clone(), data_dir.join("log"));
        let there = env.blocking.run(move || files.exists(&folder)).await?;
        let nothing = || {
            let dir = data_dir.display();
            Error::Options(format!("{dir} holds no node that was in a cluster"))
        };
        if !there {
            return Err(nothing());
        }
        let in_files = position_or_zero(Manifest::load(env, data_dir).await?.last);
        let options = dqlite_log::Options::default();
        let (log, recovered) = open_log(env, data_dir, options).await?;
        let in_log = recovered.last.unwrap_or_default();
        let in_log = Position { term: in_log.term, index: in_log.index };
        // A node that died while it installed a snapshot has a log that ends before its files.
        let last = if in_files.index > in_log.index { in_files } else { in_log };
        if last.index == 0 {
            log.close().await;
            return Err(nothing());
        }
        Ok((log, Self { last, recovered }))
    }
}

async fn write(
    log: &Log,
    ground: &Ground,
    id: u64,
    membership: &Membership,
) -> io::Result<Position> {
    let last = dqlite_log::Position { term: ground.last.term, index: ground.last.index };
    if ground.recovered.last.is_none_or(|in_log| in_log.index < last.index) {
        log.purge(last);
    }
    let voted = ground.recovered.vote.map_or(0, |vote| vote.term);
    let term = voted.max(last.term) + 1; // (1)
    let place = dqlite_log::Position { term, index: last.index + 1 };
    let (saved, is_saved) = oneshot::channel();
    let vote = Vote { term, voted_for: id, committed: false };
    log.save_vote(vote, Box::new(move |result| drop(saved.send(result))));
    durable(is_saved).await?; // (2)
    // Written along with the entry.
    log.note_committed(place);
    let payload = vec![encode_membership(membership)];
    let entry = Entry { position: place, kind: EntryKind::Membership, payload };
    let (appended, is_appended) = oneshot::channel();
    log.append(vec![entry], Box::new(move |result| drop(appended.send(result))));
    durable(is_appended).await?;
    Ok(Position { term: place.term, index: place.index })
}

async fn durable(done: oneshot::Receiver<io::Result<()>>) -> io::Result<()> {
    done.await.unwrap_or_else(|_| Err(io::Error::other("the log has ended")))
}

/// The membership, if it can be one.
fn membership(id: u64, members: &[Member]) -> Result<Membership, Error> {
    let wrong = |text: String| Err(Error::Options(text));
    let (mut nodes, mut voters, mut addresses) =
        (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for Member { id, address, role } in members {
        if *id == 0 || address.is_empty() || address.len() > ADDRESS_BYTES_MAX {
            return wrong(format!("no member can have the id {id} and the address {address:?}"));
        }
        if nodes.contains_key(id) {
            return wrong(format!("two members have the id {id}"));
        }
        if !addresses.insert(address) {
            return wrong(format!("two members have the address {address}"));
        }
        if *role == Role::Voter {
            voters.insert(*id);
        }
        nodes.insert(*id, MemberInfo { address: address.clone(), role: *role });
    }
    if voters.is_empty() {
        return wrong("a cluster needs at least one voter".to_owned());
    }
    if !nodes.contains_key(&id) {
        return wrong(format!("the node to recover has the id {id}, which no member has"));
    }
    Membership::new(vec![voters], nodes).map_err(|error| Error::Options(error.to_string()))
}

#[cfg(test)]
mod tests;
