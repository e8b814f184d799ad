//! What can go wrong, by who must act.

use std::ffi::CStr;

use libsqlite3_sys as ffi;

/// An error of SQLite's, from a connection or a statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct SqliteError {
    /// SQLite's extended result code.
    pub code: i32,
    /// SQLite's message, in English.
    pub message: String,
    /// Where in the SQL text the error lies, in bytes, when SQLite can tell.
    pub offset: Option<usize>,
}

impl SqliteError {
    /// The primary result code: the class that `code` belongs to.
    pub fn primary_code(&self) -> i32 {
        self.code & 0xff
    }

    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), offset: None }
    }

    /// The error that the last call on `connection` left, with the result `code` that it gave.
    ///
    /// # Safety
    /// `connection` must be open, and no other thread may be using it.
    pub(crate) unsafe fn last(connection: *mut ffi::sqlite3, code: i32) -> Self {
        // SAFETY: the caller vouches for the connection; SQLite's message is a C string that lives
        // until the next call on it.
        let (code, message, offset) = unsafe {
            let extended = ffi::sqlite3_extended_errcode(connection);
            // A misuse leaves no trace in the connection.
            let code = if extended & 0xff == code & 0xff { extended } else { code };
            let message = if code == extended {
                ffi::sqlite3_errmsg(connection)
            } else {
                ffi::sqlite3_errstr(code)
            };
            (code, CStr::from_ptr(message), ffi::sqlite3_error_offset(connection))
        };
        Self {
            code,
            message: message.to_string_lossy().into_owned(),
            offset: usize::try_from(offset).ok(),
        }
    }
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(failure, message) => {
                Self::new(failure.extended_code, message.unwrap_or_else(|| failure.to_string()))
            }
            rusqlite::Error::SqlInputError { error, msg, offset, .. } => Self {
                code: error.extended_code,
                message: msg,
                offset: usize::try_from(offset).ok(),
            },
            other => Self::new(ffi::SQLITE_ERROR, other.to_string()),
        }
    }
}

/// Why the WAL could not be changed. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalError {
    /// A connection on this node is in a write transaction: end it first.
    #[error("a local write transaction is open")]
    WriterActive,
    /// Connections are open: close them first.
    #[error("{0} connections are open")]
    ConnectionsOpen(usize),
    /// The transaction to be applied cannot be one.
    #[error("not a transaction: {0}")]
    NotATransaction(&'static str),
    /// No transaction ends at the frame to go back to.
    #[error("no commit at frame {0}")]
    NotACommit(u32),
    /// Frames that should be undone are in the database file already.
    #[error("frame {0} is in the database file")]
    Checkpointed(u32),
}
