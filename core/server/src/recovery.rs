//! A node that does not run, made the first of a cluster by decree: when the quorum is gone for
//! good, or when a node that was alone in its process gets an address.
//!
//! 1. The log says who the cluster is (`dqlite_raft::recover`), then `identity` who the node is,
//!    then the file `recovered` who the members are. A node that died in between is recovered
//!    again.
//! 2. The directory may be copied to the other members while `recovered` stands in it: a node that
//!    is started there is the one of that file that its options name. The first start removes it.
//! 3. Members that have other files than these, of the time before, must not come back with them.
//!
//! ```text
//! dqlite-recovered 1
//! 3297041220608546238 10.0.0.1:9000
//! ```

use std::io;
use std::path::{Path, PathBuf};

use dqlite_env::{Env, FileSystem};
use dqlite_log::{DirLock, OpenError};
use dqlite_raft::Member;

use crate::error::Error;
use crate::identity::{self, Identity};
use crate::joining;
use crate::options::NodeOptions;

const FILE: &str = "recovered";
const HEADER: &str = "dqlite-recovered 1";
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Makes `members` the cluster of the node whose files are in `data_dir`, which must not run and
/// must be one of them. All that is in its log counts as committed from then on. It takes the
/// address that `members` gives it.
///
/// Start it, or first copy its directory to the other members; or let them join with new
/// directories. No member may come back with the files of the time before.
///
/// # Errors
/// [`Error::Options`] and [`Error::Raft`] when the members contradict each other or the directory;
/// [`Error::Locked`] when the node runs; else its files are damaged or cannot be written.
pub async fn recover(env: &Env, data_dir: &Path, members: &[Member]) -> Result<(), Error> {
    let dir = data_dir.to_owned();
    let (lock, known) = open(env, &dir).await?;
    if members.iter().any(|member| member.address.contains(['\n', '\0'])) {
        return Err(Error::Options("an address has no line breaks in it".to_owned()));
    }
    dqlite_raft::recover(env, data_dir, known.id, members).await?;
    let own = members.iter().find(|member| member.id == known.id);
    let address = own.map_or(known.address, |own| own.address.clone());
    let identity = Identity { id: known.id, address };
    let members = members.to_vec();
    let files = env.files.clone();
    let write = move || {
        let _lock = lock;
        identity.write(&*files, &dir)?; // (1)
        joining::give_up(&*files, &dir)?;
        store(&*files, &dir, &members)
    };
    Ok(env.blocking.run(write).await?)
}

/// The term and the index of the last entry that the node with its files in `data_dir` has, which
/// must not run. Of the nodes that are left, recover the one that has the highest.
///
/// # Errors
/// As [`recover`].
pub async fn describe_last_entry(env: &Env, data_dir: &Path) -> Result<(u64, u64), Error> {
    let (_lock, _) = open(env, data_dir).await?;
    let last = dqlite_raft::describe_last_entry(env, data_dir).await?;
    Ok((last.term, last.index))
}

/// Locks the directory of a node and reads whose it is.
async fn open(env: &Env, data_dir: &Path) -> Result<(Option<DirLock>, Identity), Error> {
    let (inner, dir) = (env.clone(), data_dir.to_owned());
    let open = move || {
        // Nothing is made where nothing is.
        if !inner.files.exists(&identity::path(&dir))? {
            return Err(Error::Options(format!("{} holds no node", dir.display())));
        }
        let lock = lock(&inner, &dir)?;
        Ok((lock, Identity::read(&*inner.files, &dir)?))
    };
    env.blocking.run(open).await
}

/// Keeps others out of the directory for as long as the result lives. Blocks.
pub(crate) fn lock(env: &Env, dir: &Path) -> Result<Option<DirLock>, Error> {
    DirLock::acquire(env, dir).map_err(|error| match error {
        OpenError::Locked { dir, holder } => Error::Locked { dir, holder },
        error => io::Error::other(error).into(),
    })
}

fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

fn store(files: &dyn FileSystem, dir: &Path, members: &[Member]) -> io::Result<()> {
    let mut text = format!("{HEADER}\n");
    for member in members {
        text.push_str(&format!("{} {}\n", member.id, member.address));
    }
    identity::replace(files, dir, FILE, &text)
}

/// Who the node is that is started in a directory of which `recovered` tells (2); `None` when it
/// does not. Blocks.
pub(crate) fn claim(
    files: &dyn FileSystem,
    options: &NodeOptions,
) -> Result<Option<Identity>, Error> {
    let dir = &options.data_dir;
    if !files.exists(&path(dir))? {
        return Ok(None);
    }
    let members = read(files, dir)?;
    let named = members.iter().find(|member| match options.id {
        Some(id) => member.id == id,
        None => member.address == options.address,
    });
    let shown = dir.display();
    let Some(named) = named.cloned() else {
        let who = match options.id {
            Some(id) => format!("the id {id}"),
            None => format!("the address {}", options.address),
        };
        let reason = format!("{shown} was recovered for a cluster without a member with {who}");
        return Err(Error::Options(reason));
    };
    if named.address != options.address {
        let Identity { id, address } = named;
        let reason = format!("{shown} was recovered for node {id} at the address {address}");
        return Err(Error::Options(reason));
    }
    named.write(files, dir)?;
    files.remove(&path(dir))?;
    files.sync_dir(dir)?;
    Ok(Some(named))
}

fn read(files: &dyn FileSystem, dir: &Path) -> io::Result<Vec<Identity>> {
    let text = identity::read_text(files, &path(dir), FILE_BYTES_MAX)?;
    text.as_deref().and_then(parse).ok_or_else(|| {
        let reason = format!("{} does not list the members", path(dir).display());
        io::Error::new(io::ErrorKind::InvalidData, reason)
    })
}

fn parse(text: &str) -> Option<Vec<Identity>> {
    let mut lines = text.lines();
    (lines.next()? == HEADER).then_some(())?;
    lines
        .map(|line| {
            let (id, address) = line.split_once(' ')?;
            Some(Identity { id: id.parse().ok()?, address: address.to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use dqlite_raft::Role;

    use super::*;

    fn recovered(members: &[(u64, &str)]) -> (tempfile::TempDir, Env) {
        let (dir, env) = (tempfile::tempdir().unwrap(), Env::real());
        let member = |(id, address): &(u64, &str)| Member {
            id: *id,
            address: (*address).to_owned(),
            role: Role::Voter,
        };
        let members: Vec<_> = members.iter().map(member).collect();
        store(&*env.files, dir.path(), &members).unwrap();
        (dir, env)
    }

    #[test]
    fn a_directory_becomes_the_members_that_the_options_name() {
        let members = [(1, "one:1"), (2, "two:2")];
        for (id, address, expected) in
            [(None, "two:2", 2), (Some(2), "two:2", 2), (Some(1), "one:1", 1)]
        {
            let (dir, env) = recovered(&members);
            let mut options = NodeOptions::new(dir.path(), address);
            options.id = id;
            let identity = claim(&*env.files, &options).unwrap().unwrap();
            assert_eq!((identity.id, &*identity.address), (expected, address));
            assert_eq!(Identity::read(&*env.files, dir.path()).unwrap(), identity);
            // Only once.
            assert_eq!(claim(&*env.files, &options).unwrap(), None);
        }
    }

    #[test]
    fn nobody_else_may_start_there() {
        let (dir, env) = recovered(&[(1, "one:1"), (2, "two:2")]);
        for (id, address, why) in [
            (None, "three:3", "without a member with the address three:3"),
            (Some(3), "one:1", "without a member with the id 3"),
            (Some(1), "two:2", "for node 1 at the address one:1"),
        ] {
            let mut options = NodeOptions::new(dir.path(), address);
            options.id = id;
            let error = claim(&*env.files, &options).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        std::fs::write(dir.path().join(FILE), "dqlite-recovered 1\n1\n").unwrap();
        let options = NodeOptions::new(dir.path(), "one:1");
        assert!(matches!(claim(&*env.files, &options), Err(Error::Io(_))));
    }
}
