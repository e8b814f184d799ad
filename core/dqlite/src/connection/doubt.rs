//! What is concluded when a call fails: whether it took effect, and whether to make it again.
//!
//! 1. An answer that never came leaves a commit in doubt. The record of outcomes settles it, where
//!    there is time.
//! 2. What settled as not applied may be made again. A transaction that was to be committed is gone
//!    as a whole, and is brought back by `replay` first.

use std::sync::atomic::Ordering;

use dqlite_client::Fault;
use dqlite_wire::call::{AskOutcome, Outcome, Ran, Run, RunKind};
use dqlite_wire::codes;
use tokio::time::Instant;

use super::Connection;
use super::calls::{Answer, Attempt, LEADER_TIMEOUT, run_on};
use super::state::Work;
use crate::error::Error;
use crate::operation::Operation;
use crate::outcome::Resolver;
use crate::session::Manner;
use crate::verb::gives_rows;

impl Connection {
    /// Decides after `fault`: an answer, an error, or, with `None`, another try. `before`: a
    /// transaction was open before the call.
    pub(super) async fn judge(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
        fault: Fault,
        before: bool,
    ) -> Result<Option<Answer>, Error> {
        if is_plain(&fault) {
            self.look_at_transaction(work, attempt, &fault, before).await;
            return Err(Error::from_fault(fault));
        }
        let is_script = attempt.call.kind == RunKind::Script;
        if fault.is_in_doubt() && (is_script || attempt.verb.may_commit(before)) {
            return self.settle(work, attempt, fault, before).await;
        }
        let may_repeat = !matches!(fault, Fault::TimedOut { .. }) && self.may_repeat(attempt);
        let error = Error::from_fault(fault);
        if before {
            return match self.replay(work, attempt, error).await {
                Ok(()) => Ok(None),
                Err(lost) => Err(self.lose(work, lost)),
            };
        }
        work.leader = None;
        if is_script {
            // The statements before the one that failed may have taken effect.
            return Err(error.with_outcome(crate::Outcome::Unknown));
        }
        if may_repeat { Ok(None) } else { Err(error) }
    }

    /// Whether there is time and leave for another try.
    pub(super) fn may_repeat(&self, attempt: &Attempt<'_>) -> bool {
        let in_time = Instant::now() < attempt.patience;
        self.shared.settings.retry && in_time && !attempt.operation.is_cancelled()
    }

    /// Finds out what became of a commit. (1)
    async fn settle(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
        fault: Fault,
        before: bool,
    ) -> Result<Option<Answer>, Error> {
        let since = work.leader.take().map_or(0, |seat| seat.opened.index);
        self.shared.facts.in_transaction.store(false, Ordering::SeqCst);
        let text = format!("{}: whether it took effect is not known", Error::from_fault(fault));
        if attempt.call.kind == RunKind::Script {
            work.transcript = None;
            return Err(Error::unknown(text, None));
        }
        let ask = AskOutcome {
            database: self.shared.settings.database.as_str().into(),
            client: self.shared.client,
            mark: work.mark,
            since,
        };
        let resolver = Resolver { target: self.shared.target.clone(), ask };
        let outcome = if self.may_repeat(attempt) {
            let asking = resolver.outcome(attempt.patience);
            attempt.operation.unless_cancelled(asking).await.and_then(|outcome| outcome)
        } else {
            Ok(Outcome::Forgotten) // Nobody was asked: the caller may.
        };
        match outcome {
            Ok(Outcome::Applied(index)) => {
                work.transcript = None;
                self.applied(attempt, index).map(Some)
            }
            Ok(Outcome::NotApplied) => self.not_applied(work, attempt, before).await,
            Ok(Outcome::Forgotten) | Err(_) => {
                work.transcript = None;
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

    /// The commit did not take effect, and never will. (2)
    async fn not_applied(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
        before: bool,
    ) -> Result<Option<Answer>, Error> {
        work.mark += 1;
        let reason = "the leader was lost before the transaction was committed";
        let error = Error::new("leader.lost", reason);
        if !before {
            return if self.may_repeat(attempt) { Ok(None) } else { Err(error) };
        }
        match self.replay(work, attempt, error).await {
            Ok(()) => {
                self.shared.facts.in_transaction.store(true, Ordering::SeqCst);
                Ok(None)
            }
            Err(lost) => Err(lost.after_rollback()),
        }
    }

    /// After an error SQLite may have taken the whole transaction back, or have opened one before
    /// the statement that failed: asks.
    async fn look_at_transaction(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
        fault: &Fault,
        before: bool,
    ) {
        if !before && self.autocommit() && attempt.call.kind != RunKind::Script {
            return;
        }
        let Some(seat) = &mut work.leader else { return };
        let nothing = Run { kind: RunKind::Script, ..Run::default() };
        // The operation may be cancelled: this is no part of it.
        let operation = Operation::new();
        let attempt_to_look = Attempt {
            operation: &operation,
            timeout_ms: 0,
            manner: Manner { deadline: None, ..attempt.manner },
            patience: Instant::now() + LEADER_TIMEOUT,
            ..*attempt
        };
        match run_on(seat, nothing, &attempt_to_look).await {
            // A write that is stopped takes its transaction along: SQLite's rule, not ours.
            Ok(ran) if before && !ran.in_transaction && is_stop(fault) => {
                let reason = "the transaction went with the statement that was stopped";
                let lost = Error::new("leader.lost", reason);
                if let Err(lost) = self.replay(work, &attempt_to_look, lost).await {
                    self.lose(work, lost);
                }
            }
            Ok(ran) => {
                let now = ran.in_transaction;
                self.shared.facts.in_transaction.store(now, Ordering::SeqCst);
                let run = self.run_for(attempt, self.leader_consistency(), 0);
                work.remember(run, Err(fault), (before, now));
            }
            Err(_) if before => {
                let reason = "the node that the transaction ran on cannot be reached";
                self.lose(work, Error::new("leader.lost", reason));
            }
            Err(_) => work.leader = None,
        }
    }
}

/// The node answered, and the session goes on.
pub(super) fn is_plain(fault: &Fault) -> bool {
    match fault {
        Fault::Refused { code, .. } => !fault.is_not_leader() && !is_io(*code),
        Fault::Unusable(_) | Fault::File(_) => true,
        // The rest is of the connection.
        _ => false,
    }
}

/// The call was cancelled, or its time was over.
fn is_stop(fault: &Fault) -> bool {
    matches!(fault, Fault::Refused { code: codes::INTERRUPT, .. })
}

fn is_io(code: u64) -> bool {
    codes::primary(code) == codes::IO
}
