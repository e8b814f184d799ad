//! A transaction that lost its node goes on with the next leader.
//!
//! What was called in a transaction is remembered, with a digest of each answer. When the session
//! is lost, the calls are made again on the new leader, and the transaction goes on there if all
//! answers are the same. So a program sees its transaction go on, or an error; and what it goes on
//! with is what it would have seen, had it begun a moment later.
//!
//! 1. The old transaction must be gone for good: its COMMIT was never sent, or the record of
//!    outcomes says that it did not take effect.
//! 2. Every answer that the program has seen must come again: counts, rowids, rows, errors.
//! 3. What is remembered is bounded. A larger transaction is lost with its node, and its error says
//!    that it may be run again.

use std::hash::{DefaultHasher, Hash, Hasher};

use dqlite_client::Fault;
use dqlite_wire::Value;
use dqlite_wire::call::{BatchLimits, Fetched, ParameterSet, Ran, Run};

use super::Connection;
use super::calls::{Attempt, run_on, until_cancelled};
use super::doubt::is_plain;
use super::state::{Seat, Work};
use crate::error::Error;

/// The most calls that are remembered of one transaction. (3)
const EVENTS_MAX: usize = 10_000;
/// The most bytes of text and parameters. (3)
const BYTES_MAX: usize = 4 << 20;

/// What was called in the open transaction.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    events: Vec<Event>,
    bytes: usize,
}

#[derive(Debug)]
enum Event {
    /// A statement, the digest of its answer, and the name of the cursor that it left.
    Run { run: Run, answer: u64, cursor: Option<u32> },
    /// More rows from a cursor.
    Fetch { cursor: u32, answer: u64 },
    /// A cursor was closed early.
    Close { cursor: u32 },
}

impl Transcript {
    fn push(&mut self, event: Event) -> bool {
        if let Event::Run { run, .. } = &event {
            self.bytes += run.sql.len() + run.parameters.iter().map(bytes_of).sum::<usize>();
        }
        self.events.push(event);
        self.events.len() <= EVENTS_MAX && self.bytes <= BYTES_MAX
    }
}

impl Work {
    /// Remembers a call, given whether a transaction was open before it and is now.
    pub fn remember(
        &mut self,
        run: Run,
        answer: Result<&Ran, &Fault>,
        (before, now): (bool, bool),
    ) {
        self.transcript = match (before, now) {
            (_, false) => None,
            (false, true) => Some(Transcript::default()),
            (true, true) => self.transcript.take(),
        };
        let cursor = answer.ok().and_then(|ran| ran.cursor);
        self.add(Event::Run { run, answer: digest(answer), cursor });
    }

    /// Remembers that rows were fetched.
    pub fn remember_fetch(&mut self, cursor: u32, fetched: &Fetched) {
        self.add(Event::Fetch { cursor, answer: digest_of_rows(fetched) });
    }

    /// Remembers that a cursor was closed.
    pub fn remember_close(&mut self, cursor: u32) {
        self.add(Event::Close { cursor });
    }

    fn add(&mut self, event: Event) {
        if let Some(transcript) = &mut self.transcript
            && !transcript.push(event)
        {
            self.transcript = None; // (3)
        }
    }
}

impl Connection {
    /// Brings the lost transaction to where it was, on a new session.
    ///
    /// # Errors
    /// It cannot be brought there: why it is lost.
    pub(super) async fn replay(
        &self,
        work: &mut Work,
        attempt: &Attempt<'_>,
        lost: Error,
    ) -> Result<(), Error> {
        let Some(transcript) = work.transcript.take().filter(|_| self.may_repeat(attempt)) else {
            return Err(lost);
        };
        let number = work.leader.take().map(|seat| seat.number);
        loop {
            self.open_leader(work, attempt).await?;
            let Some(seat) = &mut work.leader else { continue };
            match perform(seat, &transcript, attempt).await {
                Ok(true) => break,
                Ok(false) => {
                    work.leader = None;
                    tracing::debug!("the answers differ: the transaction is lost");
                    return Err(lost);
                }
                Err(fault) => {
                    work.leader = None;
                    tracing::debug!(?fault, "lost again while going on with a transaction");
                    if !self.may_repeat(attempt) {
                        return Err(lost);
                    }
                }
            }
        }
        if let (Some(seat), Some(number)) = (&mut work.leader, number) {
            seat.number = number; // The cursors that the program holds are found there again.
        }
        work.transcript = Some(transcript);
        Ok(())
    }
}

/// Makes all calls again. False where an answer differs. (2)
async fn perform(
    seat: &mut Seat,
    transcript: &Transcript,
    attempt: &Attempt<'_>,
) -> Result<bool, Fault> {
    for event in &transcript.events {
        let same = match event {
            Event::Run { run, answer, cursor } => {
                let ran = run_on(seat, run.clone(), attempt).await;
                if let Err(fault) = &ran
                    && !is_plain(fault)
                {
                    return ran.map(|_| false);
                }
                if let Ok(ran) = &ran {
                    seat.changes = ran.total_changes;
                    if let (Some(cursor), Some(actual)) = (cursor, ran.cursor) {
                        seat.cursors.insert(*cursor, actual);
                    }
                }
                digest(ran.as_ref()) == *answer
            }
            Event::Fetch { cursor, answer } => match seat.cursors.get(cursor).copied() {
                Some(actual) => {
                    let fetched = fetch_on(seat, actual, attempt).await?;
                    digest_of_rows(&fetched) == *answer
                }
                None => false,
            },
            Event::Close { cursor } => match seat.cursors.remove(cursor) {
                Some(actual) => {
                    seat.session.close_cursor(actual, attempt.manner).await?;
                    true
                }
                None => false,
            },
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Fetches from a session, so that a cancel reaches it there.
pub(super) async fn fetch_on(
    seat: &mut Seat,
    actual: u32,
    attempt: &Attempt<'_>,
) -> Result<Fetched, Fault> {
    let canceller = seat.canceller.clone();
    let fetching = seat.session.fetch(actual, BatchLimits::default(), attempt.manner);
    until_cancelled(fetching, attempt.operation, || canceller.cancel()).await
}

/// Stands for everything in an answer that a program sees.
fn digest(answer: Result<&Ran, &Fault>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match answer {
        Ok(ran) => {
            for column in ran.columns.iter() {
                column.name.hash(&mut hasher);
                column.declared_type.hash(&mut hasher);
            }
            let rowid = ran.changes.map(|_| ran.last_insert_rowid);
            (ran.changes, rowid, ran.in_transaction).hash(&mut hasher);
            (&ran.rows.0, ran.cursor.is_some()).hash(&mut hasher);
        }
        Err(Fault::Refused { code, message }) => (code, message).hash(&mut hasher),
        Err(fault) => format!("{fault:?}").hash(&mut hasher),
    }
    hasher.finish()
}

fn digest_of_rows(fetched: &Fetched) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&fetched.rows.0, fetched.more).hash(&mut hasher);
    hasher.finish()
}

fn bytes_of(set: &ParameterSet) -> usize {
    let of = |value: &Value| match value {
        Value::Text(text) | Value::Iso8601(text) => text.len(),
        Value::Blob(blob) => blob.len(),
        _ => 8,
    };
    match set {
        ParameterSet::Positional(values) => values.iter().map(of).sum(),
        ParameterSet::Named(values) => values.iter().map(|(_, value)| of(value)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_what_a_program_would_notice() {
        let ran = Ran { changes: Some(1), last_insert_rowid: 7, ..Ran::default() };
        let same = Ran { total_changes: 9, index: 12, ..ran.clone() };
        assert_eq!(digest(Ok(&ran)), digest(Ok(&same)), "not what differs between sessions");
        for other in [
            Ran { changes: Some(2), ..ran.clone() },
            Ran { last_insert_rowid: 8, ..ran.clone() },
            Ran { in_transaction: true, ..ran.clone() },
            Ran { cursor: Some(0), ..ran.clone() },
        ] {
            assert_ne!(digest(Ok(&ran)), digest(Ok(&other)), "{other:?}");
        }
        let refused = |code| Fault::Refused { code, message: "no".to_owned() };
        assert_ne!(digest(Err(&refused(19))), digest(Err(&refused(1))));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut work = Work::default();
        let blob = Value::Blob(vec![0; BYTES_MAX / 2].into());
        let run = Run { parameters: vec![ParameterSet::Positional(vec![blob])], ..Run::default() };
        for (before, kept) in [(false, true), (true, true), (true, false), (true, false)] {
            work.remember(run.clone(), Ok(&Ran::default()), (before, true));
            assert_eq!(work.transcript.is_some(), kept);
        }
        work.remember(run, Ok(&Ran::default()), (false, true));
        assert!(work.transcript.is_some(), "the next transaction begins anew");
    }
}
