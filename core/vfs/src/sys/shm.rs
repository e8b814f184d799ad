//! The wal-index as SQLite maps and locks it.

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use libsqlite3_sys as ffi;

use super::file::handle;
use super::guarded;
use crate::locks::{CHECKPOINT, HandleId, READ_WAL, RECOVER, SLOTS, WRITE};
use crate::shared::Shared;
use crate::wal_index::Block;

pub(super) unsafe extern "C" fn map(
    file: *mut ffi::sqlite3_file,
    block: c_int,
    block_bytes: c_int,
    extend: c_int,
    result: *mut *mut c_void,
) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file, and a place for the address.
        let (handle, result) = unsafe { (handle(file), &mut *result) };
        *result = ptr::null_mut();
        let Ok(block) = usize::try_from(block) else { return ffi::SQLITE_IOERR_SHMMAP };
        if usize::try_from(block_bytes) != Ok(size_of::<Block>()) {
            return ffi::SQLITE_IOERR_SHMMAP;
        }
        let index = &handle.database.index;
        let block = if extend == 0 { index.block(block) } else { Some(index.grow(block)) };
        if let Some(block) = block {
            // The index keeps the block for as long as the database is, and the open file keeps
            // that. Its fields are atomics, so writing through the shared address is sound.
            *result = Arc::as_ptr(&block).cast_mut().cast();
        }
        ffi::SQLITE_OK
    })
}

pub(super) unsafe extern "C" fn lock(
    file: *mut ffi::sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file.
        let handle = unsafe { handle(file) };
        let (Ok(first), Ok(count)) = (usize::try_from(first), usize::try_from(count)) else {
            return ffi::SQLITE_IOERR_SHMLOCK;
        };
        if first + count > SLOTS {
            return ffi::SQLITE_IOERR_SHMLOCK;
        }
        let slots = first..first + count;
        let shared = flags & ffi::SQLITE_SHM_SHARED != 0;
        match (flags & ffi::SQLITE_SHM_UNLOCK != 0, shared) {
            (true, true) => handle.database.unlock_shared(handle.id, slots),
            (true, false) => handle.database.unlock_exclusive(handle.id, slots),
            (false, _) => return handle.database.lock_slots(handle.id, slots, shared),
        }
        ffi::SQLITE_OK
    })
}

pub(super) unsafe extern "C" fn unmap(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file.
        let handle = unsafe { handle(file) };
        handle.database.unlock_exclusive(handle.id, 0..SLOTS);
        handle.database.unlock_shared(handle.id, 0..SLOTS);
        ffi::SQLITE_OK
    })
}

impl Shared {
    fn lock_slots(&self, id: HandleId, slots: Range<usize>, shared: bool) -> c_int {
        let refused = slots.contains(&CHECKPOINT) || slots.contains(&RECOVER);
        if refused && !shared {
            return ffi::SQLITE_BUSY;
        }
        let mut locks = self.locks.lock();
        let taken = if shared {
            locks.lock_shared(id, slots, self.index.backfilled())
        } else {
            // SQLite would have the writer fail, or ask its busy handler.
            let begins = slots.contains(&WRITE) && locks.is_reader(id);
            while begins && locks.write_lock_is_passing() {
                self.wait_for_writer(&mut locks);
            }
            locks.lock_exclusive(id, slots)
        };
        if taken.is_ok() { ffi::SQLITE_OK } else { ffi::SQLITE_BUSY }
    }

    fn unlock_shared(&self, id: HandleId, slots: Range<usize>) {
        let mut locks = self.locks.lock();
        let reader_leaves = slots.end > READ_WAL.start;
        locks.unlock_shared(id, slots);
        let images = if reader_leaves { self.give_back(&locks) } else { Vec::new() };
        drop(locks);
        drop(images);
    }

    fn unlock_exclusive(&self, id: HandleId, slots: Range<usize>) {
        let mut locks = self.locks.lock();
        let writer_leaves = slots.contains(&WRITE) && locks.holds_exclusive(id, WRITE);
        let left = if writer_leaves { self.writer_leaves() } else { Vec::new() };
        let all_readers = READ_WAL
            .into_iter()
            .all(|slot| slots.contains(&slot) && locks.holds_exclusive(id, slot));
        let restarted = if all_readers { self.restarted_by_sqlite() } else { Vec::new() };
        locks.unlock_exclusive(id, slots);
        drop(locks);
        drop((left, restarted));
        if writer_leaves {
            self.writer_left();
        }
    }

    /// A connection's main file closes.
    pub(super) fn leave(&self, id: HandleId) {
        self.unlock_exclusive(id, 0..SLOTS);
        self.unlock_shared(id, 0..SLOTS);
        self.locks.lock().close(id);
    }
}
