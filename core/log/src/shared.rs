//! What callers and the writer share: the index, and the queue of requests.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, watch};

use crate::entry::{Completion, Entry, Position, Vote};
use crate::index::Index;
use crate::metrics::Metrics;
use crate::segment::Segment;

/// A request to the writer. The index changed with it, under one lock: queue and index agree.
pub enum Command {
    /// Entries with their serial numbers in the index.
    Append {
        entries: VecDeque<(u64, Entry)>,
        done: Completion,
    },
    Vote(Vote, Completion),
    Truncate(Option<Position>, Completion),
    Purge(Position),
    /// The request breaks the log's rules: the log fails in its place.
    Reject(&'static str, Completion),
}

/// The first error of a log. Every later request gets it.
#[derive(Clone, Debug)]
pub struct Failure {
    kind: io::ErrorKind,
    message: Arc<str>,
}

impl Failure {
    pub fn new(error: &io::Error) -> Self {
        Self { kind: error.kind(), message: format!("the log has failed: {error}").into() }
    }

    pub fn error(&self) -> io::Error {
        io::Error::new(self.kind, &*self.message)
    }
}

/// What can be waited for.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// All entries up to this index are durable.
    pub durable: Option<u64>,
    pub failure: Option<Failure>,
    /// The writer has ended and let the folder go.
    pub stopped: bool,
}

pub struct Inner {
    pub index: Index,
    /// The last durable vote.
    pub vote: Option<Vote>,
    pub committed: Option<Position>,
    pub segments: BTreeMap<u64, Arc<Segment>>,
    pub queue: VecDeque<Command>,
    pub closed: bool,
    pub durable: Option<u64>,
    pub metrics: Metrics,
}

pub struct Shared {
    pub inner: Mutex<Inner>,
    /// For a writer that is a thread.
    pub arrived: Condvar,
    /// For a writer that is a task.
    pub arrived_task: Notify,
    pub progress: watch::Sender<Progress>,
}

impl Inner {
    /// All batches up to `batch` are durable.
    pub fn settle(&mut self, batch: u64) {
        loop {
            let next = match self.durable {
                Some(durable) => durable + 1,
                None => match self.index.first() {
                    Some(first) => first.index,
                    None => return,
                },
            };
            let slot = self.index.slot(next);
            if slot.and_then(|slot| slot.place).is_none_or(|place| place.batch > batch) {
                return;
            }
            self.durable = Some(next);
        }
    }
}

impl Shared {
    pub fn new(inner: Inner) -> Self {
        let progress = Progress { durable: inner.durable, ..Progress::default() };
        Self {
            inner: Mutex::new(inner),
            arrived: Condvar::new(),
            arrived_task: Notify::new(),
            progress: watch::Sender::new(progress),
        }
    }

    /// Wakes the writer: the queue or `closed` has changed.
    pub fn notify(&self) {
        self.arrived.notify_one();
        self.arrived_task.notify_one();
    }

    /// Tells those who wait what is durable now.
    pub fn publish_durable(&self, durable: Option<u64>) {
        self.progress.send_if_modified(|progress| {
            std::mem::replace(&mut progress.durable, durable) != durable
        });
    }

    /// Moves all requests to `pending`. With `wait`, sleeps until there is one; false when there
    /// will be none any more.
    pub fn collect(&self, pending: &mut VecDeque<Command>, wait: bool) -> bool {
        let mut inner = self.inner.lock();
        while wait && inner.queue.is_empty() && !inner.closed {
            self.arrived.wait(&mut inner);
        }
        let open = !(inner.closed && inner.queue.is_empty());
        pending.append(&mut inner.queue);
        open
    }

    /// Like `collect` with `wait`, for a task.
    pub async fn collect_task(&self, pending: &mut VecDeque<Command>) -> bool {
        loop {
            let arrived = self.arrived_task.notified();
            let open = self.collect(pending, false);
            if !open || !pending.is_empty() {
                return open;
            }
            arrived.await;
        }
    }
}
