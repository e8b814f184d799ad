//! Bytes on disk. The tables are in `docs/formats/log.md`; all numbers are little-endian.
//!
//! ```text
//!  segment:  header block | batch | padding | batch | padding | ...
//!  batch:    header 56 | record | record | ...      padded with zeros to the segment's block size
//!  record:   header 32 | payload                    padded with zeros to 8
//! ```

use crc_fast::{CrcAlgorithm, Digest};

use crate::entry::{EntryKind, Position, Vote};

/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;
/// Opens a segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"dqlitelg";
/// Opens a batch.
pub const BATCH_MAGIC: [u8; 4] = *b"btch";
/// The used part of the header block, the checksum being its last four bytes.
pub const SEGMENT_HEADER_BYTES: usize = 36;
/// Before the records of a batch.
pub const BATCH_HEADER_BYTES: usize = 56;
/// Before the payload of a record.
pub const RECORD_HEADER_BYTES: usize = 32;
/// The payload of an opening record.
pub const OPENING_BYTES: usize = 32;
/// Records begin at multiples of this within a batch.
pub const RECORD_ALIGN: usize = 8;
/// The smallest block, so that a sector is never shared between batches.
pub const BLOCK_BYTES_MIN: usize = 512;
/// The largest block, and the alignment of every buffer in memory.
pub const BLOCK_BYTES_MAX: usize = 4096;
/// The largest payload of an entry.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// The highest index, so that one more can always be counted.
pub const INDEX_MAX: u64 = u64::MAX - 1;

const _: () = assert!(SEGMENT_HEADER_BYTES == 8 + 4 + 4 + 8 + 8 + 4);
const _: () = assert!(BATCH_HEADER_BYTES == 4 * 6 + 8 * 4);
const _: () = assert!(RECORD_HEADER_BYTES == 4 + 4 + 8 + 8 + 8);
const _: () = assert!(OPENING_BYTES == 4 * 8);
const _: () = assert!(BATCH_HEADER_BYTES.is_multiple_of(RECORD_ALIGN));
const _: () = assert!(RECORD_HEADER_BYTES.is_multiple_of(RECORD_ALIGN));
const _: () = assert!(SEGMENT_HEADER_BYTES <= BLOCK_BYTES_MIN);
const _: () = assert!(BLOCK_BYTES_MIN.is_multiple_of(RECORD_ALIGN));
const _: () = assert!(PAYLOAD_BYTES_MAX + (1 << 20) < u32::MAX as usize);

/// The checksum of `parts`, one after the other: CRC-32C.
pub fn crc32c<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    for part in parts {
        digest.update(part);
    }
    digest.finalize() as u32
}

pub fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(value)
}

pub fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(value)
}

fn position_at(bytes: &[u8], offset: usize) -> Position {
    Position { term: u64_at(bytes, offset), index: u64_at(bytes, offset + 8) }
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}

fn put_position(bytes: &mut [u8], offset: usize, position: Position) {
    put(bytes, offset, &position.term.to_le_bytes());
    put(bytes, offset + 8, &position.index.to_le_bytes());
}

/// What stands in a segment's first block. Written and synced before the file gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Batches begin at multiples of this.
    pub block_bytes: usize,
    /// The segment's number, also in the file's name.
    pub sequence: u64,
    /// Random.
    pub salt: u64,
}

/// What the checksum of every batch of a segment begins with, so that bytes of the file's earlier
/// life never pass: the salt, and the sequence lest randomness repeats itself.
pub type Seed = [u8; 16];

/// Why a block is not a segment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHeader {
    /// Not one, or not whole.
    Invalid,
    /// Whole, but of another version of the format.
    Version(u32),
}

impl SegmentHeader {
    pub fn seed(&self) -> Seed {
        let mut seed = [0; 16];
        put(&mut seed, 0, &self.salt.to_le_bytes());
        put(&mut seed, 8, &self.sequence.to_le_bytes());
        seed
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut block = vec![0; self.block_bytes];
        put(&mut block, 0, &SEGMENT_MAGIC);
        put(&mut block, 8, &VERSION.to_le_bytes());
        put(&mut block, 12, &(self.block_bytes as u32).to_le_bytes());
        put(&mut block, 16, &self.sequence.to_le_bytes());
        put(&mut block, 24, &self.salt.to_le_bytes());
        let crc = crc32c([&block[..32]]);
        put(&mut block, 32, &crc.to_le_bytes());
        block
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        if bytes.len() < SEGMENT_HEADER_BYTES
            || bytes[..8] != SEGMENT_MAGIC
            || crc32c([&bytes[..32]]) != u32_at(bytes, 32)
        {
            return Err(BadHeader::Invalid);
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(BadHeader::Version(version));
        }
        let block_bytes = u32_at(bytes, 12) as usize;
        if !block_bytes.is_power_of_two()
            || !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&block_bytes)
        {
            return Err(BadHeader::Invalid);
        }
        Ok(Self { block_bytes, sequence: u64_at(bytes, 16), salt: u64_at(bytes, 24) })
    }
}

/// What stands before the records of one flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// This header and the records, without padding.
    pub length: u32,
    /// How many records follow.
    pub record_count: u32,
    /// The checksum of the batch before, over segments.
    pub previous_crc: u32,
    /// The batch's number, over segments, from 1.
    pub sequence: u64,
    /// The newest batch that was known durable when this one was written.
    pub durable: u64,
    /// A position known to be committed: a hint.
    pub committed: Option<Position>,
}

const BATCH_HAS_COMMITTED: u32 = 1;

impl BatchHeader {
    /// Fills the header in at the beginning of `batch`, whose records are in place, and gives the
    /// checksum.
    pub fn seal(&self, batch: &mut [u8], seed: &Seed) -> u32 {
        debug_assert_eq!(batch.len(), self.length as usize);
        let flags = if self.committed.is_some() { BATCH_HAS_COMMITTED } else { 0 };
        put(batch, 0, &BATCH_MAGIC);
        put(batch, 8, &self.length.to_le_bytes());
        put(batch, 12, &self.record_count.to_le_bytes());
        put(batch, 16, &self.previous_crc.to_le_bytes());
        put(batch, 20, &flags.to_le_bytes());
        put(batch, 24, &self.sequence.to_le_bytes());
        put(batch, 32, &self.durable.to_le_bytes());
        put_position(batch, 40, self.committed.unwrap_or_default());
        let crc = crc32c([&seed[..], &batch[8..]]);
        put(batch, 4, &crc.to_le_bytes());
        crc
    }

    /// The header at the beginning of `bytes` with the checksum it states, nothing verified but
    /// that `length` lies within `bytes`.
    pub fn peek(bytes: &[u8]) -> Option<(Self, u32)> {
        if bytes.len() < BATCH_HEADER_BYTES || bytes[..4] != BATCH_MAGIC {
            return None;
        }
        let header = Self {
            length: u32_at(bytes, 8),
            record_count: u32_at(bytes, 12),
            previous_crc: u32_at(bytes, 16),
            sequence: u64_at(bytes, 24),
            durable: u64_at(bytes, 32),
            committed: (u32_at(bytes, 20) & BATCH_HAS_COMMITTED != 0)
                .then(|| position_at(bytes, 40)),
        };
        let length = header.length as usize;
        (BATCH_HEADER_BYTES..=bytes.len()).contains(&length).then_some((header, u32_at(bytes, 4)))
    }

    /// The header of a batch whose checksum is right, and that checksum.
    pub fn verify(bytes: &[u8], seed: &Seed) -> Option<(Self, u32)> {
        let (header, crc) = Self::peek(bytes)?;
        let covered = &bytes[8..header.length as usize];
        (crc32c([&seed[..], covered]) == crc).then_some((header, crc))
    }
}

/// The state of the log where a segment begins: the first record of its first batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// The last entry before the segment, or what was purged last.
    pub previous: Option<Position>,
    /// The vote in force.
    pub vote: Option<Vote>,
    /// The last purged position.
    pub purged: Option<Position>,
}

/// What a record's header says. `position` has other meanings for other kinds: see the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    pub payload_bytes: u32,
    pub crc: u32,
    pub kind: u8,
    pub flags: u8,
    pub position: Position,
}

pub const KIND_BLANK: u8 = 1;
pub const KIND_COMMAND: u8 = 2;
pub const KIND_MEMBERSHIP: u8 = 3;
pub const KIND_VOTE: u8 = 4;
pub const KIND_TRUNCATE: u8 = 5;
pub const KIND_PURGE: u8 = 6;
pub const KIND_OPENING: u8 = 7;

/// A position is given (truncate, opening), or the vote is committed (vote).
pub const FLAG_FIRST: u8 = 1;
/// Opening: a vote is given.
pub const FLAG_VOTE: u8 = 2;
/// Opening: that vote is committed.
pub const FLAG_VOTE_COMMITTED: u8 = 4;
/// Opening: a purged position is given.
pub const FLAG_PURGED: u8 = 8;

impl RecordHeader {
    /// Fills in the header at the beginning of `record`, whose payload is in place.
    pub fn seal(record: &mut [u8], kind: u8, flags: u8, position: Position) {
        let payload_bytes = (record.len() - RECORD_HEADER_BYTES) as u32;
        put(record, 0, &payload_bytes.to_le_bytes());
        put(record, 8, &[kind, flags, 0, 0, 0, 0, 0, 0]);
        put_position(record, 16, position);
        let crc = crc32c([&record[8..]]);
        put(record, 4, &crc.to_le_bytes());
    }

    /// The header at the beginning of `bytes`, if the record lies within them and its checksum is
    /// right.
    pub fn verify(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < RECORD_HEADER_BYTES {
            return None;
        }
        let header = Self {
            payload_bytes: u32_at(bytes, 0),
            crc: u32_at(bytes, 4),
            kind: bytes[8],
            flags: bytes[9],
            position: position_at(bytes, 16),
        };
        let end = RECORD_HEADER_BYTES.checked_add(header.payload_bytes as usize)?;
        (end <= bytes.len() && crc32c([&bytes[8..end]]) == header.crc).then_some(header)
    }

    /// The kind of entry, if the record is one.
    pub fn entry_kind(&self) -> Option<EntryKind> {
        match self.kind {
            KIND_BLANK => Some(EntryKind::Blank),
            KIND_COMMAND => Some(EntryKind::Command),
            KIND_MEMBERSHIP => Some(EntryKind::Membership),
            _ => None,
        }
    }
}

/// The record kind of an entry.
pub fn entry_kind_byte(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Blank => KIND_BLANK,
        EntryKind::Command => KIND_COMMAND,
        EntryKind::Membership => KIND_MEMBERSHIP,
    }
}

impl Opening {
    pub fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.previous.is_some() {
            flags |= FLAG_FIRST;
        }
        if let Some(vote) = self.vote {
            flags |= FLAG_VOTE;
            if vote.committed {
                flags |= FLAG_VOTE_COMMITTED;
            }
        }
        if self.purged.is_some() {
            flags |= FLAG_PURGED;
        }
        flags
    }

    pub fn payload(&self) -> [u8; OPENING_BYTES] {
        let mut payload = [0; OPENING_BYTES];
        let vote = self.vote.unwrap_or_default();
        put(&mut payload, 0, &vote.term.to_le_bytes());
        put(&mut payload, 8, &vote.voted_for.to_le_bytes());
        put_position(&mut payload, 16, self.purged.unwrap_or_default());
        payload
    }

    pub fn decode(header: &RecordHeader, payload: &[u8]) -> Option<Self> {
        if payload.len() != OPENING_BYTES {
            return None;
        }
        let has = |flag| header.flags & flag != 0;
        let opening = Self {
            previous: has(FLAG_FIRST).then_some(header.position),
            vote: has(FLAG_VOTE).then(|| Vote {
                term: u64_at(payload, 0),
                voted_for: u64_at(payload, 8),
                committed: has(FLAG_VOTE_COMMITTED),
            }),
            purged: has(FLAG_PURGED).then(|| position_at(payload, 16)),
        };
        let in_range = opening.previous.is_none_or(|previous| previous.index <= INDEX_MAX);
        let in_order = opening.purged.is_none_or(|purged| {
            opening.previous.is_some_and(|previous| previous.index >= purged.index)
        });
        (in_range && in_order).then_some(opening)
    }
}
