//! Parameters, as one buffer.

use bytes::Bytes;
use dqlite::ParameterSet;
use dqlite_wire::DecodeError;

use crate::arguments::bytes;
use crate::failure::Failure;

/// The set of parameters in the buffer; an empty buffer is no parameters.
///
/// # Safety
/// `buffer` points to `length` bytes, or `length` is 0.
pub(crate) unsafe fn set(buffer: *const u8, length: usize) -> Result<ParameterSet, Failure> {
    // SAFETY: the caller's promise.
    let buffer = unsafe { bytes(buffer, length, "parameters") }?;
    if buffer.is_empty() {
        return Ok(ParameterSet::default());
    }
    ParameterSet::decode(&Bytes::copy_from_slice(buffer)).map_err(|error| unfit(&error))
}

/// The sets of parameters in the buffer; an empty buffer is no sets.
///
/// # Safety
/// As [`set`].
pub(crate) unsafe fn sets(buffer: *const u8, length: usize) -> Result<Vec<ParameterSet>, Failure> {
    // SAFETY: the caller's promise.
    let buffer = unsafe { bytes(buffer, length, "parameters") }?;
    if buffer.is_empty() {
        return Ok(Vec::new());
    }
    ParameterSet::decode_all(&Bytes::copy_from_slice(buffer)).map_err(|error| unfit(&error))
}

fn unfit(error: &DecodeError) -> Failure {
    match error {
        DecodeError::InvalidUtf8 => {
            Failure::new("value.text", "a parameter's text or name is not UTF-8")
        }
        DecodeError::TooManyParams => Failure::new("value.too_large", error.to_string()),
        _ => Failure::argument(format!("the buffer of parameters is malformed: {error}")),
    }
}
