//! IMPORT: a whole SQLite file, in chunks, becomes a database.

use std::io;
use std::sync::Arc;

use dqlite_engine::Error;
use dqlite_env::{Env, File, OpenMode};
use dqlite_wire::{ImportChunk, Response, codes};

use super::Gateway;
use super::scratch::Scratch;

/// A file that is being received.
#[derive(Debug)]
pub(super) struct Import {
    scratch: Scratch,
    file: Arc<dyn File>,
    database: String,
    received_bytes: u64,
}

impl Import {
    fn begin(env: &Env, scratch: Scratch, database: String) -> io::Result<Self> {
        let file = env.files.open(scratch.path(), OpenMode::New)?;
        Ok(Self { scratch, file, database, received_bytes: 0 })
    }
}

impl Gateway {
    pub(super) async fn take_import(&mut self, chunk: ImportChunk) -> io::Result<()> {
        if !self.node.engine.is_leading() {
            self.import = None;
            return self.fail_with(&Error::NotLeader);
        }
        if chunk.offset_bytes == 0 {
            let scratch = Scratch::import(&self.node.env, &self.node.data_dir);
            match Import::begin(&self.node.env, scratch, chunk.database.to_string()) {
                Ok(import) => self.import = Some(import),
                Err(error) => return self.fail(codes::IO, &error.to_string()),
            }
        }
        let Some(mut import) = self.import.take() else {
            return self.fail(codes::ERROR, "an import begins with offset 0");
        };
        if import.database != *chunk.database || import.received_bytes != chunk.offset_bytes {
            return self.fail(codes::ERROR, "the chunk does not follow the one before");
        }
        let last = chunk.is_last();
        let write = move || {
            let written = import.file.write_all_at(&chunk.content, chunk.offset_bytes);
            import.received_bytes += chunk.content.len() as u64;
            (import, written)
        };
        let (import, written) = self.node.env.blocking.run(write).await;
        if let Err(error) = written {
            return self.fail(codes::IO, &error.to_string());
        }
        if !last {
            self.import = Some(import);
            return self.respond(&Response::Empty);
        }
        match self.node.engine.import(&import.database, import.scratch.path().to_owned()).await {
            Ok(()) => self.respond(&Response::Empty),
            Err(error) => self.fail_with(&error),
        }
    }
}
