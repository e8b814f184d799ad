//! What a node answers to other nodes.
//!
//! 1. For one election timeout after its start a node grants no vote: it may have promised a
//!    leader, in its last life, not to, and the leader serves reads on that promise. A vote that
//!    the leader itself asked for (a transfer) is exempt.
//! 2. Of each kind of connection from one node the newest is served, so that a node that vanished
//!    without a word leaves at most one of each behind.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use dqlite_engine::Machine;
use dqlite_env::Stream;
use futures::StreamExt;
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::connection::{Connection, FrameReader, FrameWriter};
use super::{CLUSTER, snapshot, within};
use crate::codec::{
    Answer, AppendAnswer, HELLO_REST_BYTES, Hello, Outgoing, PEER_MAGIC, Request, StreamKind,
};
use crate::types::{Raft, TypeConfig, Vote};

/// How long a new connection may take to say what it is.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer of a few bytes may take to leave.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// As many answers as leave with one write.
const ANSWERS_MAX: usize = 16;

/// The answering side of all connections between nodes.
#[derive(Debug)]
pub(crate) struct PeerService {
    pub raft: Raft,
    pub machine: Arc<dyn Machine>,
    pub id: u64,
    pub chunk_timeout: Duration,
    /// Before this, votes wait: (1).
    pub votes_from: Instant,
    /// True once the node stops.
    pub stopping: watch::Receiver<bool>,
    pub newest: Mutex<BTreeMap<(u64, StreamKind), oneshot::Sender<()>>>,
}

impl PeerService {
    /// Serves a connection that begins with [`PEER_MAGIC`] until it ends. `already` is what has
    /// been read of it.
    pub(crate) async fn serve(&self, stream: Box<dyn Stream>, already: &[u8]) {
        let mut connection = Connection::new(stream, BytesMut::from(already));
        let hello = match within(HELLO_TIMEOUT, self.read_hello(&mut connection.reader)).await {
            Ok(hello) => hello,
            Err(error) => {
                tracing::warn!(%error, "refuses a connection from a node");
                return;
            }
        };
        let (keep, replaced) = oneshot::channel();
        self.newest.lock().insert((hello.sender, hello.kind), keep); // (2)
        let mut stopping = self.stopping.clone();
        tokio::select! {
            biased;
            () = crate::leadership::stopped(&mut stopping) => {}
            _ = replaced => {}
            ended = self.serve_kind(hello.kind, connection) => {
                if let Err(error) = ended {
                    let (sender, kind) = (hello.sender, hello.kind);
                    tracing::debug!(sender, ?kind, %error, "connection ended");
                }
            }
        }
    }

    async fn read_hello(&self, reader: &mut FrameReader) -> io::Result<Hello> {
        if reader.bytes(8).await?[..] != PEER_MAGIC.to_le_bytes() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no node's first word"));
        }
        let hello = Hello::decode(reader.bytes(HELLO_REST_BYTES).await?)?;
        if hello.cluster != CLUSTER || hello.receiver != self.id {
            let message = format!("{hello:?} is not for node {}", self.id);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(hello)
    }

    async fn serve_kind(&self, kind: StreamKind, mut connection: Connection) -> io::Result<()> {
        match kind {
            StreamKind::Append => self.serve_appends(connection).await,
            StreamKind::Unary | StreamKind::Heartbeat => self.serve_unary(&mut connection).await,
            StreamKind::Snapshot => snapshot::receive(self, &mut connection).await,
        }
    }

    async fn serve_appends(&self, connection: Connection) -> io::Result<()> {
        let Connection { reader, mut writer } = connection;
        // Openraft reads its input in a task of its own: that one ends with this future.
        let (_alive, ended) = oneshot::channel::<()>();
        let requests = futures::stream::unfold(reader, next_append).take_until(ended);
        let answers = self.raft.stream_append(Box::pin(requests));
        let mut answers = std::pin::pin!(answers.ready_chunks(ANSWERS_MAX));
        while let Some(ready) = answers.next().await {
            let mut outgoing = Outgoing::default();
            for answer in ready {
                let answer = answer.map_err(|error| io::Error::other(error.to_string()))?;
                outgoing.append(Answer::Append(AppendAnswer::from(answer)).encode());
            }
            within(ANSWER_TIMEOUT, writer.write_all(outgoing)).await?;
        }
        Ok(())
    }

    async fn serve_unary(&self, connection: &mut Connection) -> io::Result<()> {
        let Connection { reader, writer } = connection;
        while let Some(frame) = reader.next().await? {
            let answer = self.answer(Request::decode(frame)?).await?;
            write_answer(writer, &answer).await?;
        }
        Ok(())
    }

    async fn answer(&self, request: Request) -> io::Result<Answer> {
        let stopped = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
        Ok(match request {
            Request::Vote(request) => {
                self.wait_for_votes(&request).await;
                Answer::Vote(self.raft.vote(request).await.map_err(|error| stopped(&error))?)
            }
            Request::PreVote(request) => {
                self.wait_for_votes(&request).await;
                Answer::Vote(self.raft.pre_vote(request).await.map_err(|error| stopped(&error))?)
            }
            Request::Append(request) => {
                let previous = request.prev_log_id;
                let last = request.entries.last().map(|entry| entry.log_id).or(previous);
                let response = self.raft.append_entries(request).await;
                let response = response.map_err(|error| stopped(&error))?;
                let answer = AppendAnswer::from_response(response, previous, last);
                Answer::Append(answer.ok_or(io::ErrorKind::InvalidData)?)
            }
            Request::Transfer(request) => Answer::Transfer(
                self.raft.handle_transfer_leader(request).await.map_err(|error| stopped(&error))?,
            ),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "not a single request")),
        })
    }

    async fn wait_for_votes(&self, request: &VoteRequest<TypeConfig>) {
        if !request.leadership_transfer {
            tokio::time::sleep_until(self.votes_from).await; // (1)
        }
    }

    pub(super) fn current_vote(&self) -> Vote {
        use openraft::async_runtime::watch::WatchReceiver;
        self.raft.metrics().borrow_watched().vote
    }
}

async fn write_answer(writer: &mut FrameWriter, answer: &Answer) -> io::Result<()> {
    within(ANSWER_TIMEOUT, writer.write_all(answer.encode())).await
}

async fn next_append(
    mut reader: FrameReader,
) -> Option<(AppendEntriesRequest<TypeConfig>, FrameReader)> {
    match reader.next().await.and_then(|frame| Ok(frame.map(Request::decode).transpose()?)) {
        Ok(Some(Request::Append(request))) => Some((request, reader)),
        Ok(None) => None,
        Ok(Some(_)) => {
            tracing::warn!("a stream of appends holds something else");
            None
        }
        Err(error) => {
            tracing::debug!(%error, "a stream of appends broke off");
            None
        }
    }
}
