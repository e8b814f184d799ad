//! What the table of errors says of each.

/// The kinds of failure. Every language has a class, or its like, for each.
///
/// The last six are special cases of [`ErrorClass::Operational`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Something that the caller should know and that is no failure.
    Warning,
    /// The interface is used wrongly: a target, an option, an object of another process.
    Interface,
    /// A value does not fit.
    Data,
    /// Something that the program need not have caused.
    Operational,
    /// A constraint is violated.
    Integrity,
    /// A defect in SQLite, in a node or here.
    Internal,
    /// The program is wrong: parameters that do not fit, use after close.
    Programming,
    /// The peer or the files are of a version that cannot do this.
    NotSupported,
    /// The node does not lead (any more), and nothing was applied.
    NotLeader,
    /// Another transaction, or another change of the cluster, is in the way.
    Busy,
    /// The time was over, and nothing was applied.
    Timeout,
    /// The call was cancelled.
    Interrupted,
    /// No leader can be reached: there is no majority, or no network.
    Unavailable,
    /// A commit was under way, and whether it took effect is not known yet.
    OutcomeUnknown,
}

impl ErrorClass {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Warning,
        Self::Interface,
        Self::Data,
        Self::Operational,
        Self::Integrity,
        Self::Internal,
        Self::Programming,
        Self::NotSupported,
        Self::NotLeader,
        Self::Busy,
        Self::Timeout,
        Self::Interrupted,
        Self::Unavailable,
        Self::OutcomeUnknown,
    ];

    /// The name of the class in other languages, `IntegrityError` say.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "Warning",
            Self::Interface => "InterfaceError",
            Self::Data => "DataError",
            Self::Operational => "OperationalError",
            Self::Integrity => "IntegrityError",
            Self::Internal => "InternalError",
            Self::Programming => "ProgrammingError",
            Self::NotSupported => "NotSupportedError",
            Self::NotLeader => "NotLeaderError",
            Self::Busy => "BusyError",
            Self::Timeout => "TimeoutError",
            Self::Interrupted => "InterruptedError",
            Self::Unavailable => "UnavailableError",
            Self::OutcomeUnknown => "OutcomeUnknownError",
        }
    }

    /// Whether it is [`ErrorClass::Operational`] or a special case of it.
    pub const fn is_operational(self) -> bool {
        matches!(
            self,
            Self::Operational
                | Self::NotLeader
                | Self::Busy
                | Self::Timeout
                | Self::Interrupted
                | Self::Unavailable
                | Self::OutcomeUnknown
        )
    }
}

/// Whether the same call may succeed later without being applied twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retryable {
    /// Not without a change, or not before its outcome is known.
    No,
    /// It may, and cannot be applied twice.
    Yes,
    /// With its whole transaction, which must be rolled back first.
    AfterRollback,
}

impl Retryable {
    /// The word for it, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::AfterRollback => "after_rollback",
        }
    }
}

/// Whether a call that failed took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did not, and never will.
    NotApplied,
    /// It is not known.
    Unknown,
    /// It did.
    Applied,
}

impl Outcome {
    /// The word for it, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotApplied => "not_applied",
            Self::Unknown => "unknown",
            Self::Applied => "applied",
        }
    }
}

/// One error of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What names it for good, `constraint.unique` say.
    pub id: &'static str,
    /// What kind of failure it is.
    pub class: ErrorClass,
    /// SQLite's extended result code, dqlite's, or one of our own range, which begins above
    /// sixteen bits.
    pub code: i64,
    /// The name of the code, `SQLITE_CONSTRAINT_UNIQUE` say.
    pub name: &'static str,
    /// Whether the same call may be made again.
    pub retryable: Retryable,
    /// What is known of the call's effect if nothing more is known.
    pub outcome: Outcome,
}
