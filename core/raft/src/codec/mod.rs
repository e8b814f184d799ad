//! The bytes of everything that passes between nodes, as `docs/formats/peer-protocol.md` draws it.
//!
//! Nothing here trusts what it reads: a field that is cut short, out of range or in contradiction
//! with another is a [`DecodeError`], never a panic. Payloads are slices of what was read.

mod frame;
mod hello;
mod membership;
mod message;

pub(crate) use frame::{Frame, FrameBuilder, Outgoing, parse_frame};
pub(crate) use hello::{HELLO_REST_BYTES, Hello, StreamKind};
pub(crate) use membership::{decode_membership, encode_membership};
pub(crate) use message::{Answer, AppendAnswer, Request};

use bytes::{Buf, Bytes, BytesMut};
use dqlite_engine::Position;

use crate::types::{self, LogId, Vote};

pub use hello::PEER_MAGIC;

/// Bytes that cannot be what they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("message is cut short")]
    Short,
    #[error("message has bytes left over")]
    Long,
    #[error("checksum does not match")]
    Checksum,
    #[error("frame of {0} bytes is longer than allowed")]
    TooLong(u32),
    #[error("{0} is out of range")]
    Range(&'static str),
}

impl From<DecodeError> for std::io::Error {
    fn from(error: DecodeError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

type Decoded<T> = Result<T, DecodeError>;

/// Takes fields off the front of a message.
struct Reader {
    bytes: Bytes,
}

impl Reader {
    fn need(&self, count: usize) -> Decoded<()> {
        if self.bytes.len() < count { Err(DecodeError::Short) } else { Ok(()) }
    }

    fn u8(&mut self) -> Decoded<u8> {
        self.need(1)?;
        Ok(self.bytes.get_u8())
    }

    fn u16(&mut self) -> Decoded<u16> {
        self.need(2)?;
        Ok(self.bytes.get_u16_le())
    }

    fn u32(&mut self) -> Decoded<u32> {
        self.need(4)?;
        Ok(self.bytes.get_u32_le())
    }

    fn u64(&mut self) -> Decoded<u64> {
        self.need(8)?;
        Ok(self.bytes.get_u64_le())
    }

    fn bool(&mut self, name: &'static str) -> Decoded<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Range(name)),
        }
    }

    fn bytes(&mut self, count: usize) -> Decoded<Bytes> {
        self.need(count)?;
        Ok(self.bytes.split_to(count))
    }

    fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }

    fn finish<T>(self, value: T) -> Decoded<T> {
        if self.bytes.is_empty() { Ok(value) } else { Err(DecodeError::Long) }
    }

    fn log_id_or_none(&mut self) -> Decoded<Option<LogId>> {
        let position = Position { term: self.u64()?, index: self.u64()? };
        if position.index == 0 && position.term != 0 {
            return Err(DecodeError::Range("position"));
        }
        Ok(types::log_id_or_none(position))
    }

    fn log_id(&mut self) -> Decoded<LogId> {
        self.log_id_or_none()?.ok_or(DecodeError::Range("position"))
    }

    fn vote(&mut self) -> Decoded<Vote> {
        Ok(types::vote(self.u64()?, self.u64()?, self.bool("vote")?))
    }
}

fn put_log_id(to: &mut BytesMut, id: Option<LogId>) {
    use bytes::BufMut;
    let position = types::position_or_zero(id);
    to.put_u64_le(position.term);
    to.put_u64_le(position.index);
}

fn put_vote(to: &mut BytesMut, vote: &Vote) {
    use bytes::BufMut;
    to.put_u64_le(vote.leader_id.term);
    to.put_u64_le(vote.leader_id.voted_for);
    to.put_u8(vote.committed.into());
}

#[cfg(test)]
mod tests;
