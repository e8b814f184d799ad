//! BACKUP: a whole database, in pieces, from a copy that is made with the first.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use dqlite_env::{File, OpenMode};
use dqlite_wire::call::{AskBackup, BackupPiece, OpenSession, Place};
use dqlite_wire::{Response, Text, codes, limits};

use super::Gateway;
use super::attend::{Attended, attend};
use super::scratch::Scratch;
use crate::call_session::CallError;

/// A copy that is being sent.
#[derive(Debug)]
pub(super) struct Backup {
    database: Text,
    file: Arc<dyn File>,
    total_bytes: u64,
    sent_bytes: u64,
    _scratch: Scratch,
}

impl Gateway {
    pub(super) async fn send_backup(&mut self, ask: AskBackup) -> io::Result<()> {
        let mut interrupted = false;
        if ask.offset_bytes == 0 {
            self.backup = None;
            let attended = self.begin_backup(&ask.database).await?;
            interrupted = attended.interrupted;
            match attended.value {
                Ok(backup) => self.backup = Some(backup),
                Err(error) => self.fail_call(&error)?,
            }
        } else if self.backup.is_none() {
            return self.fail(codes::ERROR, "a backup begins with offset 0");
        }
        let Some(backup) = self.backup.take() else { return self.acknowledge(interrupted) };
        if backup.database != ask.database || backup.sent_bytes != ask.offset_bytes {
            return self.fail(codes::ERROR, "the piece does not follow the one before");
        }
        self.send_piece(backup).await?;
        self.acknowledge(interrupted)
    }

    /// Copies the database as this node has it, with a session of its own: what the connection's
    /// session is about does not matter.
    async fn begin_backup(
        &mut self,
        database: &Text,
    ) -> io::Result<Attended<Result<Backup, CallError>>> {
        let open = OpenSession {
            database: database.clone(),
            client: 0,
            place: Place::Here,
            busy_timeout_ms: 0,
        };
        let mut session = match self.node().open_session(&open).await {
            Ok(session) => session,
            Err(error) => return Ok(Attended { value: Err(error), interrupted: false }),
        };
        let scratch = Scratch::backup(&self.node.env, &self.node.data_dir);
        let canceller = session.canceller();
        let work = session.backup(scratch.path(), |_| true);
        let attended = attend(&mut self.reader, || canceller.cancel(), work).await?;
        let interrupted = attended.interrupted;
        if let Err(error) = attended.value {
            return Ok(Attended { value: Err(error), interrupted });
        }
        let (files, path) = (self.node.env.files.clone(), scratch.path().to_owned());
        let open = move || {
            let file = files.open(&path, OpenMode::Existing)?;
            let total_bytes = file.len()?;
            Ok((file, total_bytes))
        };
        let opened: io::Result<_> = self.node.env.blocking.run(open).await;
        let value = match opened {
            Ok((file, total_bytes)) => Ok(Backup {
                database: database.clone(),
                file,
                total_bytes,
                sent_bytes: 0,
                _scratch: scratch,
            }),
            Err(error) => Err(CallError { code: codes::IO, message: error.to_string() }),
        };
        Ok(Attended { value, interrupted })
    }

    /// Sends the next piece, and keeps the copy if more follow.
    async fn send_piece(&mut self, mut backup: Backup) -> io::Result<()> {
        let (file, at) = (backup.file.clone(), backup.sent_bytes);
        let left_bytes = backup.total_bytes - at;
        let read = move || {
            let piece_bytes = left_bytes.min(limits::BACKUP_PIECE_BYTES as u64) as usize;
            let mut content = BytesMut::zeroed(piece_bytes);
            let count = file.read_at(&mut content, at)?;
            if count < piece_bytes {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            Ok(content.freeze())
        };
        let content: io::Result<Bytes> = self.node.env.blocking.run(read).await;
        let content = match content {
            Ok(content) => content,
            Err(error) => return self.fail(codes::IO, &error.to_string()),
        };
        let total_bytes = backup.total_bytes;
        backup.sent_bytes += content.len() as u64;
        if backup.sent_bytes < total_bytes {
            self.backup = Some(backup);
        }
        self.respond(&Response::Piece(BackupPiece { total_bytes, content }))
    }
}
