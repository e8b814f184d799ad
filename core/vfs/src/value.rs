//! Values as SQLite stores them, borrowed.

use std::ffi::{c_char, c_int};
use std::slice;

use libsqlite3_sys as ffi;

/// One value of a row, or of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// No value.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text, in UTF-8 unless somebody stored otherwise. It may hold NUL bytes.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

impl ValueRef<'_> {
    /// Binds the value to parameter `index`, counted from 1, as a copy.
    ///
    /// # Safety
    /// `statement` must not be finalized, and no other thread may be using its connection.
    pub(crate) unsafe fn bind(self, statement: *mut ffi::sqlite3_stmt, index: c_int) -> c_int {
        let copied = ffi::SQLITE_TRANSIENT();
        // SAFETY: the caller vouches for the statement; SQLite copies the bytes before it returns.
        unsafe {
            match self {
                Self::Null => ffi::sqlite3_bind_null(statement, index),
                Self::Integer(value) => ffi::sqlite3_bind_int64(statement, index, value),
                Self::Real(value) => ffi::sqlite3_bind_double(statement, index, value),
                Self::Text(bytes) => ffi::sqlite3_bind_text64(
                    statement,
                    index,
                    bytes.as_ptr().cast::<c_char>(),
                    bytes.len() as u64,
                    copied,
                    ffi::SQLITE_UTF8 as u8,
                ),
                Self::Blob(bytes) => ffi::sqlite3_bind_blob64(
                    statement,
                    index,
                    bytes.as_ptr().cast(),
                    bytes.len() as u64,
                    copied,
                ),
            }
        }
    }
}

impl<'a> ValueRef<'a> {
    /// The value in `column`, counted from 0, of the row that `statement` is at.
    ///
    /// # Safety
    /// `statement` must not be finalized, no other thread may be using its connection, and it must
    /// be neither stepped nor reset during `'a`.
    pub(crate) unsafe fn of_column(statement: *mut ffi::sqlite3_stmt, column: c_int) -> Self {
        // SAFETY: the caller vouches for the statement. The bytes stay until the next step: each
        // value is asked for in its own type only, so SQLite converts none.
        unsafe {
            match ffi::sqlite3_column_type(statement, column) {
                ffi::SQLITE_INTEGER => Self::Integer(ffi::sqlite3_column_int64(statement, column)),
                ffi::SQLITE_FLOAT => Self::Real(ffi::sqlite3_column_double(statement, column)),
                ffi::SQLITE_TEXT => {
                    let text = ffi::sqlite3_column_text(statement, column);
                    bytes(text, ffi::sqlite3_column_bytes(statement, column))
                        .map_or(Self::Null, Self::Text)
                }
                ffi::SQLITE_BLOB => {
                    let blob = ffi::sqlite3_column_blob(statement, column);
                    bytes(blob.cast(), ffi::sqlite3_column_bytes(statement, column))
                        .map_or(Self::Null, Self::Blob)
                }
                _ => Self::Null,
            }
        }
    }
}

/// `None` when SQLite ran out of memory.
///
/// # Safety
/// `start` must be null or the start of `length` bytes that stay during `'a`.
unsafe fn bytes<'a>(start: *const u8, length: c_int) -> Option<&'a [u8]> {
    match usize::try_from(length).unwrap_or(0) {
        0 => Some(&[]),
        _ if start.is_null() => None,
        // SAFETY: as the caller says.
        length => Some(unsafe { slice::from_raw_parts(start, length) }),
    }
}
