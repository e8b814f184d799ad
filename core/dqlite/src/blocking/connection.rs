//! A connection whose calls wait.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use dqlite_server::Watch;
use dqlite_wire::call::ParameterSet;

use super::cursor::Cursor;
use crate::backup::Progress;
use crate::error::{Error, Retryable};
use crate::operation::Operation;
use crate::options::ConnectOptions;
use crate::parameters::IntoParameters;
use crate::runtime;
use crate::transaction::{RetryOn, TransactionMode, Tries};

/// Connects to a database: see [`crate::connect`].
///
/// # Errors
/// Those of [`crate::connect`].
pub fn connect(target: &str, options: ConnectOptions) -> Result<Connection, Error> {
    let opening = crate::connect(target, options);
    runtime::block_on(runtime::handle()?, opening, None).map(Connection::new)
}

/// A connection: [`crate::Connection`], whose calls wait.
#[derive(Clone, Debug)]
pub struct Connection {
    inner: crate::Connection,
}

impl From<crate::Connection> for Connection {
    /// The blocking twin. It is the same connection.
    fn from(inner: crate::Connection) -> Self {
        Self::new(inner)
    }
}

impl Connection {
    pub(super) fn new(inner: crate::Connection) -> Self {
        Self { inner: inner.inline() }
    }

    /// The asynchronous twin. It is the same connection.
    pub fn asynchronous(&self) -> crate::Connection {
        self.inner.pooled()
    }

    /// See [`crate::Connection::with_operation`].
    pub fn with_operation(&self, operation: Operation) -> Self {
        Self { inner: self.inner.with_operation(operation) }
    }

    /// Waits for `work`.
    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let shared = &self.inner.shared;
        let ask = || {
            if shared.watch.user_wants_stop() {
                shared.running.cancel();
            }
        };
        let watch: Option<&dyn Fn()> = if shared.watch.is_set() { Some(&ask) } else { None };
        runtime::block_on(runtime::handle()?, pin!(work), watch)
    }

    /// Has `watch` asked about every 50 ms, on the calling thread, while a call waits or SQLite
    /// runs: true cancels the call.
    pub fn set_watch(&self, watch: Option<Arc<dyn Watch>>) {
        self.inner.set_watch(watch);
    }

    /// A new cursor.
    pub fn cursor(&self) -> Cursor {
        Cursor::new(self.clone(), self.inner.cursor())
    }

    /// See [`crate::Connection::execute`].
    ///
    /// # Errors
    /// Those of the asynchronous call, as of all calls here.
    pub fn execute(&self, sql: &str, parameters: impl IntoParameters) -> Result<Cursor, Error> {
        let mut cursor = self.cursor();
        cursor.execute(sql, parameters)?;
        Ok(cursor)
    }

    /// See [`crate::Connection::execute_many`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn execute_many(&self, sql: &str, sets: Vec<ParameterSet>) -> Result<Cursor, Error> {
        let mut cursor = self.cursor();
        cursor.execute_many(sql, sets)?;
        Ok(cursor)
    }

    /// See [`crate::Connection::execute_script`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn execute_script(&self, sql: &str) -> Result<Cursor, Error> {
        let mut cursor = self.cursor();
        cursor.execute_script(sql)?;
        Ok(cursor)
    }

    /// See [`crate::Connection::begin`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn begin(&self, mode: TransactionMode) -> Result<(), Error> {
        self.wait(self.inner.begin(mode))
    }

    /// See [`crate::Connection::commit`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn commit(&self) -> Result<(), Error> {
        self.wait(self.inner.commit())
    }

    /// See [`crate::Connection::rollback`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn rollback(&self) -> Result<(), Error> {
        self.wait(self.inner.rollback())
    }

    /// See [`crate::Connection::transaction`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn transaction<T, E: From<Error> + RetryOn>(
        &self,
        mode: TransactionMode,
        mut body: impl FnMut(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tries = Tries::new(self.inner.shared.settings.retry);
        loop {
            let tried = (|| {
                self.begin(mode)?;
                let value = body(self)?;
                self.commit()?;
                Ok::<T, E>(value)
            })();
            let failure = match tried {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            self.rollback()?;
            let again = failure.error().is_some_and(|error| error.retryable() != Retryable::No);
            if !again || !self.wait(async { Ok(tries.pause().await) })? {
                return Err(failure);
            }
        }
    }

    /// See [`crate::Connection::interrupt`].
    pub fn interrupt(&self) {
        self.inner.interrupt();
    }

    /// See [`crate::Connection::backup`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn backup(&self, path: &Path, progress: impl FnMut(Progress) + Send) -> Result<(), Error> {
        self.wait(self.inner.backup(path, progress))
    }

    /// See [`crate::Connection::close`].
    ///
    /// # Errors
    /// The connection came here by a fork.
    pub fn close(&self) -> Result<(), Error> {
        let closing = async {
            self.inner.close().await;
            Ok(())
        };
        self.wait(closing)
    }

    /// See [`crate::Connection::in_transaction`].
    pub fn in_transaction(&self) -> bool {
        self.inner.in_transaction()
    }

    /// See [`crate::Connection::autocommit`].
    pub fn autocommit(&self) -> bool {
        self.inner.autocommit()
    }

    /// See [`crate::Connection::set_autocommit`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn set_autocommit(&self, autocommit: bool) -> Result<(), Error> {
        self.wait(self.inner.set_autocommit(autocommit))
    }

    /// See [`crate::Connection::total_changes`].
    pub fn total_changes(&self) -> u64 {
        self.inner.total_changes()
    }

    /// See [`crate::Connection::last_index`].
    pub fn last_index(&self) -> u64 {
        self.inner.last_index()
    }

    /// See [`crate::Connection::wait_for`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn wait_for(&self, index: u64) -> Result<(), Error> {
        self.wait(self.inner.wait_for(index))
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        self.inner.database()
    }
}

impl Error {
    /// [`Error::resolve`], which waits on the calling thread.
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn resolve_blocking(&self) -> Result<bool, Error> {
        runtime::block_on(runtime::handle()?, self.resolve(), None)
    }
}
