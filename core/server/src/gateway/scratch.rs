//! Files of one connection, in the node's folder. They go with it, and at the latest when the node
//! starts again.

use std::io;
use std::path::{Path, PathBuf};

use dqlite_env::Env;

/// What their names begin with.
const KINDS: [&str; 2] = ["backup-", "import-"];

/// The name of a file that is removed with it.
#[derive(Debug)]
pub(crate) struct Scratch {
    env: Env,
    path: PathBuf,
}

impl Scratch {
    /// For a backup that is being sent.
    pub fn backup(env: &Env, data_dir: &Path) -> Self {
        Self::new(env, data_dir, KINDS[0])
    }

    /// For an import that is being received.
    pub fn import(env: &Env, data_dir: &Path) -> Self {
        Self::new(env, data_dir, KINDS[1])
    }

    fn new(env: &Env, data_dir: &Path, kind: &str) -> Self {
        let path = data_dir.join(format!("{kind}{:016x}", env.entropy.next()));
        Self { env: env.clone(), path }
    }

    /// Where the file is to be.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        match self.env.files.remove(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "a file stays behind");
            }
        }
    }
}

/// Removes what connections of an earlier run have left.
///
/// # Errors
/// The folder cannot be read, or a file not be removed.
pub(crate) fn clear(env: &Env, data_dir: &Path) -> io::Result<()> {
    for name in env.files.list(data_dir)? {
        if KINDS.iter().any(|kind| name.starts_with(kind)) {
            env.files.remove(&data_dir.join(name))?;
        }
    }
    Ok(())
}
