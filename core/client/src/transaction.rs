//! A transaction in the hands of a closure.
//!
//! 1. What the closure runs, runs in one transaction or not at all. SQLite takes a transaction back
//!    by itself after some errors, and what came next would be committed on its own; so after such
//!    an error the transaction refuses everything.

use std::sync::Arc;

use dqlite_wire::{RowsDecoder, codes};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::connection::{Executed, TransactionMode};
use crate::error::{Error, ErrorKind};
use crate::params::IntoParams;
use crate::pool::Pooled;
use crate::row::Row;
use crate::rows::{Owner, Rows};
use crate::session::Source;

/// The handle of a transaction, for the closure given to [`crate::Client::transaction`]. It serves
/// one call at a time: rows must be read or dropped before the next statement.
#[derive(Debug, Clone)]
pub struct Transaction {
    slot: Arc<Mutex<Option<Pooled>>>,
}

impl Transaction {
    /// Begins it on a session.
    pub(crate) async fn begin(mut pooled: Pooled, mode: TransactionMode) -> Result<Self, Error> {
        let deadline = pooled.deadline();
        match pooled.session()?.begin(mode.sql(), deadline).await {
            Ok(()) => Ok(Self { slot: Arc::new(Mutex::new(Some(pooled))) }),
            Err(failure) => Err(pooled.conclude(failure)),
        }
    }

    /// Takes the session out, so that other handles can do nothing any more.
    pub(crate) fn end(&self) -> Result<Pooled, Error> {
        self.lock()?.take().ok_or_else(over)
    }

    /// Runs a statement that gives no rows.
    ///
    /// # Errors
    /// Give them back from the closure: what can be tried again as a whole then is.
    pub async fn execute(&self, sql: &str, params: impl IntoParams) -> Result<Executed, Error> {
        let params = params.into_params();
        let mut slot = self.lock()?;
        let executed = slot.as_mut().ok_or_else(over)?.execute(Source::Text(sql), &params).await;
        executed.map_err(|error| refuse_after(&mut slot, error))
    }

    /// Runs one statement for its rows.
    ///
    /// # Errors
    /// Give them back from the closure: what can be tried again as a whole then is.
    pub async fn query(&self, sql: &str, params: impl IntoParams) -> Result<Rows<'static>, Error> {
        let (slot, frame) = self.run(sql, params).await?;
        Rows::new(Owner::Transaction(slot), frame)
    }

    /// Runs one statement for all its rows at once.
    ///
    /// # Errors
    /// Give them back from the closure: what can be tried again as a whole then is.
    pub async fn query_all(&self, sql: &str, params: impl IntoParams) -> Result<Vec<Row>, Error> {
        self.query(sql, params).await?.collect().await
    }

    async fn run(
        &self,
        sql: &str,
        params: impl IntoParams,
    ) -> Result<(OwnedMutexGuard<Option<Pooled>>, RowsDecoder), Error> {
        let params = params.into_params();
        let mut slot = self.lock()?;
        match slot.as_mut().ok_or_else(over)?.query(Source::Text(sql), &params).await {
            Ok(frame) => Ok((slot, frame)),
            Err(error) => Err(refuse_after(&mut slot, error)),
        }
    }

    /// Waiting here could wait for the caller itself, so it is an error.
    fn lock(&self) -> Result<OwnedMutexGuard<Option<Pooled>>, Error> {
        self.slot.clone().try_lock_owned().map_err(|_| {
            let reason = "the transaction is in the middle of another call, or of its rows";
            Error::new(ErrorKind::Misuse, reason)
        })
    }
}

fn over() -> Error {
    Error::new(ErrorKind::Misuse, "the transaction is over")
}

/// Ends the transaction after an error that may have taken it back (1).
fn refuse_after(slot: &mut Option<Pooled>, error: Error) -> Error {
    let own = [codes::NO_MEMORY, codes::INTERRUPT, codes::IO, codes::FULL];
    if error.code == 0 || own.contains(&codes::primary(error.code)) {
        *slot = None;
    }
    error
}
