//! One block of the wal-index: 32 KiB that SQLite maps, with the pages of up to 4096 frames and a
//! hash table over them.

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

/// Frames that a block holds, unless it is the first.
const PAGES: usize = 4096;
const SLOTS: usize = 2 * PAGES;
/// Words of the first block that the header and the checkpoint's fields take.
pub(super) const HEAD_WORDS: usize = 34;
const HASH_FACTOR: u32 = 383;

/// Shared with SQLite, which reads and writes it as plain memory under the locking protocol of its
/// WAL; here every access is atomic.
#[repr(C, align(8))]
#[derive(Debug)]
pub(crate) struct Block {
    /// The page number of each frame, in order.
    pages: [AtomicU32; PAGES],
    /// An open hash table from page number to frame, counted from 1 in this block; 0 is free.
    slots: [AtomicU16; SLOTS],
}

const _: () = assert!(size_of::<Block>() == 32_768);

/// Where a frame's entry is: which block, and its place there counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub block: usize,
    pub index: usize,
}

impl Place {
    pub fn of(frame: u32) -> Self {
        debug_assert!(frame > 0);
        let shifted = frame as usize - 1 + HEAD_WORDS;
        let block = shifted / PAGES;
        let head = if block == 0 { HEAD_WORDS } else { 0 };
        Self { block, index: shifted % PAGES - head + 1 }
    }

    #[cfg(test)]
    pub fn frame(self) -> u32 {
        (self.block * PAGES + self.word() + 1 - HEAD_WORDS) as u32
    }

    /// The word of the block's page array that holds the entry.
    fn word(self) -> usize {
        let head = if self.block == 0 { HEAD_WORDS } else { 0 };
        head + self.index - 1
    }
}

impl Block {
    pub(super) fn new() -> Self {
        Self {
            pages: [const { AtomicU32::new(0) }; PAGES],
            slots: [const { AtomicU16::new(0) }; SLOTS],
        }
    }

    /// A word of the first block's head.
    pub(super) fn head(&self, word: usize) -> &AtomicU32 {
        debug_assert!(word < HEAD_WORDS);
        &self.pages[word]
    }

    pub(super) fn page(&self, place: Place) -> u32 {
        self.pages[place.word()].load(Ordering::Relaxed)
    }

    /// Enters `page` at `place`. Entries at and after it are leftovers of a writer that gave up,
    /// and go.
    pub(super) fn insert(&self, place: Place, page: u32) {
        if place.index == 1 || self.page(place) != 0 {
            self.cut(place);
        }
        let mut slot = hash(page);
        // The table has twice as many slots as a block has frames, so a free one comes.
        while self.slots[slot].load(Ordering::Relaxed) != 0 {
            slot = (slot + 1) % SLOTS;
        }
        self.pages[place.word()].store(page, Ordering::Relaxed);
        self.slots[slot].store(place.index as u16, Ordering::Release);
    }

    /// Removes the entries at `from` and after it.
    ///
    /// What stays can still be found: an entry is placed behind older ones only.
    pub(super) fn cut(&self, from: Place) {
        for slot in &self.slots {
            if usize::from(slot.load(Ordering::Relaxed)) >= from.index {
                slot.store(0, Ordering::Relaxed);
            }
        }
        for page in &self.pages[from.word()..] {
            page.store(0, Ordering::Relaxed);
        }
    }

    /// The newest frame with `page` in this block, as SQLite's readers look it up.
    #[cfg(test)]
    pub(super) fn find(&self, block: usize, page: u32) -> Option<usize> {
        let mut found = None;
        let mut slot = hash(page);
        loop {
            match usize::from(self.slots[slot].load(Ordering::Acquire)) {
                0 => return found,
                index if self.page(Place { block, index }) == page => found = Some(index),
                _ => {}
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

fn hash(page: u32) -> usize {
    page.wrapping_mul(HASH_FACTOR) as usize % SLOTS
}
