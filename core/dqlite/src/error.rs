//! What a program is told when a call fails, the same in every language.
//!
//! Every error stands in one table (`core/spec/errors.toml`), under an id that never changes. It
//! says what kind of failure it is, whether the same call may be made again, and whether it took
//! effect.

mod entry;
mod faults;
mod table;

use std::fmt;
use std::sync::Arc;

use dqlite_client::Fault;

pub use entry::{Entry, ErrorClass, Outcome, Retryable};
pub use table::ERRORS;

use crate::outcome::Resolver;

/// Why a call failed.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    entry: &'static Entry,
    /// The code as it came, where that says more than the entry's.
    code: i64,
    message: String,
    retryable: Retryable,
    outcome: Outcome,
    resolver: Option<Arc<Resolver>>,
}

impl Error {
    /// The error of the table called `id`, which had no effect.
    pub(crate) fn new(id: &str, message: impl Into<String>) -> Self {
        let entry = entry_with_id(id);
        Self(Box::new(Inner {
            entry,
            code: entry.code,
            message: message.into(),
            retryable: entry.retryable,
            outcome: Outcome::NotApplied,
            resolver: None,
        }))
    }

    /// The error that a code of SQLite's or dqlite's stands for.
    pub(crate) fn of_code(code: i64, message: impl Into<String>) -> Self {
        let entry = entry_with_code(code);
        let mut error = Self::new(entry.id, message);
        error.0.code = code;
        error
    }

    /// The call was cancelled before it had an effect.
    pub(crate) fn interrupted() -> Self {
        Self::new(faults::INTERRUPTED, "interrupted")
    }

    /// The call's time was over before it had an effect.
    pub(crate) fn timed_out() -> Self {
        Self::new("call.timeout", "timed out")
    }

    /// Whether the call took effect cannot be known from here.
    pub(crate) fn unknown(message: impl Into<String>, resolver: Option<Resolver>) -> Self {
        let mut error = Self::new(faults::OUTCOME_UNKNOWN, message);
        error.0.outcome = Outcome::Unknown;
        error.0.resolver = resolver.map(Arc::new);
        error
    }

    /// The call took effect, but what it gave is lost.
    pub(crate) fn applied(message: impl Into<String>) -> Self {
        let mut error = Self::new(faults::OUTCOME_APPLIED, message);
        error.0.outcome = Outcome::Applied;
        error
    }

    /// What became of a call that surely did not take effect.
    pub(crate) fn from_fault(fault: Fault) -> Self {
        faults::error(fault)
    }

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        if outcome == Outcome::Unknown {
            self.0.retryable = Retryable::No;
        }
        self
    }

    /// The same, of a call in a transaction that went with its node.
    pub(crate) fn after_rollback(mut self) -> Self {
        if self.0.retryable == Retryable::Yes {
            self.0.retryable = Retryable::AfterRollback;
        }
        self
    }

    /// The kind of failure: every language has a class of this name.
    pub fn class(&self) -> ErrorClass {
        self.0.entry.class
    }

    /// What names the error for good, `constraint.unique` say.
    pub fn id(&self) -> &'static str {
        self.0.entry.id
    }

    /// SQLite's extended result code, or one of the table's own range.
    pub fn code(&self) -> i64 {
        self.0.code
    }

    /// The name of the code, `SQLITE_CONSTRAINT_UNIQUE` say.
    pub fn name(&self) -> &'static str {
        self.0.entry.name
    }

    /// What went wrong, for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the same call may succeed later without being applied twice.
    pub fn retryable(&self) -> Retryable {
        self.0.retryable
    }

    /// Whether the call took effect.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Whether [`Error::resolve`] can find out what became of the call.
    pub fn can_resolve(&self) -> bool {
        self.0.resolver.is_some()
    }

    /// Waits for a leader and says for certain whether the transaction committed.
    ///
    /// # Errors
    /// This error where its outcome is known or can never be found out: a script that may have
    /// taken effect in part, say. `UnavailableError` when no leader could be found in time.
    pub async fn resolve(&self) -> Result<bool, Error> {
        match (self.0.outcome, &self.0.resolver) {
            (Outcome::Applied, _) => Ok(true),
            (Outcome::NotApplied, _) => Ok(false),
            (Outcome::Unknown, Some(resolver)) => resolver.resolve().await,
            (Outcome::Unknown, None) => Err(self.clone()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Error")
            .field("class", &self.class())
            .field("id", &self.id())
            .field("code", &self.code())
            .field("message", &self.message())
            .field("retryable", &self.retryable())
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl std::error::Error for Error {}

/// The entry called `id`; the one of internal errors if there is none.
fn entry_with_id(id: &str) -> &'static Entry {
    let found = ERRORS.binary_search_by(|entry| entry.id.cmp(id));
    debug_assert!(found.is_ok(), "{id} is in no table");
    &ERRORS[found.unwrap_or(0)]
}

/// The entry of the code, or of its primary code.
fn entry_with_code(code: i64) -> &'static Entry {
    let with = |code| ERRORS.iter().find(|entry| entry.code == code);
    let primary = if (0..=0xffff).contains(&code) { code & 0xff } else { code };
    with(code).or_else(|| with(primary)).unwrap_or_else(|| entry_with_id(faults::GENERIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_id_that_is_used_stands_in_it() {
        assert!(ERRORS.windows(2).all(|pair| pair[0].id < pair[1].id));
        for id in faults::USED {
            assert!(ERRORS.iter().any(|entry| entry.id == *id), "{id}");
        }
    }

    #[test]
    fn a_code_without_an_entry_is_known_by_its_family() {
        let error = Error::of_code(2067, "UNIQUE constraint failed: t.a");
        assert_eq!((error.class(), error.code()), (ErrorClass::Integrity, 2067));
        assert_eq!(error.name(), "SQLITE_CONSTRAINT_UNIQUE");
        let unheard_of = Error::of_code(19 | 77 << 8, "a constraint of the future");
        assert_eq!((unheard_of.class(), unheard_of.code()), (ErrorClass::Integrity, 19 | 77 << 8));
    }
}
