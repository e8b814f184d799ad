//! What went wrong with one request on one connection, and what may be concluded from it.
//!
//! 1. A request is sent again only if it surely had no effect, or has none by nature.
//! 2. A node that does not lead has executed nothing of a request that is one statement. Of several
//!    statements it may have executed the first ones.
//! 3. A request that was not written whole cannot have been executed.
//! 4. A transaction that is not committed dies with its session.

use dqlite_wire::{EncodeError, codes};

use crate::error::{Error, ErrorKind, Outcome};

/// What a request would do if it were executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it reads.
    Nothing,
    /// It adds to a transaction that only a later request can commit (4).
    InTransaction,
    /// It takes effect, as a whole.
    Whole,
    /// It takes effect part by part: several statements.
    InParts,
}

/// Why a request has no answer, or the wrong one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The server answered FAILURE. The connection goes on.
    #[error("{message}")]
    Refused {
        /// SQLite's (extended) code or dqlite's.
        code: u64,
        /// What went wrong.
        message: String,
    },
    /// The request was not written whole: it surely had no effect.
    #[error("the request was not sent: {0}")]
    Unsent(String),
    /// The connection broke before the answer was there: the request may have had its effect.
    #[error("the connection broke: {0}")]
    Lost(String),
    /// The time was over.
    #[error("no answer in time")]
    TimedOut {
        /// False: the request was not written whole, and had no effect. True: it may have had one.
        sent: bool,
    },
    /// The answer cannot be understood: the request may have had its effect.
    #[error("the answer cannot be understood: {0}")]
    Garbled(String),
    /// The request cannot be expressed, and nothing was sent.
    #[error("{0}")]
    Unusable(String),
    /// A file on this side cannot be written.
    #[error("the file cannot be written: {0}")]
    File(String),
}

/// A fault together with the effect of the request that suffered it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub fault: Fault,
    pub effect: Effect,
}

impl From<EncodeError> for Fault {
    fn from(error: EncodeError) -> Self {
        Self::Unusable(error.to_string())
    }
}

impl Fault {
    pub(crate) fn with(self, effect: Effect) -> Failure {
        Failure { fault: self, effect }
    }

    /// The node does not lead (any more), so nothing of the statement was executed.
    pub fn is_not_leader(&self) -> bool {
        match self {
            Self::Refused { code, message } => {
                codes::is_not_leader(*code)
                    || (*code == codes::NOT_FOUND && message == codes::messages::NO_DATABASE)
            }
            _ => false,
        }
    }

    /// Another writer, or another change of the cluster, is in the way. Nothing was executed.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if codes::primary(*code) == codes::BUSY)
    }

    /// Whether a request that writes may have had its effect, or may not: the answer is missing, or
    /// the server itself does not know, or its files failed it.
    pub fn is_in_doubt(&self) -> bool {
        match self {
            Self::Refused { code, .. } => {
                codes::primary(*code) == codes::IO && !codes::is_not_leader(*code)
            }
            Self::Lost(_) | Self::Garbled(_) => true,
            Self::TimedOut { sent } => *sent,
            Self::Unsent(_) | Self::Unusable(_) | Self::File(_) => false,
        }
    }
}

impl Failure {
    /// Whether the same request may be sent again (1).
    pub fn is_repeatable(&self) -> bool {
        match &self.fault {
            fault if fault.is_not_leader() => {
                matches!(self.effect, Effect::Nothing | Effect::Whole) // (2)
            }
            Fault::Unsent(_) => self.effect != Effect::InTransaction, // (3)
            Fault::Lost(_) => self.effect == Effect::Nothing,
            Fault::Refused { code, .. } if codes::is_leadership_lost(*code) => {
                self.effect == Effect::Nothing
            }
            _ => false,
        }
    }

    fn outcome(&self) -> Outcome {
        let in_doubt = match (&self.fault, self.effect) {
            (_, Effect::Nothing | Effect::InTransaction) => false, // (4)
            (Fault::Refused { .. }, Effect::InParts) => true,      // (2)
            (fault, _) => fault.is_in_doubt(),
        };
        if in_doubt { Outcome::Unknown } else { Outcome::NotApplied }
    }

    fn kind(&self, outcome: Outcome) -> ErrorKind {
        if outcome == Outcome::Unknown && self.fault.is_in_doubt() {
            return match self.fault {
                Fault::Garbled(_) => ErrorKind::Protocol,
                _ => ErrorKind::OutcomeUnknown,
            };
        }
        match &self.fault {
            fault if fault.is_not_leader() => ErrorKind::NotLeader,
            Fault::Refused { code, .. } => kind_of(*code),
            Fault::Unsent(_) | Fault::Lost(_) => ErrorKind::Closed,
            Fault::TimedOut { .. } => ErrorKind::Timeout,
            Fault::Garbled(_) => ErrorKind::Protocol,
            Fault::Unusable(_) | Fault::File(_) => ErrorKind::Data,
        }
    }
}

fn kind_of(code: u64) -> ErrorKind {
    const SQLITE_LOCKED: u64 = 6;
    if codes::is_leadership_lost(code) {
        return ErrorKind::NotLeader;
    }
    match codes::primary(code) {
        codes::BUSY | SQLITE_LOCKED => ErrorKind::Busy,
        codes::INTERRUPT => ErrorKind::Interrupted,
        codes::CONSTRAINT => ErrorKind::Constraint,
        codes::PROTOCOL | codes::DQLITE_PROTOCOL | codes::PARSE => ErrorKind::Protocol,
        _ => ErrorKind::Sql,
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let outcome = failure.outcome();
        let kind = failure.kind(outcome);
        let unknown = "whether it took effect is not known";
        let (code, message) = match failure.fault {
            Fault::Refused { code, message } => (code, message),
            Fault::Unsent(reason) => (0, format!("the request was not sent: {reason}")),
            Fault::Lost(reason) if outcome == Outcome::Unknown => {
                (0, format!("the connection broke before the answer came ({reason}): {unknown}"))
            }
            Fault::Lost(reason) => (0, format!("the connection broke: {reason}")),
            Fault::TimedOut { .. } if outcome == Outcome::Unknown => {
                (0, format!("no answer in time: {unknown}"))
            }
            Fault::TimedOut { .. } => (0, "no answer in time".to_owned()),
            Fault::Garbled(reason) => (0, format!("the answer cannot be understood: {reason}")),
            Fault::Unusable(reason) => (0, reason),
            fault @ Fault::File(_) => (0, fault.to_string()),
        };
        Self { kind, code, message, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u64, message: &str) -> Fault {
        Fault::Refused { code, message: message.to_owned() }
    }

    fn lost() -> Fault {
        Fault::Lost("end of stream".to_owned())
    }

    #[test]
    fn only_what_cannot_take_effect_twice_is_repeated() {
        use Effect::{InParts, InTransaction, Nothing, Whole};
        let not_leader = || refused(codes::NOT_LEADER, "not leader");
        let session_over = || refused(codes::NOT_FOUND, codes::messages::NO_DATABASE);
        let leadership_lost = || refused(codes::LEADERSHIP_LOST, "leadership lost");
        let unsent = || Fault::Unsent("refused".to_owned());
        let repeated = |fault: &dyn Fn() -> Fault| {
            [Nothing, InTransaction, Whole, InParts]
                .map(|effect| fault().with(effect).is_repeatable())
        };
        assert_eq!(repeated(&not_leader), [true, false, true, false]);
        assert_eq!(repeated(&session_over), [true, false, true, false]);
        assert_eq!(repeated(&leadership_lost), [true, false, false, false]);
        assert_eq!(repeated(&unsent), [true, false, true, true]);
        assert_eq!(repeated(&lost), [true, false, false, false]);
        assert_eq!(repeated(&|| Fault::TimedOut { sent: true }), [false; 4]);
        assert_eq!(repeated(&|| refused(5, "database is locked")), [false; 4]);
    }

    #[test]
    fn a_lost_answer_to_a_write_has_an_unknown_outcome() {
        let error = Error::from(lost().with(Effect::Whole));
        assert_eq!((error.kind, error.outcome), (ErrorKind::OutcomeUnknown, Outcome::Unknown));
        for effect in [Effect::Nothing, Effect::InTransaction] {
            let error = Error::from(lost().with(effect));
            assert_eq!((error.kind, error.outcome), (ErrorKind::Closed, Outcome::NotApplied));
        }
        for code in [codes::LEADERSHIP_LOST, codes::LEADERSHIP_LOST_OLD, codes::IO] {
            let error = Error::from(refused(code, "").with(Effect::Whole));
            assert_eq!((error.kind, error.outcome), (ErrorKind::OutcomeUnknown, Outcome::Unknown));
        }
    }

    #[test]
    fn a_refused_script_may_have_been_applied_in_part() {
        let error = Error::from(refused(2067, "UNIQUE").with(Effect::InParts));
        assert_eq!((error.kind, error.outcome), (ErrorKind::Constraint, Outcome::Unknown));
        let error = Error::from(refused(2067, "UNIQUE").with(Effect::Whole));
        assert_eq!((error.kind, error.outcome), (ErrorKind::Constraint, Outcome::NotApplied));
    }
}
