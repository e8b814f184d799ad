//! What a leader has shown of a database before it was committed, and who waits for it to be.
//!
//! 1. A transaction is visible on its leader from the moment SQLite commits it. So every answer
//!    that may tell of it, a read's or an error's too, waits for a [`Ticket`]: for the newest
//!    transaction there was when the answer was made.
//! 2. A session's transactions are settled in their order: each is committed, or it and all after
//!    it are lost for good. Nothing is called lost that could still be committed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use dqlite_vfs::WalPosition;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::chain::SessionId;
use crate::error::Error;

/// A transaction that waits to be committed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub sequence: u64,
    /// Where this node's WAL ends with the transaction.
    pub end: WalPosition,
    pub payload_bytes: u64,
}

/// One session of leadership over one database.
#[derive(Debug)]
pub(crate) struct Speculation {
    pub id: SessionId,
    /// The index of the entry that the session's first transaction is built on.
    pub base_index: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the newest transaction.
    newest: u64,
    /// All up to this number are committed.
    committed: u64,
    /// This number and all after it are lost.
    lost_from: Option<u64>,
    pending: VecDeque<Pending>,
    pending_bytes: u64,
    waiters: BTreeMap<u64, Vec<oneshot::Sender<Settled>>>,
}

/// The fate of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It is committed, and so is all before it.
    Committed,
    /// It has no effect, and never will.
    Lost,
}

impl Speculation {
    pub fn new(id: SessionId, base_index: u64) -> Arc<Self> {
        Arc::new(Self { id, base_index, state: Mutex::default() })
    }

    /// Adds a transaction with which the WAL ends at `end`, and gives its number.
    pub fn push(&self, end: WalPosition, payload_bytes: u64) -> u64 {
        let mut state = self.state.lock();
        state.newest += 1;
        let sequence = state.newest;
        state.pending.push_back(Pending { sequence, end, payload_bytes });
        state.pending_bytes += payload_bytes;
        sequence
    }

    /// The number of the newest transaction; 0 before the first.
    pub fn newest(&self) -> u64 {
        self.state.lock().newest
    }

    /// True when no transaction waits.
    pub fn is_settled(&self) -> bool {
        self.state.lock().pending.is_empty()
    }

    /// The bytes of all transactions that wait, and the number of the oldest of them.
    pub fn backlog(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.pending_bytes, state.pending.front().map_or(state.newest, |oldest| oldest.sequence))
    }

    /// The oldest transaction that waits.
    pub fn oldest(&self) -> Option<Pending> {
        self.state.lock().pending.front().copied()
    }

    /// The transaction `sequence`, the oldest that waits, is committed.
    ///
    /// Gives the transaction; `None` where it is not the oldest, which a sound log rules out.
    pub fn commit(&self, sequence: u64) -> Option<Pending> {
        let mut state = self.state.lock();
        let pending = state.pending.front().copied().filter(|it| it.sequence == sequence)?;
        // (2)
        assert!(state.lost_from.is_none_or(|lost| sequence < lost), "a lost commit came back");
        state.pending.pop_front();
        state.pending_bytes -= pending.payload_bytes;
        state.committed = sequence;
        let later = state.waiters.split_off(&(sequence + 1));
        let served = std::mem::replace(&mut state.waiters, later);
        drop(state);
        release(served, Settled::Committed);
        Some(pending)
    }

    /// `sequence` and all after it can never be committed any more.
    pub fn lose_from(&self, sequence: u64) {
        let mut state = self.state.lock();
        let sequence = sequence.max(state.committed + 1);
        let lost_from = state.lost_from.map_or(sequence, |lost| lost.min(sequence));
        state.lost_from = Some(lost_from);
        while state.pending.back().is_some_and(|newest| newest.sequence >= lost_from) {
            if let Some(pending) = state.pending.pop_back() {
                state.pending_bytes -= pending.payload_bytes;
            }
        }
        let lost = state.waiters.split_off(&lost_from);
        drop(state);
        release(lost, Settled::Lost);
    }

    /// All that is not committed yet is lost.
    pub fn lose_rest(&self) {
        let next = self.state.lock().committed + 1;
        self.lose_from(next);
    }

    /// A ticket for the newest transaction there is now.
    pub fn ticket(self: &Arc<Self>) -> Ticket {
        Ticket { speculation: self.clone(), sequence: self.newest() }
    }

    fn newest_pending_to(&self, sequence: u64) -> Option<u64> {
        let state = self.state.lock();
        state.pending.iter().rev().map(|it| it.sequence).find(|&pending| pending <= sequence)
    }

    fn wait(&self, sequence: u64) -> Result<Settled, oneshot::Receiver<Settled>> {
        let mut state = self.state.lock();
        if sequence <= state.committed {
            return Ok(Settled::Committed);
        }
        if state.lost_from.is_some_and(|lost| sequence >= lost) {
            return Ok(Settled::Lost);
        }
        let (sender, receiver) = oneshot::channel();
        state.waiters.entry(sequence).or_default().push(sender);
        Err(receiver)
    }
}

fn release(waiters: BTreeMap<u64, Vec<oneshot::Sender<Settled>>>, settled: Settled) {
    for waiter in waiters.into_values().flatten() {
        // A waiter that is gone has given up.
        let _ = waiter.send(settled);
    }
}

/// What an answer waits for. (1)
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub speculation: Arc<Speculation>,
    pub sequence: u64,
}

impl Ticket {
    /// True where there is nothing to wait for: the transaction is committed.
    pub fn is_committed(&self) -> bool {
        self.sequence <= self.speculation.state.lock().committed
    }

    /// Waits until the transaction is settled.
    ///
    /// # Errors
    /// [`Error::NotLeader`] when it is lost, [`Error::OutcomeUnknown`] past `deadline`.
    pub async fn settled(&self, deadline: Instant) -> Result<(), Error> {
        let settled = match self.speculation.wait(self.sequence) {
            Ok(settled) => settled,
            Err(receiver) => match tokio::time::timeout_at(deadline, receiver).await {
                Ok(Ok(settled)) => settled,
                Ok(Err(_)) | Err(_) => return Err(Error::OutcomeUnknown),
            },
        };
        match settled {
            Settled::Committed => Ok(()),
            Settled::Lost => Err(Error::NotLeader),
        }
    }

    /// Waits until the transaction and all before it are settled, whatever their fate: that one is
    /// lost says nothing of those before it.
    ///
    /// # Errors
    /// [`Error::NotLeader`] past `deadline`.
    pub async fn all_settled(&self, deadline: Instant) -> Result<(), Error> {
        while let Some(sequence) = self.speculation.newest_pending_to(self.sequence) {
            if let Err(receiver) = self.speculation.wait(sequence) {
                let settled = tokio::time::timeout_at(deadline, receiver).await;
                settled.map_err(|_| Error::NotLeader)?.map_err(|_| Error::NotLeader)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn speculation() -> Arc<Speculation> {
        Speculation::new(SessionId { term: 1, epoch: 0 }, 0)
    }

    fn end(frame: u32) -> WalPosition {
        WalPosition { generation: 1, frame }
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_waits_for_all_before_it() {
        let speculation = speculation();
        assert!(speculation.ticket().settled(far()).await.is_ok(), "nothing to wait for");
        speculation.push(end(3), 100);
        let first = speculation.ticket();
        speculation.push(end(5), 100);
        let second = speculation.ticket();
        assert_eq!(speculation.commit(1).map(|it| it.end), Some(end(3)));
        first.settled(far()).await.unwrap();
        let soon = Instant::now() + Duration::from_millis(1);
        assert!(matches!(second.settled(soon).await, Err(Error::OutcomeUnknown)));
        let waiting = tokio::spawn(async move { second.settled(far()).await });
        tokio::task::yield_now().await;
        speculation.commit(2).unwrap();
        waiting.await.unwrap().unwrap();
        assert_eq!(speculation.backlog(), (0, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_transaction_takes_those_after_it_along_and_none_before() {
        let speculation = speculation();
        let tickets: Vec<_> = (0..4)
            .map(|frame| {
                speculation.push(end(frame), 10);
                speculation.ticket()
            })
            .collect();
        speculation.lose_from(3);
        for lost in &tickets[2..] {
            assert!(matches!(lost.settled(far()).await, Err(Error::NotLeader)));
        }
        assert!(speculation.commit(3).is_none());
        speculation.commit(1).unwrap();
        tickets[0].settled(far()).await.unwrap();
        speculation.lose_rest();
        assert!(matches!(tickets[1].settled(far()).await, Err(Error::NotLeader)));
        assert!(speculation.is_settled());
    }

    #[tokio::test(start_paused = true)]
    async fn those_before_a_lost_transaction_are_waited_for_too() {
        let speculation = speculation();
        speculation.push(end(1), 10);
        speculation.push(end(2), 10);
        let ticket = speculation.ticket();
        speculation.push(end(3), 10);
        speculation.lose_from(2);
        let soon = Instant::now() + Duration::from_millis(1);
        assert!(matches!(ticket.all_settled(soon).await, Err(Error::NotLeader)));
        let waiting = tokio::spawn(async move { ticket.all_settled(far()).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        speculation.commit(1).unwrap();
        waiting.await.unwrap().unwrap();
    }
}
