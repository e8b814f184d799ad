//! A cursor: one result at a time, read in batches.
//!
//! The rows of a large result never are in memory as a whole: a batch holds some hundred of them,
//! and the next is fetched when they are read.

use std::sync::Arc;

use dqlite_wire::call::{Column, ParameterSet, RowBatch, RunKind};

use crate::connection::{Answer, Connection};
use crate::error::Error;
use crate::parameters::IntoParameters;
use crate::row::Row;

pub(crate) use crate::connection::CursorAt;

/// How many rows [`Cursor::fetch_many`] gives when it is not told.
const ARRAY_SIZE: usize = 1;

/// A cursor of a connection. Dropped before its last row, the rest is let go.
#[derive(Debug)]
pub struct Cursor {
    connection: Connection,
    result: Option<Rows>,
    row_count: i64,
    last_row_id: Option<i64>,
    closed: bool,
    /// How many rows [`Cursor::fetch_many`] gives when it is not told.
    pub array_size: usize,
}

/// A result that is being read.
#[derive(Debug)]
struct Rows {
    columns: Arc<[Column]>,
    /// A batch that is not given out yet.
    ready: Option<RowBatch>,
    /// Where the result goes on.
    rest: Option<CursorAt>,
    /// What is left of the batch that single rows are taken from.
    reading: std::vec::IntoIter<Row>,
}

impl Cursor {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            result: None,
            row_count: -1,
            last_row_id: None,
            closed: false,
            array_size: ARRAY_SIZE,
        }
    }

    /// The connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What is called through the cursor from now on is called through `connection`, which must be
    /// the same one: with another operation, say.
    pub(crate) fn call_through(&mut self, connection: Connection) {
        debug_assert!(Arc::ptr_eq(&connection.shared, &self.connection.shared));
        self.connection = connection;
    }

    /// What is called through the cursor from now on stops when `operation` is cancelled.
    pub fn set_operation(&mut self, operation: crate::Operation) {
        self.call_through(self.connection.with_operation(operation));
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// As [`Connection::execute`]. The result before is gone in any case.
    pub async fn execute(
        &mut self,
        sql: &str,
        parameters: impl IntoParameters,
    ) -> Result<(), Error> {
        self.run(RunKind::One, sql, vec![parameters.into_parameters()]).await
    }

    /// Runs one statement that gives no rows once for each set of parameters.
    ///
    /// # Errors
    /// As [`Connection::execute_many`].
    pub async fn execute_many(&mut self, sql: &str, sets: Vec<ParameterSet>) -> Result<(), Error> {
        self.run(RunKind::Many, sql, sets).await
    }

    /// Runs any number of statements.
    ///
    /// # Errors
    /// As [`Connection::execute_script`].
    pub async fn execute_script(&mut self, sql: &str) -> Result<(), Error> {
        self.run(RunKind::Script, sql, Vec::new()).await
    }

    async fn run(
        &mut self,
        kind: RunKind,
        sql: &str,
        sets: Vec<ParameterSet>,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.let_go();
        self.row_count = -1;
        self.last_row_id = None;
        let Answer { ran, session } =
            self.connection.call(Connection::call_of(sql, kind, sets)).await?;
        self.row_count = ran.changes.map_or(-1, |count| count.try_into().unwrap_or(i64::MAX));
        self.last_row_id = ran.changes.map(|_| ran.last_insert_rowid);
        if kind == RunKind::One && !ran.columns.is_empty() {
            self.result = Some(Rows {
                columns: ran.columns,
                ready: Some(ran.rows),
                rest: ran.cursor.map(|cursor| CursorAt { session, cursor }),
                reading: Vec::new().into_iter(),
            });
        }
        Ok(())
    }

    /// The next batch of rows, as it came; `None` after the last. Never empty but for the first of
    /// a result without rows.
    ///
    /// # Errors
    /// `ProgrammingError` without a result; else as [`Connection::execute`]. There are no more rows
    /// then.
    pub async fn next_batch(&mut self) -> Result<Option<RowBatch>, Error> {
        self.check_open()?;
        let Some(result) = &mut self.result else {
            return Err(Error::new(
                "cursor.no_result",
                "no statement that gives rows was executed",
            ));
        };
        if let Some(ready) = result.ready.take() {
            return Ok(Some(ready));
        }
        let Some(rest) = result.rest.take() else { return Ok(None) };
        let fetched = self.connection.fetch(rest).await?;
        if fetched.more {
            result.rest = Some(rest);
        }
        Ok(Some(fetched.rows).filter(|rows| fetched.more || rows.row_count() > 0))
    }

    /// The batch that came with the answer, unless it was given out before.
    pub(crate) fn take_ready(&mut self) -> Result<Option<RowBatch>, Error> {
        self.check_open()?;
        match &mut self.result {
            Some(result) => Ok(result.ready.take()),
            None => {
                let reason = "no statement that gives rows was executed";
                Err(Error::new("cursor.no_result", reason))
            }
        }
    }

    /// Whether [`Cursor::next_batch`] may give another batch. It need not have rows.
    pub fn has_more(&self) -> bool {
        self.result.as_ref().is_some_and(|it| it.ready.is_some() || it.rest.is_some())
    }

    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// As [`Cursor::next_batch`].
    pub async fn fetch_one(&mut self) -> Result<Option<Row>, Error> {
        loop {
            if let Some(row) = self.result.as_mut().and_then(|it| it.reading.next()) {
                return Ok(Some(row));
            }
            let Some(batch) = self.next_batch().await? else { return Ok(None) };
            let convert = self.connection.convert();
            if let Some(result) = &mut self.result {
                result.reading = Row::decode(&result.columns, &batch, convert)?.into_iter();
            }
        }
    }

    /// The next `count` rows, or as many as are left.
    ///
    /// # Errors
    /// As [`Cursor::next_batch`].
    pub async fn fetch_many(&mut self, count: usize) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        while rows.len() < count
            && let Some(row) = self.fetch_one().await?
        {
            rows.push(row);
        }
        Ok(rows)
    }

    /// All rows that are left.
    ///
    /// # Errors
    /// As [`Cursor::next_batch`].
    pub async fn fetch_all(&mut self) -> Result<Vec<Row>, Error> {
        self.fetch_many(usize::MAX).await
    }

    /// The columns of the result; `None` if there is none.
    pub fn columns(&self) -> Option<&Arc<[Column]>> {
        self.result.as_ref().map(|result| &result.columns)
    }

    /// Rows that the last statement inserted, updated or deleted; -1 if it does none of that, or
    /// its answer was lost.
    pub fn row_count(&self) -> i64 {
        self.row_count
    }

    /// The rowid that the last INSERT made; `None` after a statement of another kind.
    pub fn last_row_id(&self) -> Option<i64> {
        self.last_row_id
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Ends the result, read or not, and the cursor.
    pub async fn close(&mut self) {
        self.closed = true;
        if let Some(at) = self.result.take().and_then(|result| result.rest) {
            self.connection.close_cursor(at).await;
        }
    }

    fn check_open(&self) -> Result<(), Error> {
        self.connection.shared.check_not_closed()?;
        if self.closed {
            return Err(Error::new("cursor.closed", "the cursor is closed"));
        }
        Ok(())
    }

    /// Forgets the result; the next call of the connection closes it on its node.
    fn let_go(&mut self) {
        if let Some(at) = self.result.take().and_then(|result| result.rest) {
            self.connection.shared.dropped.lock().push(at);
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.let_go();
    }
}
