//! From the bytes of all segments to the state of the log. No I/O here.
//!
//! 1. Batches are linked by sequence and checksum over all segments. Where the link to the segment
//!    before is broken, something between them is missing or bad.
//! 2. A break is harmless exactly if all entries before it are purged: the segment behind the
//!    break opens with the last position before it, and what was purged at the end covers that.
//! 3. Behind the last good batch of the last segment that has one, nothing was acknowledged,
//!    unless a later batch in the same segment proves the contrary.

use crate::batch::{Batch, Found};
use crate::entry::{Position, Vote};
use crate::format::{BLOCK_BYTES_MIN, BadHeader, Opening, SegmentHeader};
use crate::index::{Impossible, Index, Place};
use crate::scan::{End, Link, SegmentReader};

/// Something that was acknowledged once cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file's name.
    pub segment: String,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// The first entry that is in doubt.
    pub index: u64,
    /// What is wrong.
    pub reason: &'static str,
}

/// Why segments make no log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Damaged(Damage),
    Version { segment: String, version: u32 },
}

/// A segment that holds batches.
#[derive(Clone, Debug)]
pub struct Used {
    pub name: String,
    pub header: SegmentHeader,
    /// The last position before it.
    pub previous: Option<Position>,
    /// Where its batches end, in bytes.
    pub end: u64,
}

/// Replays segments in the order of their numbers.
#[derive(Debug, Default)]
pub struct Recovery {
    pub index: Index,
    pub vote: Option<Vote>,
    pub committed: Option<Position>,
    pub link: Link,
    pub used: Vec<Used>,
    /// Files that hold no batch.
    pub unused: Vec<String>,
    pub torn_bytes: u64,
    /// What must be purged in the end, else the damage is real.
    floor: Option<(Position, Damage)>,
    /// Where reading ended, should more follow.
    stop: Option<Stop>,
}

/// An end of the batches that was met.
#[derive(Debug)]
struct Stop {
    damage: Damage,
    /// It is damage whatever follows.
    proven: bool,
    /// It stands in a segment without any batch.
    empty: bool,
}

impl Recovery {
    /// Takes in the file `name`, which must be number `sequence`.
    pub fn segment(&mut self, name: &str, sequence: u64, bytes: &[u8]) -> Result<(), Refused> {
        let header = match SegmentHeader::decode(bytes) {
            Ok(header) if header.sequence == sequence => header,
            Ok(_) => return Err(self.refuse(name, 0, "the header names another segment")),
            Err(BadHeader::Version(version)) => {
                return Err(Refused::Version { segment: name.to_owned(), version });
            }
            Err(BadHeader::Invalid) => {
                let rest = bytes.get(BLOCK_BYTES_MIN..).unwrap_or_default();
                if rest.iter().any(|byte| *byte != 0) {
                    return Err(self.refuse(name, 0, "the header is bad"));
                }
                self.unused.push(name.to_owned());
                return Ok(());
            }
        };
        let mut reader = SegmentReader::new(bytes, header, self.link);
        let mut first = true;
        loop {
            match reader.next_batch() {
                Ok((offset, batch)) => {
                    if first {
                        self.begin(name, header, &batch)?;
                        first = false;
                    }
                    self.batch(name, sequence, offset, &batch)?;
                }
                Err(end) => return self.end(name, first, end),
            }
        }
    }

    fn next_index(&self) -> u64 {
        self.index.last().map_or(0, |last| last.index.saturating_add(1))
    }

    fn damage(&self, name: &str, offset: usize, reason: &'static str) -> Damage {
        let index = self.next_index();
        Damage { segment: name.to_owned(), offset: offset as u64, index, reason }
    }

    fn refuse(&self, name: &str, offset: usize, reason: &'static str) -> Refused {
        Refused::Damaged(self.damage(name, offset, reason))
    }

    /// (1) Compares the first batch of a segment with what came before.
    fn begin(&mut self, name: &str, header: SegmentHeader, batch: &Batch) -> Result<(), Refused> {
        let Some(Found::Opening(opening)) = batch.records.first().copied() else {
            return Err(self.refuse(name, 0, "the segment does not open with its state"));
        };
        let linked = batch.header.previous_crc == self.link.crc
            && Some(batch.header.sequence) == self.link.sequence.checked_add(1);
        if !linked {
            if batch.header.sequence <= self.link.sequence {
                return Err(self.refuse(name, 0, "the segment repeats batches"));
            }
            self.resume(name, &opening);
        } else if (opening.previous, opening.vote, opening.purged)
            != (self.index.last(), self.vote, self.index.purged())
        {
            return Err(self.refuse(name, 0, "the segment opens with another state"));
        }
        self.stop = None;
        let previous = opening.previous;
        self.used.push(Used { name: name.to_owned(), header, previous, end: 0 });
        self.torn_bytes = 0;
        Ok(())
    }

    /// (2) Goes on behind a break with the state that the segment opens with.
    fn resume(&mut self, name: &str, opening: &Opening) {
        let damage = self.stop.take().map(|stop| stop.damage).unwrap_or_else(|| {
            let index = opening.purged.map_or(0, |purged| purged.index.saturating_add(1));
            let reason = "segments before it are missing";
            Damage { segment: name.to_owned(), offset: 0, index, reason }
        });
        self.floor = match (opening.previous, self.floor.take()) {
            (None, floor) => floor,
            (Some(previous), Some((floor, first))) => {
                Some((if previous.index > floor.index { previous } else { floor }, first))
            }
            (Some(previous), None) => Some((previous, damage)),
        };
        self.index = Index::starting_at(opening.previous, opening.purged);
        self.vote = opening.vote;
    }

    fn batch(
        &mut self,
        name: &str,
        sequence: u64,
        offset: usize,
        batch: &Batch,
    ) -> Result<(), Refused> {
        for found in &batch.records {
            self.record(sequence, offset, batch.header.sequence, found)
                .map_err(|Impossible(reason)| self.refuse(name, offset, reason))?;
        }
        self.committed = batch.header.committed.or(self.committed);
        self.link = Link { sequence: batch.header.sequence, crc: batch.crc };
        Ok(())
    }

    fn record(
        &mut self,
        segment: u64,
        offset: usize,
        batch: u64,
        found: &Found,
    ) -> Result<(), Impossible> {
        match *found {
            Found::Opening(_) => {}
            Found::Entry { position, kind, span } => {
                let offset = (offset + span.offset) as u64;
                let place = Place { segment, offset, length: span.length, batch };
                self.index.push(position, kind, None, Some(place))?;
            }
            Found::Vote(vote) => self.vote = Some(vote),
            Found::Truncate(keep) => self.index.replay_truncate(keep)?,
            Found::Purge(upto) => {
                self.index.purge(upto)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, name: &str, empty: bool, end: End) -> Result<(), Refused> {
        self.torn_bytes += end.torn_bytes as u64;
        if empty {
            self.unused.push(name.to_owned());
        } else if let Some(used) = self.used.last_mut() {
            used.end = end.offset as u64;
        }
        // Of several segments without batches the first one is where something should stand.
        if !empty || self.stop.as_ref().is_none_or(|stop| !stop.empty && !stop.proven) {
            let reason = match end.proven_damage {
                true => "a batch that was durable is bad",
                false => "a batch is bad or missing, and later segments go on",
            };
            let damage = self.damage(name, end.offset, reason);
            self.stop = Some(Stop { damage, proven: end.proven_damage, empty });
        }
        Ok(())
    }

    /// Everything was taken in: settles what can only be known now.
    pub fn finish(mut self) -> Result<Self, Refused> {
        if let Some((floor, damage)) = self.floor.take() {
            let covered = self.index.purged().is_some_and(|purged| purged.index >= floor.index);
            if !covered {
                return Err(Refused::Damaged(damage));
            }
        }
        if let Some(stop) = self.stop.take()
            && stop.proven
        {
            return Err(Refused::Damaged(stop.damage));
        }
        let last = self.index.last();
        self.committed = self
            .committed
            .filter(|committed| last.is_some_and(|last| committed.index <= last.index));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Record, encode_batch};
    use crate::buffer::Buffer;
    use crate::format::BatchHeader;
    use crate::segment::segment_name;

    /// A segment of one batch.
    fn segment(sequence: u64, link: Link, opening: Opening) -> (Vec<u8>, Link) {
        let header = SegmentHeader { block_bytes: 512, sequence, salt: sequence };
        let batch = BatchHeader {
            length: 0,
            record_count: 0,
            previous_crc: link.crc,
            sequence: link.sequence + 1,
            durable: link.sequence,
            committed: None,
        };
        let mut buffer = Buffer::default();
        let vote = Record::Vote(Vote { term: sequence, voted_for: 1, committed: false });
        let records = [Record::Opening(opening), vote];
        let (crc, _) = encode_batch(&mut buffer, batch, &header, &records);
        ([&header.encode(), buffer.bytes()].concat(), Link { sequence: link.sequence + 1, crc })
    }

    fn opening(vote_term: u64) -> Opening {
        let vote = Vote { term: vote_term, voted_for: 1, committed: false };
        Opening { vote: Some(vote), ..Opening::default() }
    }

    fn refused(segments: &[Vec<u8>]) -> Option<&'static str> {
        let mut recovery = Recovery::default();
        for (bytes, sequence) in segments.iter().zip(1..) {
            match recovery.segment(&segment_name(sequence), sequence, bytes) {
                Ok(()) => {}
                Err(Refused::Damaged(damage)) => return Some(damage.reason),
                Err(Refused::Version { .. }) => return Some("version"),
            }
        }
        recovery.finish().err().map(|_| "finish")
    }

    #[test]
    fn a_segment_must_follow_the_one_before() {
        let (first, link) = segment(1, Link::default(), Opening::default());
        let follows = segment(2, link, opening(1)).0;
        let repeats = segment(2, Link::default(), Opening::default()).0;
        let other_state = segment(2, link, opening(7)).0;
        assert_eq!(refused(&[first.clone(), follows]), None);
        assert_eq!(refused(&[first.clone(), repeats]), Some("the segment repeats batches"));
        let reason = Some("the segment opens with another state");
        assert_eq!(refused(&[first, other_state]), reason);
    }
}
