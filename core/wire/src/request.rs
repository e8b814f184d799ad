//! Requests: what clients ask. `docs/formats/client-protocol.md` has the table.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::Text;
use crate::call;
use crate::node::{ClusterFormat, Role};
use crate::params::{Params, TupleSchema};

pub use encode::{encode_exec, encode_exec_sql, encode_query, encode_query_sql};

/// The type of a request, as its number on the wire.
///
/// Numbers from [`RequestType::OWN_FIRST`] up are this project's; other servers answer them with
/// [`crate::codes::PARSE`] and go on, so a client may simply try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the variants of Request say it")]
pub enum RequestType {
    Leader = 0,
    Client = 1,
    Heartbeat = 2,
    Open = 3,
    Prepare = 4,
    Exec = 5,
    Query = 6,
    Finalize = 7,
    ExecSql = 8,
    QuerySql = 9,
    Interrupt = 10,
    Connect = 11,
    Add = 12,
    Assign = 13,
    Remove = 14,
    Dump = 15,
    Cluster = 16,
    Transfer = 17,
    Describe = 18,
    Weight = 19,
    Status = 128,
    Import = 129,
    Metrics = 130,
    Session = 131,
    Run = 132,
    Fetch = 133,
    Close = 134,
    Outcome = 135,
    Wait = 136,
    Barrier = 137,
    Backup = 138,
}

impl RequestType {
    /// The first number of this project's own requests.
    pub const OWN_FIRST: u8 = 128;

    /// Every type, by number.
    pub const ALL: [Self; 31] = [
        Self::Leader,
        Self::Client,
        Self::Heartbeat,
        Self::Open,
        Self::Prepare,
        Self::Exec,
        Self::Query,
        Self::Finalize,
        Self::ExecSql,
        Self::QuerySql,
        Self::Interrupt,
        Self::Connect,
        Self::Add,
        Self::Assign,
        Self::Remove,
        Self::Dump,
        Self::Cluster,
        Self::Transfer,
        Self::Describe,
        Self::Weight,
        Self::Status,
        Self::Import,
        Self::Metrics,
        Self::Session,
        Self::Run,
        Self::Fetch,
        Self::Close,
        Self::Outcome,
        Self::Wait,
        Self::Barrier,
        Self::Backup,
    ];

    /// The type with this number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|found| found.number() == number)
    }

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether the request carries SQL or parameters, and so has a schema 1 too.
    pub const fn is_statement(self) -> bool {
        matches!(self, Self::Prepare | Self::Exec | Self::Query | Self::ExecSql | Self::QuerySql)
    }
}

/// What PREPARE does with text behind the first statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TailPolicy {
    /// Schema 0: it is an error.
    #[default]
    Refuse,
    /// Schema 1: the answer says where it begins.
    Report,
}

/// A request. Texts and parameters that were decoded keep the memory of their frame alive.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Who leads? Answered by SERVER.
    Leader,
    /// The client's own id, which nothing depends on. Answered by WELCOME.
    Client {
        /// Any number.
        id: u64,
    },
    /// A relic that servers answer with [`crate::codes::PARSE`].
    Heartbeat {
        /// Any number.
        timestamp: u64,
    },
    /// Opens a database for this connection. Answered by DB.
    Open {
        /// The database's name.
        name: Text,
        /// Ignored.
        flags: u64,
        /// Ignored.
        vfs: Text,
    },
    /// Compiles a statement. Answered by STMT.
    Prepare {
        /// Always 0.
        database: u64,
        /// The statement.
        sql: Text,
        /// What to do with text behind it.
        tail: TailPolicy,
    },
    /// Runs a compiled statement that gives no rows. Answered by RESULT.
    Exec {
        /// Always 0.
        database: u32,
        /// The statement's id.
        statement: u32,
        /// The values of its placeholders.
        params: Params,
    },
    /// Runs a compiled statement for its rows. Answered by ROWS, once or more.
    Query {
        /// Always 0.
        database: u32,
        /// The statement's id.
        statement: u32,
        /// The values of its placeholders.
        params: Params,
    },
    /// Forgets a compiled statement. Answered by EMPTY.
    Finalize {
        /// Always 0.
        database: u32,
        /// The statement's id.
        statement: u32,
    },
    /// Runs all statements of a text, which give no rows. Answered by RESULT.
    ExecSql {
        /// Always 0.
        database: u64,
        /// The statements.
        sql: Text,
        /// The values of all their placeholders, in order.
        params: Params,
    },
    /// Runs one statement for its rows. Answered by ROWS, once or more.
    QuerySql {
        /// Always 0.
        database: u64,
        /// The statement.
        sql: Text,
        /// The values of its placeholders.
        params: Params,
    },
    /// Ends the rows that are being sent. Answered by exactly one EMPTY, after them.
    Interrupt {
        /// Always 0.
        database: u64,
    },
    /// Turns the connection over to dqlite's own replication, which nodes here do not speak.
    Connect {
        /// The node that dials.
        id: u64,
        /// Its address.
        address: Text,
    },
    /// Adds a member as a spare. Answered by EMPTY.
    Add {
        /// The new member's id.
        id: u64,
        /// Its address.
        address: Text,
    },
    /// Gives a member a role. Answered by EMPTY. The old form without a role means a voter.
    Assign {
        /// The member's id.
        id: u64,
        /// Its new role.
        role: Role,
    },
    /// Removes a member. Answered by EMPTY.
    Remove {
        /// The member's id.
        id: u64,
    },
    /// Asks for a whole database. Answered by FILES.
    Dump {
        /// The database's name.
        name: Text,
    },
    /// Who is in the cluster? Answered by SERVERS.
    Cluster {
        /// With or without roles.
        format: ClusterFormat,
    },
    /// Hands leadership over. Answered by EMPTY.
    Transfer {
        /// The member that shall lead, or 0 for any.
        id: u64,
    },
    /// Asks for the node's failure domain and weight. Answered by METADATA.
    Describe,
    /// Sets the node's weight. Answered by EMPTY.
    Weight {
        /// The new weight.
        weight: u64,
    },
    /// Asks for the node's view of itself and the log. Answered by STATUS.
    Status,
    /// Brings a piece of a database file that shall become a database. Answered by EMPTY.
    Import(ImportChunk),
    /// Asks for the node's counters. Answered by METRICS.
    Metrics,
    /// Opens a session on this connection. Answered by SESSION.
    Session(call::OpenSession),
    /// Runs SQL in the session. Answered by RAN.
    Run(call::Run),
    /// Asks for more rows. Answered by BATCH.
    Fetch(call::Fetch),
    /// Ends a result before its last row. Answered by EMPTY.
    Close {
        /// [`call::Ran::cursor`].
        cursor: u32,
    },
    /// Asks what became of a commit. Answered by OUTCOME.
    Outcome(call::AskOutcome),
    /// Waits until the node has applied the log up to an index. Answered by INDEX.
    Wait(call::Wait),
    /// Asks a leader for an index at or above everything that was acknowledged before. Answered by
    /// INDEX.
    Barrier,
    /// Asks for a piece of a database as a file. Answered by PIECE.
    Backup(call::AskBackup),
}

/// A piece of a database file. The one that reaches the total completes the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportChunk {
    /// The name of the database to be.
    pub database: Text,
    /// The size of the whole file, in bytes.
    pub total_bytes: u64,
    /// Where in the file the piece begins, in bytes.
    pub offset_bytes: u64,
    /// The piece.
    pub content: Bytes,
}

impl ImportChunk {
    /// Where in the file the piece ends, in bytes; `None` if that is beyond the file.
    pub fn end_bytes(&self) -> Option<u64> {
        let length = u64::try_from(self.content.len()).ok()?;
        self.offset_bytes.checked_add(length).filter(|end| *end <= self.total_bytes)
    }

    /// Whether the piece completes the file.
    pub fn is_last(&self) -> bool {
        self.end_bytes() == Some(self.total_bytes)
    }
}

impl Request {
    /// The request's type.
    pub const fn request_type(&self) -> RequestType {
        match self {
            Self::Leader => RequestType::Leader,
            Self::Client { .. } => RequestType::Client,
            Self::Heartbeat { .. } => RequestType::Heartbeat,
            Self::Open { .. } => RequestType::Open,
            Self::Prepare { .. } => RequestType::Prepare,
            Self::Exec { .. } => RequestType::Exec,
            Self::Query { .. } => RequestType::Query,
            Self::Finalize { .. } => RequestType::Finalize,
            Self::ExecSql { .. } => RequestType::ExecSql,
            Self::QuerySql { .. } => RequestType::QuerySql,
            Self::Interrupt { .. } => RequestType::Interrupt,
            Self::Connect { .. } => RequestType::Connect,
            Self::Add { .. } => RequestType::Add,
            Self::Assign { .. } => RequestType::Assign,
            Self::Remove { .. } => RequestType::Remove,
            Self::Dump { .. } => RequestType::Dump,
            Self::Cluster { .. } => RequestType::Cluster,
            Self::Transfer { .. } => RequestType::Transfer,
            Self::Describe => RequestType::Describe,
            Self::Weight { .. } => RequestType::Weight,
            Self::Status => RequestType::Status,
            Self::Import(_) => RequestType::Import,
            Self::Metrics => RequestType::Metrics,
            Self::Session(_) => RequestType::Session,
            Self::Run(_) => RequestType::Run,
            Self::Fetch(_) => RequestType::Fetch,
            Self::Close { .. } => RequestType::Close,
            Self::Outcome(_) => RequestType::Outcome,
            Self::Wait(_) => RequestType::Wait,
            Self::Barrier => RequestType::Barrier,
            Self::Backup(_) => RequestType::Backup,
        }
    }

    /// The schema the request is written in.
    pub fn schema(&self) -> u8 {
        match self {
            Self::Prepare { tail: TailPolicy::Report, .. } => 1,
            Self::Exec { params, .. }
            | Self::Query { params, .. }
            | Self::ExecSql { params, .. }
            | Self::QuerySql { params, .. } => match params.schema() {
                TupleSchema::Short => 0,
                TupleSchema::Long => 1,
            },
            _ => 0,
        }
    }
}
