//! The codes of FAILURE, and the messages that clients compare.
//!
//! Codes below 1000 and those with a second byte are SQLite's own (primary or extended); the
//! thousands are dqlite's.

/// PREPARE or QUERY_SQL of nothing, as the C server answers it. go-dqlite takes a code 0 for a
/// broken connection, so a new server does better with [`ERROR`].
pub const EMPTY_STATEMENT: u64 = 0;
/// The statement or request is wrong (`SQLITE_ERROR`).
pub const ERROR: u64 = 1;
/// Another writer, or another change of membership, is in progress (`SQLITE_BUSY`).
pub const BUSY: u64 = 5;
/// No memory (`SQLITE_NOMEM`).
pub const NO_MEMORY: u64 = 7;
/// The statement was interrupted (`SQLITE_INTERRUPT`).
pub const INTERRUPT: u64 = 9;
/// Replication or storage failed without a better code (`SQLITE_IOERR`).
pub const IO: u64 = 10;
/// No database is open, or no statement has this id (`SQLITE_NOTFOUND`).
pub const NOT_FOUND: u64 = 12;
/// No space (`SQLITE_FULL`).
pub const FULL: u64 = 13;
/// A format is not known (`SQLITE_PROTOCOL`).
pub const PROTOCOL: u64 = 15;
/// A value, or what a call carries, is too large (`SQLITE_TOOBIG`).
pub const TOO_BIG: u64 = 18;
/// A constraint is violated (`SQLITE_CONSTRAINT`), the family of the extended codes below.
pub const CONSTRAINT: u64 = 19;
/// The statement is not allowed here (`SQLITE_AUTH`).
pub const AUTH: u64 = 23;
/// There are more parameters than placeholders (`SQLITE_RANGE`).
pub const RANGE: u64 = 25;
/// A CHECK constraint (`SQLITE_CONSTRAINT_CHECK`).
pub const CONSTRAINT_CHECK: u64 = CONSTRAINT | (1 << 8);
/// A foreign key (`SQLITE_CONSTRAINT_FOREIGNKEY`).
pub const CONSTRAINT_FOREIGN_KEY: u64 = CONSTRAINT | (3 << 8);
/// A NOT NULL constraint (`SQLITE_CONSTRAINT_NOTNULL`).
pub const CONSTRAINT_NOT_NULL: u64 = CONSTRAINT | (5 << 8);
/// A primary key (`SQLITE_CONSTRAINT_PRIMARYKEY`).
pub const CONSTRAINT_PRIMARY_KEY: u64 = CONSTRAINT | (6 << 8);
/// A UNIQUE constraint (`SQLITE_CONSTRAINT_UNIQUE`).
pub const CONSTRAINT_UNIQUE: u64 = CONSTRAINT | (8 << 8);
/// A read transaction wants to write after someone else committed (`SQLITE_BUSY_SNAPSHOT`).
pub const BUSY_SNAPSHOT: u64 = BUSY | (2 << 8);
/// This node does not lead; the request was not executed.
pub const NOT_LEADER: u64 = IO | (40 << 8);
/// This node ceased to lead while the write was under way; its outcome is not known.
pub const LEADERSHIP_LOST: u64 = IO | (41 << 8);
/// [`NOT_LEADER`] as servers before 2020 say it. Clients understand it; it is never sent.
pub const NOT_LEADER_OLD: u64 = IO | (32 << 8);
/// [`LEADERSHIP_LOST`] as servers before 2020 say it. Clients understand it; it is never sent.
pub const LEADERSHIP_LOST_OLD: u64 = IO | (33 << 8);
/// dqlite's internal protocol error, not seen in practice.
pub const DQLITE_PROTOCOL: u64 = 1001;
/// DUMP of a database that does not exist.
pub const DQLITE_NOT_FOUND: u64 = 1002;
/// A request type, schema or cluster format that is not known.
pub const PARSE: u64 = 1005;

/// Messages that clients compare or that tests pin down, without their codes.
pub mod messages {
    /// With [`super::NOT_LEADER`].
    pub const NOT_LEADER: &str = "not leader";
    /// With [`super::LEADERSHIP_LOST`].
    pub const LEADERSHIP_LOST: &str = "leadership lost";
    /// With [`super::INTERRUPT`].
    pub const INTERRUPTED: &str = "interrupted";
    /// With [`super::BUSY`]: the write lock was not obtained.
    pub const DATABASE_LOCKED: &str = "database is locked";
    /// With [`super::BUSY`].
    pub const CHECKPOINT_IN_PROGRESS: &str = "checkpoint in progress";
    /// With [`super::BUSY`]: a second OPEN.
    pub const ALREADY_OPEN: &str = "a database for this connection is already open";
    /// With [`super::NOT_FOUND`]: a call before SESSION.
    pub const NO_SESSION: &str = "no session opened";
    /// With [`super::NOT_FOUND`]: before OPEN, or after leadership was lost.
    pub const NO_DATABASE: &str = "no database opened";
    /// With [`super::NOT_FOUND`].
    pub const NO_STATEMENT: &str = "no statement with the given id";
    /// With [`super::EMPTY_STATEMENT`] or [`super::ERROR`].
    pub const EMPTY_STATEMENT: &str = "empty statement";
    /// With [`super::ERROR`].
    pub const NONEMPTY_TAIL: &str = "nonempty statement tail";
    /// With [`super::ERROR`]: of a call with many sets of parameters.
    pub const MANY_YIELD_ROWS: &str =
        "a statement that is run with many sets of parameters must give no rows";
    /// With [`super::ERROR`].
    pub const ROWS_YIELDED: &str = "rows yielded when none expected for EXEC request";
    /// With [`super::DQLITE_NOT_FOUND`], misspelt everywhere.
    pub const NO_SUCH_DATABASE: &str = "database does not exists";
    /// With [`super::ERROR`].
    pub const TRANSFER_FAILED: &str = "leadership transfer failed";
    /// With [`super::ERROR`].
    pub const SERVER_ID_INVALID: &str = "server ID is not valid";
    /// With [`super::ERROR`].
    pub const SERVER_ID_IN_USE: &str = "server ID already in use";
    /// With [`super::ERROR`].
    pub const SERVER_ADDRESS_IN_USE: &str = "server address already in use";
    /// With [`super::ERROR`].
    pub const SERVER_ROLE_INVALID: &str = "server role is not valid";
}

/// Whether the code says "ask the leader": nothing was executed here.
pub const fn is_not_leader(code: u64) -> bool {
    matches!(code, NOT_LEADER | NOT_LEADER_OLD)
}

/// Whether the code says that leadership was lost on the way: the outcome is not known.
pub const fn is_leadership_lost(code: u64) -> bool {
    matches!(code, LEADERSHIP_LOST | LEADERSHIP_LOST_OLD)
}

/// SQLite's primary code of an extended one; dqlite's own codes are their own.
pub const fn primary(code: u64) -> u64 {
    match code {
        DQLITE_PROTOCOL | DQLITE_NOT_FOUND | PARSE => code,
        _ => code & 0xff,
    }
}

/// The code's name, for logs.
pub const fn name(code: u64) -> Option<&'static str> {
    Some(match code {
        EMPTY_STATEMENT => "EMPTY_STATEMENT",
        ERROR => "ERROR",
        BUSY => "BUSY",
        NO_MEMORY => "NO_MEMORY",
        INTERRUPT => "INTERRUPT",
        IO => "IO",
        NOT_FOUND => "NOT_FOUND",
        FULL => "FULL",
        PROTOCOL => "PROTOCOL",
        TOO_BIG => "TOO_BIG",
        CONSTRAINT => "CONSTRAINT",
        AUTH => "AUTH",
        RANGE => "RANGE",
        CONSTRAINT_CHECK => "CONSTRAINT_CHECK",
        CONSTRAINT_FOREIGN_KEY => "CONSTRAINT_FOREIGN_KEY",
        CONSTRAINT_NOT_NULL => "CONSTRAINT_NOT_NULL",
        CONSTRAINT_PRIMARY_KEY => "CONSTRAINT_PRIMARY_KEY",
        CONSTRAINT_UNIQUE => "CONSTRAINT_UNIQUE",
        BUSY_SNAPSHOT => "BUSY_SNAPSHOT",
        NOT_LEADER | NOT_LEADER_OLD => "NOT_LEADER",
        LEADERSHIP_LOST | LEADERSHIP_LOST_OLD => "LEADERSHIP_LOST",
        DQLITE_PROTOCOL => "DQLITE_PROTOCOL",
        DQLITE_NOT_FOUND => "DQLITE_NOT_FOUND",
        PARSE => "PARSE",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_wire() {
        assert_eq!((NOT_LEADER, LEADERSHIP_LOST), (10250, 10506));
        assert_eq!((NOT_LEADER_OLD, LEADERSHIP_LOST_OLD), (8202, 8458));
        assert_eq!(BUSY_SNAPSHOT, 517);
        let constraints = [
            CONSTRAINT_CHECK,
            CONSTRAINT_FOREIGN_KEY,
            CONSTRAINT_NOT_NULL,
            CONSTRAINT_PRIMARY_KEY,
            CONSTRAINT_UNIQUE,
        ];
        assert_eq!(constraints, [275, 787, 1299, 1555, 2067]);
        assert!(constraints.iter().all(|&code| primary(code) == CONSTRAINT));
        assert_eq!(primary(PARSE), PARSE);
        assert_eq!(name(NOT_LEADER_OLD), Some("NOT_LEADER"));
        assert_eq!(name(4242), None);
    }
}
