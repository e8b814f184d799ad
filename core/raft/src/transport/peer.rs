//! One other node, as openraft's tasks see it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use openraft::alias::SnapshotOf;
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, stream_append_sequential};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};

use super::connection::Connection;
use super::pipeline::Pipeline;
use super::{PeerContext, snapshot, within};
use crate::codec::{Answer, AppendAnswer, Request, StreamKind};
use crate::machine::SnapshotHandle;
use crate::member::MemberInfo;
use crate::types::{TypeConfig, Vote};

type Rpc<T> = Result<T, RPCError<TypeConfig>>;

/// Makes a [`Peer`] for whoever openraft wants to talk to.
#[derive(Clone, Debug)]
pub(crate) struct PeerFactory {
    pub context: Arc<PeerContext>,
}

/// A node to talk to, and the connections that are kept for it.
#[derive(Debug)]
pub(crate) struct Peer {
    context: Arc<PeerContext>,
    target: u64,
    address: String,
    /// What single requests travel on.
    unary_kind: StreamKind,
    /// Connections whose last exchange was completed.
    idle_unary: Option<Connection>,
    idle_append: Option<Connection>,
}

impl PeerFactory {
    fn peer(&self, target: u64, node: &MemberInfo, unary_kind: StreamKind) -> Peer {
        Peer {
            context: self.context.clone(),
            target,
            address: node.address.clone(),
            unary_kind,
            idle_unary: None,
            idle_append: None,
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for PeerFactory {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &MemberInfo) -> Peer {
        self.peer(target, node, StreamKind::Unary)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &MemberInfo) -> Peer {
        self.peer(target, node, StreamKind::Heartbeat)
    }
}

pub(super) fn unreachable(error: &io::Error) -> RPCError<TypeConfig> {
    RPCError::Unreachable(Unreachable::new(error))
}

pub(super) fn broken(error: &io::Error) -> RPCError<TypeConfig> {
    RPCError::Network(NetworkError::new(error))
}

fn unexpected() -> RPCError<TypeConfig> {
    broken(&io::Error::new(io::ErrorKind::InvalidData, "answer to another question"))
}

impl Peer {
    async fn exchange(&mut self, request: &Request) -> io::Result<Answer> {
        // A kept connection may have died with the other node's last life: that says nothing
        // about the present one.
        if let Some(mut connection) = self.idle_unary.take()
            && let Ok(answer) = connection.exchange(request).await
        {
            self.idle_unary = Some(connection);
            return Ok(answer);
        }
        let mut connection = self.context.dial(self.target, &self.address, self.unary_kind).await?;
        let answer = connection.exchange(request).await?;
        self.idle_unary = Some(connection);
        Ok(answer)
    }

    async fn call(&mut self, request: Request, limit: Duration) -> Rpc<Answer> {
        within(limit, self.exchange(&request)).await.map_err(|error| unreachable(&error))
    }

    async fn call_vote(
        &mut self,
        request: Request,
        option: RPCOption,
    ) -> Rpc<VoteResponse<TypeConfig>> {
        match self.call(request, option.soft_ttl()).await? {
            Answer::Vote(response) => Ok(response),
            _ => Err(unexpected()),
        }
    }
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = SnapshotHandle;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<AppendEntriesResponse<TypeConfig>> {
        let previous = request.prev_log_id;
        match self.call(Request::Append(request), option.soft_ttl()).await? {
            Answer::Append(AppendAnswer::Matching(matching)) => {
                Ok(AppendEntriesResponse::PartialSuccess(matching))
            }
            // Openraft takes a conflict without a previous position for impossible.
            Answer::Append(AppendAnswer::Conflict(_)) if previous.is_some() => {
                Ok(AppendEntriesResponse::Conflict)
            }
            Answer::Append(AppendAnswer::HigherVote(vote)) => {
                Ok(AppendEntriesResponse::HigherVote(vote))
            }
            _ => Err(unexpected()),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        mut input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Rpc<BoxStream<'s, Rpc<StreamAppendResult<TypeConfig>>>>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        if self.unary_kind == StreamKind::Heartbeat {
            return stream_append_sequential(self, input, option);
        }
        Box::pin(async move {
            // Openraft waits between attempts inside `input`: to dial before it was polled would
            // be to dial a dead node without pause.
            let Some(first) = input.next().await else {
                return Ok(Box::pin(futures::stream::empty()) as BoxStream<'s, _>);
            };
            let kept = self.idle_append.take();
            let proven = kept.is_some();
            let connection = match kept {
                Some(connection) => connection,
                None => self
                    .context
                    .dial(self.target, &self.address, StreamKind::Append)
                    .await
                    .map_err(|error| unreachable(&error))?,
            };
            let slot = &mut self.idle_append;
            let pipeline = Pipeline::new(connection, proven, slot, first, input, &self.context);
            Ok(Box::pin(futures::stream::unfold(Some(pipeline), Pipeline::next))
                as BoxStream<'s, _>)
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<VoteResponse<TypeConfig>> {
        self.call_vote(Request::Vote(request), option).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<VoteResponse<TypeConfig>> {
        self.call_vote(Request::PreVote(request), option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<TypeConfig, SnapshotHandle>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let send = snapshot::send(&self.context, self.target, &self.address, vote, snapshot.meta);
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = send => match sent {
                Ok(vote) => Ok(SnapshotResponse::new(vote)),
                Err(error) => {
                    tracing::warn!(target = self.target, %error, "snapshot was not sent");
                    Err(StreamingError::Unreachable(Unreachable::new(&error)))
                }
            },
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<TransferLeaderResponse<TypeConfig>> {
        match self.call(Request::Transfer(request), option.soft_ttl()).await? {
            Answer::Transfer(response) => Ok(response),
            _ => Err(unexpected()),
        }
    }
}
