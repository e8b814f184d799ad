//! Sessions of drivers, in this process: [`dqlite_wire::call`] answered by the engine, with nothing
//! in between.

mod parameters;
mod rows;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use dqlite_engine::{Call, CallKind, Columns, Operation, Session, timeout_of_ms};
use dqlite_env::Blocking;
use dqlite_wire::call::{
    BatchLimits, Column, Consistency, Fetched, OpenSession, Place, Ran, Run, RunKind,
};

pub use dqlite_engine::{BackupProgress, Canceller, Watch};

use crate::freshness::Freshness;
use crate::node::Shared;
use parameters::Sets;
use rows::BatchRows;

/// Why a call failed: what FAILURE says over the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (code {code})")]
pub struct CallError {
    /// SQLite's extended result code, or dqlite's.
    pub code: u64,
    /// The reason, in English.
    pub message: String,
}

impl From<dqlite_engine::Error> for CallError {
    fn from(error: dqlite_engine::Error) -> Self {
        Self { code: error.code() as u64, message: error.to_string() }
    }
}

/// A session of a driver with a database on this node. Dropped, it lets go of everything, and an
/// open transaction is rolled back.
pub struct CallSession {
    session: Session,
    node: Arc<Shared>,
    place: Place,
    opened_index: u64,
    /// Where the next batch of rows goes.
    buffer: BytesMut,
}

impl fmt::Debug for CallSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CallSession")
            .field("session", &self.session)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl CallSession {
    /// Opens a session on the node.
    pub(crate) async fn open(node: Arc<Shared>, open: &OpenSession) -> Result<Self, CallError> {
        let opened_index = node.engine.applied_index();
        let mut session = match open.place {
            Place::Leader => node.engine.open_session(&open.database).await?,
            Place::Here => node.engine.open_reader(&open.database).await?,
        };
        session.set_client(open.client);
        session.set_busy_timeout(Duration::from_millis(open.busy_timeout_ms));
        Ok(Self { session, node, place: open.place, opened_index, buffer: BytesMut::new() })
    }

    /// An index of the log that was applied when the session was opened: what it commits comes
    /// after it.
    pub fn opened_index(&self) -> u64 {
        self.opened_index
    }

    /// Runs SQL, and gives everything there is to know of its effect, with the first rows.
    /// `blocking` tells where SQLite runs.
    ///
    /// Dropping the future cancels the call; the session can go on. What the call has done by then
    /// stays done.
    ///
    /// # Errors
    /// SQLite's, the log's, and the codes of [`dqlite_wire::codes`]. The session can go on, unless
    /// it [is over](Self::is_over).
    pub async fn run(&mut self, run: Run, blocking: Blocking) -> Result<Ran, CallError> {
        let operation = self.session.begin_operation(timeout_of_ms(run.timeout_ms));
        let ran = self.run_as(&operation, run, blocking).await?;
        operation.finish();
        Ok(ran)
    }

    async fn run_as(
        &mut self,
        operation: &Operation,
        run: Run,
        blocking: Blocking,
    ) -> Result<Ran, CallError> {
        let (consistency, at_least) = match (run.consistency, self.place) {
            (Consistency::Linearizable, Place::Leader) => {
                (dqlite_engine::Consistency::Linearizable, 0)
            }
            // Boxed, as it is rare: what is moved for each call is small then.
            (asked, _) => Box::pin(self.level(operation, asked)).await?,
        };
        let call = Call {
            sql: run.sql,
            kind: match run.kind {
                RunKind::One => CallKind::One,
                RunKind::Many => CallKind::Many,
                RunKind::Script => CallKind::Script,
            },
            parameters: Sets(run.parameters),
            begin: run.begin,
            mark: run.mark,
            consistency,
            at_least,
        };
        let sink = BatchRows::new(std::mem::take(&mut self.buffer), run.limits);
        let ran = self.session.call(operation, call, sink, blocking).await?;
        let (rows, buffer) = ran.sink.finish();
        self.buffer = buffer;
        Ok(Ran {
            columns: ran.columns.map_or_else(Arc::default, |columns| wire_columns(&columns)),
            changes: ran.changes,
            last_insert_rowid: ran.last_insert_rowid,
            total_changes: ran.total_changes,
            in_transaction: ran.in_transaction,
            index: ran.index,
            rows,
            cursor: ran.cursor,
        })
    }

    /// What a level asks of the engine: whether a leader makes sure afterwards that it led, and
    /// what must have been applied before.
    async fn level(
        &self,
        operation: &Operation,
        asked: Consistency,
    ) -> Result<(dqlite_engine::Consistency, u64), CallError> {
        use dqlite_engine::Consistency as Engine;
        let max_age = match (asked, self.place) {
            (Consistency::Linearizable, Place::Leader) => return Ok((Engine::Linearizable, 0)),
            (Consistency::Leader, Place::Leader) => return Ok((Engine::Leader, 0)),
            (Consistency::AtLeast(index), _) => return Ok((Engine::Leader, index)),
            (Consistency::Within(u64::MAX), _) => return Ok((Engine::Leader, 0)),
            (Consistency::Within(milliseconds), _) => Duration::from_millis(milliseconds),
            // Elsewhere there is no other way to be sure.
            (Consistency::Linearizable | Consistency::Leader, Place::Here) => Duration::ZERO,
        };
        let fresh = Freshness::ensure(&self.node, max_age);
        operation.unless_stopped(fresh).await??;
        Ok((Engine::Leader, 0))
    }

    /// Gives more rows of a result.
    ///
    /// # Errors
    /// As for [`run`](Self::run); the result is closed then.
    pub async fn fetch(
        &mut self,
        cursor: u32,
        limits: BatchLimits,
        blocking: Blocking,
    ) -> Result<Fetched, CallError> {
        let operation = self.session.begin_operation(None);
        let sink = BatchRows::new(std::mem::take(&mut self.buffer), limits);
        let fetched = self.session.fetch_rows(&operation, cursor, sink, blocking).await?;
        operation.finish();
        let (rows, buffer) = fetched.sink.finish();
        self.buffer = buffer;
        Ok(Fetched { rows, more: fetched.more })
    }

    /// Closes a result before its last row.
    ///
    /// # Errors
    /// Code 21 where there is no such result.
    pub async fn close_cursor(&mut self, cursor: u32) -> Result<(), CallError> {
        // It takes no longer than a step would.
        Ok(self.session.close_rows(cursor, Blocking::Inline).await?)
    }

    /// Copies what is committed of the database to a file at `path`, in place of one that may be
    /// there. `progress` is told how far the copy has come, and gives false to stop it.
    ///
    /// # Errors
    /// SQLite's and those of the file. There is no new file then.
    pub async fn backup(
        &mut self,
        path: &Path,
        progress: impl FnMut(BackupProgress) -> bool + Send,
    ) -> Result<(), CallError> {
        let operation = self.session.begin_operation(None);
        self.session.backup(&operation, path, progress).await?;
        operation.finish();
        Ok(())
    }

    /// Sets who is asked now and then whether the call that goes on is to stop.
    pub fn set_watch(&mut self, watch: Option<Arc<dyn Watch>>) {
        self.session.set_watch(watch);
    }

    /// A handle that stops the call that goes on when it is used, and never a later one.
    pub fn canceller(&self) -> Canceller {
        self.session.canceller()
    }

    /// True where a transaction was open after the last call, be that one failed or not.
    pub fn in_transaction(&self) -> bool {
        self.session.was_in_transaction()
    }

    /// True once the session has lost its connection for good: it leads no more where it must, or
    /// this node took all in anew.
    pub fn is_over(&self) -> bool {
        self.session.is_over()
    }
}

fn wire_columns(columns: &Columns) -> Arc<[Column]> {
    columns.form(|list| {
        let column = |column: &dqlite_engine::Column| Column {
            name: column.name.as_str().into(),
            declared_type: column
                .declared_type
                .as_deref()
                .filter(|declared| !declared.is_empty())
                .map(Into::into),
        };
        list.iter().map(column).collect::<Arc<[Column]>>()
    })
}
