//! The eight locks of the wal-index, and who holds them.
//! <https://www.sqlite.org/walformat.html#wal_locks>
//!
//! 1. A slot is held by one handle exclusively, or by any number shared.
//! 2. SQLite never gets the checkpoint and recovery locks exclusively: it neither checkpoints nor
//!    recovers, for it cannot tell committed frames from speculative ones.
//! 3. A reader of the WAL looks at no frame up to its *floor*: what was in the database file when
//!    it took its lock.
//! 4. The write lock is held for a transaction by a connection that reads already. One that does
//!    not takes a second look at a header that it saw torn, and lets go at once; so do we.

use std::collections::BTreeMap;
use std::ops::Range;

pub(crate) const SLOTS: usize = 8;
pub(crate) const WRITE: usize = 0;
pub(crate) const CHECKPOINT: usize = 1;
pub(crate) const RECOVER: usize = 2;
/// Held shared by readers of the file alone.
pub(crate) const READ_FILE: usize = 3;
/// Held shared by readers of the WAL, one slot for each read mark but the first.
pub(crate) const READ_WAL: Range<usize> = 4..SLOTS;
/// Held shared by readers of any kind.
const READERS: Range<usize> = READ_FILE..SLOTS;

/// One connection's hold on the locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HandleId(u64);

impl HandleId {
    /// The database itself: apply, checkpoint, undo.
    pub const OWN: Self = Self(0);
}

/// Somebody else holds a lock.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held;

#[derive(Debug, Default)]
struct Holdings {
    shared: u8,
    exclusive: u8,
    floor: u32,
    /// The write lock is held for a transaction (4).
    in_transaction: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Locks {
    shared: [u32; SLOTS],
    exclusive: [bool; SLOTS],
    handles: BTreeMap<HandleId, Holdings>,
    handles_made: u64,
}

impl Locks {
    /// Admits a connection.
    pub fn open(&mut self) -> HandleId {
        self.handles_made += 1;
        let handle = HandleId(self.handles_made);
        self.handles.insert(handle, Holdings::default());
        handle
    }

    /// Releases all that `handle` holds, and dismisses it.
    pub fn close(&mut self, handle: HandleId) {
        self.release(handle);
        self.handles.remove(&handle);
    }

    /// Releases all that `handle` holds.
    pub fn release(&mut self, handle: HandleId) {
        self.unlock_shared(handle, 0..SLOTS);
        self.unlock_exclusive(handle, 0..SLOTS);
    }

    /// Connections that are open.
    pub fn connection_count(&self) -> usize {
        self.handles.keys().filter(|handle| **handle != HandleId::OWN).count()
    }

    /// Takes `slots` shared. `backfilled` is how many frames are in the file now (3).
    pub fn lock_shared(
        &mut self,
        handle: HandleId,
        slots: Range<usize>,
        backfilled: u32,
    ) -> Result<(), Held> {
        let holdings = self.handles.entry(handle).or_default();
        let wanted = mask(&slots) & !holdings.shared;
        if slots.clone().any(|slot| wanted & bit(slot) != 0 && self.exclusive[slot]) {
            return Err(Held);
        }
        if wanted & mask(&READ_WAL) != 0 {
            holdings.floor = backfilled;
        }
        holdings.shared |= wanted;
        for slot in slots.filter(|slot| wanted & bit(*slot) != 0) {
            self.shared[slot] += 1;
        }
        Ok(())
    }

    /// Takes all of `slots` exclusively, or none.
    pub fn lock_exclusive(&mut self, handle: HandleId, slots: Range<usize>) -> Result<(), Held> {
        if slots.clone().any(|slot| !self.is_free(slot)) {
            return Err(Held);
        }
        let holdings = self.handles.entry(handle).or_default();
        holdings.exclusive |= mask(&slots);
        if slots.contains(&WRITE) {
            holdings.in_transaction = holdings.shared & mask(&READERS) != 0;
        }
        self.exclusive[slots].fill(true);
        Ok(())
    }

    pub fn unlock_shared(&mut self, handle: HandleId, slots: Range<usize>) {
        let Some(holdings) = self.handles.get_mut(&handle) else { return };
        let released = holdings.shared & mask(&slots);
        holdings.shared &= !released;
        for slot in slots.filter(|slot| released & bit(*slot) != 0) {
            self.shared[slot] -= 1;
        }
    }

    pub fn unlock_exclusive(&mut self, handle: HandleId, slots: Range<usize>) {
        let Some(holdings) = self.handles.get_mut(&handle) else { return };
        let released = holdings.exclusive & mask(&slots);
        holdings.exclusive &= !released;
        for slot in slots.filter(|slot| released & bit(*slot) != 0) {
            self.exclusive[slot] = false;
        }
    }

    /// True when nobody holds `slot`.
    pub fn is_free(&self, slot: usize) -> bool {
        !self.exclusive[slot] && self.shared[slot] == 0
    }

    /// True when nobody reads from the WAL.
    pub fn no_wal_reader(&self) -> bool {
        READ_WAL.into_iter().all(|slot| self.is_free(slot))
    }

    pub fn holds_exclusive(&self, handle: HandleId, slot: usize) -> bool {
        self.handles.get(&handle).is_some_and(|holdings| holdings.exclusive & bit(slot) != 0)
    }

    /// True when the write lock is held, and not for a transaction (4): it comes free by itself.
    pub fn write_lock_is_passing(&self) -> bool {
        self.exclusive[WRITE]
            && self
                .handles
                .values()
                .any(|holdings| holdings.exclusive & bit(WRITE) != 0 && !holdings.in_transaction)
    }

    /// True when `handle` reads, from the file or from the WAL.
    pub fn is_reader(&self, handle: HandleId) -> bool {
        self.handles.get(&handle).is_some_and(|holdings| holdings.shared & mask(&READERS) != 0)
    }

    /// The lowest floor of all readers of the WAL (3).
    pub fn lowest_floor(&self) -> Option<u32> {
        let readers = mask(&READ_WAL);
        self.handles
            .values()
            .filter(|holdings| holdings.shared & readers != 0)
            .map(|holdings| holdings.floor)
            .min()
    }
}

fn bit(slot: usize) -> u8 {
    1 << slot
}

fn mask(slots: &Range<usize>) -> u8 {
    slots.clone().fold(0, |mask, slot| mask | bit(slot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusive_excludes_all_others() {
        let mut locks = Locks::default();
        let (a, b) = (locks.open(), locks.open());
        locks.lock_exclusive(a, WRITE..WRITE + 1).unwrap();
        assert_eq!(locks.lock_exclusive(b, WRITE..WRITE + 1), Err(Held));
        assert_eq!(locks.lock_shared(b, WRITE..WRITE + 1, 0), Err(Held));
        locks.unlock_exclusive(b, WRITE..WRITE + 1);
        assert!(!locks.is_free(WRITE), "only the holder can release");
        locks.close(a);
        assert!(locks.is_free(WRITE));
    }

    #[test]
    fn a_range_is_taken_whole_or_not_at_all() {
        let mut locks = Locks::default();
        let (a, b) = (locks.open(), locks.open());
        locks.lock_shared(a, 6..7, 0).unwrap();
        assert_eq!(locks.lock_exclusive(b, READ_WAL), Err(Held));
        assert!(locks.is_free(4));
        locks.unlock_shared(a, 6..7);
        locks.lock_exclusive(b, READ_WAL).unwrap();
    }

    #[test]
    fn floors_are_those_of_readers_of_the_wal() {
        let mut locks = Locks::default();
        let (a, b, c) = (locks.open(), locks.open(), locks.open());
        locks.lock_shared(a, READ_FILE..READ_FILE + 1, 3).unwrap();
        assert_eq!(locks.lowest_floor(), None);
        locks.lock_shared(b, 5..6, 7).unwrap();
        locks.lock_shared(c, 5..6, 9).unwrap();
        assert_eq!(locks.lowest_floor(), Some(7));
        locks.unlock_shared(b, 5..6);
        assert_eq!(locks.lowest_floor(), Some(9));
    }

    #[test]
    fn a_second_look_at_the_header_is_no_transaction() {
        let mut locks = Locks::default();
        let a = locks.open();
        assert!(!locks.write_lock_is_passing(), "nobody has it");
        locks.lock_exclusive(a, WRITE..WRITE + 1).unwrap();
        assert!(locks.write_lock_is_passing());
        locks.unlock_exclusive(a, WRITE..WRITE + 1);
        locks.lock_shared(a, READ_FILE..READ_FILE + 1, 0).unwrap();
        locks.lock_exclusive(a, WRITE..WRITE + 1).unwrap();
        assert!(!locks.write_lock_is_passing());
        // When it restarts the WAL, a writer reads nothing for a moment.
        locks.unlock_shared(a, READ_FILE..READ_FILE + 1);
        assert!(!locks.write_lock_is_passing());
    }
}
