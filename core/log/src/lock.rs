//! Keeps a second log out of a folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::options::OpenError;

/// Held for as long as the log may write.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Locks `dir`, whose files are the operating system's.
    pub fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join("lock");
        let io = |source| OpenError::Io { path: path.clone(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path }),
            Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
        }
    }
}
