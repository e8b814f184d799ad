//! A connection of SQLite's to a database on this node, and the statements in it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use libsqlite3_sys as ffi;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{MAIN_DB, OpenFlags, TransactionState};

use crate::copy::{Copied, FileCopy};
use crate::database::Database;
use crate::error::SqliteError;
use crate::statement::{OwnedStatement, Statement};
use crate::sys;

/// How a connection is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Memory for the connection's page cache, in KiB.
    pub cache_kib: u32,
    /// Whether foreign keys are enforced.
    pub foreign_keys: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { cache_kib: 2000, foreign_keys: true }
    }
}

/// Names a statement within its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementId(pub u32);

/// What a prepared statement is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The statement's name: the lowest that was free.
    pub id: StatementId,
    /// Where the rest of the text begins, in bytes.
    pub tail_offset: usize,
    /// How many parameters there are: the largest index.
    pub parameter_count: usize,
    /// How many columns the result has.
    pub column_count: usize,
    /// True when the statement itself writes nothing to the database.
    pub readonly: bool,
    /// True for `EXPLAIN` and `EXPLAIN QUERY PLAN`.
    pub is_explain: bool,
}

/// A connection to a database. On drop it finalizes its statements, rolls an open transaction back
/// and closes.
pub struct Connection {
    // Fields go in this order: what uses the connection before it, that before its database.
    copy: Option<FileCopy>,
    statements: Vec<Option<OwnedStatement>>,
    interrupt: Interrupt,
    sqlite: rusqlite::Connection,
    database: Database,
}

impl Connection {
    pub(crate) fn open(database: Database, options: &ConnectOptions) -> Result<Self, SqliteError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let mut sqlite =
            rusqlite::Connection::open_with_flags_and_vfs(database.name(), flags, sys::NAME)?;
        // Who waits for the write lock waits in the engine's queue, not in SQLite.
        sqlite.busy_timeout(Duration::ZERO)?;
        for (setting, on) in [
            (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, options.foreign_keys),
        ] {
            sqlite.set_db_config(setting, on)?;
        }
        sqlite.pragma_update(None, "synchronous", "FULL")?;
        sqlite.pragma_update(None, "wal_autocheckpoint", 0)?;
        sqlite.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
        sqlite.authorizer(Some(|context: AuthContext<'_>| confine(&context)))?;
        let interrupt = Interrupt(Arc::new(sqlite.get_interrupt_handle()));
        Ok(Self { copy: None, statements: Vec::new(), interrupt, sqlite, database })
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Compiles the first statement of `sql`; `None` when there is none, only space and comments.
    ///
    /// # Errors
    /// SQLite's. Text with a NUL character is refused, since SQLite would stop there.
    pub fn prepare(&mut self, sql: &str) -> Result<Option<Prepared>, SqliteError> {
        if let Some(offset) = sql.bytes().position(|byte| byte == 0) {
            return Err(SqliteError {
                offset: Some(offset),
                ..SqliteError::new(ffi::SQLITE_ERROR, "NUL character in SQL text")
            });
        }
        let mut tail_offset = 0;
        while tail_offset < sql.len() {
            // SAFETY: the connection is open, outlives its statements, and is lent exclusively.
            let compiled =
                unsafe { OwnedStatement::compile(self.sqlite.handle(), &sql[tail_offset..]) };
            let (statement, taken) = compiled.map_err(|error| SqliteError {
                offset: error.offset.map(|offset| offset + tail_offset),
                ..error
            })?;
            tail_offset += taken;
            match statement {
                Some(statement) => return Ok(Some(self.keep(statement, tail_offset))),
                None if taken == 0 => break,
                None => {}
            }
        }
        Ok(None)
    }

    fn keep(&mut self, mut statement: OwnedStatement, tail_offset: usize) -> Prepared {
        let free = self.statements.iter().position(Option::is_none);
        let lent = statement.lend();
        let index = free.unwrap_or(self.statements.len());
        let prepared = Prepared {
            id: StatementId(index as u32),
            tail_offset,
            parameter_count: lent.parameter_count(),
            column_count: lent.column_count(),
            readonly: lent.readonly(),
            is_explain: lent.is_explain(),
        };
        match free {
            Some(index) => self.statements[index] = Some(statement),
            None => self.statements.push(Some(statement)),
        }
        prepared
    }

    /// The statement called `id`.
    pub fn statement(&mut self, id: StatementId) -> Option<&mut Statement> {
        Some(self.statements.get_mut(id.0 as usize)?.as_mut()?.lend())
    }

    /// Ends the statement called `id`, and tells whether there was one.
    pub fn finalize(&mut self, id: StatementId) -> bool {
        self.statements.get_mut(id.0 as usize).is_some_and(|slot| slot.take().is_some())
    }

    /// Statements that are not finalized.
    pub fn statement_count(&self) -> usize {
        self.statements.iter().flatten().count()
    }

    /// Rows that the last `INSERT`, `UPDATE` or `DELETE` changed.
    pub fn changes(&self) -> u64 {
        self.sqlite.changes()
    }

    /// Rows that were changed since the connection was opened.
    pub fn total_changes(&self) -> u64 {
        self.sqlite.total_changes()
    }

    /// The row id of the last row that was inserted.
    pub fn last_insert_rowid(&self) -> i64 {
        self.sqlite.last_insert_rowid()
    }

    /// False while a transaction that `BEGIN` or `SAVEPOINT` opened is open.
    pub fn is_autocommit(&self) -> bool {
        self.sqlite.is_autocommit()
    }

    /// What the connection has open in the main schema: nothing, a read or a write transaction.
    ///
    /// # Errors
    /// SQLite's.
    pub fn transaction_state(&self) -> Result<TransactionState, SqliteError> {
        Ok(self.sqlite.transaction_state(Some(MAIN_DB))?)
    }

    /// Stops what the connection is doing, from another thread.
    pub fn interrupt_handle(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Has `authorizer` asked about what each statement does, when it is prepared. Files cannot be
    /// attached whatever it says; `None` takes the last one away.
    ///
    /// # Errors
    /// SQLite's.
    pub fn set_authorizer<F>(&mut self, authorizer: Option<F>) -> Result<(), SqliteError>
    where
        F: FnMut(AuthContext<'_>) -> Authorization + Send + 'static,
    {
        match authorizer {
            Some(mut authorizer) => {
                self.sqlite.authorizer(Some(move |context: AuthContext<'_>| {
                    match confine(&context) {
                        Authorization::Allow => authorizer(context),
                        denied => denied,
                    }
                }))?;
            }
            None => self.sqlite.authorizer(Some(|context: AuthContext<'_>| confine(&context)))?,
        }
        Ok(())
    }

    /// Has `handler` asked about every `every` steps of SQLite's machine whether what runs must
    /// stop, which then fails with `SQLITE_INTERRUPT`. `None` takes the last one away.
    ///
    /// # Errors
    /// SQLite's.
    pub fn set_progress_handler<F>(
        &mut self,
        every: u32,
        handler: Option<F>,
    ) -> Result<(), SqliteError>
    where
        F: FnMut() -> bool + Send + 'static,
    {
        let every = i32::try_from(every).unwrap_or(i32::MAX);
        Ok(self.sqlite.progress_handler(every, handler)?)
    }

    /// Has every write of this connection refused, in whatever statement it hides.
    ///
    /// # Errors
    /// SQLite's.
    pub fn refuse_writes(&mut self) -> Result<(), SqliteError> {
        Ok(self.sqlite.pragma_update(None, "query_only", true)?)
    }

    /// Begins to copy the main schema, as it is now, to a file of its own at `path`, which must
    /// not exist. The connection must have no transaction open, and has one until the copy ends.
    ///
    /// # Errors
    /// SQLite's; there is no copy then.
    pub fn begin_copy(&mut self, path: &Path) -> Result<(), SqliteError> {
        self.end_copy();
        self.copy = Some(FileCopy::begin(&self.sqlite, path)?);
        Ok(())
    }

    /// Copies up to `pages` pages more. With the last ones the file is complete and durable, not
    /// in WAL mode, and the copy has ended.
    ///
    /// # Errors
    /// SQLite's, and `SQLITE_MISUSE` when no copy was begun. The copy has ended then too, and the
    /// file is nothing.
    pub fn step_copy(&mut self, pages: u32) -> Result<Copied, SqliteError> {
        let Some(copy) = self.copy.as_mut() else {
            return Err(SqliteError::new(ffi::SQLITE_MISUSE, "no copy was begun"));
        };
        let stepped = match copy.step(pages) {
            Ok(copied) if copied.remaining_pages > 0 => return Ok(copied),
            Ok(copied) => copy.finish().map(|()| copied),
            Err(error) => Err(error),
        };
        self.end_copy();
        stepped
    }

    /// Ends a copy before its end.
    pub fn end_copy(&mut self) {
        if let Some(copy) = self.copy.take() {
            copy.end(&self.sqlite);
        }
    }

    /// The main schema as the connection sees it now, as the bytes of a database file. Like the
    /// file, it says of itself that it is in WAL mode.
    ///
    /// # Errors
    /// SQLite's.
    pub fn serialize(&mut self) -> Result<Vec<u8>, SqliteError> {
        Ok(self.sqlite.serialize(MAIN_DB)?.to_vec())
    }

    /// The connection in rusqlite's terms.
    pub fn rusqlite(&self) -> &rusqlite::Connection {
        &self.sqlite
    }

    /// Replaces the main schema by that of `source`, which must have pages of the same size, in
    /// one transaction.
    ///
    /// # Errors
    /// SQLite's; nothing was changed then.
    pub fn restore(&mut self, source: &rusqlite::Connection) -> Result<(), SqliteError> {
        // The connection itself is not lent out: somebody could put another in its place, under
        // the statements.
        match Backup::new(source, &mut self.sqlite)?.step(-1)? {
            StepResult::Done => Ok(()),
            _ => Err(SqliteError::new(ffi::SQLITE_BUSY, "database is locked")),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("database", &self.database)
            .field("statements", &self.statement_count())
            .finish_non_exhaustive()
    }
}

/// A connection reaches its own database, databases in memory and temporary ones: no file that
/// replicas do not share, and no other database of the process.
fn confine(context: &AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Attach { filename } if !matches!(filename, "" | ":memory:") => {
            Authorization::Deny
        }
        // A name that is computed is not known before it is opened.
        AuthAction::Unknown { code: ffi::SQLITE_ATTACH, .. } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

/// Stops what a connection is doing, from any thread. Without effect once the connection is closed.
#[derive(Clone)]
pub struct Interrupt(Arc<rusqlite::InterruptHandle>);

impl Interrupt {
    /// Has all running statements of the connection fail with `SQLITE_INTERRUPT`.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Interrupt")
    }
}
