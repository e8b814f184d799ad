//! The first words on a connection between nodes.

use bytes::{BufMut, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, checksum};

use super::{DecodeError, Decoded, Reader};

/// The first eight bytes of every connection between nodes, little-endian: `DQLITEP1`.
///
/// Nodes and clients share a port, and a client's first word is its own protocol's version.
pub const PEER_MAGIC: u64 = u64::from_le_bytes(*b"DQLITEP1");

/// What follows the magic word.
pub(crate) const HELLO_REST_BYTES: usize = 36;

const VERSION: u32 = 1;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StreamKind {
    /// Appends, several of them unanswered at a time.
    Append,
    /// Votes and transfers, one at a time.
    Unary,
    /// Empty appends, one at a time.
    Heartbeat,
    /// One snapshot.
    Snapshot,
}

/// Who speaks to whom, and about what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub kind: StreamKind,
    pub cluster: u64,
    pub sender: u64,
    pub receiver: u64,
}

impl Hello {
    /// The magic word and all that follows it.
    pub(crate) fn encode(&self) -> Bytes {
        let mut to = BytesMut::with_capacity(8 + HELLO_REST_BYTES);
        to.put_u64_le(PEER_MAGIC);
        to.put_u32_le(VERSION);
        to.put_u32_le(match self.kind {
            StreamKind::Append => 1,
            StreamKind::Unary => 2,
            StreamKind::Heartbeat => 3,
            StreamKind::Snapshot => 4,
        });
        to.put_u64_le(self.cluster);
        to.put_u64_le(self.sender);
        to.put_u64_le(self.receiver);
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, &to[8..]) as u32;
        to.put_u32_le(crc);
        to.freeze()
    }

    /// Reads what follows the magic word.
    pub(crate) fn decode(rest: Bytes) -> Decoded<Self> {
        if rest.len() != HELLO_REST_BYTES {
            return Err(DecodeError::Short);
        }
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, &rest[..HELLO_REST_BYTES - 4]) as u32;
        let mut from = Reader { bytes: rest };
        if from.u32()? != VERSION {
            return Err(DecodeError::Range("version"));
        }
        let kind = match from.u32()? {
            1 => StreamKind::Append,
            2 => StreamKind::Unary,
            3 => StreamKind::Heartbeat,
            4 => StreamKind::Snapshot,
            _ => return Err(DecodeError::Range("stream kind")),
        };
        let hello = Self { kind, cluster: from.u64()?, sender: from.u64()?, receiver: from.u64()? };
        if from.u32()? != crc {
            return Err(DecodeError::Checksum);
        }
        from.finish(hello)
    }
}
