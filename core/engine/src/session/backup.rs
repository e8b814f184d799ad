//! A backup: the database, as it is at one moment, in a file of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dqlite_env::FileSystem;

use super::Session;
use super::run::connection;
use crate::call::BackupProgress;
use crate::error::Error;
use crate::operation::Operation;

/// How many pages are copied between two questions whether to go on.
const STEP_PAGES: u32 = 256;

/// A file that is not a backup yet, and goes if it never will be.
struct Unfinished {
    files: Arc<dyn FileSystem>,
    path: PathBuf,
    finished: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = self.files.remove(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a part of a backup stays behind");
        }
    }
}

impl Session {
    /// Copies what is committed of the database to a file at `path`, in place of one that may be
    /// there. Readers and writers go on meanwhile. `progress` is told after each step how far the
    /// copy has come, and gives false to stop it.
    ///
    /// # Errors
    /// SQLite's, those of the file, [`Error::Interrupted`] when it was stopped. There is no new
    /// file then.
    pub async fn backup(
        &mut self,
        operation: &Operation,
        path: &Path,
        mut progress: impl FnMut(BackupProgress) -> bool + Send,
    ) -> Result<(), Error> {
        let env = self.context.env.clone();
        let mut unfinished = Unfinished {
            files: env.files.clone(),
            path: beside(path, env.entropy.next()),
            finished: false,
        };
        let (database, cell) = (self.database.clone(), self.database.connect_local().await?);
        let (seat, target) = (cell.clone(), unfinished.path.clone());
        let begin = move || {
            let begun = seat.with(|inner| {
                connection(inner)?.begin_copy(&target)?;
                Ok(database.shown().map(|speculation| speculation.ticket()))
            });
            begun.unwrap_or(Err(Error::SessionEnded))
        };
        let ticket = operation.unless_stopped(env.blocking.run(begin)).await??;
        loop {
            let seat = cell.clone();
            let step = move || {
                let step = |inner: &mut _| Ok(connection(inner)?.step_copy(STEP_PAGES)?);
                seat.with(step).unwrap_or(Err(Error::SessionEnded))
            };
            let copied = operation.unless_stopped(env.blocking.run(step)).await??;
            let at = BackupProgress {
                remaining_pages: copied.remaining_pages.into(),
                total_pages: copied.total_pages.into(),
            };
            if !progress(at) {
                return Err(Error::Interrupted);
            }
            if at.remaining_pages == 0 {
                break;
            }
        }
        if let Some(ticket) = ticket {
            let settled = ticket.settled(self.commit_deadline());
            operation.unless_stopped(settled).await?.map_err(|_| Error::NotLeader)?;
        }
        let (from, to) = (unfinished.path.clone(), path.to_owned());
        let put = move || {
            env.files.rename(&from, &to)?;
            env.files.sync_dir(folder_of(&to))
        };
        self.context.env.blocking.run(put).await?;
        unfinished.finished = true;
        Ok(())
    }
}

/// A name beside `path` that nobody else uses.
fn beside(path: &Path, number: u64) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(format!("-{number:016x}"));
    path.with_file_name(name)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
