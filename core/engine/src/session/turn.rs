//! A session's turn on its connection, and what is waited for before its answer is given.

use dqlite_env::Blocking;
use tokio::time::Instant;

use super::{Consistency, Session};
use crate::call::{Standing, close_of};
use crate::cell::Inner;
use crate::database::Marked;
use crate::error::Error;
use crate::lane::{Permit, deadline_after};
use crate::operation::Operation;
use crate::outcomes;
use crate::speculation::Ticket;

/// How a piece of work gets to the connection and back.
pub(super) struct Way<'a> {
    /// What it belongs to.
    pub operation: Option<&'a Operation>,
    /// Where it runs.
    pub blocking: Blocking,
    /// It writes.
    pub in_lane: bool,
    /// How sure what it reads must be.
    pub consistency: Consistency,
}

/// What an answer may tell of, found out right after SQLite ran.
enum Seen {
    /// Nothing of the database.
    Nothing,
    /// What was there when the ticket was made; the database was only read.
    Read(Option<Ticket>),
    /// A transaction of this session, the one of the ticket.
    Written(Ticket),
}

/// What came of a turn.
struct Turn<T> {
    result: Result<T, Error>,
    seen: Seen,
    standing: Standing,
}

impl Session {
    /// Runs `call` on the connection and waits for nothing.
    pub(super) async fn quietly<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let cell = self.cell.clone();
        let run = move || {
            cell.with(|inner| {
                cell.operations().enter(None);
                call(inner)
            })
        };
        match self.context.env.blocking.run(run).await {
            // What interrupts a session that is over is the undo.
            Some(Err(Error::Interrupted)) if self.is_over() => Err(self.over()),
            Some(result) => result,
            None => Err(self.over()),
        }
    }

    /// Runs `call` on the connection, in the lane if it will write, and concludes.
    pub(super) async fn on_connection<T: Send + 'static>(
        &mut self,
        in_lane: bool,
        call: impl FnOnce(&mut Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let way = Way {
            operation: None,
            blocking: self.context.env.blocking,
            in_lane,
            consistency: self.consistency,
        };
        self.take_turn(&way, call).await
    }

    /// Runs `call` on the connection, in the lane if it will write, and concludes.
    pub(super) async fn take_turn<T: Send + 'static>(
        &mut self,
        way: &Way<'_>,
        call: impl FnOnce(&mut Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let marked_call = self.marked_call()?;
        let run = self.turn(way, call, marked_call);
        let ran = if way.in_lane && !self.cell.holds_lane() {
            Box::pin(unless_stopped(way.operation, self.wait_for_the_log())).await??;
            let deadline = deadline_after(self.busy_timeout);
            let interrupted = self.interrupted.notified();
            let stop = async {
                match way.operation {
                    Some(operation) => drop(operation.stopped().await),
                    None => interrupted.await,
                }
            };
            let run = move |permit| run(Some(permit));
            match Box::pin(self.database.lane.run(way.blocking, run, deadline, stop)).await {
                Err(Error::Interrupted) => return Err(way.stopped()),
                ran => ran?,
            }
        } else {
            way.blocking.run(move || run(None).0).await
        };
        let Some(turn) = ran else {
            self.standing = Standing::default();
            return Err(self.over());
        };
        self.standing = turn.standing;
        match turn.result {
            Err(Error::Interrupted) if self.is_over() => Err(self.over()),
            Err(Error::Interrupted) => self.conclude(Err(way.stopped()), turn.seen, way).await,
            result => self.conclude(result, turn.seen, way).await,
        }
    }

    /// The turn as a piece of work for whichever thread has the connection.
    fn turn<T: Send + 'static>(
        &mut self,
        way: &Way<'_>,
        call: impl FnOnce(&mut Inner) -> Result<T, Error> + Send + 'static,
        marked_call: Option<outcomes::Call>,
    ) -> impl FnOnce(Option<Permit>) -> (Option<Turn<T>>, Option<Permit>) + Send + 'static {
        let cell = self.cell.clone();
        let speculation = self.speculation.clone();
        let database = self.database.clone();
        let only_begins = std::mem::take(&mut self.only_begins);
        let operation = way.operation.map(Operation::turn);
        move |permit| {
            let operations = cell.operations();
            cell.with_lane(permit, |inner| {
                let may_begin = operations.enter(operation);
                for given_up in operations.take_given_up() {
                    close_of(inner, given_up);
                }
                inner.calls.told_nothing = only_begins;
                // Only the lane's holder commits, so a step ahead is this session's own.
                let holds_lane = inner.lane.is_some();
                let before = speculation.as_ref().filter(|_| holds_lane).map(|it| it.newest());
                let state = inner.wal_state();
                let marked = holds_lane.then(|| Marked::new(&database, marked_call));
                let result = if may_begin { call(inner) } else { Err(Error::Interrupted) };
                drop(marked);
                let speculation = match speculation {
                    Some(speculation) => Some(speculation),
                    None => database.shown(),
                };
                let ticket = speculation.map(|speculation| speculation.ticket());
                let told_nothing = inner.calls.told_nothing && result.is_ok()
                    || matches!(result, Err(Error::Interrupted));
                let seen = match (ticket, before) {
                    (Some(ticket), Some(before)) if ticket.sequence > before => {
                        inner.wrote(state);
                        Seen::Written(ticket)
                    }
                    _ if told_nothing => Seen::Nothing,
                    (ticket, _) => Seen::Read(ticket),
                };
                let result = result.map_err(|error| explain(inner, error));
                Turn { result, seen, standing: inner.standing() }
            })
        }
    }

    /// Waits until it is certain that what was seen stands. See the module above.
    async fn conclude<T>(
        &self,
        result: Result<T, Error>,
        seen: Seen,
        way: &Way<'_>,
    ) -> Result<T, Error> {
        if self.context.faults.skip_commit_wait {
            return result;
        }
        match seen {
            Seen::Nothing | Seen::Read(None) => result,
            Seen::Written(ticket) => {
                let settled = ticket.settled(self.commit_deadline());
                match Box::pin(unless_stopped(way.operation, settled)).await {
                    Ok(settled) => settled?,
                    Err(_) => return Err(Error::OutcomeUnknown),
                }
                result
            }
            Seen::Read(Some(ticket)) => {
                if !ticket.is_committed() {
                    // A read has no outcome that could be unknown: it just has no answer.
                    let settled = ticket.settled(self.commit_deadline());
                    let settled = Box::pin(unless_stopped(way.operation, settled)).await?;
                    settled.map_err(|_| Error::NotLeader)?;
                }
                if way.consistency == Consistency::Linearizable && self.speculation.is_some() {
                    let term = ticket.speculation.id.term;
                    if !self.consensus.leads_for_certain(term) {
                        Box::pin(self.confirm(term, way.operation)).await?;
                    }
                }
                result
            }
        }
    }

    /// Makes sure that this node led `term` after the call.
    async fn confirm(&self, term: u64, operation: Option<&Operation>) -> Result<(), Error> {
        let confirmed = self.consensus.confirm_leadership(term);
        let confirmed = tokio::time::timeout_at(self.commit_deadline(), confirmed);
        match unless_stopped(operation, confirmed).await? {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::NotLeader),
        }
    }

    /// Writers are faster than the log: lets it catch up before adding to what waits.
    async fn wait_for_the_log(&self) -> Result<(), Error> {
        let deadline = self.commit_deadline();
        while let Some((bytes, oldest)) = self.database.backlog()
            && bytes > self.context.options.backlog_bytes_max
        {
            oldest.settled(deadline).await.map_err(|_| Error::NotLeader)?;
        }
        Ok(())
    }

    pub(super) fn commit_deadline(&self) -> Instant {
        Instant::now() + self.context.options.commit_timeout
    }
}

impl Way<'_> {
    /// Why what was interrupted was.
    fn stopped(&self) -> Error {
        self.operation.map_or(Error::Interrupted, Operation::reason)
    }
}

impl Inner {
    fn standing(&self) -> Standing {
        self.connection.as_ref().map_or_else(Standing::default, |connection| Standing {
            in_transaction: !connection.is_autocommit(),
            total_changes: connection.total_changes(),
            last_insert_rowid: connection.last_insert_rowid(),
        })
    }
}

async fn unless_stopped<T>(
    operation: Option<&Operation>,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    match operation {
        Some(operation) => operation.unless_stopped(work).await,
        None => Ok(work.await),
    }
}

/// Says why a statement was not authorized.
fn explain(inner: &mut Inner, error: Error) -> Error {
    const SQLITE_AUTH: i32 = 23;
    let reason = inner.refusals.take();
    match error {
        Error::Sqlite(mut error) if error.code == SQLITE_AUTH || reason.is_some() => {
            error.code = SQLITE_AUTH; // SQLite has a plain error for a function.
            // What the VFS refuses by itself, it refuses before anybody is asked for a reason.
            let reason = reason.as_deref().unwrap_or("other files cannot be attached or written");
            error.message = format!("not authorized: {reason}");
            Error::Sqlite(error)
        }
        error => error,
    }
}
