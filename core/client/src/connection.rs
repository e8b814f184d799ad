//! One session, held for as long as the caller likes.

use crate::error::{Error, ErrorKind};
use crate::fault::{Effect, Failure};
use crate::params::IntoParams;
use crate::pool::Pooled;
use crate::row::Row;
use crate::rows::{Owner, Rows};
use crate::session::Source;
use crate::shape::Shape;

/// What a statement without rows did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executed {
    /// The last rowid that the session inserted, perhaps with an earlier statement.
    pub last_insert_id: i64,
    /// The rows that the last INSERT, UPDATE or DELETE of the session changed.
    pub rows_affected: u64,
}

/// A statement that was compiled on one connection, and runs on that one only.
#[derive(Debug)]
pub struct Statement {
    pub(crate) id: u32,
    pub(crate) session: u64,
    pub(crate) params: u64,
    pub(crate) shape: Shape,
}

impl Statement {
    /// How many placeholders the statement has.
    pub fn parameter_count(&self) -> u64 {
        self.params
    }
}

/// When a transaction takes the database's write lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransactionMode {
    /// With its first writing statement. If someone else wrote since its first read, that statement
    /// fails with code 517, and the transaction must be begun anew.
    #[default]
    Deferred,
    /// At once, waiting for its turn.
    Immediate,
}

impl TransactionMode {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Deferred => "BEGIN",
            Self::Immediate => "BEGIN IMMEDIATE",
        }
    }
}

/// One session with the node that led when it was taken. It never tries anything again: when the
/// connection breaks or the lead moves, drop it and take another.
///
/// Dropped, it goes back to the pool; a transaction that is still open is rolled back first.
#[derive(Debug)]
pub struct Connection {
    pooled: Pooled,
}

impl Connection {
    pub(crate) fn new(pooled: Pooled) -> Self {
        Self { pooled }
    }

    /// The address of the node at the other end.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub fn address(&mut self) -> Result<&str, Error> {
        Ok(self.pooled.session()?.address())
    }

    /// Runs a statement, or several, that give no rows.
    ///
    /// # Errors
    /// The server refused, or the connection broke: the error tells the outcome.
    pub async fn execute(&mut self, sql: &str, params: impl IntoParams) -> Result<Executed, Error> {
        let params = params.into_params();
        self.pooled.execute(Source::Text(sql), &params).await
    }

    /// Runs one statement for its rows.
    ///
    /// # Errors
    /// The server refused, or the connection broke: the error tells the outcome.
    pub async fn query(&mut self, sql: &str, params: impl IntoParams) -> Result<Rows<'_>, Error> {
        let params = params.into_params();
        let frame = self.pooled.query(Source::Text(sql), &params).await?;
        Rows::new(Owner::Connection(&mut self.pooled), frame)
    }

    /// Runs one statement for all its rows at once.
    ///
    /// # Errors
    /// Those of [`Connection::query`].
    pub async fn query_all(
        &mut self,
        sql: &str,
        params: impl IntoParams,
    ) -> Result<Vec<Row>, Error> {
        let params = params.into_params();
        let frame = self.pooled.query(Source::Text(sql), &params).await?;
        Rows::new(Owner::Connection(&mut self.pooled), frame)?.collect().await
    }

    /// Compiles a statement. The server keeps it until [`Connection::finalize`] or until the
    /// connection goes back to the pool.
    ///
    /// # Errors
    /// The server refused the text, or the connection broke.
    pub async fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        let deadline = self.pooled.deadline();
        let prepared = self.pooled.session()?.prepare(sql, deadline).await;
        prepared.map_err(|fault| self.pooled.conclude(fault.with(Effect::Nothing)))
    }

    /// Runs a prepared statement that gives no rows.
    ///
    /// # Errors
    /// Those of [`Connection::execute`], and [`ErrorKind::Misuse`] for another connection's
    /// statement.
    pub async fn execute_prepared(
        &mut self,
        statement: &Statement,
        params: impl IntoParams,
    ) -> Result<Executed, Error> {
        self.check_own(statement)?;
        let params = params.into_params();
        self.pooled.execute(Source::Prepared(statement), &params).await
    }

    /// Runs a prepared statement for its rows.
    ///
    /// # Errors
    /// Those of [`Connection::query`], and [`ErrorKind::Misuse`] for another connection's
    /// statement.
    pub async fn query_prepared(
        &mut self,
        statement: &Statement,
        params: impl IntoParams,
    ) -> Result<Rows<'_>, Error> {
        self.check_own(statement)?;
        let params = params.into_params();
        let frame = self.pooled.query(Source::Prepared(statement), &params).await?;
        Rows::new(Owner::Connection(&mut self.pooled), frame)
    }

    /// Lets the server forget a statement.
    ///
    /// # Errors
    /// The connection broke, or the statement is another connection's.
    pub async fn finalize(&mut self, statement: Statement) -> Result<(), Error> {
        self.check_own(&statement)?;
        let deadline = self.pooled.deadline();
        let finalized = self.pooled.session()?.finalize(statement.id, deadline).await;
        finalized.map_err(|fault| self.pooled.conclude(fault.with(Effect::Nothing)))
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// The server refused, or the connection broke.
    pub async fn begin(&mut self, mode: TransactionMode) -> Result<(), Error> {
        let deadline = self.pooled.deadline();
        let begun = self.pooled.session()?.begin(mode.sql(), deadline).await;
        begun.map_err(|failure| self.pooled.conclude(failure))
    }

    /// Commits the transaction: once this returns, a majority of the voters has it.
    ///
    /// # Errors
    /// With [`crate::Outcome::NotApplied`] the transaction is open still or gone, without effect;
    /// with [`crate::Outcome::Unknown`] the answer was lost.
    pub async fn commit(&mut self) -> Result<(), Error> {
        let deadline = self.pooled.deadline();
        let committed = self.pooled.session()?.commit(deadline).await;
        committed.map_err(|failure| self.pooled.conclude(failure))
    }

    /// Takes the transaction back. Without one it does nothing.
    ///
    /// # Errors
    /// The connection broke; the server then takes the transaction back by itself.
    pub async fn rollback(&mut self) -> Result<(), Error> {
        let deadline = self.pooled.deadline();
        let rolled_back = self.pooled.session()?.rollback(deadline).await;
        rolled_back.map_err(|failure| self.pooled.conclude(failure))
    }

    /// Takes the transaction back so that the session can serve on; if that fails it is closed.
    pub(crate) async fn end_transaction(&mut self) {
        if let Err(error) = self.rollback().await {
            tracing::debug!(%error, "the transaction ends with its session");
        }
    }

    fn check_own(&mut self, statement: &Statement) -> Result<(), Error> {
        if self.pooled.session()?.number() == statement.session {
            return Ok(());
        }
        let reason = "the statement was prepared on another connection";
        Err(Error::new(ErrorKind::Misuse, reason))
    }
}

impl Pooled {
    /// Draws the conclusions about the node, and tells the caller's.
    pub(crate) fn conclude(&mut self, failure: Failure) -> Error {
        if failure.fault.is_not_leader()
            && let Ok(session) = self.session()
        {
            let address = session.address().to_owned();
            self.pool().forget(&address);
        }
        failure.into()
    }

    pub(crate) async fn execute(
        &mut self,
        source: Source<'_>,
        params: &[dqlite_wire::Value],
    ) -> Result<Executed, Error> {
        let deadline = self.deadline();
        let executed = self.session()?.execute(source, params, deadline).await;
        executed.map_err(|failure| self.conclude(failure))
    }

    pub(crate) async fn query(
        &mut self,
        source: Source<'_>,
        params: &[dqlite_wire::Value],
    ) -> Result<dqlite_wire::RowsDecoder, Error> {
        let deadline = self.deadline();
        let rows = self.session()?.query(source, params, deadline).await;
        rows.map_err(|failure| self.conclude(failure))
    }
}
