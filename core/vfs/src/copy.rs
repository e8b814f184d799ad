//! A copy of a database in a file of its own, made in steps while others write.
//!
//! The source is one snapshot from the first step to the last: a read transaction holds it, and no
//! writer waits for that.

use std::path::Path;
use std::ptr::NonNull;

use libsqlite3_sys as ffi;
use rusqlite::OpenFlags;

use crate::error::SqliteError;

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Pages that are still to be copied.
    pub remaining_pages: u32,
    /// Pages of the whole.
    pub total_pages: u32,
}

/// A copy under way. The connection that it reads from keeps it, and drops it before itself.
#[derive(Debug)]
pub(crate) struct FileCopy {
    // Dropped in this order.
    backup: Option<RawBackup>,
    target: rusqlite::Connection,
}

/// SQLite's own object; ended on drop.
#[derive(Debug)]
struct RawBackup(NonNull<ffi::sqlite3_backup>);

// SAFETY: SQLite ties it to no thread. It stays with the source's connection, and owns that to the
// target beside it, so that whoever lends either exclusively lends it too.
unsafe impl Send for RawBackup {}

impl FileCopy {
    /// Begins a copy of `source`, which must outlive it.
    pub(crate) fn begin(source: &rusqlite::Connection, path: &Path) -> Result<Self, SqliteError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let target = rusqlite::Connection::open_with_flags(path, flags)?;
        // The file says of itself that it is in WAL mode until the end: no files beside it.
        target.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        source.execute_batch("BEGIN")?;
        match Self::begin_in_transaction(source, target) {
            Ok(copy) => Ok(copy),
            Err(error) => {
                end_transaction(source);
                Err(error)
            }
        }
    }

    fn begin_in_transaction(
        source: &rusqlite::Connection,
        target: rusqlite::Connection,
    ) -> Result<Self, SqliteError> {
        // The transaction begins to read with its first statement.
        source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let name = c"main".as_ptr();
        // SAFETY: both connections are open and nobody else uses them.
        let raw = unsafe { ffi::sqlite3_backup_init(target.handle(), name, source.handle(), name) };
        match NonNull::new(raw) {
            Some(raw) => Ok(Self { backup: Some(RawBackup(raw)), target }),
            // SAFETY: as above.
            None => Err(unsafe {
                let code = ffi::sqlite3_errcode(target.handle());
                SqliteError::last(target.handle(), code)
            }),
        }
    }

    /// Copies up to `pages` pages more. None remain after the last.
    pub(crate) fn step(&mut self, pages: u32) -> Result<Copied, SqliteError> {
        let Some(RawBackup(raw)) = &self.backup else {
            return Err(SqliteError::new(ffi::SQLITE_MISUSE, "the copy has ended"));
        };
        let pages = i32::try_from(pages.max(1)).unwrap_or(i32::MAX);
        // SAFETY: the copy is not finished, and both its connections are open and lent to us.
        let (code, remaining, total) = unsafe {
            (
                ffi::sqlite3_backup_step(raw.as_ptr(), pages),
                ffi::sqlite3_backup_remaining(raw.as_ptr()),
                ffi::sqlite3_backup_pagecount(raw.as_ptr()),
            )
        };
        let page_count = |pages| u32::try_from(pages).unwrap_or(0);
        let (remaining, total_pages) = (page_count(remaining), page_count(total));
        match code {
            ffi::SQLITE_DONE => Ok(Copied { remaining_pages: 0, total_pages }),
            // Even a step that leaves no page does not end the copy.
            ffi::SQLITE_OK => Ok(Copied { remaining_pages: remaining.max(1), total_pages }),
            // SAFETY: the connection is open.
            code => Err(unsafe { SqliteError::last(self.target.handle(), code) }),
        }
    }

    /// Makes a complete copy a file like any other.
    pub(crate) fn finish(&mut self) -> Result<(), SqliteError> {
        self.backup = None;
        let mode: String =
            self.target.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
        if mode.eq_ignore_ascii_case("delete") {
            return Ok(());
        }
        let reason = format!("the copy stays in journal mode {mode}");
        Err(SqliteError::new(ffi::SQLITE_ERROR, reason))
    }

    /// Ends the copy, and the transaction of `source`, which it was begun with.
    pub(crate) fn end(self, source: &rusqlite::Connection) {
        drop(self);
        end_transaction(source);
    }
}

impl Drop for RawBackup {
    fn drop(&mut self) {
        // SAFETY: it is ended once, and both connections are still open.
        unsafe { ffi::sqlite3_backup_finish(self.0.as_ptr()) };
    }
}

fn end_transaction(source: &rusqlite::Connection) {
    if !source.is_autocommit()
        && let Err(error) = source.execute_batch("ROLLBACK")
    {
        debug_assert!(source.is_autocommit(), "a read transaction did not end: {error}");
    }
}
