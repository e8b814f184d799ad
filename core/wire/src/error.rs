//! What can be wrong with bytes that come, or with a message that shall leave.

use crate::codes;

/// The stream cannot be cut into frames. Close the connection: there is no next frame to find.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The header announces no body, which no message has.
    #[error("a frame without a body")]
    EmptyBody,
    /// The header announces more than the reader accepts.
    #[error("a frame body of {body_bytes} bytes exceeds the limit of {body_bytes_max}")]
    BodyTooLarge {
        /// What the header announces.
        body_bytes: u64,
        /// What the reader accepts.
        body_bytes_max: u64,
    },
    /// The first word of the connection names no protocol known here.
    #[error("unknown protocol version {word:#x}")]
    UnknownProtocol {
        /// The word that came.
        word: u64,
    },
}

/// A body does not hold what its type says. The connection itself can go on with the next frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body ends inside a field, or a count or length exceeds the body.
    #[error("the body ends inside a field")]
    Truncated,
    /// A text has no NUL at its end.
    #[error("a text without its terminator")]
    UnterminatedText,
    /// A text is not UTF-8.
    #[error("a text that is not UTF-8")]
    InvalidUtf8,
    /// A row holds a value type that does not exist.
    #[error("unknown value type {code}")]
    UnknownValueType {
        /// The code that came.
        code: u8,
    },
    /// A parameter has a type that does not exist or that parameters may not have.
    #[error("value type {code} cannot be a parameter")]
    ParameterType {
        /// The code that came.
        code: u8,
    },
    /// A response has a type not known here.
    #[error("unknown response type {kind}")]
    UnknownResponseType {
        /// The type that came.
        kind: u8,
    },
    /// A response has a schema not known here.
    #[error("unknown schema {schema} of response type {kind}")]
    UnknownResponseSchema {
        /// The response type.
        kind: u8,
        /// The schema that came.
        schema: u8,
    },
    /// A role that does not exist.
    #[error("unknown role {role}")]
    UnknownRole {
        /// The number that came.
        role: u64,
    },
    /// A field holds a choice that is not known here.
    #[error("unknown format {format}")]
    UnknownFormat {
        /// The number that came.
        format: u64,
    },
    /// More parameters than [`crate::limits::RUN_VALUES_MAX`].
    #[error("too many parameters")]
    TooManyParams,
    /// A dumped file whose length is not a number of whole words.
    #[error("a file of {bytes} bytes is not a number of whole words")]
    UnalignedFile {
        /// The length that came.
        bytes: u64,
    },
    /// More columns than [`crate::limits::COLUMNS_MAX`].
    #[error("a result with {columns} columns")]
    TooManyColumns {
        /// The count that came.
        columns: u64,
    },
    /// A result without columns holds something that is not the end marker.
    #[error("rows in a result without columns")]
    RowsWithoutColumns,
    /// A batch of rows, or a set of parameters, goes on behind its last value.
    #[error("{bytes} bytes behind the last value")]
    BytesBehind {
        /// How many.
        bytes: usize,
    },
}

/// A request that cannot be executed as it came.
///
/// [`RequestError::failure`] tells what to answer; where it tells nothing, close the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No request has this type.
    #[error("unknown request type {kind}")]
    UnknownType {
        /// The type that came.
        kind: u8,
    },
    /// The request exists, but not in this schema.
    #[error("unknown schema {schema} of request type {kind}")]
    UnknownSchema {
        /// The request type.
        kind: u8,
        /// The schema that came.
        schema: u8,
        /// The code to answer: it differs between statements and all other requests.
        code: u64,
    },
    /// CLUSTER asks for a format other than 0 and 1.
    #[error("unknown cluster format {format}")]
    UnknownClusterFormat {
        /// The format that came.
        format: u64,
    },
    /// A choice that does not exist: a format other than 0 of DESCRIBE, say, or a kind of RUN.
    #[error("unknown format {format}")]
    UnknownFormat {
        /// The format that came.
        format: u64,
    },
    /// ASSIGN names a role that does not exist.
    #[error("unknown role {role}")]
    UnknownRole {
        /// The number that came.
        role: u64,
    },
    /// A parameter has a type that does not exist or that parameters may not have.
    #[error("value type {code} cannot be a parameter")]
    ParameterType {
        /// The code that came.
        code: u8,
    },
    /// RUN carries more than [`crate::limits::RUN_VALUES_MAX`].
    #[error("too many parameters")]
    TooManyParams,
    /// IMPORT brings bytes beyond the total that it announces.
    #[error("an import chunk beyond the end of the file")]
    ImportOutOfRange,
    /// The body does not hold what the type says.
    #[error("malformed request: {0}")]
    Malformed(DecodeError),
}

impl RequestError {
    /// The code and message to answer with, after which the connection goes on. `None`: close it.
    pub fn failure(&self) -> Option<(u64, &'static str)> {
        match self {
            Self::UnknownType { .. } => Some((codes::PARSE, "unrecognized request type")),
            Self::UnknownSchema { code, .. } => Some((*code, "unrecognized schema version")),
            Self::UnknownClusterFormat { .. } => {
                Some((codes::PARSE, "unrecognized cluster format"))
            }
            Self::UnknownFormat { .. } => Some((codes::PROTOCOL, "bad format version")),
            Self::UnknownRole { .. } => Some((codes::ERROR, codes::messages::SERVER_ROLE_INVALID)),
            Self::ParameterType { .. } => Some((codes::ERROR, "bind parameters")),
            Self::TooManyParams => Some((codes::TOO_BIG, "too many parameters in one call")),
            Self::ImportOutOfRange => Some((codes::ERROR, "import chunk out of range")),
            Self::Malformed(_) => None,
        }
    }
}

impl From<DecodeError> for RequestError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::ParameterType { code } => Self::ParameterType { code },
            DecodeError::UnknownRole { role } => Self::UnknownRole { role },
            DecodeError::UnknownFormat { format } => Self::UnknownFormat { format },
            DecodeError::TooManyParams => Self::TooManyParams,
            other => Self::Malformed(other),
        }
    }
}

/// A message that the protocol cannot express. The buffer is left as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The body exceeds [`crate::limits::BODY_BYTES_ENCODABLE_MAX`].
    #[error("a body of {body_bytes} bytes is too large for a frame")]
    BodyTooLarge {
        /// What the body would take.
        body_bytes: usize,
    },
    /// The body is empty or not a number of whole words.
    #[error("a body of {body_bytes} bytes is not a number of whole words")]
    UnalignedBody {
        /// What the body would take.
        body_bytes: usize,
    },
    /// A text of a request holds a NUL: the server would see only what stands before it.
    #[error("a text with a NUL inside")]
    NulInText,
    /// The server rejects parameters of type UNIXTIME. Send an integer or a text.
    #[error("a time in seconds cannot be a parameter")]
    UnixTimeParameter,
    /// More parameters than a count can say.
    #[error("{params} parameters are too many")]
    TooManyParams {
        /// How many there are.
        params: usize,
    },
    /// An import chunk reaches beyond the total that it announces.
    #[error("an import chunk beyond the end of the file")]
    ImportOutOfRange,
    /// A dumped file is not a number of whole words long.
    #[error("a file of {bytes} bytes is not a number of whole words")]
    UnalignedFile {
        /// The file's length.
        bytes: u64,
    },
    /// More columns than [`crate::limits::COLUMNS_MAX`].
    #[error("a result with {columns} columns")]
    TooManyColumns {
        /// How many there are.
        columns: usize,
    },
    /// A row has more or fewer values than the result has columns, or the result has none.
    #[error("a row's values do not match the {columns} columns")]
    RowShape {
        /// The columns of the result.
        columns: usize,
    },
    /// A frame that announces another one must hold a row: clients refuse it otherwise.
    #[error("a partial result without rows")]
    PartWithoutRows,
}
