//! What a caller is told when a call fails.

use dqlite_wire::codes;

/// Why a call failed, and what that means for its effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Error {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// The code that the server gave: SQLite's (extended) or dqlite's; 0 if it gave none.
    pub code: u64,
    /// What went wrong, for people.
    pub message: String,
    /// Whether the call may have had an effect.
    pub outcome: Outcome,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The node does not lead, or ceased to before the request took effect. Try again.
    NotLeader,
    /// No leader could be found in time; the message says what each address answered.
    Unavailable,
    /// Another writer, or another change of the cluster, is in progress. Try again.
    Busy,
    /// The time was over before the answer came. Nothing was applied.
    Timeout,
    /// The request was sent, but whether it took effect cannot be known from here.
    OutcomeUnknown,
    /// A constraint of the schema is violated; `code` says which kind.
    Constraint,
    /// The statement was interrupted.
    Interrupted,
    /// The server refused the request; `code` and `message` are SQLite's.
    Sql,
    /// A value, column or file does not fit.
    Data,
    /// The peer does not speak the protocol.
    Protocol,
    /// The connection broke. Nothing was applied.
    Closed,
    /// The caller ended the transaction ([`Error::aborted`]).
    Aborted,
    /// The calls were made in an order that cannot work.
    Misuse,
}

/// Whether a failed call had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It had none, and never will.
    NotApplied,
    /// It had one, will have one, or has none; of a script, a part may have been applied.
    Unknown,
}

/// Whether the same call may succeed later without being applied twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retryable {
    /// No, or not without knowing its outcome first.
    No,
    /// Yes. A transaction must be begun anew.
    Yes,
    /// Yes, with its whole transaction, which must be rolled back first.
    AfterRollback,
}

impl Error {
    /// The error by which the body of a transaction asks for its rollback.
    pub fn aborted(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Aborted, message)
    }

    /// An error without a code, of a call that was not applied.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, code: 0, message: message.into(), outcome: Outcome::NotApplied }
    }

    /// Whether trying again makes sense.
    pub fn retryable(&self) -> Retryable {
        match (self.outcome, self.kind) {
            (Outcome::Unknown, _) => Retryable::No,
            (_, ErrorKind::Busy) if self.code == codes::BUSY_SNAPSHOT => Retryable::AfterRollback,
            (
                _,
                ErrorKind::NotLeader | ErrorKind::Unavailable | ErrorKind::Busy | ErrorKind::Closed,
            ) => Retryable::Yes,
            _ => Retryable::No,
        }
    }
}
