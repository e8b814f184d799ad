//! How one call is made: its turn, a session, the answer, and another try where that is safe.
//!
//! 1. Calls take turns. One that is cancelled while it waits has not begun.
//! 2. A call is made again only if it surely had no effect: the node did not lead, the request was
//!    not sent whole, or the record of outcomes says so.
//! 3. A transaction lives in one session. When that is lost and the transaction cannot go on in
//!    another (`replay`), whatever is called before it is rolled back fails, so that nothing of it
//!    takes effect by itself.

use std::sync::atomic::Ordering;
use std::time::Duration;

use dqlite_client::Fault;
use dqlite_wire::Text;
use dqlite_wire::call::{Consistency, ParameterSet, Place, Ran, Run, RunKind};
use tokio::sync::MutexGuard;
use tokio::time::Instant;

use super::Connection;
use super::state::{Seat, Work, millis};
use crate::error::Error;
use crate::operation::{Operation, Turn};
use crate::options::Level;
use crate::parameters::unfit;
use crate::session::Manner;
use crate::verb::{Verb, setting_of};

/// How long a call without a deadline of its own looks for a leader.
pub(super) const LEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// What is called.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub sql: Text,
    pub kind: RunKind,
    pub parameters: Vec<ParameterSet>,
}

impl Call {
    pub fn statement(sql: &str, parameters: ParameterSet) -> Self {
        Self { sql: sql.into(), kind: RunKind::One, parameters: vec![parameters] }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub ran: Ran,
    /// The session that has the rest of the rows.
    pub session: u64,
}

/// What one call goes by.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub call: &'a Call,
    pub verb: Verb,
    pub operation: &'a Operation,
    pub manner: Manner,
    /// When to give the search for a leader up.
    pub patience: Instant,
    pub timeout_ms: u64,
}

impl Connection {
    /// Makes a call.
    pub(crate) async fn call(&self, call: Call) -> Result<Answer, Error> {
        if let Some(reason) = unfit(&call.parameters) {
            return Err(Error::new("value.not_a_number", reason));
        }
        let operation = self.operation();
        let (mut work, _turn) = self.take_turn(&operation).await?;
        let attempt = self.attempt(&call, &operation);
        // What is rare is boxed here and below, so that what is moved for each call is small.
        if !self.shared.dropped.lock().is_empty() {
            Box::pin(self.close_dropped(&mut work, attempt.manner)).await;
        }
        if let Some(lost) = work.lost.clone() {
            return self.call_lost(&mut work, attempt.verb, lost);
        }
        if self.reads_anywhere(attempt.verb)
            && let Some(answer) = Box::pin(self.read_anywhere(&mut work, &attempt))
                .await
                .map_err(|error| operation.judge(error))?
        {
            return Ok(answer);
        }
        let called = self.call_leader(&mut work, &attempt).await;
        called.map_err(|error| operation.judge(error))
    }

    /// Waits for the turn of `operation`. (1)
    pub(super) async fn take_turn(
        &self,
        operation: &Operation,
    ) -> Result<(MutexGuard<'_, Work>, Turn<'_>), Error> {
        let shared = &*self.shared;
        shared.check_open()?;
        let work = match shared.work.try_lock() {
            Ok(work) => work,
            Err(_) => operation.unless_over(shared.work.lock()).await?,
        };
        shared.check_not_closed()?;
        if operation.is_over() {
            return Err(operation.judge(Error::interrupted()));
        }
        Ok((work, shared.running.enter(operation)))
    }

    pub(super) fn attempt<'a>(&self, call: &'a Call, operation: &'a Operation) -> Attempt<'a> {
        let now = Instant::now();
        let usual = self.shared.settings.timeout.map(|timeout| now + timeout);
        let deadline = usual.into_iter().chain(operation.deadline()).min();
        Attempt {
            call,
            verb: Verb::of(&call.sql),
            operation,
            manner: Manner { blocking: self.blocking, deadline },
            patience: deadline.unwrap_or(now + LEADER_TIMEOUT),
            timeout_ms: deadline.map_or(0, |it| whole_millis(it - now)),
        }
    }

    /// A call after the transaction was lost: only its rollback does anything. (3)
    fn call_lost(&self, work: &mut Work, verb: Verb, lost: Error) -> Result<Answer, Error> {
        if verb != Verb::Rollback {
            return Err(lost);
        }
        work.lost = None;
        self.shared.facts.in_transaction.store(false, Ordering::SeqCst);
        Ok(Answer::default())
    }

    async fn call_leader(&self, work: &mut Work, attempt: &Attempt<'_>) -> Result<Answer, Error> {
        work.mark += 1;
        let before = self.in_transaction();
        loop {
            let sits = work.leader.as_mut().is_some_and(|seat| seat.session.is_fit());
            if !sits {
                Box::pin(self.sit_with_leader(work, attempt)).await?;
            }
            let run = self.run_for(attempt, self.leader_consistency(), work.mark);
            let Some(seat) = &mut work.leader else { continue };
            let fault = match run_on(seat, run, attempt).await {
                Ok(ran) => return Ok(self.answered(work, attempt, ran, before)),
                Err(fault) => fault,
            };
            if let Some(answer) = Box::pin(self.judge(work, attempt, fault, before)).await? {
                return Ok(answer);
            }
        }
    }

    /// Sees to it that there is a session with the leader, which has the open transaction.
    async fn sit_with_leader(&self, work: &mut Work, attempt: &Attempt<'_>) -> Result<(), Error> {
        if let Some(seat) = &mut work.leader
            && seat.session.is_fit()
        {
            return Ok(());
        }
        if !self.in_transaction() {
            return self.open_leader(work, attempt).await;
        }
        let reason = "the node that the transaction ran on does not lead any more";
        let replayed = self.replay(work, attempt, Error::new("leader.lost", reason)).await;
        replayed.map_err(|lost| self.lose(work, lost))
    }

    /// Opens a session with the leader, set as the program has set the connection.
    pub(super) async fn open_leader(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
    ) -> Result<(), Error> {
        work.leader = None;
        let open = self.shared.open(Place::Leader);
        let opening = self.shared.target.open_leader(&open, attempt.patience);
        let (session, opened) = attempt.operation.unless_cancelled(opening).await??;
        let mut seat = work.seat(session, opened, &self.shared.watch);
        set_up(&mut seat, work, attempt).await.map_err(Error::from_fault)?;
        work.leader = Some(seat);
        Ok(())
    }

    pub(super) fn run_for(
        &self,
        attempt: &Attempt<'_>,
        consistency: Consistency,
        mark: u64,
    ) -> Run {
        Run {
            sql: attempt.call.sql.clone(),
            kind: attempt.call.kind,
            parameters: attempt.call.parameters.clone(),
            begin: !self.autocommit(),
            consistency,
            mark,
            timeout_ms: attempt.timeout_ms,
            ..Run::default()
        }
    }

    pub(super) fn leader_consistency(&self) -> Consistency {
        match self.shared.settings.level {
            Level::Linearizable => Consistency::Linearizable,
            Level::Leader | Level::Session | Level::Stale => Consistency::Leader,
        }
    }

    /// Notes what the leader's answer tells. `before`: a transaction was open before the call.
    fn answered(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
        mut ran: Ran,
        before: bool,
    ) -> Answer {
        let Some(seat) = &mut work.leader else { return Answer { ran, session: 0 } };
        let session = seat.number;
        let facts = &self.shared.facts;
        facts.in_transaction.store(ran.in_transaction, Ordering::SeqCst);
        facts.last_index.fetch_max(ran.index, Ordering::SeqCst);
        let more = ran.total_changes.saturating_sub(seat.changes);
        seat.changes = ran.total_changes;
        facts.total_changes.fetch_add(more, Ordering::SeqCst);
        if let Some(actual) = ran.cursor {
            work.cursor = work.cursor.wrapping_add(1);
            seat.cursors.insert(work.cursor, actual);
            ran.cursor = Some(work.cursor);
        }
        if attempt.verb == Verb::Setting
            && let Some(name) = setting_of(&attempt.call.sql)
        {
            work.set(name, attempt.call.sql.clone());
            work.reader = None;
        }
        if before || ran.in_transaction {
            let run = self.run_for(attempt, self.leader_consistency(), 0);
            work.remember(run, Ok(&ran), (before, ran.in_transaction));
        }
        Answer { session, ran }
    }

    /// The transaction is lost, for the reason given. (3)
    pub(super) fn lose(&self, work: &mut Work, reason: Error) -> Error {
        let reason = reason.after_rollback();
        work.leader = None;
        work.transcript = None;
        work.lost = Some(reason.clone());
        reason
    }

    /// Closes the cursors that were dropped, so that they hold nothing on their nodes.
    async fn close_dropped(&self, work: &mut Work, manner: Manner) {
        let dropped = std::mem::take(&mut *self.shared.dropped.lock());
        for at in dropped {
            self.close_on(work, at, manner).await;
        }
    }
}

/// Milliseconds that are not over before `left` is, and never 0, which would be no limit.
fn whole_millis(left: Duration) -> u64 {
    let rounding = Duration::from_nanos(999_999);
    millis(left.saturating_add(rounding)).max(1)
}

/// Sets a new session as the program has set the connection.
pub(super) async fn set_up(
    seat: &mut Seat,
    work: &Work,
    attempt: &Attempt<'_>,
) -> Result<(), Fault> {
    for (_, sql) in &work.settings {
        let parameters = vec![ParameterSet::default()];
        run_on(seat, Run { sql: sql.clone(), parameters, ..Run::default() }, attempt).await?;
    }
    Ok(())
}

/// Runs on a session, so that a cancel reaches it there.
pub(super) async fn run_on(seat: &mut Seat, run: Run, attempt: &Attempt<'_>) -> Result<Ran, Fault> {
    let canceller = seat.canceller.clone();
    until_cancelled(seat.session.run(run, attempt.manner), attempt.operation, || {
        canceller.cancel();
    })
    .await
}

/// Waits for `work` to its end. When the operation is cancelled `cancel` is called, which makes the
/// end come soon.
pub(super) async fn until_cancelled<T>(
    work: impl Future<Output = T>,
    operation: &Operation,
    cancel: impl Fn(),
) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        value = &mut work => return value,
        () = operation.cancelled() => cancel(),
    }
    work.await
}
