//! One database, as its connections and its owner share it.
//!
//! 1. Lock order: `locks`, then `wal`. Neither is held while the sink runs, nor during file I/O.
//! 2. Frames up to the wal-index header's last frame are committed on this node. Those after it
//!    belong to the holder of the write lock, and go when it lets go.
//! 3. Once the sink has taken a transaction it is published before the write lock is free: by
//!    SQLite, or, should SQLite fail in between, here.
//! 4. A restart of the WAL, by SQLite or by us, happens while nobody reads from it and all its
//!    frames are in the file; the generation goes up before anybody can write into the new one.
//! 5. Memory is freed under no lock: what goes is handed to the caller, to drop when it is free.

use std::sync::Arc;

use dqlite_env::File;
use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

use crate::error::WalError;
use crate::locks::{HandleId, Locks, WRITE};
use crate::registry;
use crate::transaction::{CommitSink, Page, Refused, WalPosition};
use crate::wal::{Frame, Wal};
use crate::wal_index::{Header, WalIndex};

/// The WAL's frames, with what SQLite's own structures do not tell.
#[derive(Debug)]
pub(crate) struct Frames {
    pub wal: Wal,
    pub generation: u64,
    /// The salt under which the generation began.
    pub first_salt: [u32; 2],
    /// The database's size when the generation began, in pages.
    pub first_page_count: u32,
    /// The last frame that the sink took and SQLite may not have published yet; 0 for none.
    pub captured: u32,
}

impl Frames {
    /// The end of the WAL, given the wal-index header as it is under the lock of the frames.
    pub fn position(&self, header: &Header) -> WalPosition {
        // SQLite has restarted the WAL and is about to say so (4).
        let restarting = header.last_frame == 0 && header.salt != self.first_salt;
        WalPosition {
            generation: self.generation + u64::from(restarting),
            frame: header.last_frame,
        }
    }

    fn begin_generation(&mut self, header: &Header) {
        self.generation += 1;
        self.first_salt = header.salt;
        self.first_page_count = header.page_count;
        self.captured = 0;
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub name: String,
    pub file: Arc<dyn File>,
    pub sink: Arc<dyn CommitSink>,
    pub index: WalIndex,
    pub frames: RwLock<Frames>,
    pub locks: Mutex<Locks>,
    writer_left: Condvar,
}

impl Shared {
    pub fn new(
        name: String,
        file: Arc<dyn File>,
        sink: Arc<dyn CommitSink>,
        page_count: u32,
    ) -> Self {
        let index = WalIndex::new(page_count);
        let frames = Frames {
            wal: Wal::default(),
            generation: 0,
            first_salt: index.header().salt,
            first_page_count: page_count,
            captured: 0,
        };
        Self {
            name,
            file,
            sink,
            index,
            frames: RwLock::new(frames),
            locks: Mutex::default(),
            writer_left: Condvar::new(),
        }
    }

    /// SQLite syncs the WAL: when a commit frame is there that nobody has seen yet, the
    /// transaction goes to the sink.
    pub fn capture(&self) -> Result<(), Refused> {
        let committed = self.index.header().last_frame;
        let transaction = {
            let frames = self.frames.read();
            frames.wal.transaction_after(committed).map(|mut transaction| {
                transaction.generation = frames.generation;
                transaction
            })
        };
        // A sync of the WAL's header, before there are frames.
        let Some(transaction) = transaction else { return Ok(()) };
        let last_frame = transaction.last_frame;
        self.sink.commit(transaction)?;
        self.frames.write().captured = last_frame;
        Ok(())
    }

    /// The holder of the write lock is about to let it go (2), (3).
    pub fn writer_leaves(&self) -> Vec<Frame> {
        let mut header = self.index.header();
        let mut frames = self.frames.write();
        let captured = std::mem::take(&mut frames.captured);
        if captured > header.last_frame {
            self.publish_frames(&frames.wal, captured, &mut header);
        }
        if frames.wal.len() > header.last_frame {
            frames.wal.truncate(header.last_frame)
        } else {
            Vec::new()
        }
    }

    /// Enters the frames after the header's last one, up to `last`, and publishes them.
    fn publish_frames(&self, wal: &Wal, last: u32, header: &mut Header) {
        let first = header.last_frame + 1;
        self.index.append(first, wal.range(first, last).map(|frame| frame.page()));
        let (Some(frame), Some(salt)) = (wal.frame(last), wal.salt()) else { return };
        header.change = header.change.wrapping_add(1);
        header.last_frame = last;
        header.page_count = frame.commit();
        header.frame_sums = frame.sums();
        header.salt = salt;
        self.index.publish(header);
    }

    /// SQLite, which holds all locks of the WAL's readers, may have restarted the WAL (4).
    pub fn restarted_by_sqlite(&self) -> Vec<Frame> {
        let header = self.index.header();
        let mut frames = self.frames.write();
        if header.last_frame == 0 && header.salt != frames.first_salt {
            frames.begin_generation(&header);
            frames.wal.clear()
        } else {
            Vec::new()
        }
    }

    /// Restarts the WAL when all its frames are in the file and nobody reads from it. The caller
    /// holds the write lock. `None` when that cannot be.
    pub fn restart(&self, locks: &MutexGuard<'_, Locks>) -> Option<Vec<Frame>> {
        let mut header = self.index.header();
        let complete = header.last_frame > 0 && self.index.backfilled() == header.last_frame;
        if !complete || !locks.no_wal_reader() {
            return None;
        }
        let mut frames = self.frames.write();
        header.last_frame = 0;
        header.change = header.change.wrapping_add(1);
        header.salt[0] = header.salt[0].wrapping_add(1);
        frames.begin_generation(&header);
        self.index.reset(&header);
        Some(frames.wal.clear())
    }

    /// Gives back the images of frames that are in the file and that no reader can need.
    pub fn give_back(&self, locks: &MutexGuard<'_, Locks>) -> Vec<Page> {
        let backfilled = self.index.backfilled();
        let last = locks.lowest_floor().map_or(backfilled, |floor| floor.min(backfilled));
        if self.frames.read().wal.can_give_back(last) {
            self.frames.write().wal.give_back(last)
        } else {
            Vec::new()
        }
    }

    /// Waits for the write lock and takes it for the database itself.
    pub fn lock_writer(&self) -> Result<WriterLock<'_>, WalError> {
        let mut locks = self.locks.lock();
        while locks.lock_exclusive(HandleId::OWN, WRITE..WRITE + 1).is_err() {
            if !locks.write_lock_is_passing() {
                return Err(WalError::WriterActive);
            }
            self.wait_for_writer(&mut locks);
        }
        Ok(WriterLock { shared: self, locks: Some(locks) })
    }

    /// Waits until somebody lets the write lock go.
    pub fn wait_for_writer(&self, locks: &mut MutexGuard<'_, Locks>) {
        self.writer_left.wait(locks);
    }

    /// Somebody let the write lock go.
    pub fn writer_left(&self) {
        self.writer_left.notify_all();
    }
}

/// The write lock, held by the database itself; let go on drop.
#[derive(Debug)]
pub(crate) struct WriterLock<'a> {
    shared: &'a Shared,
    locks: Option<MutexGuard<'a, Locks>>,
}

impl<'a> WriterLock<'a> {
    /// The table of locks, held since the write lock was taken, until `release_table`.
    pub fn table(&self) -> Option<&MutexGuard<'a, Locks>> {
        self.locks.as_ref()
    }

    /// Lets others use the table of locks while the write lock stays held.
    pub fn release_table(&mut self) {
        self.locks = None;
    }
}

impl Drop for WriterLock<'_> {
    fn drop(&mut self) {
        let mut locks = self.locks.take().unwrap_or_else(|| self.shared.locks.lock());
        locks.unlock_exclusive(HandleId::OWN, WRITE..WRITE + 1);
        drop(locks);
        self.shared.writer_left();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        registry::remove(&self.name);
    }
}
