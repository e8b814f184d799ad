//! A cursor whose calls wait.

use std::sync::Arc;

use dqlite_wire::call::{Column, ParameterSet, RowBatch};

use super::connection::Connection;
use crate::error::Error;
use crate::operation::Operation;
use crate::parameters::IntoParameters;
use crate::row::Row;

/// A cursor: [`crate::Cursor`], whose calls wait. It iterates over the rows that are left.
#[derive(Debug)]
pub struct Cursor {
    connection: Connection,
    inner: crate::Cursor,
}

impl Cursor {
    pub(super) fn new(connection: Connection, inner: crate::Cursor) -> Self {
        Self { connection, inner }
    }

    /// The connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// See [`crate::Cursor::set_operation`].
    pub fn set_operation(&mut self, operation: Operation) {
        self.inner.set_operation(operation);
    }

    /// See [`crate::Cursor::execute`].
    ///
    /// # Errors
    /// Those of the asynchronous call, as of all calls here.
    pub fn execute(&mut self, sql: &str, parameters: impl IntoParameters) -> Result<(), Error> {
        self.connection.wait(self.inner.execute(sql, parameters))
    }

    /// See [`crate::Cursor::execute_many`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn execute_many(&mut self, sql: &str, sets: Vec<ParameterSet>) -> Result<(), Error> {
        self.connection.wait(self.inner.execute_many(sql, sets))
    }

    /// See [`crate::Cursor::execute_script`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn execute_script(&mut self, sql: &str) -> Result<(), Error> {
        self.connection.wait(self.inner.execute_script(sql))
    }

    /// See [`crate::Cursor::next_batch`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn next_batch(&mut self) -> Result<Option<RowBatch>, Error> {
        if let Some(ready) = self.inner.take_ready()? {
            return Ok(Some(ready));
        }
        self.connection.wait(self.inner.next_batch())
    }

    /// See [`crate::Cursor::has_more`].
    pub fn has_more(&self) -> bool {
        self.inner.has_more()
    }

    /// See [`crate::Cursor::fetch_one`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn fetch_one(&mut self) -> Result<Option<Row>, Error> {
        self.connection.wait(self.inner.fetch_one())
    }

    /// See [`crate::Cursor::fetch_many`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn fetch_many(&mut self, count: usize) -> Result<Vec<Row>, Error> {
        self.connection.wait(self.inner.fetch_many(count))
    }

    /// See [`crate::Cursor::fetch_all`].
    ///
    /// # Errors
    /// Those of the asynchronous call.
    pub fn fetch_all(&mut self) -> Result<Vec<Row>, Error> {
        self.connection.wait(self.inner.fetch_all())
    }

    /// The columns of the result; `None` if there is none.
    pub fn columns(&self) -> Option<&Arc<[Column]>> {
        self.inner.columns()
    }

    /// See [`crate::Cursor::row_count`].
    pub fn row_count(&self) -> i64 {
        self.inner.row_count()
    }

    /// See [`crate::Cursor::last_row_id`].
    pub fn last_row_id(&self) -> Option<i64> {
        self.inner.last_row_id()
    }

    /// How many rows [`Cursor::fetch_many`] is usually asked for: 1.
    pub fn array_size(&self) -> usize {
        self.inner.array_size
    }

    /// Sets [`Cursor::array_size`].
    pub fn set_array_size(&mut self, array_size: usize) {
        self.inner.array_size = array_size;
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// See [`crate::Cursor::close`].
    ///
    /// # Errors
    /// The connection came here by a fork.
    pub fn close(&mut self) -> Result<(), Error> {
        let closing = async {
            self.inner.close().await;
            Ok(())
        };
        self.connection.wait(closing)
    }
}

impl Iterator for Cursor {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.fetch_one().transpose()
    }
}
