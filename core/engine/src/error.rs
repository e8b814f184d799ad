//! What can go wrong with a request, and what it means for the request's effect.

use dqlite_vfs::SqliteError;

/// Why a request failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This node does not lead, or lost the lead before the request took effect: it had none, and
    /// never will. Send it to the leader.
    #[error("not leader")]
    NotLeader,
    /// The lead was lost, or the quorum, and it could not be found out before the deadline whether
    /// the transaction was committed.
    #[error("leadership lost: the outcome of the transaction is not known")]
    OutcomeUnknown,
    /// Another connection held the database's write lock for longer than the busy timeout.
    #[error("database is locked")]
    Busy,
    /// SQLite refused the statement.
    #[error("{}", .0.message)]
    Sqlite(SqliteError),
    /// The request was interrupted.
    #[error("interrupted")]
    Interrupted,
    /// The request took longer than it was given.
    #[error("timed out after {timeout_ms} ms")]
    TimedOut {
        /// The time that it was given, in milliseconds.
        timeout_ms: u64,
    },
    /// The statement id names no prepared statement of this session.
    #[error("no statement with the given id")]
    NoStatement,
    /// The client has asked for the outcome of this call, and was told for certain.
    #[error("the outcome of this call was asked for before it ran: it has no effect")]
    Fenced,
    /// The outcome was asked for of no client or no mark: nothing of such calls is recorded.
    #[error("a call without a client and a mark leaves no outcome to ask for")]
    Unmarked,
    /// The session holds no open cursor.
    #[error("no result is being read")]
    NoCursor,
    /// The session ended when this node lost the lead, or its client asked for an outcome.
    #[error("no database opened")]
    SessionEnded,
    /// The text holds no statement.
    #[error("empty statement")]
    EmptyStatement,
    /// The text holds more than the one statement that the request takes.
    #[error("nonempty statement tail")]
    StatementTail,
    /// A statement that was to give no rows gave one. It had no effect.
    #[error("rows yielded when none expected for EXEC request")]
    RowsYielded,
    /// More parameters were given than the statement has places for.
    #[error("column index out of range: {given} parameters given, the statement takes {taken}")]
    TooManyParameters {
        /// How many were given.
        given: usize,
        /// How many places the statement has.
        taken: usize,
    },
    /// The parameters given are not those that the statement takes.
    #[error("{0}")]
    Parameters(String),
    /// A statement that is run once for each set of parameters would give rows.
    #[error("a statement that is run with many sets of parameters must give no rows")]
    ManyYieldsRows,
    /// A file cannot become a database.
    #[error("the file cannot be imported: {0}")]
    Import(String),
    /// No database has this name.
    #[error("database does not exist")]
    NoDatabase,
    /// The name cannot be one of a database.
    #[error("database name {name:?} cannot be used: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The database's file waits for entries of the log that this node has not applied again yet.
    #[error("database is being recovered from the log")]
    Recovering,
    /// The node could not read or write its own files, or is stopping.
    #[error("{0}")]
    Io(String),
}

impl Error {
    /// The SQLite result code (extended), or dqlite's, that a client is told.
    pub fn code(&self) -> i32 {
        match self {
            Self::NotLeader => 10250,
            Self::OutcomeUnknown => 10506,
            Self::Busy | Self::Recovering => 5,
            Self::Sqlite(error) => error.code,
            Self::Interrupted | Self::TimedOut { .. } => 9,
            Self::Fenced => 4,
            Self::NoStatement | Self::SessionEnded => 12,
            Self::NoCursor | Self::EmptyStatement | Self::Unmarked => 21,
            Self::StatementTail
            | Self::RowsYielded
            | Self::ManyYieldsRows
            | Self::Name { .. }
            | Self::Import(_) => 1,
            Self::TooManyParameters { .. } | Self::Parameters(_) => 25,
            Self::NoDatabase => 1002,
            Self::Io(_) => 10,
        }
    }
}

impl From<SqliteError> for Error {
    fn from(error: SqliteError) -> Self {
        const SQLITE_INTERRUPT: i32 = 9;
        const SQLITE_IOERR_FSYNC: i32 = 1034;
        match error.code {
            SQLITE_INTERRUPT => Self::Interrupted,
            // A session syncs nothing but its WAL, and that fails only where a commit is refused.
            SQLITE_IOERR_FSYNC => Self::NotLeader,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}
