//! The receiving side of a snapshot.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use dqlite_env::{Blocking, BoxFuture, Env, File, OpenMode};
use parking_lot::Mutex;

use super::{KIND_BEGIN, KIND_END, KIND_FINISH, KIND_OUTCOMES, KIND_PAGES};
use crate::consensus::SnapshotWriter;
use crate::folder;
use crate::meta::{Meta, MetaFile};
use crate::name::DatabaseName;
use crate::outcomes::record::{RecordFile, Voucher};

const META_BYTES: usize = 64;

/// A folder of databases that is being filled.
#[derive(Debug)]
pub(crate) struct Incoming {
    blocking: Blocking,
    folder: Arc<Mutex<Folder>>,
}

#[derive(Debug)]
struct Folder {
    env: Env,
    dir: PathBuf,
    open: Option<OpenFile>,
    complete: bool,
    /// Set once another owner has taken the folder over.
    kept: bool,
}

#[derive(Debug)]
struct OpenFile {
    stem: String,
    file: Arc<dyn File>,
    meta: Meta,
    /// What the record of outcomes came to; nothing before it came.
    voucher: Voucher,
    length: u64,
}

impl Incoming {
    /// Begins to fill the folder `dir`, which is made anew. Blocks.
    pub fn create(env: Env, dir: PathBuf) -> io::Result<Self> {
        folder::remove(&*env.files, &dir)?;
        env.files.create_dir_all(&dir)?;
        let blocking = env.blocking;
        let folder = Folder { env, dir, open: None, complete: false, kept: false };
        Ok(Self { blocking, folder: Arc::new(Mutex::new(folder)) })
    }

    /// The folder, complete and durable; it no longer goes when this is dropped.
    pub fn keep(&self) -> io::Result<PathBuf> {
        let mut folder = self.folder.lock();
        folder.check_complete()?;
        folder.kept = true;
        Ok(folder.dir.clone())
    }
}

impl SnapshotWriter for Incoming {
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, io::Result<()>> {
        let folder = self.folder.clone();
        Box::pin(self.blocking.run(move || folder.lock().take(chunk)))
    }

    fn finish(&mut self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move { self.folder.lock().check_complete() })
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any + Send> {
        self
    }
}

impl Folder {
    fn check_complete(&self) -> io::Result<()> {
        if self.complete { Ok(()) } else { Err(invalid("snapshot is cut short")) }
    }

    fn take(&mut self, mut chunk: Bytes) -> io::Result<()> {
        if self.complete {
            return Err(invalid("chunk after the end of the snapshot"));
        }
        if chunk.is_empty() {
            return Err(invalid("empty chunk"));
        }
        match (chunk.get_u8(), self.open.take()) {
            (KIND_BEGIN, None) => self.begin(chunk),
            (KIND_OUTCOMES, Some(open)) => self.outcomes(open, &chunk),
            (KIND_PAGES, Some(open)) => self.pages(open, chunk),
            (KIND_END, Some(open)) => self.end(open, chunk),
            (KIND_FINISH, None) => {
                self.env.files.sync_dir(&self.dir)?;
                self.complete = true;
                Ok(())
            }
            (kind, _) => Err(invalid(&format!("chunk of kind {kind} is out of place"))),
        }
    }

    fn begin(&mut self, chunk: Bytes) -> io::Result<()> {
        if chunk.len() < META_BYTES {
            return Err(invalid("database begins with too few bytes"));
        }
        let (meta, _) = Meta::decode(&chunk[..META_BYTES])
            .ok_or_else(|| invalid("database begins with a damaged record"))?;
        let name = std::str::from_utf8(&chunk[META_BYTES..])
            .ok()
            .and_then(|name| DatabaseName::new(name).ok())
            .ok_or_else(|| invalid("database has no valid name"))?;
        let stem = name.file_stem();
        let file = self.env.files.open(&self.dir.join(format!("{stem}.db")), OpenMode::New)?;
        self.open = Some(OpenFile { stem, file, meta, voucher: Voucher::default(), length: 0 });
        Ok(())
    }

    fn outcomes(&mut self, mut open: OpenFile, chunk: &[u8]) -> io::Result<()> {
        if open.length > 0 || !open.voucher.is_empty() {
            return Err(invalid("outcomes are out of place"));
        }
        let last_calls = open.meta.voucher.check(chunk)?;
        let record_file = RecordFile::new(self.env.files.clone(), &self.dir, &open.stem);
        open.voucher = record_file.write(&last_calls, Voucher::default())?;
        self.open = Some(open);
        Ok(())
    }

    fn pages(&mut self, mut open: OpenFile, mut chunk: Bytes) -> io::Result<()> {
        if chunk.len() <= 8 || chunk.get_u64_le() != open.length {
            return Err(invalid("pages do not follow the ones before"));
        }
        open.file.write_all_at(&chunk, open.length)?;
        open.length += chunk.len() as u64;
        self.open = Some(open);
        Ok(())
    }

    fn end(&mut self, open: OpenFile, mut chunk: Bytes) -> io::Result<()> {
        if chunk.len() != 16 || chunk.get_u64_le() != open.length {
            return Err(invalid("database ends at another length than was sent"));
        }
        if open.voucher.is_empty() != open.meta.voucher.is_empty() {
            return Err(invalid("database comes without its outcomes"));
        }
        open.file.sync_all()?;
        let consistent_at = chunk.get_u64_le().max(open.meta.consistent_at);
        let path = self.dir.join(format!("{}.meta", open.stem));
        let meta_file = self.env.files.open(&path, OpenMode::New)?;
        MetaFile::create(meta_file, Meta { consistent_at, voucher: open.voucher, ..open.meta })?;
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = folder::remove(&*self.env.files, &self.dir)
        {
            let dir = self.dir.display();
            tracing::warn!(%dir, %error, "an unfinished snapshot stays behind");
        }
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}
