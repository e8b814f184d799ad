//! What is concluded when a call fails: whether it took effect, and whether to make it again.
//!
//! 1. An answer that never came leaves a commit in doubt. The record of outcomes settles it, where
//!    the call has a mark and there is time.
//! 2. What settled as not applied may be made again, unless it was to end a transaction: that one
//!    is gone as a whole.

use std::sync::atomic::Ordering;

use dqlite_client::{Fault, codes};
use dqlite_wire::call::{AskOutcome, Outcome, Ran, Run, RunKind};
use tokio::time::Instant;

use super::Connection;
use super::calls::{Answer, Attempt, run_on};
use super::state::Work;
use crate::error::Error;
use crate::outcome::Resolver;
use crate::verb::gives_rows;

impl Connection {
    /// Decides after `fault`: an answer, an error, or, with `None`, another try.
    pub(super) async fn judge(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
        fault: Fault,
        in_transaction: bool,
    ) -> Result<Option<Answer>, Error> {
        if is_plain(&fault) {
            self.look_at_transaction(work, attempt, in_transaction).await;
            return Err(Error::from_fault(fault));
        }
        let seat = work.leader.take();
        let since = seat.map_or(0, |seat| seat.opened.index);
        let may_commit = attempt.call.kind == RunKind::Script
            || attempt.verb.may_commit(in_transaction);
        if is_in_doubt(&fault) && may_commit {
            return self.settle(work, attempt, fault, since, in_transaction).await;
        }
        if in_transaction {
            return Err(self.lose(work, Error::from_fault(fault)));
        }
        if attempt.call.kind == RunKind::Script {
            // The statements before the one that failed may have taken effect.
            return Err(Error::from_fault(fault).with_outcome(crate::Outcome::Unknown));
        }
        let is_late = matches!(fault, Fault::TimedOut { .. });
        self.try_again(attempt, Error::from_fault(fault), !is_late)
    }

    fn try_again(
        &self,
        attempt: &Attempt<'_>,
        error: Error,
        repeatable: bool,
    ) -> Result<Option<Answer>, Error> {
        let in_time = Instant::now() < attempt.patience && !attempt.operation.is_cancelled();
        if repeatable && self.shared.settings.retry && in_time {
            tracing::debug!(%error, "trying again");
            return Ok(None);
        }
        Err(error)
    }

    /// Finds out what became of a commit. (1)
    async fn settle(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
        fault: Fault,
        since: u64,
        in_transaction: bool,
    ) -> Result<Option<Answer>, Error> {
        self.shared.facts.in_transaction.store(false, Ordering::SeqCst);
        let text = format!("{}: whether it took effect is not known", Error::from_fault(fault));
        if attempt.call.kind == RunKind::Script {
            return Err(Error::unknown(text, None));
        }
        let ask = AskOutcome {
            database: self.shared.settings.database.as_str().into(),
            client: self.shared.client,
            mark: work.mark,
            since,
        };
        let resolver = Resolver { target: self.shared.target.clone(), ask };
        let in_time = Instant::now() < attempt.patience && !attempt.operation.is_cancelled();
        if !self.shared.settings.retry || !in_time {
            return Err(Error::unknown(text, Some(resolver)));
        }
        let asked = resolver.outcome(attempt.patience);
        match attempt.operation.unless_cancelled(asked).await {
            Ok(Ok(Outcome::Applied(index))) => self.applied(attempt, index).map(Some),
            Ok(Ok(Outcome::NotApplied)) => {
                work.mark += 1;
                let reason = "the leader was lost before the transaction was committed";
                let error = Error::new("leader.lost", reason);
                if in_transaction {
                    return Err(error.after_rollback()); // (2)
                }
                self.try_again(attempt, error, true)
            }
            Ok(Ok(Outcome::Forgotten) | Err(_)) | Err(_) => {
                Err(Error::unknown(text, Some(resolver)))
            }
        }
    }

    /// The commit took effect; only its answer is lost.
    fn applied(&self, attempt: &Attempt<'_>, index: u64) -> Result<Answer, Error> {
        self.shared.facts.last_index.fetch_max(index, Ordering::SeqCst);
        if gives_rows(&attempt.call.sql) {
            let reason = "the statement took effect, but its rows were lost with its node";
            return Err(Error::applied(reason));
        }
        Ok(Answer { ran: Ran { index, ..Ran::default() }, session: 0 })
    }

    /// After an error SQLite may have taken the whole transaction back, or have opened one before
    /// the statement that failed: asks.
    async fn look_at_transaction(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
        in_transaction: bool,
    ) {
        if !in_transaction && self.autocommit() && attempt.call.kind != RunKind::Script {
            return;
        }
        let Some(seat) = &mut work.leader else { return };
        let nothing = Run { kind: RunKind::Script, ..Run::default() };
        // The operation may be cancelled: this is no part of it.
        let operation = crate::operation::Operation::new();
        let attempt = Attempt { operation: &operation, ..*attempt };
        match run_on(seat, nothing, &attempt).await {
            Ok(ran) => {
                self.answered(seat, ran);
            }
            Err(_) => {
                work.leader = None;
                if in_transaction {
                    let reason = "the node that the transaction ran on cannot be reached";
                    self.lose(work, Error::new("leader.lost", reason));
                }
            }
        }
    }
}

/// The node answered, and the session goes on.
fn is_plain(fault: &Fault) -> bool {
    match fault {
        Fault::Refused { code, .. } => !fault.is_not_leader() && !is_io(*code),
        Fault::Unusable(_) => true,
        Fault::Unsent(_) | Fault::Lost(_) | Fault::TimedOut { .. } | Fault::Garbled(_) => false,
    }
}

/// Nobody can tell from this whether the call took effect.
fn is_in_doubt(fault: &Fault) -> bool {
    match fault {
        Fault::Refused { code, .. } => is_io(*code) && !fault.is_not_leader(),
        Fault::Lost(_) | Fault::Garbled(_) => true,
        Fault::TimedOut { sent } => *sent,
        Fault::Unsent(_) | Fault::Unusable(_) => false,
    }
}

fn is_io(code: u64) -> bool {
    codes::primary(code) == codes::IO
}
