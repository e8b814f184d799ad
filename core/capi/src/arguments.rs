//! What C hands over: texts, buffers, places to write to.

use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::failure::Failure;

/// The text at `text`, which ends with a NUL.
///
/// # Safety
/// `text` is NULL or points to a text that ends with a NUL and stays as it is for `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(Failure::argument(format!("{name} is NULL")));
    }
    // SAFETY: it is not NULL; the rest is the caller's promise.
    let found = unsafe { CStr::from_ptr(text) };
    found.to_str().map_err(|_| Failure::argument(format!("{name} is not UTF-8")))
}

/// The path at `path`, which ends with a NUL.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn path<'a>(path: *const c_char, name: &str) -> Result<&'a Path, Failure> {
    if path.is_null() {
        return Err(Failure::argument(format!("{name} is NULL")));
    }
    // SAFETY: it is not NULL; the rest is the caller's promise.
    Ok(Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes())))
}

/// The bytes at `bytes`.
///
/// # Safety
/// `bytes` points to `length` bytes that stay as they are for `'a`, or `length` is 0.
pub(crate) unsafe fn bytes<'a>(
    bytes: *const u8,
    length: usize,
    name: &str,
) -> Result<&'a [u8], Failure> {
    if length == 0 {
        return Ok(&[]);
    }
    if bytes.is_null() {
        return Err(Failure::argument(format!("{name} is NULL, and its length is not 0")));
    }
    if length > isize::MAX as usize {
        return Err(Failure::argument(format!("the length of {name} is beyond all memory")));
    }
    // SAFETY: it is not NULL and not too long; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(bytes, length) })
}

/// The statement at `sql`.
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn sql<'a>(sql: *const c_char, length: usize) -> Result<&'a str, Failure> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { bytes(sql.cast(), length, "sql") }?;
    std::str::from_utf8(bytes)
        .map_err(|_| Failure::new("value.text", "the text of the statement is not UTF-8"))
}

/// The `count` items at `items`.
///
/// # Safety
/// `items` points to `count` items that stay as they are for `'a`, or `count` is 0.
pub(crate) unsafe fn items<'a, T>(
    items: *const T,
    count: usize,
    name: &str,
) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    if items.is_null() || !items.is_aligned() {
        return Err(Failure::argument(format!("{name} is NULL, or not a place for such items")));
    }
    if count.checked_mul(size_of::<T>()).is_none_or(|bytes| bytes > isize::MAX as usize) {
        return Err(Failure::argument(format!("the number of {name} is beyond all memory")));
    }
    // SAFETY: checked above; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(items, count) })
}

/// A place of the caller's to write to.
pub(crate) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// The place at `place`, which must be one.
    ///
    /// # Safety
    /// `place` is NULL or can be written to, for as long as this lives.
    pub unsafe fn required(place: *mut T, name: &str) -> Result<Self, Failure> {
        if place.is_null() || !place.is_aligned() {
            return Err(Failure::argument(format!("{name} is NULL, or not a place for it")));
        }
        Ok(Self(place))
    }

    pub fn set(&self, value: T) {
        // SAFETY: whoever made it has promised.
        unsafe { self.0.write(value) };
    }
}

/// A struct that begins with its own size in bytes, as the caller knows it. One that has grown
/// since is read and written only as far as that.
pub(crate) trait Sized64 {
    /// The size of its first version, in bytes.
    const BYTES_MIN: usize;
}

impl<T: Sized64> Place<T> {
    /// The place at `place`, whose size is what the caller says it is.
    ///
    /// # Safety
    /// `place` is NULL, or can be written to and holds its size, for as long as this lives.
    pub unsafe fn sized(place: *mut T, name: &str) -> Result<Self, Failure> {
        // SAFETY: the caller's promise.
        let found = unsafe { Self::required(place, name) }?;
        // SAFETY: the struct begins with its size.
        let size = unsafe { place.cast::<u64>().read() };
        if size < T::BYTES_MIN as u64 {
            let reason = format!("{name}.size is {size}: set it to its sizeof");
            return Err(Failure::argument(reason));
        }
        Ok(found)
    }

    /// Writes all but the size.
    pub fn fill(&self, mut value: T) {
        const { assert!(size_of::<T>() >= size_of::<u64>()) };
        // SAFETY: both begin with their size, and `sized` has found the place to be large enough.
        unsafe {
            let size = self.0.cast::<u64>().read();
            (&raw mut value).cast::<u64>().write(size);
        }
        self.set(value);
    }
}
