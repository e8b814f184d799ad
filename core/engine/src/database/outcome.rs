//! Whose commits they are, and what became of them: the database's side of `outcomes`.
//!
//! An answer must stay true. This node leads the term T, and:
//!
//! 1. What the client's sessions of earlier terms committed stands in the log before the first
//!    entry of T, which this node applied before it led: it is in the record. What they still try
//!    is refused or void (rule 3 of `chain`). Later terms had no leader when the client asked: the
//!    lead is confirmed once the answer is found.
//! 2. The client's sessions of T are on this node. They lose their connections, and whatever is
//!    still unread on its way to them finds none. What a session of T captured before is pending,
//!    in the live session of leadership or in a retired one: all of that is waited for.
//! 3. A transaction is noted before it is called committed, so after that wait it is in the record.
//! 4. A session that the client opens from now on takes no call that is fenced. The fence is in
//!    memory, for as many clients as a record holds: it guards against nothing that a client does
//!    which waits for its session to be open before it calls.

use std::io;
use std::sync::Arc;

use tokio::time::Instant;

use super::Database;
use crate::cell::Cell;
use crate::error::Error;
use crate::meta::Meta;
use crate::outcomes::record::Voucher;
use crate::outcomes::{Call, LastCalls, Outcome};

/// While it lives, what is committed to the database is committed by its call.
#[derive(Debug)]
#[must_use]
pub(crate) struct Marked<'a> {
    database: &'a Database,
}

impl<'a> Marked<'a> {
    /// Says that `call` runs, or one that no outcome can be asked for. Only the holder of the
    /// write lane may, on the thread that runs SQLite.
    pub fn new(database: &'a Database, call: Option<Call>) -> Self {
        let before = std::mem::replace(&mut *database.running_call.lock(), call);
        assert_eq!(before, None, "only one call at a time holds the lane");
        Self { database }
    }
}

impl Drop for Marked<'_> {
    fn drop(&mut self) {
        *self.database.running_call.lock() = None;
    }
}

impl Database {
    /// The call whose commit is being captured.
    pub(super) fn running_call(&self) -> Option<Call> {
        *self.running_call.lock()
    }

    /// Says that `cell` is a session's of `client`, and gives the highest mark that it may not use.
    pub fn admit(&self, cell: &Cell, client: u128) -> u64 {
        let state = self.state.lock(); // Either a fence finds the cell, or the session the fence.
        cell.set_client(client);
        state.fences.mark_of(client)
    }

    /// Makes sure that `call`, and the client's calls before it, commit nothing any more, and waits
    /// until everything is settled that they may have committed. (2)
    ///
    /// # Errors
    /// [`Error::NotLeader`] where it is not settled before `deadline`.
    pub async fn fence(self: &Arc<Self>, call: Call, deadline: Instant) -> Result<(), Error> {
        if self.context.faults.skip_fence {
            return Ok(());
        }
        let cells: Vec<_> = {
            let mut state = self.state.lock();
            state.fence_count += 1;
            let number = state.fence_count;
            state.fences.note(call, number); // (4)
            let live = state.cells.values().filter_map(|cell| cell.upgrade());
            live.filter(|cell| cell.client() == call.client).collect()
        };
        let blocking = self.context.env.blocking;
        blocking.run(move || cells.iter().for_each(|cell| cell.revoke())).await;
        let tickets: Vec<_> = {
            let state = self.state.lock();
            state.retired.iter().chain(&state.live).map(|it| it.ticket()).collect()
        };
        for ticket in tickets {
            ticket.all_settled(deadline).await?;
        }
        Ok(())
    }

    /// What became of `call`, as of all that is applied.
    pub fn outcome(&self, call: Call, since: u64) -> Outcome {
        self.last_calls().outcome(call, since)
    }

    /// The record as of all that is applied.
    pub fn last_calls(&self) -> LastCalls {
        let (mut last_calls, newer) = self.noted_to(u64::MAX);
        newer
            .into_iter()
            .for_each(|(call, index)| Arc::make_mut(&mut last_calls).note(call, index));
        Arc::unwrap_or_clone(last_calls)
    }

    /// The record beside the file, and what is to be noted on top of it up to `index`.
    fn noted_to(&self, index: u64) -> (Arc<LastCalls>, Vec<(Call, u64)>) {
        let state = self.state.lock();
        let marks = state.marks.iter().take_while(|mark| mark.chain.index <= index);
        let newer = marks.filter_map(|mark| Some((mark.call?, mark.chain.index))).collect();
        (state.last_calls.clone(), newer)
    }

    /// Makes the record as of `index` durable, if it is another than `before` vouches for. Blocks.
    pub(super) fn record_outcomes(
        &self,
        before: Voucher,
        index: u64,
    ) -> io::Result<(Arc<LastCalls>, Voucher)> {
        let (mut last_calls, newer) = self.noted_to(index);
        if newer.is_empty() {
            return Ok((last_calls, before));
        }
        let changed = Arc::make_mut(&mut last_calls);
        newer.into_iter().for_each(|(call, index)| changed.note(call, index));
        let voucher = self.record_file.write(changed, before)?;
        Ok((last_calls, voucher))
    }

    /// What is durably known about the file, and the bytes of the record of outcomes that belongs
    /// to it; none where there is no record. Blocks.
    pub fn durable_record(&self) -> io::Result<(Meta, Vec<u8>)> {
        // Under the lock, the slot that is vouched for is not written to.
        let meta_file = self.meta.lock();
        let meta = meta_file.get();
        Ok((meta, self.record_file.read(meta.voucher)?))
    }
}
