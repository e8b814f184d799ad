//! What needs no leader: reads on any node, more rows, waiting, backups.

use std::path::Path;
use std::sync::atomic::Ordering;

use dqlite_wire::call::{Consistency, Fetched, Opened, Place};

use super::Connection;
use super::calls::{Answer, Attempt, Call, run_on, set_up};
use super::doubt::is_plain;
use super::replay::fetch_on;
use super::state::{CursorAt, Work, millis};
use crate::backup::Progress;
use crate::error::Error;
use crate::options::Level;
use crate::session::Manner;
use crate::verb::Verb;

impl Connection {
    /// Whether a node that does not lead may be asked.
    pub(super) fn reads_anywhere(&self, verb: Verb) -> bool {
        let level = self.shared.settings.level;
        matches!(level, Level::Session | Level::Stale) && verb.may_read() && !self.in_transaction()
    }

    /// Reads on any node; `None` when the statement turns out to write, or no node can read.
    pub(super) async fn read_anywhere(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
    ) -> Result<Option<Answer>, Error> {
        if !self.sit_with_reader(work, attempt).await? {
            return Ok(None);
        }
        let consistency = match self.shared.settings.level {
            Level::Stale => {
                Consistency::Within(self.shared.settings.max_staleness.map_or(u64::MAX, millis))
            }
            _ => Consistency::AtLeast(self.last_index()),
        };
        let run = self.run_for(attempt, consistency, 0);
        let Some(seat) = &mut work.reader else { return Ok(None) };
        match run_on(seat, run, attempt).await {
            Ok(mut ran) => {
                self.shared.facts.last_index.fetch_max(ran.index, Ordering::SeqCst);
                if let Some(actual) = ran.cursor {
                    work.cursor = work.cursor.wrapping_add(1);
                    seat.cursors.insert(work.cursor, actual);
                    ran.cursor = Some(work.cursor);
                }
                Ok(Some(Answer { session: seat.number, ran }))
            }
            Err(fault) if is_plain(&fault) || attempt.operation.is_over() => {
                Err(Error::from_fault(fault))
            }
            // It writes, or the node is going: the leader knows better.
            Err(_) => {
                work.reader.take_if(|seat| !seat.session.is_fit());
                Ok(None)
            }
        }
    }

    async fn sit_with_reader(&self, work: &mut Work, attempt: &Attempt<'_>) -> Result<bool, Error> {
        work.reader.take_if(|seat| !seat.session.is_fit());
        if work.reader.is_some() {
            return Ok(true);
        }
        let open = self.shared.open(Place::Here);
        let first = self.shared.client as usize;
        let opening = self.shared.target.open_reader(&open, first, attempt.patience);
        let session = match attempt.operation.unless_cancelled(opening).await? {
            Ok(session) => session,
            Err(error) => {
                tracing::debug!(%error, "no node serves reads; asking the leader");
                return Ok(false);
            }
        };
        let nowhere = Opened { node: 0, index: 0 };
        let mut seat = work.seat(session, nowhere, &self.shared.watch);
        set_up(&mut seat, work, attempt).await.map_err(Error::from_fault)?;
        work.reader = Some(seat);
        Ok(true)
    }

    /// More rows of a result.
    pub(crate) async fn fetch(&self, at: CursorAt) -> Result<Fetched, Error> {
        let operation = self.operation();
        let (mut work, _turn) = self.take_turn(&operation).await?;
        let work = &mut *work;
        let call = Call::statement("", Default::default());
        let attempt = self.attempt(&call, &operation);
        let gone = || Error::new("connection.lost", "the node that the rows come from is gone");
        loop {
            let seat = work.find(at.session).ok_or_else(gone)?;
            let actual = *seat.cursors.get(&at.cursor).ok_or_else(gone)?;
            let fault = match fetch_on(seat, actual, &attempt).await {
                Ok(fetched) => {
                    if !fetched.more {
                        seat.cursors.remove(&at.cursor);
                    }
                    work.remember_fetch(at.cursor, &fetched);
                    return Ok(fetched);
                }
                Err(fault) => fault,
            };
            seat.cursors.remove(&at.cursor);
            let ends = !is_plain(&fault);
            let error = operation.judge(Error::from_fault(fault));
            if !ends {
                return Err(error);
            }
            let is_leader = work.leader.as_ref().is_some_and(|it| it.number == at.session);
            if !(is_leader && self.in_transaction()) {
                work.forget(at.session);
                return Err(error);
            }
            let replayed = self.replay(work, &attempt, error).await;
            replayed.map_err(|lost| self.lose(work, lost))?;
        }
    }

    /// Ends a result before its last row.
    pub(crate) async fn close_cursor(&self, at: CursorAt) {
        if self.shared.check_open().is_ok() {
            let mut work = self.shared.work.lock().await;
            self.close_on(&mut work, at, self.manner()).await;
        }
    }

    pub(super) async fn close_on(&self, work: &mut Work, at: CursorAt, manner: Manner) {
        let Some(seat) = work.find(at.session) else { return };
        let Some(actual) = seat.cursors.remove(&at.cursor) else { return };
        if let Err(fault) = seat.session.close_cursor(actual, manner).await {
            tracing::debug!(?fault, "the result was gone already");
        }
        work.remember_close(at.cursor);
    }

    pub(super) async fn copy_to(
        &self,
        path: &Path,
        progress: &mut (dyn FnMut(Progress) -> bool + Send),
    ) -> Result<(), Error> {
        // A call first: it makes the session, and tells whether the database can be read at all.
        self.call(Call::statement("SELECT 1", Default::default())).await?;
        let operation = self.operation();
        let (mut work, _turn) = self.take_turn(&operation).await?;
        let work = &mut *work;
        let Some(seat) = work.leader.as_mut().or(work.reader.as_mut()) else {
            return Err(Error::new("connection.lost", "the node to copy from is gone"));
        };
        let cancel = operation.clone();
        let mut watched = |at: Progress| progress(at) && !cancel.is_over();
        let copied =
            seat.session.backup(&self.shared.target.env, path, &mut watched, self.manner()).await;
        copied.map_err(|fault| operation.judge(Error::from_fault(fault)))
    }

    pub(super) async fn wait_until_applied(&self, index: u64) -> Result<(), Error> {
        let operation = self.operation();
        let (mut work, _turn) = self.take_turn(&operation).await?;
        let call = Call::statement("SELECT 1", Default::default());
        let attempt = self.attempt(&call, &operation);
        let manner = Manner { deadline: Some(attempt.patience), ..attempt.manner };
        if !self.sit_with_reader(&mut work, &attempt).await? {
            return Err(Error::new("cluster.unavailable", "no node can be reached to wait for"));
        }
        let Some(seat) = &mut work.reader else { return Ok(()) };
        let waiting = seat.session.wait(self.shared.target.node.as_ref(), index, manner);
        match operation.unless_cancelled(waiting).await? {
            Ok(()) => {
                self.shared.facts.last_index.fetch_max(index, Ordering::SeqCst);
                Ok(())
            }
            Err(fault) => {
                work.reader = None;
                Err(Error::from_fault(fault))
            }
        }
    }

    pub(super) fn manner(&self) -> Manner {
        let call = Call::statement("", Default::default());
        let operation = self.operation();
        self.attempt(&call, &operation).manner
    }
}
