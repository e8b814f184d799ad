//! One group commit as bytes: records in, a sealed and padded batch out, and back.

use crate::buffer::Buffer;
use crate::entry::{Entry, EntryKind, Position, Vote};
use crate::format::{
    BATCH_HEADER_BYTES, BatchHeader, FLAG_FIRST, KIND_OPENING, KIND_PURGE, KIND_TRUNCATE,
    KIND_VOTE, OPENING_BYTES, Opening, RECORD_ALIGN, RECORD_HEADER_BYTES, RecordHeader, Seed,
    SegmentHeader, entry_kind_byte,
};

/// What a batch is made of.
#[derive(Clone, Debug)]
pub enum Record {
    Opening(Opening),
    Entry(Entry),
    Vote(Vote),
    Truncate(Option<Position>),
    Purge(Position),
}

impl Record {
    /// What the record takes in a batch, with its padding.
    pub fn stored_bytes(&self) -> usize {
        match self {
            Self::Opening(_) => RECORD_HEADER_BYTES + OPENING_BYTES,
            Self::Entry(entry) => Self::entry_bytes(entry),
            Self::Vote(_) | Self::Truncate(_) | Self::Purge(_) => RECORD_HEADER_BYTES,
        }
    }

    /// The same for an entry.
    pub fn entry_bytes(entry: &Entry) -> usize {
        (RECORD_HEADER_BYTES + entry.payload_bytes()).next_multiple_of(RECORD_ALIGN)
    }

    fn encode(&self, buffer: &mut Buffer) -> Span {
        let start = buffer.len();
        buffer.zeros(RECORD_HEADER_BYTES);
        let (kind, flags, position) = match self {
            Self::Opening(opening) => {
                buffer.extend(&opening.payload());
                (KIND_OPENING, opening.flags(), opening.previous.unwrap_or_default())
            }
            Self::Entry(entry) => {
                entry.payload.iter().for_each(|part| buffer.extend(part));
                (entry_kind_byte(entry.kind), 0, entry.position)
            }
            Self::Vote(vote) => {
                let flags = if vote.committed { FLAG_FIRST } else { 0 };
                (KIND_VOTE, flags, Position { term: vote.term, index: vote.voted_for })
            }
            Self::Truncate(keep) => {
                let flags = if keep.is_some() { FLAG_FIRST } else { 0 };
                (KIND_TRUNCATE, flags, keep.unwrap_or_default())
            }
            Self::Purge(upto) => (KIND_PURGE, 0, *upto),
        };
        let length = buffer.len() - start;
        RecordHeader::seal(&mut buffer.bytes_mut()[start..], kind, flags, position);
        buffer.pad(RECORD_ALIGN);
        Span { offset: start, length }
    }
}

/// Where a record lies in its batch, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub offset: usize,
    pub length: usize,
}

/// The bytes of a batch of `records`, unpadded.
pub fn batch_bytes<'a>(records: impl IntoIterator<Item = &'a Record>) -> usize {
    BATCH_HEADER_BYTES + records.into_iter().map(Record::stored_bytes).sum::<usize>()
}

/// Writes `records` into `buffer` as one padded batch. `header`'s length and count are set here.
/// Gives the batch's checksum and where each record lies.
pub fn encode_batch(
    buffer: &mut Buffer,
    mut header: BatchHeader,
    segment: &SegmentHeader,
    records: &[Record],
) -> (u32, Vec<Span>) {
    let length = batch_bytes(records);
    buffer.reset(length.next_multiple_of(segment.block_bytes));
    buffer.zeros(BATCH_HEADER_BYTES);
    let spans = records.iter().map(|record| record.encode(buffer)).collect();
    debug_assert_eq!(buffer.len(), length);
    header.length = length as u32;
    header.record_count = records.len() as u32;
    let crc = header.seal(buffer.bytes_mut(), &segment.seed());
    buffer.pad(segment.block_bytes);
    (crc, spans)
}

/// A record as found in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Opening(Opening),
    Entry { position: Position, kind: EntryKind, span: Span },
    Vote(Vote),
    Truncate(Option<Position>),
    Purge(Position),
}

/// A batch that was read back whole.
#[derive(Clone, Debug)]
pub struct Batch {
    pub header: BatchHeader,
    pub crc: u32,
    pub records: Vec<Found>,
}

impl Batch {
    /// The batch at the beginning of `bytes`, if every checksum is right and every record known.
    /// Spans count from the beginning of `bytes`.
    pub fn decode(bytes: &[u8], seed: &Seed) -> Option<Self> {
        let (header, crc) = BatchHeader::verify(bytes, seed)?;
        let bytes = &bytes[..header.length as usize];
        let mut records = Vec::new();
        let mut offset = BATCH_HEADER_BYTES;
        while offset < bytes.len() {
            let record = RecordHeader::verify(&bytes[offset..])?;
            let length = RECORD_HEADER_BYTES + record.payload_bytes as usize;
            records.push(found(&record, Span { offset, length }, bytes)?);
            offset = (offset + length).next_multiple_of(RECORD_ALIGN);
        }
        (offset == bytes.len() && records.len() == header.record_count as usize).then_some(Self {
            header,
            crc,
            records,
        })
    }
}

fn found(header: &RecordHeader, span: Span, bytes: &[u8]) -> Option<Found> {
    let first = header.flags & FLAG_FIRST != 0;
    if let Some(kind) = header.entry_kind() {
        return Some(Found::Entry { position: header.position, kind, span });
    }
    let payload = &bytes[span.offset + RECORD_HEADER_BYTES..span.offset + span.length];
    match header.kind {
        KIND_OPENING => Opening::decode(header, payload).map(Found::Opening),
        KIND_VOTE => Some(Found::Vote(Vote {
            term: header.position.term,
            voted_for: header.position.index,
            committed: first,
        })),
        KIND_TRUNCATE => Some(Found::Truncate(first.then_some(header.position))),
        KIND_PURGE => Some(Found::Purge(header.position)),
        _ => None,
    }
}
