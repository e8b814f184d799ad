//! Snapshots from node to node.
//!
//! 1. The position that is sent along is at most what the last checkpoint before the stream gave:
//!    the receiver replays the log from there.
//! 2. The receiver acknowledges nothing before the snapshot is installed; a stream that breaks off
//!    leaves no trace.

use std::io;

use openraft::Snapshot;

use super::connection::Connection;
use super::{PeerContext, within};
use crate::codec::{Answer, Request, StreamKind};
use crate::machine::SnapshotHandle;
use crate::types::{SnapshotMeta, Vote};

use super::service::PeerService;

/// Streams the database files to `target` and gives its vote once they are installed there.
pub(super) async fn send(
    context: &PeerContext,
    target: u64,
    address: &str,
    vote: Vote,
    meta: SnapshotMeta,
) -> io::Result<Vote> {
    let mut chunks = context.machine.read_snapshot().await?;
    let mut connection = context.dial(target, address, StreamKind::Snapshot).await?;
    tracing::info!(target, last = ?meta.last_log_id, "sends a snapshot");
    let (mut count, mut bytes) = (0, 0);
    let mut request = Request::SnapshotBegin { vote, meta };
    loop {
        let last = matches!(request, Request::SnapshotEnd { .. });
        let Connection { reader, writer } = &mut connection;
        let step = async {
            tokio::select! {
                biased;
                // A refusal may come at any time.
                answer = reader.next() => answer.map(Some),
                written = writer.write_all(request.encode()) => written.map(|()| None),
            }
        };
        if let Some(early) = within(context.chunk_timeout, step).await? {
            return vote_of(early);
        }
        if last {
            return vote_of(within(context.install_timeout, reader.next()).await?);
        }
        request = match chunks.next().await? {
            Some(chunk) => {
                count += 1;
                bytes += chunk.len() as u64;
                Request::SnapshotChunk(chunk)
            }
            None => Request::SnapshotEnd { chunks: count, bytes },
        };
    }
}

fn vote_of(frame: Option<crate::codec::Frame>) -> io::Result<Vote> {
    let frame = frame.ok_or(io::ErrorKind::UnexpectedEof)?;
    match Answer::decode(frame)? {
        Answer::Snapshot(vote) => Ok(vote),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "not a snapshot's answer")),
    }
}

/// Takes one snapshot in and answers with this node's vote.
pub(super) async fn receive(service: &PeerService, connection: &mut Connection) -> io::Result<()> {
    let Connection { reader, writer } = connection;
    let limit = service.chunk_timeout;
    let Request::SnapshotBegin { vote, meta } = next(reader, limit).await? else {
        return Err(unexpected());
    };
    let own = service.current_vote();
    if own > vote {
        return writer.write_all(Answer::Snapshot(own).encode()).await;
    }
    tracing::info!(last = ?meta.last_log_id, "receives a snapshot");
    let mut target = service.machine.write_snapshot().await?;
    let (mut count, mut bytes) = (0, 0);
    loop {
        match next(reader, limit).await? {
            Request::SnapshotChunk(chunk) => {
                count += 1;
                bytes += chunk.len() as u64;
                target.write(chunk).await?;
            }
            Request::SnapshotEnd { chunks: sent, bytes: sent_bytes } => {
                if (count, bytes) != (sent, sent_bytes) {
                    return Err(unexpected());
                }
                break;
            }
            _ => return Err(unexpected()),
        }
    }
    target.finish().await?;
    let snapshot = Snapshot { meta, snapshot: SnapshotHandle::Received(target) };
    let response = service.raft.install_full_snapshot(vote, snapshot).await;
    let response = response.map_err(|error| io::Error::other(error.to_string()))?;
    writer.write_all(Answer::Snapshot(response.vote).encode()).await // (2)
}

async fn next(
    reader: &mut super::connection::FrameReader,
    limit: std::time::Duration,
) -> io::Result<Request> {
    let frame = within(limit, reader.next()).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Request::decode(frame)?)
}

fn unexpected() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "snapshot is out of order or incomplete")
}
