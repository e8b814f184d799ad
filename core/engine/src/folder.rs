//! The folder of the database files.
//!
//! A snapshot replaces all databases at once. So that a node that dies in the middle has either the
//! old ones or the new ones, each set has a folder of its own, `databases.N`, which gets that name
//! by one rename when it is complete. The highest N counts; whatever else is there is left over.

use std::io;
use std::path::{Path, PathBuf};

use dqlite_env::FileSystem;

const PREFIX: &str = "databases.";
const INCOMING: &str = "incoming";

/// The folder that counts, made if there is none, with its number. Removes what is left over.
pub(crate) fn open(files: &dyn FileSystem, data_dir: &Path) -> io::Result<(PathBuf, u64)> {
    files.create_dir_all(data_dir)?;
    let mut numbers: Vec<u64> = files
        .list(data_dir)?
        .iter()
        .filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let current = numbers.pop();
    for number in numbers {
        remove(files, &path(data_dir, number))?;
    }
    remove(files, &incoming(data_dir))?;
    let number = current.unwrap_or(1);
    let dir = path(data_dir, number);
    if current.is_none() {
        files.create_dir_all(&dir)?;
        files.sync_dir(data_dir)?;
    }
    Ok((dir, number))
}

/// The folder with the number `number`.
pub(crate) fn path(data_dir: &Path, number: u64) -> PathBuf {
    data_dir.join(format!("{PREFIX}{number}"))
}

/// The folder that a snapshot is received in.
pub(crate) fn incoming(data_dir: &Path) -> PathBuf {
    data_dir.join(INCOMING)
}

/// Removes a folder of files, if it is there.
pub(crate) fn remove(files: &dyn FileSystem, dir: &Path) -> io::Result<()> {
    if !files.exists(dir)? {
        return Ok(());
    }
    for name in files.list(dir)? {
        files.remove(&dir.join(name))?;
    }
    files.remove_dir(dir)
}
