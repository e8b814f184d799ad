//! SQLite's C interface to a VFS: translation between it and the rest of the crate, no more.
//!
//! 1. A panic never crosses into C: each callback ends in a result code.
//! 2. A path is a registered name, or a registered name with `-wal`. Files without a name are
//!    temporary, and the default VFS's.

mod file;
mod pragma;
mod shm;
mod vfs;

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use libsqlite3_sys as ffi;

pub(crate) use self::vfs::{NAME, register};

/// Runs a callback's body. Invariant (1).
fn guarded(body: impl FnOnce() -> c_int) -> c_int {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(ffi::SQLITE_IOERR)
}
