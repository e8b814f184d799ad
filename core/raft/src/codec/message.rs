//! Requests and answers.

use bytes::{BufMut, Bytes};
use openraft::entry::RaftEntry;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, StreamAppendError, StreamAppendResult,
    TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};

use super::{
    DecodeError, Decoded, Frame, FrameBuilder, Outgoing, Reader, decode_membership,
    encode_membership, put_log_id, put_vote,
};
use crate::types::{
    Command, Entry, EntryPayload, LogId, SnapshotMeta, StoredMembership, TypeConfig, Vote,
};

const VOTE: u8 = 1;
const PRE_VOTE: u8 = 2;
const APPEND: u8 = 3;
const TRANSFER: u8 = 4;
const SNAPSHOT_BEGIN: u8 = 5;
const SNAPSHOT_CHUNK: u8 = 6;
const SNAPSHOT_END: u8 = 7;
const ANSWER: u8 = 0x80;

const ENTRY_BLANK: u8 = 0;
const ENTRY_COMMAND: u8 = 1;
const ENTRY_MEMBERSHIP: u8 = 2;
/// Term, index, kind and length: what an entry without a payload takes.
const ENTRY_BYTES_MIN: usize = 21;

/// What a node asks of another.
#[derive(Debug)]
pub(crate) enum Request {
    Vote(VoteRequest<TypeConfig>),
    PreVote(VoteRequest<TypeConfig>),
    Append(AppendEntriesRequest<TypeConfig>),
    Transfer(TransferLeaderRequest<TypeConfig>),
    SnapshotBegin { vote: Vote, meta: SnapshotMeta },
    SnapshotChunk(Bytes),
    SnapshotEnd { chunks: u64, bytes: u64 },
}

impl Request {
    pub(crate) fn encode(&self) -> Outgoing {
        match self {
            Self::Vote(request) => encode_vote(VOTE, request),
            Self::PreVote(request) => encode_vote(PRE_VOTE, request),
            Self::Append(request) => encode_append(request),
            Self::Transfer(request) => {
                let mut frame = FrameBuilder::new(TRANSFER);
                put_vote(frame.fields(), request.from_leader());
                frame.fields().put_u64_le(*request.to_node_id());
                put_log_id(frame.fields(), request.last_log_id().copied());
                frame.finish()
            }
            Self::SnapshotBegin { vote, meta } => {
                let mut frame = FrameBuilder::new(SNAPSHOT_BEGIN);
                put_vote(frame.fields(), vote);
                put_log_id(frame.fields(), meta.last_log_id);
                put_log_id(frame.fields(), *meta.last_membership.log_id());
                let membership = encode_membership(meta.last_membership.membership());
                frame.fields().put_slice(&membership);
                frame.finish()
            }
            Self::SnapshotChunk(chunk) => {
                let mut frame = FrameBuilder::new(SNAPSHOT_CHUNK);
                frame.share(chunk);
                frame.finish()
            }
            Self::SnapshotEnd { chunks, bytes } => {
                let mut frame = FrameBuilder::new(SNAPSHOT_END);
                frame.fields().put_u64_le(*chunks);
                frame.fields().put_u64_le(*bytes);
                frame.finish()
            }
        }
    }

    pub(crate) fn decode(frame: Frame) -> Decoded<Self> {
        let mut from = Reader { bytes: frame.body };
        let request = match frame.kind {
            VOTE => Self::Vote(decode_vote(&mut from)?),
            PRE_VOTE => Self::PreVote(decode_vote(&mut from)?),
            APPEND => Self::Append(decode_append(&mut from)?),
            TRANSFER => Self::Transfer(TransferLeaderRequest::new(
                from.vote()?,
                from.u64()?,
                from.log_id_or_none()?,
            )),
            SNAPSHOT_BEGIN => {
                let vote = from.vote()?;
                let last = from.log_id()?;
                let membership_at = from.log_id_or_none()?;
                let membership = decode_membership(from.rest())?;
                if !vote.committed || *last.leader_id > vote.leader_id.term {
                    return Err(DecodeError::Range("snapshot's term"));
                }
                if membership_at > Some(last) {
                    return Err(DecodeError::Range("membership's position"));
                }
                let last_membership = StoredMembership::new(membership_at, membership);
                let meta = SnapshotMeta { last_log_id: Some(last), last_membership };
                Self::SnapshotBegin { vote, meta }
            }
            SNAPSHOT_CHUNK => Self::SnapshotChunk(from.rest()),
            SNAPSHOT_END => Self::SnapshotEnd { chunks: from.u64()?, bytes: from.u64()? },
            _ => return Err(DecodeError::Range("request kind")),
        };
        from.finish(request)
    }
}

/// The outcome of an append, which names the position it speaks of where openraft's does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AppendAnswer {
    /// The receiver's log agrees with the sender's up to here.
    Matching(Option<LogId>),
    /// The receiver's log holds something else, or nothing, here.
    Conflict(LogId),
    /// The receiver follows somebody else.
    HigherVote(Vote),
}

impl From<StreamAppendResult<TypeConfig>> for AppendAnswer {
    fn from(result: StreamAppendResult<TypeConfig>) -> Self {
        match result {
            Ok(matching) => Self::Matching(matching),
            Err(StreamAppendError::Conflict(at)) => Self::Conflict(at),
            Err(StreamAppendError::HigherVote(vote)) => Self::HigherVote(vote),
        }
    }
}

impl From<AppendAnswer> for StreamAppendResult<TypeConfig> {
    fn from(answer: AppendAnswer) -> Self {
        match answer {
            AppendAnswer::Matching(matching) => Ok(matching),
            AppendAnswer::Conflict(at) => Err(StreamAppendError::Conflict(at)),
            AppendAnswer::HigherVote(vote) => Err(StreamAppendError::HigherVote(vote)),
        }
    }
}

impl AppendAnswer {
    /// What `response` says about a request that reached from `previous` to `last`.
    pub(crate) fn from_response(
        response: AppendEntriesResponse<TypeConfig>,
        previous: Option<LogId>,
        last: Option<LogId>,
    ) -> Option<Self> {
        Some(match response {
            AppendEntriesResponse::Success => Self::Matching(last),
            AppendEntriesResponse::PartialSuccess(matching) => Self::Matching(matching),
            AppendEntriesResponse::Conflict => Self::Conflict(previous?),
            AppendEntriesResponse::HigherVote(vote) => Self::HigherVote(vote),
        })
    }
}

/// What comes back.
#[derive(Debug)]
pub(crate) enum Answer {
    Vote(VoteResponse<TypeConfig>),
    Append(AppendAnswer),
    Transfer(TransferLeaderResponse<TypeConfig>),
    Snapshot(Vote),
}

impl Answer {
    pub(crate) fn encode(&self) -> Outgoing {
        let mut frame = FrameBuilder::new(match self {
            Self::Vote(_) => ANSWER | VOTE,
            Self::Append(_) => ANSWER | APPEND,
            Self::Transfer(_) => ANSWER | TRANSFER,
            Self::Snapshot(_) => ANSWER | SNAPSHOT_END,
        });
        let to = frame.fields();
        match self {
            Self::Vote(response) => {
                put_vote(to, &response.vote);
                to.put_u8(response.vote_granted.into());
                put_log_id(to, response.last_log_id);
            }
            Self::Append(AppendAnswer::Matching(matching)) => {
                to.put_u8(0);
                put_log_id(to, *matching);
            }
            Self::Append(AppendAnswer::Conflict(at)) => {
                to.put_u8(1);
                put_log_id(to, Some(*at));
            }
            Self::Append(AppendAnswer::HigherVote(vote)) => {
                to.put_u8(2);
                put_vote(to, vote);
            }
            Self::Transfer(Ok(())) => to.put_u8(0),
            Self::Transfer(Err(TransferLeaderError::VoteChanged { expected, actual })) => {
                to.put_u8(1);
                put_vote(to, expected);
                put_vote(to, actual);
            }
            Self::Transfer(Err(TransferLeaderError::LogNotFlushed { expected, actual })) => {
                to.put_u8(2);
                put_log_id(to, *expected);
                put_log_id(to, *actual);
            }
            Self::Snapshot(vote) => put_vote(to, vote),
        }
        frame.finish()
    }

    pub(crate) fn decode(frame: Frame) -> Decoded<Self> {
        let mut from = Reader { bytes: frame.body };
        let answer = match frame.kind ^ ANSWER {
            VOTE => {
                let (vote, granted) = (from.vote()?, from.bool("granted")?);
                Self::Vote(VoteResponse::new(vote, from.log_id_or_none()?, granted))
            }
            APPEND => Self::Append(match from.u8()? {
                0 => AppendAnswer::Matching(from.log_id_or_none()?),
                1 => AppendAnswer::Conflict(from.log_id()?),
                2 => AppendAnswer::HigherVote(from.vote()?),
                _ => return Err(DecodeError::Range("append outcome")),
            }),
            TRANSFER => Self::Transfer(match from.u8()? {
                0 => Ok(()),
                1 => Err(TransferLeaderError::VoteChanged {
                    expected: from.vote()?,
                    actual: from.vote()?,
                }),
                2 => Err(TransferLeaderError::LogNotFlushed {
                    expected: from.log_id_or_none()?,
                    actual: from.log_id_or_none()?,
                }),
                _ => return Err(DecodeError::Range("transfer outcome")),
            }),
            SNAPSHOT_END => Self::Snapshot(from.vote()?),
            _ => return Err(DecodeError::Range("answer kind")),
        };
        from.finish(answer)
    }
}

fn encode_vote(kind: u8, request: &VoteRequest<TypeConfig>) -> Outgoing {
    let mut frame = FrameBuilder::new(kind);
    put_vote(frame.fields(), &request.vote);
    put_log_id(frame.fields(), request.last_log_id);
    frame.fields().put_u8(request.leadership_transfer.into());
    frame.finish()
}

fn decode_vote(from: &mut Reader) -> Decoded<VoteRequest<TypeConfig>> {
    let vote = from.vote()?;
    if vote.committed {
        return Err(DecodeError::Range("candidate's vote"));
    }
    let mut request = VoteRequest::new(vote, from.log_id_or_none()?);
    request.leadership_transfer = from.bool("transfer")?;
    Ok(request)
}

fn encode_append(request: &AppendEntriesRequest<TypeConfig>) -> Outgoing {
    let mut frame = FrameBuilder::new(APPEND);
    put_vote(frame.fields(), &request.vote);
    put_log_id(frame.fields(), request.prev_log_id);
    put_log_id(frame.fields(), request.leader_commit);
    frame.fields().put_u32_le(request.entries.len() as u32);
    for entry in &request.entries {
        put_log_id(frame.fields(), Some(entry.log_id()));
        match &entry.payload {
            EntryPayload::Blank => {
                frame.fields().put_u8(ENTRY_BLANK);
                frame.fields().put_u32_le(0);
            }
            EntryPayload::Normal(command) => {
                frame.fields().put_u8(ENTRY_COMMAND);
                frame.fields().put_u32_le(command.len_bytes() as u32);
                command.0.iter().for_each(|part| frame.share(part));
            }
            EntryPayload::Membership(membership) => {
                let bytes = encode_membership(membership);
                frame.fields().put_u8(ENTRY_MEMBERSHIP);
                frame.fields().put_u32_le(bytes.len() as u32);
                frame.fields().put_slice(&bytes);
            }
        }
    }
    frame.finish()
}

/// Openraft takes it for granted that entries follow each other without a gap and are not newer
/// than their leader; so this is where that is checked.
fn decode_append(from: &mut Reader) -> Decoded<AppendEntriesRequest<TypeConfig>> {
    let vote = from.vote()?;
    if !vote.committed {
        return Err(DecodeError::Range("leader's vote"));
    }
    let prev_log_id = from.log_id_or_none()?;
    let leader_commit = from.log_id_or_none()?;
    let newest = prev_log_id.max(leader_commit).map_or(0, |id| *id.leader_id);
    if newest > vote.leader_id.term {
        return Err(DecodeError::Range("position's term"));
    }
    let count = from.u32()? as usize;
    if count > from.bytes.len() / ENTRY_BYTES_MIN {
        return Err(DecodeError::Short);
    }
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    let mut before = prev_log_id;
    for _ in 0..count {
        let entry = decode_entry(from)?;
        let id = entry.log_id;
        let follows = before.map_or(id.index == 0, |before| {
            before.index.checked_add(1) == Some(id.index) && *before.leader_id <= *id.leader_id
        });
        if !follows || *id.leader_id > vote.leader_id.term {
            return Err(DecodeError::Range("entry's position"));
        }
        before = Some(id);
        entries.push(entry);
    }
    Ok(AppendEntriesRequest { vote, prev_log_id, entries, leader_commit })
}

fn decode_entry(from: &mut Reader) -> Decoded<Entry> {
    let id = from.log_id()?;
    let kind = from.u8()?;
    let length = from.u32()? as usize;
    let payload = from.bytes(length)?;
    let payload = match kind {
        ENTRY_BLANK if length == 0 => EntryPayload::Blank,
        ENTRY_COMMAND => EntryPayload::Normal(Command(vec![payload])),
        ENTRY_MEMBERSHIP => {
            let membership = decode_membership(payload)?;
            if membership.get_joint_config().is_empty() {
                return Err(DecodeError::Range("membership"));
            }
            EntryPayload::Membership(membership)
        }
        _ => return Err(DecodeError::Range("entry kind")),
    };
    Ok(Entry { log_id: id, payload })
}
