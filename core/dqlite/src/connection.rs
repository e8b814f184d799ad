//! A connection to one database: what a program holds, wherever the database is.

mod calls;
mod doubt;
mod reading;
mod replay;
mod state;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dqlite_server::{Blocking, Watch};
use dqlite_wire::call::{ParameterSet, RunKind};

use crate::backup::Progress;
use crate::cursor::Cursor;
use crate::error::{Error, Outcome, Retryable};
use crate::operation::Operation;
use crate::options::Convert;
use crate::parameters::IntoParameters;
use crate::transaction::{RetryOn, TransactionMode, Tries};

pub(crate) use calls::{Answer, Call};
pub(crate) use state::{CursorAt, Settings, Shared};

/// A connection. Clones are the same connection; calls of several threads take turns.
///
/// It follows the leader wherever that is. While the node in this process leads, a call runs SQLite
/// directly; when another does, it goes over the network.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) shared: Arc<Shared>,
    operation: Option<Operation>,
    pub(crate) blocking: Blocking,
}

impl Connection {
    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), operation: None, blocking: Blocking::Pool }
    }

    /// The same connection; what is called through it stops when `operation` is cancelled.
    pub fn with_operation(&self, operation: Operation) -> Self {
        Self { operation: Some(operation), ..self.clone() }
    }

    /// The same connection; where the node is in this process, SQLite runs on the calling thread.
    pub(crate) fn inline(&self) -> Self {
        Self { blocking: Blocking::Inline, ..self.clone() }
    }

    /// The same connection; where the node is in this process, SQLite runs on a thread of its own.
    pub(crate) fn pooled(&self) -> Self {
        Self { blocking: Blocking::Pool, ..self.clone() }
    }

    /// A new cursor.
    pub fn cursor(&self) -> Cursor {
        Cursor::new(self.clone())
    }

    /// Runs one statement. Its rows are read from the cursor.
    ///
    /// # Errors
    /// Any of the table. Of a failed write, [`Error::outcome`] tells whether it took effect.
    pub async fn execute(
        &self,
        sql: &str,
        parameters: impl IntoParameters,
    ) -> Result<Cursor, Error> {
        let mut cursor = self.cursor();
        cursor.execute(sql, parameters).await?;
        Ok(cursor)
    }

    /// Runs one statement that gives no rows once for each set of parameters. Outside a transaction
    /// it is one: all take effect or none.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub async fn execute_many(&self, sql: &str, sets: Vec<ParameterSet>) -> Result<Cursor, Error> {
        let mut cursor = self.cursor();
        cursor.execute_many(sql, sets).await?;
        Ok(cursor)
    }

    /// Runs any number of statements and stops at the first error. Rows are thrown away. Not one
    /// transaction unless the text makes it one.
    ///
    /// # Errors
    /// As [`Connection::execute`]; statements before the one that failed may have taken effect.
    pub async fn execute_script(&self, sql: &str) -> Result<Cursor, Error> {
        let mut cursor = self.cursor();
        cursor.execute_script(sql).await?;
        Ok(cursor)
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// As [`Connection::execute`]; `sql.error` inside a transaction.
    pub async fn begin(&self, mode: TransactionMode) -> Result<(), Error> {
        self.run_quietly(mode.begin_sql()).await
    }

    /// Commits the open transaction; without one it does nothing.
    ///
    /// # Errors
    /// Of an answer that got lost, the outcome is found out where [`retry`] is on and time allows;
    /// else `OutcomeUnknownError`, whose [`Error::resolve`] finds it out.
    ///
    /// [`retry`]: crate::ConnectOptions::retry
    pub async fn commit(&self) -> Result<(), Error> {
        if !self.in_transaction() {
            return self.shared.check_open();
        }
        self.run_quietly("COMMIT").await
    }

    /// Takes the open transaction back; without one it does nothing. A transaction that was lost
    /// with its node ends with this.
    ///
    /// # Errors
    /// The connection is closed. A node that cannot be reached has rolled back already.
    pub async fn rollback(&self) -> Result<(), Error> {
        if !self.in_transaction() {
            return self.shared.check_open();
        }
        match self.run_quietly("ROLLBACK").await {
            Err(error) if !self.in_transaction() && error.outcome() == Outcome::NotApplied => {
                self.shared.check_open()
            }
            result => result,
        }
    }

    async fn run_quietly(&self, sql: &str) -> Result<(), Error> {
        self.call(Call::statement(sql, ParameterSet::default())).await.map(|_| ())
    }

    /// Runs `body` in a transaction: commits when it succeeds, rolls back when it fails. When the
    /// failure is one of the moment (the leader is gone, another writer came first) and nothing of
    /// it is left, `body` runs again from the start, for about half a minute.
    ///
    /// # Errors
    /// The body's, or those of BEGIN and COMMIT.
    pub async fn transaction<T, E, F, Fut>(
        &self,
        mode: TransactionMode,
        mut body: F,
    ) -> Result<T, E>
    where
        F: FnMut(Connection) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<Error> + RetryOn,
    {
        let mut tries = Tries::new(self.shared.settings.retry);
        loop {
            let tried = async {
                self.begin(mode).await?;
                let value = body(self.clone()).await?;
                self.commit().await?;
                Ok::<T, E>(value)
            };
            let failure = match tried.await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            self.rollback().await?;
            match failure.error().filter(|error| error.retryable() != Retryable::No) {
                Some(_) if tries.pause().await => {}
                _ => return Err(failure),
            }
        }
    }

    /// The tries at a transaction, for whoever runs one as [`Connection::transaction`] does.
    pub fn tries(&self) -> Tries {
        Tries::new(self.shared.settings.retry)
    }

    /// Stops the call that runs now, if one does, and never a later one. Any thread may ask.
    pub fn interrupt(&self) {
        self.shared.running.cancel();
    }

    /// Writes the database as one SQLite file to `path`, as of one moment, while others go on.
    /// `progress` hears how much is left.
    ///
    /// # Errors
    /// As [`Connection::execute`]; `backup.io` when the file cannot be written. What was at `path`
    /// before stays then.
    pub async fn backup(
        &self,
        path: &Path,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<(), Error> {
        self.copy_to(path, &mut |at| {
            progress(at);
            true
        })
        .await
    }

    /// Ends the connection; an open transaction is rolled back. A second time it does nothing.
    pub async fn close(&self) {
        self.shared.close().await;
    }

    /// Whether a transaction is open. One that was lost with its node counts until it is rolled
    /// back.
    pub fn in_transaction(&self) -> bool {
        self.shared.facts.in_transaction.load(Ordering::SeqCst)
    }

    /// Whether each statement outside `begin` and `commit` is a transaction of its own. If not, the
    /// first statement that writes opens one.
    pub fn autocommit(&self) -> bool {
        self.shared.facts.autocommit.load(Ordering::SeqCst)
    }

    /// Changes [`Connection::autocommit`]. Turning it on commits an open transaction.
    ///
    /// # Errors
    /// Those of [`Connection::commit`]; it stays off then.
    pub async fn set_autocommit(&self, autocommit: bool) -> Result<(), Error> {
        if autocommit && !self.autocommit() {
            self.commit().await?;
        }
        self.shared.facts.autocommit.store(autocommit, Ordering::SeqCst);
        self.shared.check_open()
    }

    /// Rows that were inserted, updated or deleted through this connection.
    pub fn total_changes(&self) -> u64 {
        self.shared.facts.total_changes.load(Ordering::SeqCst)
    }

    /// The index of the log that this connection has seen. Another connection that has
    /// [waited for it](Connection::wait_for) sees what this one has written.
    pub fn last_index(&self) -> u64 {
        self.shared.facts.last_index.load(Ordering::SeqCst)
    }

    /// Waits until what this connection reads from has the log up to `index`.
    ///
    /// # Errors
    /// `TimeoutError`, or no node can be reached.
    pub async fn wait_for(&self, index: u64) -> Result<(), Error> {
        self.wait_until_applied(index).await
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.shared.settings.database
    }

    /// What is made of stored values: bindings to other languages look here.
    pub fn convert(&self) -> Convert {
        self.shared.settings.convert
    }

    /// Has `watch` asked now and then, on the thread that waits or runs SQLite: true cancels the
    /// call.
    pub(crate) fn set_watch(&self, watch: Option<Arc<dyn Watch>>) {
        self.shared.watch.set(watch);
    }

    pub(crate) fn operation(&self) -> Operation {
        self.operation.clone().unwrap_or_default()
    }

    pub(crate) fn call_of(sql: &str, kind: RunKind, sets: Vec<ParameterSet>) -> Call {
        Call { sql: sql.into(), kind, parameters: sets }
    }
}
