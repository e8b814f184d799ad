//! How a session runs calls.

use dqlite_env::Blocking;

use super::run::Attempt;
use super::turn::Way;
use super::{Consistency, Session};
use crate::call::{BatchSink, Call, CallParameters, Fetched, Outcome, Ran, Work, close, fetch};
use crate::error::Error;
use crate::operation::Operation;
use crate::words;

impl Session {
    /// Runs a text as `operation`, and gives the first rows to `sink`, until that is full.
    ///
    /// # Errors
    /// SQLite's and the log's. [`Error::NotLeader`] where the session only reads and a statement
    /// writes: that one was not begun then.
    pub async fn call<T, P, S>(
        &mut self,
        operation: &Operation,
        call: Call<T, P>,
        sink: S,
        blocking: Blocking,
    ) -> Result<Ran<S>, Error>
    where
        T: AsRef<str> + Send + 'static,
        P: CallParameters,
        S: BatchSink,
    {
        if call.at_least > self.context.applied_index() {
            let applied = self.context.wait_applied(call.at_least);
            Box::pin(operation.unless_stopped(applied)).await?;
        }
        self.set_mark(call.mark);
        let only_reads = self.only_reads();
        let (blocking, consistency) = (self.place_of(blocking), call.consistency);
        let mut in_lane = !only_reads && words::writes(call.sql.as_ref());
        let number = operation.number();
        let mut work = Work { call, sink, operation: number, only_reads, offset_bytes: 0 };
        loop {
            let way = Way { operation: Some(operation), blocking, in_lane, consistency };
            match self.take_turn(&way, move |inner| work.run(inner)).await? {
                Attempt::Done(outcome) => return Ok(self.ran(outcome)),
                Attempt::NeedsLane(again) => {
                    work = again;
                    in_lane = true;
                }
            }
        }
    }

    /// Gives more rows of a result to `sink`.
    ///
    /// # Errors
    /// [`Error::NoCursor`] where there is no such result, SQLite's: the result is closed then.
    pub async fn fetch_rows<S: BatchSink>(
        &mut self,
        operation: &Operation,
        cursor: u32,
        mut sink: S,
        blocking: Blocking,
    ) -> Result<Fetched<S>, Error> {
        let way = Way {
            operation: Some(operation),
            blocking: self.place_of(blocking),
            in_lane: false,
            // It was made sure with the first rows that nobody else had written.
            consistency: Consistency::Leader,
        };
        let number = operation.number();
        let fetch = move |inner: &mut _| {
            let more = fetch(inner, cursor, number, &mut sink)?;
            Ok(Fetched { sink, more })
        };
        self.take_turn(&way, fetch).await
    }

    /// Closes a result before its last row.
    ///
    /// # Errors
    /// [`Error::NoCursor`] where there is no such result.
    pub async fn close_rows(&mut self, cursor: u32, blocking: Blocking) -> Result<(), Error> {
        let blocking = self.place_of(blocking);
        let cell = self.cell.clone();
        let close = move || cell.with(|inner| close(inner, cursor));
        blocking.run(close).await.unwrap_or_else(|| Err(self.over()))
    }

    /// Where work runs: where it is asked to, except that a simulation has one thread.
    fn place_of(&self, asked: Blocking) -> Blocking {
        match self.context.env.blocking {
            Blocking::Inline => Blocking::Inline,
            Blocking::Pool => asked,
        }
    }

    fn ran<S>(&self, outcome: Outcome<S>) -> Ran<S> {
        Ran {
            sink: outcome.sink,
            columns: outcome.columns,
            changes: outcome.changes,
            last_insert_rowid: self.standing.last_insert_rowid,
            total_changes: self.standing.total_changes,
            in_transaction: self.standing.in_transaction,
            index: self.context.reached_index(),
            cursor: outcome.cursor,
        }
    }
}
