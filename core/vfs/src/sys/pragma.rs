//! Pragmas that a database under this VFS does not obey.

use std::ffi::{CStr, c_char, c_int, c_void};

use libsqlite3_sys as ffi;

use super::guarded;

/// How a pragma is answered.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// By SQLite.
    Pass,
    /// With nothing, and without effect.
    Ignore,
    /// With one value, and without effect.
    Value(&'static CStr),
}

/// Below `FULL`, SQLite would not sync the WAL, and commits would not be seen. In exclusive mode it
/// would not take the locks of the wal-index.
fn answer(name: &str, value: Option<&str>) -> Answer {
    let is = |word: &&str| value.is_some_and(|value| value.trim().eq_ignore_ascii_case(word));
    if name.eq_ignore_ascii_case("synchronous") && value.is_some() {
        let harmless = ["full", "extra", "2", "3"].iter().any(is);
        return if harmless { Answer::Pass } else { Answer::Ignore };
    }
    if name.eq_ignore_ascii_case("locking_mode") && value.is_some() {
        return Answer::Value(c"normal");
    }
    Answer::Pass
}

pub(super) unsafe extern "C" fn file_control(
    _: *mut ffi::sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    guarded(|| {
        if operation != ffi::SQLITE_FCNTL_PRAGMA {
            return ffi::SQLITE_NOTFOUND;
        }
        let words = argument.cast::<*mut c_char>();
        // SAFETY: for this operation SQLite passes three pointers: a place for the answer, the
        // pragma's name, and its argument or null.
        let (name, value) = unsafe { (*words.add(1), *words.add(2)) };
        // SAFETY: a C string.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        // SAFETY: a C string, since it is not null.
        let value = (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_string_lossy());
        match answer(&name, value.as_deref()) {
            Answer::Pass => ffi::SQLITE_NOTFOUND,
            Answer::Ignore => ffi::SQLITE_OK,
            Answer::Value(text) => {
                // SAFETY: SQLite frees the answer with its own allocator.
                unsafe { *words = ffi::sqlite3_mprintf(c"%s".as_ptr(), text.as_ptr()) };
                ffi::SQLITE_OK
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_synchronous_passes() {
        assert_eq!(answer("synchronous", None), Answer::Pass);
        assert_eq!(answer("SYNCHRONOUS", Some("Full")), Answer::Pass);
        assert_eq!(answer("synchronous", Some("NORMAL")), Answer::Ignore);
        assert_eq!(answer("synchronous", Some("0")), Answer::Ignore);
        assert_eq!(answer("locking_mode", Some("EXCLUSIVE")), Answer::Value(c"normal"));
        assert_eq!(answer("cache_size", Some("10")), Answer::Pass);
    }
}
