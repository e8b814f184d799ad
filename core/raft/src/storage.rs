//! The log, as openraft drives it.
//!
//! 1. Entries and votes go to the log in the order of the calls; a vote and a cut are durable
//!    before the call returns.
//! 2. What the log reports as failed is reported as failed: openraft stops then, and with it the
//!    node.
//! 3. The commit position is a hint, never waited for: a node that lost it learns it again.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};

use dqlite_log::{EntryKind, Log, Recovered};
use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use tokio::sync::oneshot;

use crate::codec::{decode_membership, encode_membership};
use crate::types::{Command, Entry, EntryPayload, LogId, TypeConfig, Vote, log_id, position, vote};

/// A request to another node carries about so many bytes of entries.
const APPEND_BYTES_MAX: usize = 1 << 20;

/// The log and its reader.
#[derive(Clone)]
pub(crate) struct Storage {
    pub log: Log,
    /// The commit position that was noted in the node's last life.
    pub committed: Option<LogId>,
}

fn to_log(position: dqlite_engine::Position) -> dqlite_log::Position {
    dqlite_log::Position { term: position.term, index: position.index }
}

fn of_log(position: dqlite_log::Position) -> LogId {
    log_id(dqlite_engine::Position { term: position.term, index: position.index })
}

fn entry_to_log(entry: Entry) -> dqlite_log::Entry {
    let (kind, payload) = match entry.payload {
        EntryPayload::Blank => (EntryKind::Blank, Vec::new()),
        EntryPayload::Normal(command) => (EntryKind::Command, command.0),
        EntryPayload::Membership(membership) => {
            (EntryKind::Membership, vec![encode_membership(&membership)])
        }
    };
    dqlite_log::Entry { position: to_log(position(entry.log_id)), kind, payload }
}

fn entry_of_log(entry: dqlite_log::Entry) -> io::Result<Entry> {
    let payload = match entry.kind {
        EntryKind::Blank => EntryPayload::Blank,
        EntryKind::Command => EntryPayload::Normal(Command(entry.payload)),
        EntryKind::Membership => {
            EntryPayload::Membership(decode_membership(entry.payload.concat().into())?)
        }
    };
    Ok(Entry { log_id: of_log(entry.position), payload })
}

impl Storage {
    /// A log that was just opened.
    pub(crate) fn new(log: Log, recovered: &Recovered) -> Self {
        // Nothing is committed that is not there: the hint only saves time.
        let committed = recovered.committed.min(recovered.last).map(of_log);
        Self { log, committed }
    }

    async fn durably(&self, request: impl FnOnce(&Log, dqlite_log::Completion)) -> io::Result<()> {
        let (done, durable) = oneshot::channel();
        request(&self.log, Box::new(move |result| drop(done.send(result))));
        durable.await.unwrap_or_else(|_| Err(io::Error::other("the log has ended")))
    }

    /// Entries of openraft's numbers `start..end`, as many as `bytes_max` allows but at least one.
    async fn entries(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let entries = self.log.read(start + 1..end + 1, bytes_max).await?;
        entries.into_iter().map(entry_of_log).collect()
    }
}

impl RaftLogReader<TypeConfig> for Storage {
    async fn try_get_log_entries<R>(&mut self, range: R) -> io::Result<Vec<Entry>>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => 0,
        };
        let first = self.log.state().first.map_or(0, |first| of_log(first).index);
        let start = start.max(first);
        let end = match range.end_bound() {
            Bound::Included(last) => last + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX - 1,
        };
        self.entries(start, end, usize::MAX).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.entries(start, end, APPEND_BYTES_MAX).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.log.vote().map(|saved| vote(saved.term, saved.voted_for, saved.committed)))
    }
}

impl RaftLogStorage<TypeConfig> for Storage {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let state = self.log.state();
        Ok(LogState {
            last_purged_log_id: state.purged.map(of_log),
            last_log_id: state.last.map(of_log),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let saved = dqlite_log::Vote {
            term: vote.leader_id.term,
            voted_for: vote.leader_id.voted_for,
            committed: vote.committed,
        };
        self.durably(|log, done| log.save_vote(saved, done)).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        if let Some(committed) = committed {
            self.log.note_committed(to_log(position(committed))); // (3)
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.committed)
    }

    async fn append<I>(&mut self, entries: I, flushed: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries.into_iter().map(entry_to_log).collect();
        self.log.append(entries, Box::new(move |result| flushed.io_completed(result)));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let keep = last.map(|last| to_log(position(last)));
        let end = self.log.state().last.map(|end| end.index);
        if end <= keep.map(|keep| keep.index) {
            return Ok(());
        }
        self.durably(|log, done| log.truncate_after(keep, done)).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.log.purge(to_log(position(upto)));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
