//! Handles: numbers in the form of pointers, which are never followed.
//!
//! 1. A handle is issued once. Its place is used again with the next generation, and no more once
//!    the generations are used up, so that a handle that was closed never means something new.
//! 2. What a handle stands for is shared: a call that runs keeps it alive, whoever closes it.
//! 3. The highest bit is set, which no address of a program has: following a handle by mistake, or
//!    taking a pointer for one, fails at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

const SHARDS: usize = 16;
const PLACE_BITS: u32 = 32;
const GENERATION_BITS: u32 = 26;
const GENERATION_MAX: u32 = (1 << GENERATION_BITS) - 1;
const MARK: usize = 1 << 63; // (3)

const _: () = assert!(usize::BITS == 64, "handles need pointers of 64 bits");

/// What a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Connection = 1,
    Cursor,
    Operation,
    Embedded,
    Cluster,
    Error,
    Node,
    Server,
}

/// Why a handle stands for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// It is NULL.
    Null,
    /// It was never issued, or for something of another kind.
    Stranger,
    /// It was closed.
    Closed,
}

/// Everything of one kind that has a handle.
pub(crate) struct Registry<T> {
    kind: Kind,
    next: AtomicUsize,
    shards: [RwLock<Shard<T>>; SHARDS],
}

struct Shard<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

struct Slot<T> {
    generation: u32,
    holds: Option<Arc<T>>,
}

/// A handle, taken apart.
#[derive(Clone, Copy)]
struct Parts {
    kind: u8,
    generation: u32,
    shard: usize,
    slot: u32,
}

impl<T> Registry<T> {
    pub const fn new(kind: Kind) -> Self {
        let shards = [const { RwLock::new(Shard { slots: Vec::new(), free: Vec::new() }) }; SHARDS];
        Self { kind, next: AtomicUsize::new(0), shards }
    }

    /// Issues a handle. (1)
    pub fn insert<H>(&self, value: T) -> *mut H {
        let shard = self.next.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let mut slots = self.shards[shard].write();
        let slot = match slots.free.pop() {
            Some(slot) => slot,
            None => {
                slots.slots.push(Slot { generation: 0, holds: None });
                (slots.slots.len() - 1) as u32
            }
        };
        let place = &mut slots.slots[slot as usize];
        place.holds = Some(Arc::new(value));
        let parts = Parts { kind: self.kind as u8, generation: place.generation, shard, slot };
        std::ptr::without_provenance_mut(parts.joined())
    }

    /// What the handle stands for.
    pub fn get<H>(&self, handle: *const H) -> Result<Arc<T>, Miss> {
        let parts = self.parts(handle.addr())?;
        let slots = self.shards[parts.shard].read();
        match slots.slots.get(parts.slot as usize) {
            Some(slot) if slot.generation == parts.generation => {
                slot.holds.clone().ok_or(Miss::Stranger)
            }
            Some(slot) if parts.generation < slot.generation => Err(Miss::Closed),
            _ => Err(Miss::Stranger),
        }
    }

    /// Ends the handle and gives what it stood for.
    pub fn remove<H>(&self, handle: *const H) -> Result<Arc<T>, Miss> {
        let parts = self.parts(handle.addr())?;
        let mut slots = self.shards[parts.shard].write();
        let Some(slot) = slots.slots.get_mut(parts.slot as usize) else {
            return Err(Miss::Stranger);
        };
        if slot.generation != parts.generation {
            let was_issued = parts.generation < slot.generation;
            return Err(if was_issued { Miss::Closed } else { Miss::Stranger });
        }
        let held = slot.holds.take().ok_or(Miss::Stranger)?;
        slot.generation += 1;
        if slot.generation < GENERATION_MAX {
            slots.free.push(parts.slot);
        }
        Ok(held)
    }

    fn parts(&self, handle: usize) -> Result<Parts, Miss> {
        if handle == 0 {
            return Err(Miss::Null);
        }
        let parts = Parts::of(handle);
        if parts.kind != self.kind as u8 || parts.joined() != handle {
            return Err(Miss::Stranger);
        }
        Ok(parts)
    }
}

impl Parts {
    fn of(handle: usize) -> Self {
        let place = handle & ((1 << PLACE_BITS) - 1);
        Self {
            kind: (handle >> (PLACE_BITS + GENERATION_BITS)) as u8 & 0x1f,
            generation: (handle >> PLACE_BITS) as u32 & GENERATION_MAX,
            shard: place % SHARDS,
            slot: (place / SHARDS) as u32,
        }
    }

    fn joined(self) -> usize {
        let place = self.slot as usize * SHARDS + self.shard;
        let above = (usize::from(self.kind) << GENERATION_BITS) | self.generation as usize;
        MARK | (above << PLACE_BITS) | place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing;

    fn registry() -> Registry<u32> {
        Registry::new(Kind::Cursor)
    }

    #[test]
    fn a_handle_means_one_thing_until_it_is_removed_and_nothing_ever_after() {
        let registry = registry();
        let first: *mut Thing = registry.insert(1);
        assert_eq!(registry.get(first).as_deref(), Ok(&1));
        assert_eq!(registry.remove(first).as_deref(), Ok(&1));
        assert_eq!(registry.get(first), Err(Miss::Closed));
        assert_eq!(registry.remove(first), Err(Miss::Closed));
        // The same places again, of every shard.
        let later: Vec<*mut Thing> = (0..4 * SHARDS as u32).map(|n| registry.insert(n)).collect();
        assert_eq!(registry.get(first), Err(Miss::Closed));
        assert!(!later.contains(&first));
        for (n, handle) in (0..).zip(later) {
            assert_eq!(registry.get(handle).as_deref(), Ok(&n));
        }
    }

    #[test]
    fn what_was_never_issued_is_a_stranger() {
        let (cursors, errors) = (registry(), Registry::<u32>::new(Kind::Error));
        let handle: *mut Thing = cursors.insert(1);
        assert_eq!(cursors.get::<Thing>(std::ptr::null()), Err(Miss::Null));
        assert_eq!(errors.get(handle), Err(Miss::Stranger));
        let local = 0;
        assert_eq!(cursors.get(&raw const local), Err(Miss::Stranger));
        let ahead = handle.map_addr(|it| it + (1 << PLACE_BITS));
        let elsewhere = handle.map_addr(|it| it + 5 * SHARDS);
        for wrong in [ahead, elsewhere, handle.map_addr(|it| it & !MARK)] {
            assert_eq!(cursors.get(wrong), Err(Miss::Stranger), "{wrong:?}");
            assert_eq!(cursors.remove(wrong), Err(Miss::Stranger), "{wrong:?}");
        }
    }

    #[test]
    fn a_place_without_generations_left_is_not_used_again() {
        let registry = registry();
        let first: *mut Thing = registry.insert(1);
        let shard = Parts::of(first.addr()).shard;
        registry.shards[shard].write().slots[0].generation = GENERATION_MAX - 1;
        let last = first.map_addr(|it| it + ((GENERATION_MAX as usize - 1) << PLACE_BITS));
        assert_eq!(registry.remove(last).as_deref(), Ok(&1));
        let next: Vec<*mut Thing> = (0..SHARDS as u32).map(|n| registry.insert(n)).collect();
        assert!(
            next.iter()
                .all(|it| Parts::of(it.addr()).slot != 0 || Parts::of(it.addr()).shard != shard)
        );
    }

    #[test]
    fn a_call_keeps_what_it_uses() {
        let registry = registry();
        let handle: *mut Thing = registry.insert(7);
        let held = registry.get(handle).unwrap();
        registry.remove(handle).unwrap();
        assert_eq!(*held, 7);
    }
}
