//! What needs no leader: reads on any node, more rows, waiting, backups.

use std::path::Path;
use std::sync::atomic::Ordering;

use dqlite_wire::call::{BatchLimits, Consistency, Fetched, Opened, Place};
use tokio::time::Instant;

use super::Connection;
use super::calls::{Answer, Attempt, Call, LEADER_TIMEOUT, run_on, until_cancelled};
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
            Ok(ran) => {
                self.shared.facts.last_index.fetch_max(ran.index, Ordering::SeqCst);
                Ok(Some(Answer { session: seat.number, ran }))
            }
            Err(fault) if attempt.operation.is_cancelled() => Err(Error::from_fault(fault)),
            // It writes, or the node is going: the leader knows better.
            Err(fault) if fault.is_not_leader() || !fault.is_refusal() => {
                if !seat.session.is_fit() {
                    work.reader = None;
                }
                Ok(None)
            }
            Err(fault) => Err(Error::from_fault(fault)),
        }
    }

    async fn sit_with_reader(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
    ) -> Result<bool, Error> {
        work.reader.take_if(|seat| !seat.session.is_fit());
        if work.reader.is_some() {
            return Ok(true);
        }
        let open = self.shared.open(Place::Here);
        let first = self.shared.client as usize;
        let opening = self.shared.target.open_reader(&open, first, attempt.patience);
        match attempt.operation.unless_cancelled(opening).await? {
            Ok(session) => {
                let seat = work.seat(session, Opened { node: 0, index: 0 }, &self.shared.watch);
                work.reader = Some(seat);
                Ok(true)
            }
            Err(error) => {
                tracing::debug!(%error, "no node serves reads; asking the leader");
                Ok(false)
            }
        }
    }

    /// More rows of a result.
    pub(crate) async fn fetch(
        &self,
        at: CursorAt,
        limits: BatchLimits,
    ) -> Result<Fetched, Error> {
        let shared = &*self.shared;
        shared.check_open()?;
        let operation = self.operation();
        let mut work = operation.unless_cancelled(shared.work.lock()).await?;
        shared.check_open()?;
        let _turn = shared.running.enter(&operation);
        let manner = self.manner();
        let Some(seat) = work.find(at.session) else {
            let reason = "the node that the rows come from is gone";
            return Err(Error::new("leader.lost", reason));
        };
        let canceller = seat.canceller.clone();
        let fetching = seat.session.fetch(at.cursor, limits, manner);
        let fetched = until_cancelled(fetching, &operation, || canceller.cancel()).await;
        fetched.map_err(|fault| {
            if fault.is_not_leader() || !fault.is_refusal() {
                let was_leader = work.leader.as_ref().is_some_and(|it| it.number == at.session);
                work.forget(at.session);
                if was_leader && self.in_transaction() {
                    return self.lose(&mut work, Error::from_fault(fault));
                }
            }
            Error::from_fault(fault)
        })
    }

    /// Ends a result before its last row.
    pub(crate) async fn close_cursor(&self, at: CursorAt) {
        if self.shared.check_open().is_err() {
            return;
        }
        let mut work = self.shared.work.lock().await;
        let manner = self.manner();
        if let Some(seat) = work.find(at.session)
            && let Err(fault) = seat.session.close_cursor(at.cursor, manner).await
        {
            tracing::debug!(?fault, "the result was gone already");
        }
    }

    pub(super) async fn copy_to(
        &self,
        path: &Path,
        progress: &mut (dyn FnMut(Progress) -> bool + Send),
    ) -> Result<(), Error> {
        // A call first: it makes the session, and tells whether the database can be read at all.
        self.call(Call::statement("SELECT 1", Default::default())).await?;
        let shared = &*self.shared;
        let operation = self.operation();
        let mut work = operation.unless_cancelled(shared.work.lock()).await?;
        shared.check_open()?;
        let _turn = shared.running.enter(&operation);
        let manner = self.manner();
        let work = &mut *work;
        let Some(seat) = work.leader.as_mut().or(work.reader.as_mut()) else {
            return Err(Error::new("leader.lost", "the node to copy from is gone"));
        };
        let cancel = operation.clone();
        let mut watched = |at: Progress| progress(at) && !cancel.is_cancelled();
        let copied = seat.session.backup(path, &mut watched, manner).await;
        copied.map_err(Error::from_fault)
    }

    pub(super) async fn wait_until_applied(&self, index: u64) -> Result<(), Error> {
        let shared = &*self.shared;
        shared.check_open()?;
        let operation = self.operation();
        let mut work = operation.unless_cancelled(shared.work.lock()).await?;
        shared.check_open()?;
        let _turn = shared.running.enter(&operation);
        let call = Call::statement("", Default::default());
        let patience = Instant::now() + shared.settings.timeout.unwrap_or(LEADER_TIMEOUT);
        let manner = Manner { deadline: Some(patience), ..self.manner() };
        let attempt = Attempt {
            call: &call,
            verb: Verb::Read,
            operation: &operation,
            manner,
            patience,
            timeout_ms: 0,
        };
        if !self.sit_with_reader(&mut work, &attempt).await? {
            return Err(Error::new("cluster.unavailable", "no node can be reached to wait for"));
        }
        let Some(seat) = &mut work.reader else { return Ok(()) };
        let waiting = seat.session.wait(shared.target.node.as_ref(), index, manner);
        match operation.unless_cancelled(waiting).await? {
            Ok(()) => {
                shared.facts.last_index.fetch_max(index, Ordering::SeqCst);
                Ok(())
            }
            Err(fault) => {
                work.reader = None;
                Err(Error::from_fault(fault))
            }
        }
    }

    pub(super) fn manner(&self) -> Manner {
        let deadline = self.shared.settings.timeout.map(|timeout| Instant::now() + timeout);
        Manner { blocking: self.blocking, deadline }
    }
}
