//! The reader of segments, fed with anything.

use crate::recovery::Recovery;
use crate::segment::segment_name;

/// Reads `bytes` as a folder of segments. The first four bytes, and any four behind a whole
/// segment, are the length of the next one.
///
/// It must neither panic nor run away, and what it accepts must hold together.
pub fn recover(mut bytes: &[u8]) {
    let mut recovery = Recovery::default();
    let mut sequence = 0;
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = (u32::from_le_bytes(*length) as usize).min(rest.len());
        let (segment, rest) = rest.split_at(length);
        sequence += 1;
        if recovery.segment(&segment_name(sequence), sequence, segment).is_err() {
            return;
        }
        bytes = rest;
    }
    if let Ok(recovery) = recovery.finish() {
        let index = &recovery.index;
        if let (Some(first), Some(last)) = (index.first(), index.last()) {
            assert!(first.index <= last.index && first.term <= last.term);
            assert!(index.slot(first.index).is_some() && index.slot(last.index).is_some());
            assert!(index.purged().is_none_or(|purged| purged.index < first.index));
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::batch::{Record, encode_batch};
    use crate::buffer::Buffer;
    use crate::entry::{Entry, EntryKind, Position, Vote};
    use crate::format::{BatchHeader, Opening, SegmentHeader};
    use crate::scan::Link;

    /// A folder whose checksums are right and whose records are nonsense.
    fn folder(rng: &mut SmallRng) -> Vec<u8> {
        let mut folder = Vec::new();
        let mut link = Link::default();
        for sequence in 1..=rng.random_range(1..4) {
            let header = SegmentHeader { block_bytes: 512, sequence, salt: rng.random() };
            let mut segment = header.encode();
            for number in 0..rng.random_range(0..5) {
                let mut records: Vec<_> =
                    (0..rng.random_range(0..4)).map(|_| record(rng)).collect();
                if number == 0 {
                    records.insert(0, Record::Opening(opening(rng)));
                }
                let batch = BatchHeader {
                    length: 0,
                    record_count: 0,
                    previous_crc: link.crc,
                    sequence: link.sequence + 1,
                    durable: link.sequence,
                    committed: rng.random_bool(0.5).then(|| position(rng)),
                };
                let mut buffer = Buffer::default();
                let (crc, _) = encode_batch(&mut buffer, batch, &header, &records);
                link = Link { sequence: link.sequence + 1, crc };
                segment.extend_from_slice(buffer.bytes());
            }
            folder.extend_from_slice(&(segment.len() as u32).to_le_bytes());
            folder.extend(segment);
        }
        folder
    }

    fn position(rng: &mut SmallRng) -> Position {
        match rng.random_range(0..20) {
            0 => Position { term: rng.random(), index: u64::MAX - rng.random_range(0..3) },
            _ => Position { term: rng.random_range(0..2), index: rng.random_range(0..4) },
        }
    }

    fn opening(rng: &mut SmallRng) -> Opening {
        if rng.random() {
            return Opening::default();
        }
        let purged = rng.random_bool(0.5).then(|| position(rng));
        Opening { previous: Some(position(rng)), vote: None, purged }
    }

    fn record(rng: &mut SmallRng) -> Record {
        match rng.random_range(0..6) {
            0 => Record::Vote(Vote { term: rng.random(), voted_for: 1, committed: rng.random() }),
            1 => Record::Truncate(rng.random_bool(0.8).then(|| position(rng))),
            2 => Record::Purge(position(rng)),
            _ => {
                let payload = vec![vec![1; rng.random_range(0..700)].into()];
                let kind = EntryKind::Command;
                Record::Entry(Entry { position: position(rng), kind, payload })
            }
        }
    }

    #[test]
    fn random_segments_neither_panic_nor_pass_as_nonsense() {
        for seed in 0..20_000 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let mut bytes = folder(&mut rng);
            for _ in 0..rng.random_range(0..3) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
            }
            recover(&bytes);
        }
    }
}
