//! Errors as C holds them.

use std::ffi::{CString, c_char, c_int};

use dqlite::{Error, Outcome};

use crate::arguments::{Place, Sized64};
use crate::failure::{Failure, answer};
use crate::handle::{Kind, Registry};
use crate::operation::{self, dqlite_operation};
use crate::tables;

/// Why a call failed. Read-only; freed by dqlite_error_free().
pub struct dqlite_error {
    _opaque: [u8; 0],
}

/// What an error says, all at once. Its texts end with a NUL and live as long as the error.
#[repr(C)]
pub struct dqlite_error_info {
    /// sizeof(dqlite_error_info), set by the caller.
    pub size: u64,
    /// What names the error for good, "constraint.unique" say: DQLITE_ID_*.
    pub id: *const c_char,
    /// SQLite's extended result code, dqlite's, or one of our own range: DQLITE_CODE_*.
    pub code: i64,
    /// The name of the code, "SQLITE_CONSTRAINT_UNIQUE" say.
    pub name: *const c_char,
    /// What went wrong, for people. UTF-8.
    pub message: *const c_char,
    /// The kind of failure: DQLITE_CLASS_*.
    pub error_class: c_int,
    /// Whether the same call may be made again: DQLITE_RETRYABLE_*.
    pub retryable: c_int,
    /// Whether the call took effect: DQLITE_OUTCOME_*.
    pub outcome: c_int,
    /// Whether dqlite_error_resolve() can find out what became of the call: 0 or 1.
    pub can_resolve: c_int,
    /// The name of the class in other languages, "IntegrityError" say.
    pub class_name: *const c_char,
}

impl Sized64 for dqlite_error_info {
    const BYTES_MIN: usize = 64;
}

/// An error, and its texts as C reads them.
pub(crate) struct Told {
    core: Option<Error>,
    id: CString,
    name: CString,
    message: CString,
    class_name: CString,
    code: i64,
    class: c_int,
    retryable: c_int,
    outcome: Outcome,
}

static ERRORS: Registry<Told> = Registry::new(Kind::Error);

/// Hands an error out.
pub(crate) fn issue(failure: Failure) -> *mut dqlite_error {
    let entry = failure.entry();
    let told = Told {
        id: c_text(entry.id),
        name: c_text(entry.name),
        message: c_text(failure.message()),
        class_name: c_text(entry.class.name()),
        code: failure.code(),
        class: tables::class_number(entry.class),
        retryable: tables::retryable_number(failure.retryable()),
        outcome: failure.outcome(),
        core: match failure {
            Failure::Core(error) => Some(error),
            Failure::Here { .. } => None,
        },
    };
    ERRORS.insert(told)
}

/// Takes an error back that was handed out; none for NULL and for one that was freed.
pub(crate) fn take(error: *mut dqlite_error) -> Option<Failure> {
    let told = ERRORS.remove(error).ok()?;
    Some(match &told.core {
        Some(core) => Failure::Core(core.clone()),
        None => {
            let failure = Failure::new(&told.id.to_string_lossy(), message(&told));
            if told.outcome == Outcome::Unknown { failure.unknown() } else { failure }
        }
    })
}

/// A text for C: a NUL in it becomes a space.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| {
        let bytes = text.bytes().map(|byte| if byte == 0 { b' ' } else { byte }).collect();
        CString::new::<Vec<u8>>(bytes).unwrap_or_default()
    })
}

/// What stands where an error handle means nothing.
const NOTHING: *const c_char = c"".as_ptr();

fn read<T>(error: *const dqlite_error, otherwise: T, read: impl FnOnce(&Told) -> T) -> T {
    ERRORS.get(error).map_or(otherwise, |told| read(&told))
}

/// What names the error for good, "constraint.unique" say. Compare with DQLITE_ID_*. "" for NULL or
/// an error that was freed. The text lives as long as the error; so do the other ones.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_error_id(error: *const dqlite_error) -> *const c_char {
    read(error, NOTHING, |told| told.id.as_ptr())
}

/// SQLite's extended result code, dqlite's, or one of our own range: DQLITE_CODE_*.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_error_code(error: *const dqlite_error) -> i64 {
    read(error, 0, |told| told.code)
}

/// The name of the code, "SQLITE_CONSTRAINT_UNIQUE" say.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_error_name(error: *const dqlite_error) -> *const c_char {
    read(error, NOTHING, |told| told.name.as_ptr())
}

/// What went wrong, for people. UTF-8.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_error_message(error: *const dqlite_error) -> *const c_char {
    read(error, NOTHING, |told| told.message.as_ptr())
}

/// The kind of failure: DQLITE_CLASS_*. It is also what the call returned.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_error_class(error: *const dqlite_error) -> c_int {
    read(error, 0, |told| told.class)
}

/// Whether the same call may be made again: DQLITE_RETRYABLE_*.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_error_retryable(error: *const dqlite_error) -> c_int {
    read(error, 0, |told| told.retryable)
}

/// Whether the call took effect: DQLITE_OUTCOME_*.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_error_outcome(error: *const dqlite_error) -> c_int {
    read(error, 0, |told| tables::outcome_number(told.outcome))
}

/// All that the error says, in one call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_error_describe(
    error: *const dqlite_error,
    info: *mut dqlite_error_info,
    failure: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `failure` is as the header demands.
    unsafe {
        answer(failure, || {
            let told = find(error)?;
            // SAFETY: so is `info`.
            let info = Place::sized(info, "info")?;
            info.fill(dqlite_error_info {
                size: 0,
                id: told.id.as_ptr(),
                code: told.code,
                name: told.name.as_ptr(),
                message: told.message.as_ptr(),
                error_class: told.class,
                retryable: told.retryable,
                outcome: tables::outcome_number(told.outcome),
                can_resolve: told.core.as_ref().is_some_and(Error::can_resolve).into(),
                class_name: told.class_name.as_ptr(),
            });
            Ok(())
        })
    }
}

/// Of an error with DQLITE_OUTCOME_UNKNOWN: waits for a leader and says for certain whether the
/// transaction committed.
///
/// Fails with the class DQLITE_CLASS_UNAVAILABLE when no leader could be found in time, with the id
/// "outcome.forgotten" when it is too long ago, and with what `error` says when it can never be
/// found out: of a script that may have taken effect in part, say. Of other errors it answers at
/// once from their outcome.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dqlite_error_resolve(
    error: *const dqlite_error,
    operation: *mut dqlite_operation,
    committed: *mut bool,
    failure: *mut *mut dqlite_error,
) -> c_int {
    // SAFETY: `failure` is as the header demands.
    unsafe {
        answer(failure, || {
            let told = find(error)?;
            // SAFETY: so is `committed`.
            let committed = Place::required(committed, "committed")?;
            let operation = operation::find(operation)?;
            committed.set(match (&told.core, told.outcome) {
                (_, Outcome::Applied) => true,
                (_, Outcome::NotApplied) => false,
                (Some(core), _) => dqlite::blocking::wait(core.resolve(), operation.as_ref())?,
                (None, _) => {
                    let reason = format!("it cannot be found out: {}", message(&told));
                    return Err(Failure::new("outcome.unknown", reason).unknown());
                }
            });
            Ok(())
        })
    }
}

fn message(told: &Told) -> String {
    told.message.to_string_lossy().into_owned()
}

fn find(error: *const dqlite_error) -> Result<std::sync::Arc<Told>, Failure> {
    ERRORS.get(error).map_err(|miss| Failure::handle(miss, "error", "handle"))
}

/// Frees an error and its texts. NULL is fine, and so is an error that was freed.
#[unsafe(no_mangle)]
pub extern "C" fn dqlite_error_free(error: *mut dqlite_error) {
    let _ = ERRORS.remove(error);
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn text(pointer: *const c_char) -> String {
        // SAFETY: the functions above give texts that end with a NUL.
        unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
    }

    #[test]
    fn an_error_says_what_the_table_says_until_it_is_freed() {
        let error = issue(Failure::new("constraint.unique", "nul\0 inside"));
        assert_eq!(text(dqlite_error_id(error)), "constraint.unique");
        assert_eq!(text(dqlite_error_name(error)), "SQLITE_CONSTRAINT_UNIQUE");
        assert_eq!(text(dqlite_error_message(error)), "nul  inside");
        assert_eq!(dqlite_error_code(error), 2067);
        dqlite_error_free(error);
        assert_eq!(text(dqlite_error_id(error)), "");
        assert_eq!(dqlite_error_code(error), 0);
        dqlite_error_free(error);
        dqlite_error_free(std::ptr::null_mut());
    }
}
