//! A whole database from a node into a file, piece by piece.
//!
//! The file gets its name only when it is complete: until then its name ends with `.partial`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use dqlite_env::{Env, File, OpenMode};
use dqlite_wire::call::{AskBackup, BackupPiece};
use dqlite_wire::{Request, Response, codes};
use tokio::time::Instant;

use crate::call_session::CallSession;
use crate::canceller::Running;
use crate::fault::Fault;

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupProgress {
    /// Pages that are still to come.
    pub remaining_pages: u64,
    /// Pages of the database.
    pub total_pages: u64,
}

impl CallSession {
    /// Copies the session's database, as the node has it now, to a file at `path`, which is
    /// replaced if it exists. `progress` is told after each piece; if it gives false, the backup
    /// ends with code 9.
    ///
    /// # Errors
    /// Those of any call, and [`Fault::File`]. Nothing stands at `path` that was not there before.
    pub async fn backup(
        &mut self,
        env: &Env,
        path: &Path,
        mut progress: impl FnMut(BackupProgress) -> bool,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let running = self.calls.begin();
        let mut piece = self.piece(0, &running, deadline).await?;
        let total_bytes = piece.total_bytes;
        let page_bytes = page_bytes(&piece.content)?;
        let mut received = Received::begin(env.clone(), path).await?;
        loop {
            received.write(piece).await?;
            let remaining_bytes = total_bytes - received.bytes;
            let goes_on = progress(BackupProgress {
                remaining_pages: remaining_bytes.div_ceil(page_bytes),
                total_pages: total_bytes / page_bytes,
            });
            if remaining_bytes == 0 {
                return received.complete(path).await;
            }
            if !goes_on {
                let message = codes::messages::INTERRUPTED.to_owned();
                return Err(Fault::Refused { code: codes::INTERRUPT, message });
            }
            piece = self.piece(received.bytes, &running, deadline).await?;
            if piece.total_bytes != total_bytes {
                return Err(Fault::Garbled("the database changed its size".to_owned()));
            }
        }
    }

    /// The piece from this offset on, never empty and never beyond the end.
    async fn piece(
        &mut self,
        offset_bytes: u64,
        running: &Running,
        deadline: Instant,
    ) -> Result<BackupPiece, Fault> {
        let ask = AskBackup { database: self.database.clone(), offset_bytes };
        let request = Request::Backup(ask);
        let encode = |out: &mut BytesMut| request.encode(out);
        match self.link.exchange(encode, running.cancelled(), deadline).await? {
            Response::Piece(piece) => {
                let left_bytes = piece.total_bytes.saturating_sub(offset_bytes);
                let fits = (1..=left_bytes).contains(&(piece.content.len() as u64));
                let wrong = || Fault::Garbled("a piece of a backup that does not fit".to_owned());
                fits.then_some(piece).ok_or_else(wrong)
            }
            other => Err(self.reject(&other)),
        }
    }
}

/// The size of a page, from the header of the database.
fn page_bytes(first: &[u8]) -> Result<u64, Fault> {
    match first.get(16..18) {
        Some([0, 1]) => Ok(65_536),
        Some([high, low]) if u16::from_be_bytes([*high, *low]) >= 512 => {
            Ok(u16::from_be_bytes([*high, *low]).into())
        }
        _ => Err(Fault::Garbled("the backup is not a database".to_owned())),
    }
}

/// A file that is being received. It is removed if it does not become complete.
#[derive(Debug)]
struct Received {
    env: Env,
    partial: PathBuf,
    file: Arc<dyn File>,
    bytes: u64,
    is_complete: bool,
}

fn failed(error: &std::io::Error) -> Fault {
    Fault::File(error.to_string())
}

impl Received {
    async fn begin(env: Env, path: &Path) -> Result<Self, Fault> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let (files, at) = (env.files.clone(), partial.clone());
        let open = move || {
            let file = files.open(&at, OpenMode::Create)?;
            file.set_len(0).map(|()| file)
        };
        let file = env.blocking.run(open).await.map_err(|error| failed(&error))?;
        Ok(Self { env, partial, file, bytes: 0, is_complete: false })
    }

    async fn write(&mut self, piece: BackupPiece) -> Result<(), Fault> {
        let (file, offset) = (self.file.clone(), self.bytes);
        self.bytes += piece.content.len() as u64;
        let write = move || file.write_all_at(&piece.content, offset);
        self.env.blocking.run(write).await.map_err(|error| failed(&error))
    }

    async fn complete(mut self, path: &Path) -> Result<(), Fault> {
        let (files, file) = (self.env.files.clone(), self.file.clone());
        let (partial, path) = (self.partial.clone(), path.to_owned());
        let complete = move || {
            file.sync_all()?;
            files.rename(&partial, &path)?;
            match path.parent() {
                Some(folder) if folder.as_os_str().is_empty() => files.sync_dir(Path::new(".")),
                Some(folder) => files.sync_dir(folder),
                None => Ok(()),
            }
        };
        self.env.blocking.run(complete).await.map_err(|error| failed(&error))?;
        self.is_complete = true;
        Ok(())
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if self.is_complete {
            return;
        }
        if let Err(error) = self.env.files.remove(&self.partial) {
            tracing::warn!(path = %self.partial.display(), %error, "part of a backup stays behind");
        }
    }
}
