//! From what went wrong between a connection and a node to the errors of the table.

use dqlite_client::{ErrorKind, Fault};
use dqlite_wire::codes;

use super::{Error, Outcome};

pub(super) const GENERIC: &str = "sql.error";
pub(super) const INTERRUPTED: &str = "call.interrupted";
pub(super) const OUTCOME_UNKNOWN: &str = "outcome.unknown";
pub(super) const OUTCOME_APPLIED: &str = "outcome.applied";
const CLOSED: &str = "connection.lost";
const TIMEOUT: &str = "call.timeout";
const PROTOCOL: &str = "protocol.garbled";
const UNUSABLE: &str = "parameter.unusable";
const FILE: &str = "file";
const STATEMENT_EMPTY: &str = "statement.empty";
const STATEMENT_SEVERAL: &str = "statement.several";
const STATEMENT_ROWS: &str = "statement.rows";
const UNAVAILABLE: &str = "cluster.unavailable";

/// Every id that the code names.
#[cfg(test)]
pub(super) const USED: &[&str] = &[
    GENERIC,
    INTERRUPTED,
    OUTCOME_UNKNOWN,
    OUTCOME_APPLIED,
    CLOSED,
    TIMEOUT,
    PROTOCOL,
    UNUSABLE,
    FILE,
    STATEMENT_EMPTY,
    STATEMENT_SEVERAL,
    STATEMENT_ROWS,
    UNAVAILABLE,
];

/// The error of a call that surely did not take effect.
pub(super) fn error(fault: Fault) -> Error {
    match fault {
        Fault::Refused { code, message } if code == codes::INTERRUPT => {
            let id = if message.starts_with("timed out") { TIMEOUT } else { INTERRUPTED };
            Error::new(id, message)
        }
        Fault::Refused { code, message } => match misused(&message) {
            Some(id) => Error::new(id, message),
            None => Error::of_code(code as i64, message),
        },
        Fault::Unsent(reason) => Error::new(CLOSED, format!("the request was not sent: {reason}")),
        Fault::TimedOut { .. } => Error::new(TIMEOUT, "no answer in time"),
        Fault::Garbled(reason) => {
            Error::new(PROTOCOL, format!("the answer cannot be understood: {reason}"))
        }
        Fault::Unusable(reason) => Error::new(UNUSABLE, reason),
        Fault::File(reason) => Error::new(FILE, reason),
        other => Error::new(CLOSED, other.to_string()),
    }
}

/// What dqlite has no code for: texts that are not the one statement that they should be.
fn misused(message: &str) -> Option<&'static str> {
    match message {
        codes::messages::EMPTY_STATEMENT => Some(STATEMENT_EMPTY),
        codes::messages::NONEMPTY_TAIL => Some(STATEMENT_SEVERAL),
        codes::messages::MANY_YIELD_ROWS => Some(STATEMENT_ROWS),
        _ => None,
    }
}

/// The errors of the calls about the cluster.
impl From<dqlite_client::Error> for Error {
    fn from(error: dqlite_client::Error) -> Self {
        let id = match error.kind {
            ErrorKind::Unavailable => UNAVAILABLE,
            ErrorKind::Timeout => TIMEOUT,
            ErrorKind::OutcomeUnknown => OUTCOME_UNKNOWN,
            ErrorKind::Interrupted => INTERRUPTED,
            ErrorKind::Closed => CLOSED,
            ErrorKind::Protocol => PROTOCOL,
            ErrorKind::Data => UNUSABLE,
            _ => return Self::of_code(error.code as i64, error.message),
        };
        let outcome = match error.outcome {
            dqlite_client::Outcome::NotApplied => Outcome::NotApplied,
            dqlite_client::Outcome::Unknown => Outcome::Unknown,
        };
        Self::new(id, error.message).with_outcome(outcome)
    }
}
