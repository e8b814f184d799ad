//! Backups.

use std::ffi::{c_char, c_int, c_void};

use crate::connection::{calling, dqlite_connection};
use crate::error::dqlite_error;
use crate::failure::answer;
use crate::operation::dqlite_operation;

/// Hears how far a backup is, on the thread that asked for it. Pages have 4096 bytes.
pub type dqlite_progress_func =
    Option<unsafe extern "C" fn(arg: *mut c_void, remaining_pages: u64, total_pages: u64)>;

/// What C wants to hear, and with what.
struct Listener(dqlite_progress_func, *mut c_void);

// SAFETY: it is called on the thread that the backup was asked for on, and on no other: the call
// waits on that thread and polls the backup there.
unsafe impl Send for Listener {}

impl Listener {
    fn hear(&self, progress: dqlite::Progress) {
        if let Some(function) = self.0 {
            // SAFETY: the caller gave it for this.
            unsafe { function(self.1, progress.remaining_pages, progress.total_pages) };
        }
    }
}

/// Writes the database as one SQLite file to `path`, as of one moment, while others go on. What was
/// at `path` is replaced once the backup is complete. `progress` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_connection_backup(
    connection: *mut dqlite_connection,
    path: *const c_char,
    progress: dqlite_progress_func,
    arg: *mut c_void,
    operation: *mut dqlite_operation,
    error: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: all are as the header demands.
    unsafe {
        answer(error, || {
            let connection = calling(connection, operation)?;
            let path = crate::arguments::path(path, "path")?;
            let listener = Listener(progress, arg);
            Ok(connection.backup(path, move |at| listener.hear(at))?)
        })
    }
}
