//! Files as SQLite holds them: a database's main file, and the WAL beside it.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use libsqlite3_sys as ffi;

use super::{guarded, pragma, shm};
use crate::locks::HandleId;
use crate::shared::Shared;
use crate::transaction::PAGE_BYTES;

/// Which of a database's two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Main,
    Wal,
}

/// What lies in the memory that SQLite gives for a file.
#[repr(C)]
pub(super) struct OpenFile {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

/// An open file.
pub(super) struct Handle {
    pub database: Arc<Shared>,
    pub kind: Kind,
    /// The connection's hold on the locks; used by the main file alone.
    pub id: HandleId,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.kind == Kind::Main {
            self.database.leave(self.id);
        }
    }
}

/// Puts an open file into the memory at `target`.
///
/// # Safety
/// `target` must point to memory of the VFS's file size that holds no open file.
pub(super) unsafe fn place(target: *mut ffi::sqlite3_file, database: Arc<Shared>, kind: Kind) {
    let id = match kind {
        Kind::Main => database.locks.lock().open(),
        Kind::Wal => HandleId::OWN,
    };
    let handle = Box::into_raw(Box::new(Handle { database, kind, id }));
    let base = ffi::sqlite3_file { pMethods: &METHODS };
    // SAFETY: as the caller says; the type starts with SQLite's own.
    unsafe { target.cast::<OpenFile>().write(OpenFile { base, handle }) };
}

/// The open file at `file`.
///
/// # Safety
/// `file` must be one that `place` made and that is not closed.
pub(super) unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a Handle {
    // SAFETY: as the caller says.
    unsafe { &*(*file.cast::<OpenFile>()).handle }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(pragma::file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm::map),
    xShmLock: Some(shm::lock),
    xShmBarrier: Some(barrier),
    xShmUnmap: Some(shm::unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    guarded(|| {
        // SAFETY: SQLite closes a file once, and `place` boxed the handle.
        drop(unsafe { Box::from_raw((*file.cast::<OpenFile>()).handle) });
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    target: *mut c_void,
    bytes: c_int,
    offset: i64,
) -> c_int {
    guarded(|| {
        let (Ok(bytes), Ok(offset)) = (usize::try_from(bytes), u64::try_from(offset)) else {
            return ffi::SQLITE_IOERR_READ;
        };
        // SAFETY: SQLite gives an open file, and memory for that many bytes.
        let (handle, target) = unsafe {
            target.cast::<u8>().write_bytes(0, bytes);
            (handle(file), std::slice::from_raw_parts_mut(target.cast::<u8>(), bytes))
        };
        handle.read(target, offset)
    })
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    source: *const c_void,
    bytes: c_int,
    offset: i64,
) -> c_int {
    guarded(|| {
        let (Ok(bytes), Ok(offset)) = (usize::try_from(bytes), u64::try_from(offset)) else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        // SAFETY: SQLite gives an open file, and that many bytes.
        let (handle, source) =
            unsafe { (handle(file), std::slice::from_raw_parts(source.cast::<u8>(), bytes)) };
        match handle.kind {
            // Only a checkpoint writes there, and SQLite makes none.
            Kind::Main => ffi::SQLITE_IOERR_WRITE,
            Kind::Wal => match handle.database.frames.write().wal.write(source, offset) {
                Ok(_) => ffi::SQLITE_OK,
                Err(_) => ffi::SQLITE_IOERR_WRITE,
            },
        }
    })
}

impl Handle {
    fn read(&self, target: &mut [u8], offset: u64) -> c_int {
        match self.kind {
            Kind::Main => match self.database.file.read_at(target, offset) {
                Ok(count) if count == target.len() => ffi::SQLITE_OK,
                Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
                Err(_) => ffi::SQLITE_IOERR_READ,
            },
            Kind::Wal => match self.database.frames.read().wal.read(target, offset) {
                Ok(()) => ffi::SQLITE_OK,
                Err(crate::wal::ReadError::Short) => ffi::SQLITE_IOERR_SHORT_READ,
                Err(crate::wal::ReadError::GivenBack) => ffi::SQLITE_IOERR_READ,
            },
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, _: i64) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file.
        match unsafe { handle(file) }.kind {
            // Only a checkpoint cuts the file.
            Kind::Main => ffi::SQLITE_IOERR_TRUNCATE,
            // What is past the committed frames goes when the writer leaves.
            Kind::Wal => ffi::SQLITE_OK,
        }
    })
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file.
        let handle = unsafe { handle(file) };
        match handle.kind {
            Kind::Main => ffi::SQLITE_OK,
            Kind::Wal => match handle.database.capture() {
                Ok(()) => ffi::SQLITE_OK,
                Err(_) => ffi::SQLITE_IOERR_FSYNC,
            },
        }
    })
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, result: *mut i64) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file, and a place for the size.
        let (handle, result) = unsafe { (handle(file), &mut *result) };
        let size = match handle.kind {
            Kind::Main => handle.database.file.len(),
            Kind::Wal => Ok(handle.database.frames.read().wal.file_bytes()),
        };
        match size.map(i64::try_from) {
            Ok(Ok(size)) => {
                *result = size;
                ffi::SQLITE_OK
            }
            _ => ffi::SQLITE_IOERR_FSTAT,
        }
    })
}

/// Other processes are kept out for as long as the database is open, so a shared lock is always
/// had. Only leaving WAL mode, and a checkpoint on close, ask for more; neither may be.
unsafe extern "C" fn lock(_: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    if level <= ffi::SQLITE_LOCK_SHARED { ffi::SQLITE_OK } else { ffi::SQLITE_BUSY }
}

unsafe extern "C" fn unlock(_: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(_: *mut ffi::sqlite3_file, result: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *result = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    PAGE_BYTES as c_int
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    // Without it SQLite would repeat the commit frame up to the sector's end.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn barrier(_: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
}
