//! Why a call of C failed, and how C is told.

use std::any::Any;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dqlite::{ERRORS, Entry, Error, Outcome, Retryable};

use crate::error::{self, dqlite_error};
use crate::handle::Miss;
use crate::tables;

/// Why a call failed.
pub(crate) enum Failure {
    /// What the interface says.
    Core(Error),
    /// What was found here, before the interface was asked.
    Here { entry: &'static Entry, message: String, outcome: Outcome },
}

impl Failure {
    /// The error of the table called `id`, which had no effect.
    pub fn new(id: &str, message: impl Into<String>) -> Self {
        let found = ERRORS.binary_search_by(|entry| entry.id.cmp(id));
        debug_assert!(found.is_ok(), "{id} is in no table");
        let entry = &ERRORS[found.unwrap_or(0)];
        Self::Here { entry, message: message.into(), outcome: Outcome::NotApplied }
    }

    /// An argument that cannot be.
    pub fn argument(message: impl Into<String>) -> Self {
        Self::new("argument", message)
    }

    /// A handle that stands for nothing; `closed` is the error for one that was closed.
    pub fn handle(miss: Miss, what: &str, closed: &str) -> Self {
        match miss {
            Miss::Null => Self::new("handle", format!("the handle of the {what} is NULL")),
            Miss::Stranger => Self::new("handle", format!("this is not the handle of a {what}")),
            Miss::Closed => Self::new(closed, format!("the {what} is closed")),
        }
    }

    fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        Self::new("internal", format!("a defect of dqlite: {text}")).unknown()
    }

    /// The same, where it is not known whether the call took effect.
    pub fn unknown(self) -> Self {
        let (entry, message) = (self.entry(), self.message().to_owned());
        Self::Here { entry, message, outcome: Outcome::Unknown }
    }

    /// The call was stopped while it changed something elsewhere.
    pub fn in_doubt(self) -> Self {
        match self {
            Self::Core(error) if error.outcome() == Outcome::NotApplied && was_stopped(&error) => {
                Self::Core(error).unknown()
            }
            other => other,
        }
    }

    pub fn entry(&self) -> &'static Entry {
        match self {
            Self::Here { entry, .. } => entry,
            Self::Core(error) => {
                ERRORS.iter().find(|entry| entry.id == error.id()).unwrap_or(&ERRORS[0])
            }
        }
    }

    pub fn code(&self) -> i64 {
        match self {
            Self::Here { entry, .. } => entry.code,
            Self::Core(error) => error.code(),
        }
    }

    pub fn message(&self) -> &str {
        match self {
            Self::Here { message, .. } => message,
            Self::Core(error) => error.message(),
        }
    }

    pub fn retryable(&self) -> Retryable {
        match self {
            Self::Here { entry, outcome: Outcome::NotApplied, .. } => entry.retryable,
            Self::Here { .. } => Retryable::No,
            Self::Core(error) => error.retryable(),
        }
    }

    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Here { outcome, .. } => *outcome,
            Self::Core(error) => error.outcome(),
        }
    }
}

fn was_stopped(error: &Error) -> bool {
    use dqlite::ErrorClass::{Interrupted, Timeout};
    matches!(error.class(), Interrupted | Timeout)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

/// Runs a call of C and answers as all of them do: 0, or the class of the error that `out` gets.
///
/// # Safety
/// `out` is NULL or can be written to.
pub(crate) unsafe fn answer(
    out: *mut *mut dqlite_error,
    body: impl FnOnce() -> Result<(), Failure>,
) -> c_int {
    let set = |error| {
        if !out.is_null() {
            // SAFETY: the caller's promise.
            unsafe { out.write(error) };
        }
    };
    set(std::ptr::null_mut());
    let Err(failure) = guarded(body) else { return 0 };
    let class = tables::class_number(failure.entry().class);
    if !out.is_null() {
        set(error::issue(failure));
    }
    class
}

/// Runs `body`; a panic becomes an error, for it must not leave Rust.
pub(crate) fn guarded<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(Failure::panic(&*payload)))
}
