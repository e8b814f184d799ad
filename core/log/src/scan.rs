//! Reads the batches of one segment, and tells where they end and why.

use crate::batch::{Batch, Found};
use crate::format::{BatchHeader, SegmentHeader};

/// The batch that is expected next: what the one before it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The sequence of the batch before; 0 before the first.
    pub sequence: u64,
    /// Its checksum.
    pub crc: u32,
}

/// Why there are no more batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Where the first byte stands that belongs to no batch.
    pub offset: usize,
    /// The bytes of an unfinished batch there, as far as it can be told.
    pub torn_bytes: usize,
    /// A batch further on proves that one at `offset` was durable once: damage, not a torn tail.
    pub proven_damage: bool,
}

/// Walks over a segment's batches in order.
#[derive(Debug)]
pub struct SegmentReader<'a> {
    bytes: &'a [u8],
    header: SegmentHeader,
    offset: usize,
    first: bool,
    link: Link,
}

impl<'a> SegmentReader<'a> {
    /// Reads `bytes`, which begin with the block of `header`. `link` is the last batch of the
    /// segments before, as far as there was one.
    pub fn new(bytes: &'a [u8], header: SegmentHeader, link: Link) -> Self {
        Self { bytes, header, offset: header.block_bytes, first: true, link }
    }

    /// The next batch and its offset, or where and how the batches end.
    ///
    /// The first batch of a segment passes whatever came before it: the caller compares its link.
    pub fn next_batch(&mut self) -> Result<(usize, Batch), End> {
        let offset = self.offset;
        let rest = self.bytes.get(offset..).unwrap_or_default();
        let Some(batch) = Batch::decode(rest, &self.header.seed()).filter(|batch| self.fits(batch))
        else {
            return Err(self.end(rest));
        };
        let length = (batch.header.length as usize).next_multiple_of(self.header.block_bytes);
        self.offset = (offset + length).min(self.bytes.len());
        self.link = Link { sequence: batch.header.sequence, crc: batch.crc };
        self.first = false;
        Ok((offset, batch))
    }

    fn fits(&self, batch: &Batch) -> bool {
        let opening = matches!(batch.records.first(), Some(Found::Opening(_)));
        let openings = batch.records.iter().filter(|found| matches!(found, Found::Opening(_)));
        if openings.count() != usize::from(opening) || opening != self.first {
            return false;
        }
        let linked = batch.header.previous_crc == self.link.crc
            && Some(batch.header.sequence) == self.link.sequence.checked_add(1);
        (self.first || linked) && batch.header.durable < batch.header.sequence
    }

    fn end(&self, rest: &[u8]) -> End {
        let block = self.header.block_bytes;
        let torn = rest.get(..4) == Some(&crate::format::BATCH_MAGIC)
            && rest.len() >= 32
            && Some(crate::format::u64_at(rest, 24)) == self.link.sequence.checked_add(1);
        let claimed = if torn { crate::format::u32_at(rest, 8) as usize } else { 0 };
        let proven_damage = (block..rest.len()).step_by(block).any(|offset| {
            BatchHeader::verify(&rest[offset..], &self.header.seed())
                .is_some_and(|(header, _)| header.durable > self.link.sequence)
        });
        End { offset: self.offset, torn_bytes: claimed.min(rest.len()), proven_damage }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Record, encode_batch};
    use crate::buffer::Buffer;
    use crate::format::Opening;

    fn segment(header: SegmentHeader) -> Vec<u8> {
        let batch = BatchHeader {
            length: 0,
            record_count: 0,
            previous_crc: 0,
            sequence: 1,
            durable: 0,
            committed: None,
        };
        let mut buffer = Buffer::default();
        encode_batch(&mut buffer, batch, &header, &[Record::Opening(Opening::default())]);
        [&header.encode(), buffer.bytes()].concat()
    }

    /// Even where sequence and link of a stale batch are just what is expected.
    #[test]
    fn batches_of_a_files_earlier_life_never_pass() {
        let header = SegmentHeader { block_bytes: 512, sequence: 3, salt: 7 };
        let bytes = segment(header);
        let read = |header| SegmentReader::new(&bytes, header, Link::default()).next_batch();
        assert!(read(header).is_ok());
        assert!(read(SegmentHeader { salt: 8, ..header }).is_err());
        assert!(read(SegmentHeader { sequence: 4, ..header }).is_err());
    }
}
