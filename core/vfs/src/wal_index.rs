//! The wal-index: what SQLite keeps in a `-shm` file, here on the heap. Nothing in it is unsafe;
//! what SQLite does to the same memory is bound by the locks that it takes.
//! <https://www.sqlite.org/walformat.html#the_wal_index_file_format>
//!
//! 1. The header is valid from the start, so SQLite never sets out to recover the WAL.
//! 2. Only the holder of the write lock changes the header, or enters frames.
//! 3. Entries up to the header's last frame never change, save by a restart or an undo, which
//!    both exclude readers of the WAL.
//! 4. The header's second copy is written first: who finds both equal has a whole one.

mod block;
mod header;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use parking_lot::RwLock;

pub(crate) use self::block::Block;
use self::block::Place;
use self::header::HEADER_WORDS;
pub(crate) use self::header::Header;

/// Readers' marks; the first stands for "reads the file alone".
pub(crate) const READ_MARKS: usize = 5;
/// A mark that no reader stands for.
pub(crate) const MARK_UNUSED: u32 = u32::MAX;

const BACKFILLED_WORD: usize = 2 * HEADER_WORDS;
const FIRST_MARK_WORD: usize = BACKFILLED_WORD + 1;
const ATTEMPTED_WORD: usize = 32;

/// A header is torn while a writer copies 48 bytes; far beyond that, it is destroyed.
const HEADER_READS_MAX: u32 = 100_000_000;

#[derive(Debug)]
pub(crate) struct WalIndex {
    first: Arc<Block>,
    /// All blocks, the first included. SQLite keeps their addresses, so none goes before the
    /// index does.
    blocks: RwLock<Vec<Arc<Block>>>,
}

impl WalIndex {
    /// The index of an empty WAL over a file of `page_count` pages.
    pub fn new(page_count: u32) -> Self {
        let first = Arc::new(Block::new());
        let index = Self { blocks: RwLock::new(vec![first.clone()]), first };
        let salt = [0, 0];
        index.publish(&Header { change: 0, last_frame: 0, page_count, frame_sums: [0, 0], salt });
        index.set_mark(0, 0);
        for mark in 1..READ_MARKS {
            index.set_mark(mark, MARK_UNUSED);
        }
        index
    }

    /// The header, as the last commit left it.
    pub fn header(&self) -> Header {
        for _ in 0..HEADER_READS_MAX {
            let first = self.header_copy(0);
            fence(Ordering::SeqCst);
            if first == self.header_copy(1)
                && let Some(header) = Header::decode(&first)
            {
                return header;
            }
            std::thread::yield_now();
        }
        panic!("the wal-index has no valid header");
    }

    /// Makes `header` the one that readers see. Invariants (2) and (4).
    pub fn publish(&self, header: &Header) {
        let words = header.encode();
        for copy in [1, 0] {
            fence(Ordering::SeqCst);
            for (word, value) in words.iter().enumerate() {
                self.first.head(copy * HEADER_WORDS + word).store(*value, Ordering::Relaxed);
            }
        }
        fence(Ordering::SeqCst);
    }

    /// Frames that are in the database file.
    pub fn backfilled(&self) -> u32 {
        self.first.head(BACKFILLED_WORD).load(Ordering::Acquire)
    }

    pub fn set_backfilled(&self, frame: u32) {
        self.first.head(BACKFILLED_WORD).store(frame, Ordering::Release);
    }

    /// Frames that a checkpoint may have begun to copy.
    pub fn set_attempted(&self, frame: u32) {
        self.first.head(ATTEMPTED_WORD).store(frame, Ordering::Relaxed);
    }

    /// The last frame that readers under `mark` may need.
    pub fn mark(&self, mark: usize) -> u32 {
        self.first.head(FIRST_MARK_WORD + mark).load(Ordering::Acquire)
    }

    pub fn set_mark(&self, mark: usize, frame: u32) {
        self.first.head(FIRST_MARK_WORD + mark).store(frame, Ordering::Release);
    }

    /// Begins the WAL anew under `header`, with no frame in the file and no reader of the WAL.
    pub fn reset(&self, header: &Header) {
        debug_assert_eq!(header.last_frame, 0);
        self.publish(header);
        self.set_backfilled(0);
        self.set_attempted(0);
        self.set_mark(1, 0);
        for mark in 2..READ_MARKS {
            self.set_mark(mark, MARK_UNUSED);
        }
    }

    /// Enters frames `first_frame` and on, one for each of `pages`. They are seen once a header
    /// that covers them is published.
    pub fn append(&self, first_frame: u32, pages: impl IntoIterator<Item = u32>) {
        let mut current: Option<(usize, Arc<Block>)> = None;
        for (frame, page) in (first_frame..).zip(pages) {
            let place = Place::of(frame);
            let (_, block) = match current.take() {
                Some(kept) if kept.0 == place.block => current.insert(kept),
                _ => current.insert((place.block, self.grow(place.block))),
            };
            block.insert(place, page);
        }
    }

    /// Removes the entries of all frames after `frame`. Those in later blocks go when the first
    /// new entry comes to their block.
    pub fn cut_after(&self, frame: u32) {
        if frame > 0 {
            let last = Place::of(frame);
            let next = Place::of(frame + 1);
            if next.block == last.block {
                self.grow(next.block).cut(next);
            }
        }
    }

    /// Block `index`, with all before it.
    pub fn grow(&self, index: usize) -> Arc<Block> {
        if let Some(block) = self.blocks.read().get(index) {
            return block.clone();
        }
        let mut blocks = self.blocks.write();
        while blocks.len() <= index {
            blocks.push(Arc::new(Block::new()));
        }
        blocks[index].clone()
    }

    /// Block `index`, if it is there.
    pub fn block(&self, index: usize) -> Option<Arc<Block>> {
        self.blocks.read().get(index).cloned()
    }

    fn header_copy(&self, copy: usize) -> [u32; HEADER_WORDS] {
        std::array::from_fn(|word| {
            self.first.head(copy * HEADER_WORDS + word).load(Ordering::Relaxed)
        })
    }

    /// The newest of the first `last_frame` frames that holds `page`, as SQLite looks it up.
    #[cfg(test)]
    fn find(&self, page: u32, last_frame: u32) -> Option<u32> {
        let last = Place::of(last_frame);
        (0..=last.block).rev().find_map(|block| {
            let index = self.block(block)?.find(block, page)?;
            Some(Place { block, index }.frame())
        })
    }
}
