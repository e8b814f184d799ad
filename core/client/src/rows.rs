//! A result, frame by frame.

use std::sync::Arc;

use dqlite_wire::RowsDecoder;
use tokio::sync::OwnedMutexGuard;

use crate::error::{Error, ErrorKind};
use crate::fault::{Effect, Failure, Fault};
use crate::pool::Pooled;
use crate::row::Row;

/// The rows of a result. They are fetched as they are read: a large result never is in memory as a
/// whole. Dropped early, the rest is interrupted, and the session serves on.
#[derive(Debug)]
pub struct Rows<'c> {
    owner: Owner<'c>,
    columns: Arc<[String]>,
    frame: RowsDecoder,
    /// The effect of the statement that gives the rows.
    effect: Effect,
    /// Frames are still to come.
    more: bool,
    finished: bool,
}

/// Who has the session that the rows come from.
#[derive(Debug)]
pub(crate) enum Owner<'c> {
    /// The rows: it goes back to the pool with the last frame.
    Rows(Pooled),
    /// A connection.
    Connection(&'c mut Pooled),
    /// A transaction.
    Transaction(OwnedMutexGuard<Option<Pooled>>),
}

impl Owner<'_> {
    fn pooled(&mut self) -> Result<&mut Pooled, Error> {
        match self {
            Self::Rows(pooled) => Ok(pooled),
            Self::Connection(pooled) => Ok(pooled),
            Self::Transaction(slot) => slot
                .as_mut()
                .ok_or_else(|| Error::new(ErrorKind::Misuse, "the transaction is over")),
        }
    }
}

impl<'c> Rows<'c> {
    pub(crate) fn new(mut owner: Owner<'c>, frame: RowsDecoder) -> Result<Self, Error> {
        let columns = frame.columns().iter().map(|name| name.to_string()).collect();
        let session = owner.pooled()?.session()?;
        let (effect, more) = (session.streaming_effect(), session.is_streaming());
        let mut rows = Self { owner, columns, frame, effect, more, finished: false };
        rows.give_back_if_complete();
        Ok(rows)
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The next row; `None` after the last. May be cancelled without losing a row.
    ///
    /// # Errors
    /// The statement failed on the way, or the connection did. There are no more rows then.
    pub async fn next(&mut self) -> Result<Option<Row>, Error> {
        self.advance().await.map_err(Error::from)
    }

    /// All rows that are left.
    ///
    /// # Errors
    /// Those of [`Rows::next`].
    pub async fn collect(self) -> Result<Vec<Row>, Error> {
        self.collect_all().await.map_err(Error::from)
    }

    /// Ends the result, read or not. Dropping it does the same.
    pub fn close(self) {}

    pub(crate) async fn collect_all(mut self) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        while let Some(row) = self.advance().await? {
            rows.push(row);
        }
        Ok(rows)
    }

    async fn advance(&mut self) -> Result<Option<Row>, Failure> {
        while !self.finished {
            let mut values = Vec::with_capacity(self.columns.len());
            match self.frame.next_row(&mut values) {
                Ok(true) => return Ok(Some(Row::new(self.columns.clone(), values))),
                Ok(false) if !self.more => self.finished = true,
                Ok(false) => self.next_frame().await?,
                Err(error) => return Err(self.garbled(error.to_string())),
            }
        }
        Ok(None)
    }

    async fn next_frame(&mut self) -> Result<(), Failure> {
        let Ok(pooled) = self.owner.pooled() else {
            return Err(self.garbled("the connection is gone".to_owned()));
        };
        let deadline = pooled.deadline();
        let Ok(session) = pooled.session() else {
            return Err(self.garbled("the connection is gone".to_owned()));
        };
        let frame = session.more_rows(deadline).await;
        self.more = session.is_streaming();
        self.finished = frame.is_err();
        self.give_back_if_complete();
        self.frame = frame?;
        if self.frame.columns().len() != self.columns.len() {
            return Err(self.garbled("the columns changed on the way".to_owned()));
        }
        Ok(())
    }

    /// The stream makes no sense: it is not used again.
    fn garbled(&mut self, reason: String) -> Failure {
        self.finished = true;
        if let Ok(session) = self.owner.pooled().and_then(Pooled::session) {
            session.give_up();
        }
        Fault::Garbled(reason).with(self.effect)
    }

    /// Gives the session back as soon as nothing more comes from it.
    fn give_back_if_complete(&mut self) {
        if let Owner::Rows(pooled) = &mut self.owner
            && !self.more
        {
            pooled.give_back();
        }
    }
}
