//! Which entries the log holds, and where each one lies.
//!
//! 1. Slots are consecutive: the first one's index is `base.index + 1`, terms never fall.
//! 2. A slot that has no place yet keeps its payload; so does everything behind it.
//! 3. A slot takes a place only under its own serial number: an entry that was truncated while it
//!    waited to be written never lends its place to the one that came instead.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::entry::{Entry, EntryKind, Position};
use crate::format::INDEX_MAX;

/// Where an entry's record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The segment's number.
    pub segment: u64,
    /// From the beginning of the segment, in bytes.
    pub offset: u64,
    /// The record's header and payload, in bytes.
    pub length: usize,
    /// The batch it was written with.
    pub batch: u64,
}

/// One entry, as the index knows it.
#[derive(Clone, Debug)]
pub struct Slot {
    pub term: u64,
    pub kind: EntryKind,
    pub serial: u64,
    pub place: Option<Place>,
    pub payload: Option<Vec<Bytes>>,
}

/// Why a change of the index is impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impossible(pub &'static str);

/// The entries after `base`.
#[derive(Debug, Default)]
pub struct Index {
    /// The position before the first slot.
    base: Option<Position>,
    /// The last purged position.
    purged: Option<Position>,
    /// The first slot's index, while there is one.
    first: u64,
    slots: VecDeque<Slot>,
    serial: u64,
    /// Slots at the front that gave their payload up.
    uncached: usize,
    cached_bytes: usize,
}

impl Index {
    /// An index whose entries before `base` are not known.
    pub fn starting_at(base: Option<Position>, purged: Option<Position>) -> Self {
        Self { base, purged, ..Self::default() }
    }

    pub fn purged(&self) -> Option<Position> {
        self.purged
    }

    /// The first entry that is there.
    pub fn first(&self) -> Option<Position> {
        self.slots.front().map(|slot| Position { term: slot.term, index: self.first })
    }

    /// The last entry, or what stands before the first one when there is none.
    pub fn last(&self) -> Option<Position> {
        match self.slots.back() {
            None => self.base,
            Some(slot) => {
                Some(Position { term: slot.term, index: self.first + self.slots.len() as u64 - 1 })
            }
        }
    }

    pub fn slot(&self, index: u64) -> Option<&Slot> {
        let number = index.checked_sub(self.first)?;
        self.slots.get(usize::try_from(number).ok()?)
    }

    fn matches(&self, position: Position) -> bool {
        self.slot(position.index).is_some_and(|slot| slot.term == position.term)
    }

    /// Puts an entry behind the last one and gives its serial number.
    pub fn push(
        &mut self,
        position: Position,
        kind: EntryKind,
        payload: Option<Vec<Bytes>>,
        place: Option<Place>,
    ) -> Result<u64, Impossible> {
        if position.index > INDEX_MAX {
            return Err(Impossible("an index is out of range"));
        }
        if let Some(last) = self.last() {
            if last.index.checked_add(1) != Some(position.index) {
                return Err(Impossible("an entry does not follow the last one"));
            }
            if position.term < last.term {
                return Err(Impossible("an entry's term is below the one before"));
            }
        }
        if self.slots.is_empty() {
            self.first = position.index;
        }
        self.serial += 1;
        match &payload {
            Some(parts) => self.cached_bytes += cost(parts),
            None => self.uncached = self.slots.len() + 1,
        }
        let slot = Slot { term: position.term, kind, serial: self.serial, place, payload };
        self.slots.push_back(slot);
        Ok(self.serial)
    }

    /// (3) Notes where an entry was put, unless it is no longer the one that `serial` names.
    pub fn place(&mut self, index: u64, serial: u64, place: Place) {
        if let Some(number) = index.checked_sub(self.first)
            && let Some(slot) = self.slots.get_mut(number as usize)
            && slot.serial == serial
        {
            slot.place = Some(place);
        }
    }

    /// Checks that the log can be cut behind `keep`.
    fn can_truncate(&self, keep: Option<Position>) -> Result<(), Impossible> {
        let allowed = match keep {
            None => self.purged.is_none(),
            Some(keep) => Some(keep) == self.base || self.matches(keep),
        };
        allowed.then_some(()).ok_or(Impossible("the position to cut behind is not in the log"))
    }

    /// Drops everything behind `keep`, an entry of the log or what stands before it.
    pub fn truncate_after(&mut self, keep: Option<Position>) -> Result<(), Impossible> {
        self.can_truncate(keep)?;
        let count = match keep {
            Some(keep) if !self.slots.is_empty() => (keep.index + 1 - self.first) as usize,
            _ => 0,
        };
        for slot in self.slots.drain(count.min(self.slots.len())..) {
            self.cached_bytes -= slot.payload.as_deref().map_or(0, cost);
        }
        self.uncached = self.uncached.min(self.slots.len());
        if keep.is_none() {
            self.base = None;
        }
        Ok(())
    }

    /// Like `truncate_after`, where the entries up to `base` lay in segments that are gone: a
    /// `keep` among them is believed.
    pub fn replay_truncate(&mut self, keep: Option<Position>) -> Result<(), Impossible> {
        if self.can_truncate(keep).is_ok() || self.base == self.purged {
            return self.truncate_after(keep);
        }
        let before = |position: Position, limit: Option<Position>| {
            limit.is_some_and(|limit| position.index < limit.index)
        };
        let believable = match keep {
            None => self.purged.is_none(),
            Some(keep) => before(keep, self.base) && !before(keep, self.purged),
        };
        if !believable {
            return Err(Impossible("the position to cut behind is not in the log"));
        }
        *self = Self { base: keep, purged: self.purged, serial: self.serial, ..Self::default() };
        Ok(())
    }

    /// Drops everything up to `upto`, which may lie behind the last entry. False when that was
    /// purged before.
    pub fn purge(&mut self, upto: Position) -> Result<bool, Impossible> {
        if self.purged.is_some_and(|purged| upto.index <= purged.index) {
            return Ok(false);
        }
        if upto.index > INDEX_MAX {
            return Err(Impossible("an index is out of range"));
        }
        let before_all =
            self.base.is_none() && self.first().is_some_and(|first| upto.index + 1 < first.index);
        if before_all || self.slot(upto.index).is_some_and(|slot| slot.term != upto.term) {
            return Err(Impossible("the position to purge is not in the log"));
        }
        self.purged = Some(upto);
        if self.base.is_none_or(|base| base.index <= upto.index) {
            self.base = Some(upto);
        }
        let count = match self.slots.is_empty() {
            true => 0,
            false => (upto.index + 1).saturating_sub(self.first),
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.slots.len());
        for slot in self.slots.drain(..count) {
            self.cached_bytes -= slot.payload.as_deref().map_or(0, cost);
        }
        self.first += count as u64;
        self.uncached = self.uncached.saturating_sub(count);
        Ok(true)
    }

    /// (2) Gives up payloads, oldest first, until they take at most `bytes_max` bytes; those
    /// behind `durable` stay.
    pub fn evict(&mut self, bytes_max: usize, durable: Option<u64>) {
        let durable_count =
            durable.map_or(0, |durable| (durable + 1).saturating_sub(self.first)) as usize;
        while self.cached_bytes > bytes_max && self.uncached < durable_count.min(self.slots.len()) {
            if let Some(parts) = self.slots[self.uncached].payload.take() {
                self.cached_bytes -= cost(&parts);
            }
            self.uncached += 1;
        }
    }

    /// The entry at `index`, if its payload is in memory.
    pub fn cached(&self, index: u64) -> Option<Entry> {
        let slot = self.slot(index)?;
        let position = Position { term: slot.term, index };
        Some(Entry { position, kind: slot.kind, payload: slot.payload.clone()? })
    }
}

/// What a payload counts in the cache: its bytes, and its parts' bookkeeping.
fn cost(parts: &[Bytes]) -> usize {
    parts.iter().map(|part| part.len() + size_of::<Bytes>()).sum::<usize>() + size_of::<Slot>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: EntryKind = EntryKind::Command;
    const PLACE: Place = Place { segment: 1, offset: 512, length: 40, batch: 1 };

    fn at(term: u64, index: u64) -> Position {
        Position { term, index }
    }

    fn payload() -> Option<Vec<Bytes>> {
        Some(vec![Bytes::from_static(b"payload")])
    }

    /// Else the new entry would count as durable when the old one is.
    #[test]
    fn a_truncated_entry_does_not_lend_its_place() {
        let mut index = Index::default();
        let old = index.push(at(1, 1), KIND, payload(), None).unwrap();
        index.truncate_after(None).unwrap();
        let new = index.push(at(2, 1), KIND, payload(), None).unwrap();
        index.place(1, old, PLACE);
        assert_eq!(index.slot(1).unwrap().place, None);
        index.place(1, new, PLACE);
        assert_eq!(index.slot(1).unwrap().place, Some(PLACE));
    }

    #[test]
    fn only_durable_entries_leave_the_cache() {
        let mut index = Index::default();
        for number in 1..=4 {
            index.push(at(1, number), KIND, payload(), None).unwrap();
        }
        index.evict(usize::MAX, Some(4));
        assert!(index.cached(1).is_some());
        index.evict(0, Some(2));
        let cached: Vec<_> = (1..=4).map(|number| index.cached(number).is_some()).collect();
        assert_eq!(cached, [false, false, true, true]);
        index.purge(at(1, 1)).unwrap();
        index.truncate_after(Some(at(1, 3))).unwrap();
        index.evict(0, Some(3));
        assert_eq!((index.cached_bytes, index.uncached), (0, 2));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut index = Index::default();
        index.push(at(2, 5), KIND, None, None).unwrap();
        for position in [at(2, 7), at(1, 6), at(2, 5)] {
            assert!(index.push(position, KIND, None, None).is_err(), "{position:?}");
        }
        for keep in [at(1, 5), at(2, 4), at(2, 6)] {
            assert!(index.truncate_after(Some(keep)).is_err(), "{keep:?}");
        }
        for upto in [at(1, 5), at(1, 3), at(9, u64::MAX)] {
            assert!(index.purge(upto).is_err(), "{upto:?}");
        }
        assert_eq!(index.purge(at(2, 5)), Ok(true));
        assert_eq!(index.purge(at(2, 5)), Ok(false));
        assert!(index.truncate_after(None).is_err());
        assert_eq!((index.first(), index.last()), (None, Some(at(2, 5))));
    }
}
