//! A database on this node.

use std::fmt;
use std::io;
use std::sync::Arc;

use dqlite_env::File;

use crate::checkpoint::Checkpoint;
use crate::connection::{ConnectOptions, Connection};
use crate::error::{SqliteError, WalError};
use crate::first_page::{self, FIRST_PAGE};
use crate::registry;
use crate::shared::Shared;
use crate::sys;
use crate::transaction::{CommitSink, PAGE_BYTES, Page, WalPosition};

/// A database on this node: its file, and the WAL that no file holds. Cheap to clone.
///
/// Every method may be called from any thread at any time.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

impl Database {
    /// The page that a new database begins with, on every replica.
    pub const FIRST_PAGE: [u8; PAGE_BYTES] = FIRST_PAGE;

    /// Opens the database in `file`, with an empty WAL. An empty file gets the first page, which
    /// is durable when this returns; one where a crash tore it gets it again.
    ///
    /// Commits of this node's connections go to `sink`. The caller keeps others from the file, by
    /// [`File::lock_database`].
    ///
    /// # Errors
    /// Those of the file, `InvalidData` when it is not a database of 4096-byte pages in WAL mode,
    /// and SQLite's when it cannot be set up.
    pub fn open(file: Arc<dyn File>, sink: Arc<dyn CommitSink>) -> io::Result<Self> {
        sys::register().map_err(io::Error::other)?;
        first_page::ensure(&*file)?;
        let page_count = u32::try_from(file.len()?.div_ceil(PAGE_BYTES as u64))
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file is too large"))?;
        let shared = Arc::new(Shared::new(registry::new_name(), file, sink, page_count));
        registry::add(&shared);
        Ok(Self { shared })
    }

    /// Opens a connection with the default options.
    ///
    /// # Errors
    /// SQLite's.
    pub fn connect(&self) -> Result<Connection, SqliteError> {
        self.connect_with(&ConnectOptions::default())
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// SQLite's.
    pub fn connect_with(&self, options: &ConnectOptions) -> Result<Connection, SqliteError> {
        Connection::open(self.clone(), options)
    }

    /// Puts a transaction of another node into the WAL, where connections see it as a whole, and
    /// gives the WAL's end after it. The images are shared, not copied. Restarts the WAL first
    /// when that is possible.
    ///
    /// # Errors
    /// [`WalError::WriterActive`] when a local connection is in a write transaction, and
    /// [`WalError::NotATransaction`].
    pub fn apply(&self, pages: &[(u32, Page)], page_count: u32) -> Result<WalPosition, WalError> {
        self.shared.apply(pages, page_count)
    }

    /// Undoes all transactions after `position`, where one must have ended.
    ///
    /// # Errors
    /// [`WalError::ConnectionsOpen`], [`WalError::NotACommit`], [`WalError::Checkpointed`].
    pub fn undo_to(&self, position: WalPosition) -> Result<(), WalError> {
        self.shared.undo_to(position)
    }

    /// Copies the transactions up to `upto` into the file and makes them durable there, as far as
    /// readers allow. Writers and readers go on. Gives back the memory of what no reader needs.
    ///
    /// The caller answers for all up to `upto` being committed, and durable in the local log. When
    /// another checkpoint is running nothing is done.
    ///
    /// # Errors
    /// Those of the file. The checkpoint can be tried again.
    pub fn checkpoint(&self, upto: WalPosition) -> io::Result<Checkpoint> {
        self.shared.checkpoint(upto)
    }

    /// How far the file is.
    pub fn checkpointed(&self) -> Checkpoint {
        self.shared.checkpointed()
    }

    /// Begins the WAL anew if all its frames are in the file, no reader needs it and no local
    /// write transaction is open, and tells whether it did. To be called with nothing speculative.
    pub fn restart(&self) -> bool {
        let Ok(writer) = self.shared.lock_writer() else { return false };
        let dropped = writer.table().and_then(|locks| self.shared.restart(locks));
        drop(writer);
        dropped.is_some()
    }

    /// The end of the WAL: what new connections see.
    pub fn position(&self) -> WalPosition {
        let frames = self.shared.frames.read();
        frames.position(&self.shared.index.header())
    }

    /// The last frame of the WAL, 0 when it is empty.
    pub fn last_frame(&self) -> u32 {
        self.position().frame
    }

    /// Counts restarts of the WAL.
    pub fn generation(&self) -> u64 {
        self.position().generation
    }

    /// The database's size as new connections see it, in pages.
    pub fn page_count(&self) -> u32 {
        self.shared.index.header().page_count
    }

    /// Frames of the present generation that are in the file.
    pub fn backfilled_frame(&self) -> u32 {
        self.checkpointed().backfilled_frame
    }

    /// What the WAL takes, in bytes of memory.
    pub fn wal_bytes(&self) -> usize {
        self.shared.frames.read().wal.memory_bytes()
    }

    /// Connections that are open.
    pub fn connection_count(&self) -> usize {
        self.shared.locks.lock().connection_count()
    }

    /// The path by which SQLite opens the database in this process.
    pub(crate) fn name(&self) -> &str {
        &self.shared.name
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Database")
            .field("name", &self.shared.name)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}
