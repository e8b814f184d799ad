//! What the library says it is.

use std::ffi::{c_char, c_int};

/// The version of dqlite whose API the library has: 11806 stands for 1.18.6.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_version_number() -> c_int {
    11806
}

/// A pointer that C reads as `const char *`.
#[repr(transparent)]
pub struct VersionString(*const c_char);

// SAFETY: it points to a text that never changes.
unsafe impl Sync for VersionString {}

/// `dqlite_version_number`, as a text.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "it has its name of C")]
pub static dqlite_version_string: VersionString = VersionString(c"1.18.6".as_ptr());

/// The version of the interface in C, apart from dqlite's own: it grows by one when functions are
/// added. Compare with DQLITE_API_VERSION, which the program was compiled with.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_api_version() -> c_int {
    DQLITE_API_VERSION
}

/// The version of the interface in C that the header describes.
pub const DQLITE_API_VERSION: c_int = 1;
