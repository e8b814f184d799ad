//! The VFS itself: names to files.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use libsqlite3_sys as ffi;

use super::file::{self, Kind, OpenFile};
use super::guarded;
use crate::registry;

/// The VFS's name in SQLite.
pub(crate) const NAME: &CStr = c"dqlite";
const WAL_SUFFIX: &str = "-wal";
const PATH_BYTES_MAX: c_int = 512;

/// SQLite could not be set up; the code is its own.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("SQLite does not take the VFS (code {0})")]
pub(crate) struct NotRegistered(c_int);

/// Makes the VFS known to SQLite, once a process.
pub(crate) fn register() -> Result<(), NotRegistered> {
    static REGISTERED: OnceLock<Result<(), NotRegistered>> = OnceLock::new();
    *REGISTERED.get_or_init(|| {
        // SAFETY: a null name asks for the default VFS, which lives as long as the process.
        let default = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
        // SAFETY: SQLite gives null or a valid VFS.
        let Some(base) = (unsafe { default.as_ref() }) else {
            return Err(NotRegistered(ffi::SQLITE_NOTFOUND));
        };
        let own_bytes = size_of::<OpenFile>() as c_int;
        // Never freed: SQLite keeps it.
        let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            // Temporary files are opened in the same memory by the default VFS.
            szOsFile: base.szOsFile.max(own_bytes),
            mxPathname: base.mxPathname.max(PATH_BYTES_MAX),
            pNext: ptr::null_mut(),
            zName: NAME.as_ptr(),
            pAppData: default.cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: Some(dl_open),
            xDlError: Some(dl_error),
            xDlSym: Some(dl_sym),
            xDlClose: Some(dl_close),
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: Some(current_time_int64),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: the VFS is whole and lives for ever; it is not made the default.
        match unsafe { ffi::sqlite3_vfs_register(vfs, 0) } {
            ffi::SQLITE_OK => Ok(()),
            code => Err(NotRegistered(code)),
        }
    })
}

/// The default VFS.
///
/// # Safety
/// `vfs` must be the VFS that `register` made.
unsafe fn default_of<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a mut ffi::sqlite3_vfs {
    // SAFETY: `register` put a valid, immortal VFS there.
    unsafe { &mut *(*vfs).pAppData.cast() }
}

/// A name as SQLite passes it; `None` for null, for an empty one, and for one that is not text.
///
/// # Safety
/// `name` must be null or a C string that outlives the result.
unsafe fn text<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(name) }.to_str().ok().filter(|name| !name.is_empty())
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    target: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives memory for a file, and expects no methods there when it fails.
        unsafe { (*target).pMethods = ptr::null() };
        // SAFETY: SQLite gives null or a C string.
        let Some(name) = (unsafe { text(name) }) else {
            if !name.is_null() && flags & TEMPORARY == 0 {
                return ffi::SQLITE_CANTOPEN;
            }
            // SAFETY: the default VFS is called as SQLite called us, with memory of its size.
            return unsafe {
                let default = default_of(vfs);
                match default.xOpen {
                    Some(open) => open(default, ptr::null(), target, flags, flags_out),
                    None => ffi::SQLITE_CANTOPEN,
                }
            };
        };
        let (name, kind) = match (name.strip_suffix(WAL_SUFFIX), flags) {
            (Some(base), flags) if flags & ffi::SQLITE_OPEN_WAL != 0 => (base, Kind::Wal),
            (_, flags) if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 => (name, Kind::Main),
            _ => return ffi::SQLITE_CANTOPEN,
        };
        let Some(database) = registry::find(name) else { return ffi::SQLITE_CANTOPEN };
        // SAFETY: the memory is of our size at least, and is not in use.
        unsafe { file::place(target, database, kind) };
        // SAFETY: SQLite gives null or a place for the flags.
        if let Some(flags_out) = unsafe { flags_out.as_mut() } {
            *flags_out = flags;
        }
        ffi::SQLITE_OK
    })
}

/// Files that SQLite makes for itself and deletes on close.
const TEMPORARY: c_int = ffi::SQLITE_OPEN_TEMP_DB
    | ffi::SQLITE_OPEN_TRANSIENT_DB
    | ffi::SQLITE_OPEN_SUBJOURNAL
    | ffi::SQLITE_OPEN_TEMP_JOURNAL;

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, _: *const c_char, _: c_int) -> c_int {
    // SQLite deletes a WAL only after a checkpoint of its own, which it cannot make.
    ffi::SQLITE_IOERR_DELETE
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _: c_int,
    result: *mut c_int,
) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives a C string, and a place for the answer.
        let (name, result) = unsafe { (text(name), &mut *result) };
        // A database and its WAL are always there; a journal never is.
        let base = name.map(|name| name.strip_suffix(WAL_SUFFIX).unwrap_or(name));
        *result = c_int::from(base.is_some_and(|name| registry::find(name).is_some()));
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    target_bytes: c_int,
    target: *mut c_char,
) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives a C string, and a target of the size that it names.
        unsafe {
            let name = CStr::from_ptr(name).to_bytes_with_nul();
            if name.len() > usize::try_from(target_bytes).unwrap_or(0) {
                return ffi::SQLITE_CANTOPEN;
            }
            ptr::copy_nonoverlapping(name.as_ptr().cast(), target, name.len());
        }
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn dl_open(_: *mut ffi::sqlite3_vfs, _: *const c_char) -> *mut c_void {
    ptr::null_mut()
}

unsafe extern "C" fn dl_error(_: *mut ffi::sqlite3_vfs, bytes: c_int, message: *mut c_char) {
    if bytes > 0 {
        // SAFETY: SQLite gives a buffer of that many bytes.
        unsafe { *message = 0 };
    }
}

unsafe extern "C" fn dl_sym(
    _: *mut ffi::sqlite3_vfs,
    _: *mut c_void,
    _: *const c_char,
) -> Option<unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *mut c_void, *const c_char)> {
    None
}

unsafe extern "C" fn dl_close(_: *mut ffi::sqlite3_vfs, _: *mut c_void) {}

unsafe extern "C" fn randomness(
    vfs: *mut ffi::sqlite3_vfs,
    bytes: c_int,
    target: *mut c_char,
) -> c_int {
    // SAFETY: the default VFS is called as SQLite called us.
    unsafe {
        let default = default_of(vfs);
        default.xRandomness.map_or(0, |call| call(default, bytes, target))
    }
}

unsafe extern "C" fn sleep(vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    // SAFETY: the default VFS is called as SQLite called us.
    unsafe {
        let default = default_of(vfs);
        default.xSleep.map_or(0, |call| call(default, microseconds))
    }
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, days: *mut f64) -> c_int {
    // SAFETY: the default VFS is called as SQLite called us.
    unsafe {
        let default = default_of(vfs);
        default.xCurrentTime.map_or(ffi::SQLITE_ERROR, |call| call(default, days))
    }
}

unsafe extern "C" fn current_time_int64(vfs: *mut ffi::sqlite3_vfs, time_ms: *mut i64) -> c_int {
    // SAFETY: the default VFS is called as SQLite called us; a VFS of version 1 has no such call.
    unsafe {
        let default = default_of(vfs);
        match default.xCurrentTimeInt64 {
            Some(call) if default.iVersion >= 2 => call(default, time_ms),
            _ => {
                let mut days = 0.0;
                let code = current_time(vfs, &raw mut days);
                *time_ms = (days * 86_400_000.0) as i64;
                code
            }
        }
    }
}

unsafe extern "C" fn last_error(
    vfs: *mut ffi::sqlite3_vfs,
    bytes: c_int,
    message: *mut c_char,
) -> c_int {
    // SAFETY: the default VFS is called as SQLite called us.
    unsafe {
        let default = default_of(vfs);
        default.xGetLastError.map_or(0, |call| call(default, bytes, message))
    }
}
