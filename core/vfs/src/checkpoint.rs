//! Copies committed frames into the database file.
//!
//! 1. No frame after the one that the caller names is copied: it may be speculative.
//! 2. No frame after a reader's mark is copied: the reader takes pages from the file.
//! 3. Nobody reads the file alone while pages are copied.
//! 4. The file's content is a function of the transactions in it, however checkpoints cut them:
//!    a page that a transaction cut off and no later one wrote is zeros.
//! 5. What the file holds is said only after it is durable. A checkpoint that a crash or an error
//!    tears is done again from the same frames.

use std::collections::BTreeMap;
use std::io;

use crate::locks::{CHECKPOINT, HandleId, READ_FILE, READ_WAL};
use crate::shared::Shared;
use crate::transaction::{PAGE_BYTES, Page, WalPosition};
use crate::wal::Wal;
use crate::wal_index::{MARK_UNUSED, READ_MARKS};

/// Adjacent pages are written together, up to this size.
const WRITE_BYTES_MAX: usize = 256 * 1024;

/// How far the database file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The WAL's generation.
    pub generation: u64,
    /// Frames of it that are in the database file.
    pub backfilled_frame: u32,
    /// True when those are all that are published: the WAL can be restarted.
    pub complete: bool,
}

/// What the frames of a checkpoint come to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Batch {
    /// The newest image of each page.
    images: BTreeMap<u32, Page>,
    /// The smallest size of the database on the way, in pages.
    page_count_min: u32,
    /// Its size in the end.
    page_count: u32,
    last_frame: u32,
}

impl Shared {
    pub fn checkpoint(&self, upto: WalPosition) -> io::Result<Checkpoint> {
        let Some(_checkpointer) = Hold::try_new(self, CHECKPOINT) else {
            return Ok(self.checkpointed());
        };
        let Some((limit, salt)) = self.limit(upto) else { return Ok(self.checkpointed()) };
        // (3)
        let Some(file) = Hold::try_new(self, READ_FILE) else { return Ok(self.checkpointed()) };
        // Had SQLite been restarting the WAL, it would have let go of the lock only afterwards.
        if self.index.header().salt != salt {
            return Ok(self.checkpointed());
        }
        let Some(batch) = Batch::of(&self.frames.read().wal, self.index.backfilled(), limit) else {
            return Ok(self.checkpointed());
        };
        self.index.set_attempted(batch.last_frame);
        self.write(&batch)?;
        // (5)
        self.index.set_backfilled(batch.last_frame);
        drop(file);
        let images = self.give_back(&self.locks.lock());
        drop(images);
        Ok(self.checkpointed())
    }

    /// How far the file is now.
    pub fn checkpointed(&self) -> Checkpoint {
        let frames = self.frames.read();
        let header = self.index.header();
        let position = frames.position(&header);
        // While SQLite restarts the WAL, the count is still that of the old generation.
        let backfilled_frame = self.index.backfilled().min(position.frame);
        Checkpoint {
            generation: position.generation,
            backfilled_frame,
            complete: backfilled_frame == position.frame,
        }
    }

    /// The last frame that may be copied, when there is something to copy, and the WAL's salt.
    fn limit(&self, upto: WalPosition) -> Option<(u32, [u32; 2])> {
        let locks = self.locks.lock();
        let frames = self.frames.read();
        let backfilled = self.index.backfilled();
        let header = self.index.header();
        let position = frames.position(&header);
        // All of an older generation is in the file.
        if upto.generation != position.generation {
            return None;
        }
        // (1)
        let mut limit = upto.frame.min(position.frame);
        // (2)
        for mark in 1..READ_MARKS {
            let marked = self.index.mark(mark);
            if marked < limit {
                if locks.is_free(READ_WAL.start + mark - 1) {
                    self.index.set_mark(mark, if mark == 1 { limit } else { MARK_UNUSED });
                } else {
                    limit = marked;
                }
            }
        }
        (limit > backfilled).then_some((limit, header.salt))
    }

    fn write(&self, batch: &Batch) -> io::Result<()> {
        // (4)
        if self.file.len()? > bytes_of(batch.page_count_min) {
            self.file.set_len(bytes_of(batch.page_count_min))?;
        }
        let mut run = Vec::with_capacity(WRITE_BYTES_MAX);
        let mut run_page = 0;
        for (page, image) in &batch.images {
            let next = run_page + (run.len() / PAGE_BYTES) as u32;
            if *page != next || run.len() >= WRITE_BYTES_MAX {
                self.write_run(run_page, &run)?;
                run.clear();
                run_page = *page;
            }
            run.extend_from_slice(image);
        }
        self.write_run(run_page, &run)?;
        if self.file.len()? < bytes_of(batch.page_count) {
            self.file.set_len(bytes_of(batch.page_count))?;
        }
        self.file.sync_data()
    }

    fn write_run(&self, page: u32, run: &[u8]) -> io::Result<()> {
        if run.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(run, bytes_of(page - 1))
    }
}

impl Batch {
    /// The frames after `backfilled`, up to the last commit at `limit` or before it.
    fn of(wal: &Wal, backfilled: u32, limit: u32) -> Option<Self> {
        let last_frame = (backfilled + 1..=limit)
            .rev()
            .find(|frame| wal.frame(*frame).is_some_and(|frame| frame.commit() != 0))?;
        let mut batch = Self { page_count_min: u32::MAX, last_frame, ..Self::default() };
        for frame in wal.range(backfilled + 1, last_frame) {
            batch.images.insert(frame.page(), frame.image().clone());
            if frame.commit() != 0 {
                batch.page_count = frame.commit();
                batch.page_count_min = batch.page_count_min.min(frame.commit());
                batch.images.split_off(&(frame.commit() + 1));
            }
        }
        Some(batch)
    }
}

fn bytes_of(page_count: u32) -> u64 {
    u64::from(page_count) * PAGE_BYTES as u64
}

/// A lock that the checkpointer holds exclusively; let go on drop.
struct Hold<'a> {
    shared: &'a Shared,
    slot: usize,
}

impl<'a> Hold<'a> {
    fn try_new(shared: &'a Shared, slot: usize) -> Option<Self> {
        shared.locks.lock().lock_exclusive(HandleId::OWN, slot..slot + 1).ok()?;
        Some(Self { shared, slot })
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.shared.locks.lock().unlock_exclusive(HandleId::OWN, self.slot..self.slot + 1);
    }
}
