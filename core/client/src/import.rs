//! A whole SQLite file, chunk by chunk, to the leader.

use bytes::{Bytes, BytesMut};
use dqlite_wire::{ImportChunk, Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use crate::attempts::Attempts;
use crate::cluster::LONG_TIMEOUT;
use crate::error::{Error, ErrorKind};
use crate::fault::{Effect, Fault};
use crate::link::{Link, unexpected};
use crate::pool::Pool;

const CHUNK_BYTES: u64 = 1 << 20;

pub(crate) async fn import(
    pool: &Pool,
    database: &str,
    mut source: impl AsyncRead + Unpin,
    total_bytes: u64,
    mut progress: impl FnMut(u64),
) -> Result<(), Error> {
    let mut chunk = ImportChunk {
        database: database.into(),
        total_bytes,
        offset_bytes: 0,
        content: read(&mut source, total_bytes.min(CHUNK_BYTES)).await?,
    };
    let mut link = send_first(pool, &chunk).await?;
    loop {
        chunk.offset_bytes += chunk.content.len() as u64;
        progress(chunk.offset_bytes);
        if chunk.offset_bytes >= total_bytes {
            return Ok(());
        }
        let left_bytes = total_bytes - chunk.offset_bytes;
        chunk.content = read(&mut source, left_bytes.min(CHUNK_BYTES)).await?;
        let effect = effect_of(&chunk);
        send(&mut link, &chunk).await.map_err(|fault| Error::from(fault.with(effect)))?;
    }
}

/// Finds the leader with the first chunk, which is still at hand if another node leads meanwhile.
async fn send_first(pool: &Pool, chunk: &ImportChunk) -> Result<Link, Error> {
    let mut attempts = Attempts::new(pool, pool.options().timeout);
    loop {
        let mut found = pool.search().find(attempts.deadline).await?;
        match send(&mut found.link, chunk).await {
            Ok(()) => return Ok(found.link),
            Err(fault) => {
                let failure = fault.with(effect_of(chunk));
                attempts.again(&found.leader.address, failure).await?;
            }
        }
    }
}

/// Only the last chunk has an effect: the import as a whole.
fn effect_of(chunk: &ImportChunk) -> Effect {
    if chunk.is_last() { Effect::Whole } else { Effect::Nothing }
}

async fn send(link: &mut Link, chunk: &ImportChunk) -> Result<(), Fault> {
    let deadline = Instant::now() + LONG_TIMEOUT;
    match link.call(&Request::Import(chunk.clone()), deadline).await? {
        Response::Empty => Ok(()),
        other => Err(unexpected(&other)),
    }
}

async fn read(source: &mut (impl AsyncRead + Unpin), chunk_bytes: u64) -> Result<Bytes, Error> {
    let mut content = BytesMut::with_capacity(chunk_bytes as usize);
    let mut piece = source.take(chunk_bytes);
    while (content.len() as u64) < chunk_bytes {
        let read = piece.read_buf(&mut content).await;
        let read = read.map_err(|error| {
            Error::new(ErrorKind::Data, format!("the file cannot be read: {error}"))
        })?;
        if read == 0 {
            return Err(Error::new(ErrorKind::Data, "the file is shorter than it was said to be"));
        }
    }
    Ok(content.freeze())
}
