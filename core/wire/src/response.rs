//! Responses: what servers answer. `docs/formats/client-protocol.md` has the table.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::Text;
use crate::call;
use crate::hello::Protocol;
use crate::node::{ClusterFormat, NodeAddress, NodeInfo};
use crate::status::{Metric, NodeStatus};

pub use encode::{encode_failure, encode_file_header, encode_files_header};

/// The type of a response, as its number on the wire. Numbers from 128 up are this project's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the variants of Response say it")]
pub enum ResponseType {
    Failure = 0,
    Server = 1,
    Welcome = 2,
    Servers = 3,
    Database = 4,
    Statement = 5,
    Result = 6,
    Rows = 7,
    Empty = 8,
    Files = 9,
    Metadata = 10,
    Status = 128,
    Metrics = 130,
    Session = 131,
    Ran = 132,
    Batch = 133,
    Outcome = 135,
    Index = 136,
    Piece = 138,
}

impl ResponseType {
    /// Every type, by number.
    pub const ALL: [Self; 19] = [
        Self::Failure,
        Self::Server,
        Self::Welcome,
        Self::Servers,
        Self::Database,
        Self::Statement,
        Self::Result,
        Self::Rows,
        Self::Empty,
        Self::Files,
        Self::Metadata,
        Self::Status,
        Self::Metrics,
        Self::Session,
        Self::Ran,
        Self::Batch,
        Self::Outcome,
        Self::Index,
        Self::Piece,
    ];

    /// The type with this number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|found| found.number() == number)
    }

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// What a client must remember to read an answer: two bodies do not tell their own layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseContext {
    /// The protocol of the connection, which decides the layout of SERVER.
    pub protocol: Protocol,
    /// What CLUSTER asked for, which decides the layout of SERVERS.
    pub cluster_format: ClusterFormat,
}

/// One file of a dumped database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpFile {
    /// The file's name.
    pub name: Text,
    /// Its content, a number of whole words.
    pub content: Bytes,
}

/// A response. What was decoded keeps the memory of its frame alive.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// The request failed; it may stand in place of any other answer.
    Failure {
        /// One of [`crate::codes`], or an extended code of SQLite.
        code: u64,
        /// What went wrong.
        message: Text,
    },
    /// Who leads. Id 0 and an empty address: no one known.
    Server {
        /// The leader's id.
        id: u64,
        /// Its address, exactly as the clients dial it.
        address: Text,
    },
    /// Who leads, in the legacy protocol.
    ServerLegacy {
        /// The leader's address.
        address: Text,
    },
    /// The answer to CLIENT.
    Welcome {
        /// How often the client would have had to say HEARTBEAT, in milliseconds.
        heartbeat_timeout_ms: u64,
    },
    /// The members with their roles.
    Servers(Vec<NodeInfo>),
    /// The members, in format 0.
    ServersPlain(Vec<NodeAddress>),
    /// A database is open.
    Database {
        /// Always 0.
        id: u32,
    },
    /// A statement is compiled.
    Statement {
        /// Always 0.
        database: u32,
        /// The statement's id.
        id: u32,
        /// How many placeholders it has.
        params: u64,
        /// Where the text behind the statement begins, in bytes. Told in schema 1 only.
        tail_bytes: Option<u64>,
    },
    /// A statement was run.
    Result {
        /// The last rowid that the connection inserted, perhaps long ago.
        last_insert_id: i64,
        /// The rows that the last INSERT, UPDATE or DELETE changed.
        rows_affected: u64,
    },
    /// Rows: the whole body, for [`crate::RowsDecoder`].
    Rows(Bytes),
    /// Done.
    Empty,
    /// A dumped database.
    Files(Vec<DumpFile>),
    /// A node's metadata.
    Metadata {
        /// Where the node stands.
        failure_domain: u64,
        /// How little the node wants a role.
        weight: u64,
    },
    /// A node's view of itself and the log.
    Status(NodeStatus),
    /// A node's counters.
    Metrics(Vec<Metric>),
    /// A session is open.
    Session(call::Opened),
    /// What a RUN came to.
    Ran(call::Ran),
    /// More rows of a result.
    Batch(call::Fetched),
    /// What became of a commit.
    Outcome(call::Outcome),
    /// The answer to WAIT and BARRIER.
    Index {
        /// An index of the log.
        index: u64,
    },
    /// A piece of a backup.
    Piece(call::BackupPiece),
}

impl Response {
    /// The response's type.
    pub const fn response_type(&self) -> ResponseType {
        match self {
            Self::Failure { .. } => ResponseType::Failure,
            Self::Server { .. } | Self::ServerLegacy { .. } => ResponseType::Server,
            Self::Welcome { .. } => ResponseType::Welcome,
            Self::Servers(_) | Self::ServersPlain(_) => ResponseType::Servers,
            Self::Database { .. } => ResponseType::Database,
            Self::Statement { .. } => ResponseType::Statement,
            Self::Result { .. } => ResponseType::Result,
            Self::Rows(_) => ResponseType::Rows,
            Self::Empty => ResponseType::Empty,
            Self::Files(_) => ResponseType::Files,
            Self::Metadata { .. } => ResponseType::Metadata,
            Self::Status(_) => ResponseType::Status,
            Self::Metrics(_) => ResponseType::Metrics,
            Self::Session(_) => ResponseType::Session,
            Self::Ran(_) => ResponseType::Ran,
            Self::Batch(_) => ResponseType::Batch,
            Self::Outcome(_) => ResponseType::Outcome,
            Self::Index { .. } => ResponseType::Index,
            Self::Piece(_) => ResponseType::Piece,
        }
    }

    /// The schema the response is written in.
    pub const fn schema(&self) -> u8 {
        matches!(self, Self::Statement { tail_bytes: Some(_), .. }) as u8
    }
}
