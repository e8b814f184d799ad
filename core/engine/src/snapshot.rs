//! A snapshot on its way from one node to another (`docs/formats/snapshot.md`).
//!
//! Nothing is copied to take one: the database files are read as they are, while checkpoints go on
//! writing to them. Such a *fuzzy* copy is made whole by the log:
//!
//! 1. A database's chain is read before its first page: all up to there is in every byte read.
//! 2. Its `consistent_at` is read after its last page: nothing newer is in any byte read (a
//!    checkpoint notes it durably before it writes). Until the receiver has applied the log that
//!    far, it serves nothing from the database.
//! 3. What lies between is applied again in full page images, over whatever was copied.
//! 4. The record of outcomes is not fuzzy: it is read with the chain, and is as of its index.
//!
//! ```text
//! chunk = u8 kind, then
//!   1 database begins   meta record (64 bytes), name
//!   5 its outcomes      the record that the meta record vouches for, if it does
//!   2 pages             u64 offset in the file, bytes
//!   3 database ends     u64 length of the file, u64 consistent_at
//!   4 snapshot ends
//! ```

mod incoming;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use dqlite_env::{Blocking, BoxFuture};

use crate::consensus::SnapshotReader;
use crate::database::Database;

pub(crate) use incoming::Incoming;

const KIND_BEGIN: u8 = 1;
const KIND_PAGES: u8 = 2;
const KIND_END: u8 = 3;
const KIND_FINISH: u8 = 4;
const KIND_OUTCOMES: u8 = 5;

/// The bytes of a file that one chunk holds.
const CHUNK_BYTES: usize = 256 << 10;

/// The sending side.
#[derive(Debug)]
pub(crate) struct Outgoing {
    blocking: Blocking,
    databases: VecDeque<Arc<Database>>,
    /// The offset that is reached in the first of `databases`; `None` before its first chunk.
    offset: Option<u64>,
    /// The record of outcomes of the first of `databases`, until it is sent.
    outcomes: Option<Bytes>,
    finished: bool,
}

impl Outgoing {
    pub fn new(blocking: Blocking, databases: Vec<Arc<Database>>) -> Self {
        let (offset, outcomes) = (None, None);
        Self { blocking, databases: databases.into(), offset, outcomes, finished: false }
    }
}

impl SnapshotReader for Outgoing {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Bytes>>> {
        Box::pin(async move {
            if self.finished {
                return Ok(None);
            }
            let Some(database) = self.databases.front().cloned() else {
                self.finished = true;
                return Ok(Some(Bytes::from_static(&[KIND_FINISH])));
            };
            let Some(offset) = self.offset else {
                let (chunk, outcomes) = self.blocking.run(move || begin(&database)).await?;
                (self.offset, self.outcomes) = (Some(0), outcomes);
                return Ok(Some(chunk));
            };
            if let Some(chunk) = self.outcomes.take() {
                return Ok(Some(chunk));
            }
            let read = move || read(&database, offset).map(|chunk| (database, chunk));
            let (database, chunk) = self.blocking.run(read).await?;
            let length = chunk.len() as u64 - PAGES_HEAD_BYTES as u64;
            if length == 0 {
                self.databases.pop_front();
                self.offset = None;
                return Ok(Some(end(&database, offset)));
            }
            self.offset = Some(offset + length);
            Ok(Some(chunk))
        })
    }
}

const PAGES_HEAD_BYTES: usize = 1 + 8;

/// The chunk that begins a database, and the one with its outcomes, if there are any.
fn begin(database: &Database) -> io::Result<(Bytes, Option<Bytes>)> {
    let (meta, record) = database.durable_record()?; // (1) (4)
    let mut chunk = BytesMut::new();
    chunk.put_u8(KIND_BEGIN);
    chunk.put_slice(&meta.encode(1));
    chunk.put_slice(database.name.as_str().as_bytes());
    let outcomes = (!record.is_empty()).then(|| [&[KIND_OUTCOMES], &record[..]].concat().into());
    Ok((chunk.freeze(), outcomes))
}

fn read(database: &Database, offset: u64) -> io::Result<Bytes> {
    let mut chunk = BytesMut::zeroed(PAGES_HEAD_BYTES + CHUNK_BYTES);
    chunk[0] = KIND_PAGES;
    chunk[1..PAGES_HEAD_BYTES].copy_from_slice(&offset.to_le_bytes());
    let count = database.file().read_at(&mut chunk[PAGES_HEAD_BYTES..], offset)?;
    chunk.truncate(PAGES_HEAD_BYTES + count);
    Ok(chunk.freeze())
}

fn end(database: &Database, length: u64) -> Bytes {
    let mut chunk = BytesMut::new();
    chunk.put_u8(KIND_END);
    chunk.put_u64_le(length);
    chunk.put_u64_le(database.durable_meta().consistent_at); // (2)
    chunk.freeze()
}
