//! The log as its users see it.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use dqlite_env::{Blocking, Env};
use tokio::sync::watch;

use crate::entry::{Completion, Entry, Position, Vote};
use crate::format::PAYLOAD_BYTES_MAX;
use crate::metrics::Metrics;
use crate::open::{Opened, open};
use crate::options::{Backend, OpenError, Options, Recovered};
use crate::read::{Stored, read_stored};
use crate::shared::{Command, Inner, Progress, Shared};

/// A durable log. Clones are the same log; it is closed with the last one.
#[derive(Clone)]
pub struct Log {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    blocking: Blocking,
    backend: Backend,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.inner.lock().closed = true;
        self.shared.notify();
    }
}

/// What a log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The first entry.
    pub first: Option<Position>,
    /// The last entry, durable or not, or the last purged position when there is no entry.
    pub last: Option<Position>,
    /// The last purged position.
    pub purged: Option<Position>,
    /// The last position of which `note_committed` was told.
    pub committed: Option<Position>,
}

impl Log {
    /// Opens the log in the folder `dir`, which is created if missing. Blocks: run it through
    /// [`Blocking::run`]. The inline backend needs a tokio runtime around the call.
    ///
    /// # Errors
    /// See [`OpenError`]. A torn tail is not an error.
    pub fn open(env: &Env, dir: &Path, options: Options) -> Result<(Self, Recovered), OpenError> {
        Ok(Self::around(env, open(env, dir, options)?))
    }

    pub(crate) fn around(env: &Env, opened: Opened) -> (Self, Recovered) {
        let Opened { shared, recovered, backend } = opened;
        let progress = shared.progress.subscribe();
        let blocking = env.blocking;
        (Self { handle: Arc::new(Handle { shared, progress, blocking, backend }) }, recovered)
    }

    /// The backend in use: never `Auto`.
    pub fn backend(&self) -> Backend {
        self.handle.backend
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Puts a request in the queue. `change` makes its effect on the index, under the same lock.
    fn request<F>(&self, done: Completion, change: F)
    where
        F: FnOnce(&mut Inner, Completion) -> Result<Option<Command>, (&'static str, Completion)>,
    {
        let mut inner = self.shared().inner.lock();
        if inner.closed {
            return;
        }
        let command = match change(&mut inner, done) {
            Ok(None) => return,
            Ok(Some(command)) => command,
            Err((reason, done)) => Command::Reject(reason, done),
        };
        inner.queue.push_back(command);
        drop(inner);
        self.shared().notify();
    }

    /// Appends entries: readable at once, durable when `done` hears so.
    ///
    /// Completions of all requests fire in the order of the requests, on the writer's thread:
    /// `done` should be short, and must not panic. After the first error every later completion
    /// gets it too; see [`failed`](Self::failed). Entries that do not follow the last one, a term
    /// that falls, and a payload above 1 GiB make the log fail.
    pub fn append(&self, entries: Vec<Entry>, done: Completion) {
        self.request(done, |inner, done| {
            let mut waiting = std::collections::VecDeque::with_capacity(entries.len());
            for entry in entries {
                if entry.payload_bytes() > PAYLOAD_BYTES_MAX {
                    return Err(("a payload is too large", done));
                }
                let payload = Some(entry.payload.clone());
                match inner.index.push(entry.position, entry.kind, payload, None) {
                    Ok(serial) => waiting.push_back((serial, entry)),
                    Err(impossible) => return Err((impossible.0, done)),
                }
            }
            Ok(Some(Command::Append { entries: waiting, done }))
        });
    }

    /// Replaces the vote. It is durable when `done` hears so, and [`vote`](Self::vote) gives it
    /// from then on.
    pub fn save_vote(&self, vote: Vote, done: Completion) {
        self.request(done, |_, done| Ok(Some(Command::Vote(vote, done))));
    }

    /// Drops all entries behind `keep`, which must be an entry of the log or the last purged
    /// position; `None` drops all of a log that was never purged. They are gone at once, and
    /// durably so when `done` hears it.
    pub fn truncate_after(&self, keep: Option<Position>, done: Completion) {
        let shared = &self.handle.shared;
        self.request(done, |inner, done| {
            if let Err(impossible) = inner.index.truncate_after(keep) {
                return Err((impossible.0, done));
            }
            inner.durable = keep.and_then(|keep| inner.durable.map(|was| was.min(keep.index)));
            shared.publish_durable(inner.durable);
            Ok(Some(Command::Truncate(keep, done)))
        });
    }

    /// Drops all entries up to `upto`, which may lie behind the last one: the log then goes on
    /// behind it. They are gone at once; segments follow when this is durable. A position that
    /// was purged before is passed over.
    pub fn purge(&self, upto: Position) {
        let shared = &self.handle.shared;
        self.request(Box::new(|_| {}), |inner, done| match inner.index.purge(upto) {
            Err(impossible) => Err((impossible.0, done)),
            Ok(false) => Ok(None),
            Ok(true) => {
                inner.durable = inner.durable.max(Some(upto.index));
                shared.publish_durable(inner.durable);
                Ok(Some(Command::Purge(upto)))
            }
        });
    }

    /// Notes that everything up to `position` is committed. It is written along with the next
    /// flush, whenever that comes.
    pub fn note_committed(&self, position: Position) {
        self.shared().inner.lock().committed = Some(position);
    }

    /// The entries of `indexes` from the first on, until their payloads exceed `bytes_max`: at
    /// least one, if the first is in the log. Those that are not in memory any more are read from
    /// their segments and checked.
    ///
    /// # Errors
    /// What reading gives, and `InvalidData` when an entry is not what was written.
    pub async fn read(&self, indexes: Range<u64>, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let (mut entries, stored) = self.look_up(indexes, bytes_max)?;
        if !stored.is_empty() {
            let from_disk = self.handle.blocking.run(move || read_stored(&stored)).await?;
            // What is in memory is always behind what is not.
            entries.splice(0..0, from_disk);
        }
        Ok(entries)
    }

    /// What of `indexes` is in memory, and where that lies which is not.
    fn look_up(
        &self,
        indexes: Range<u64>,
        bytes_max: usize,
    ) -> io::Result<(Vec<Entry>, Vec<Stored>)> {
        let (mut entries, mut stored) = (Vec::new(), Vec::new());
        let mut total = 0;
        let inner = self.shared().inner.lock();
        for index in indexes {
            let Some(slot) = inner.index.slot(index) else {
                break;
            };
            let bytes = match (&slot.payload, slot.place) {
                (Some(parts), _) => parts.iter().map(bytes::Bytes::len).sum(),
                (None, Some(place)) => place.length,
                (None, None) => 0,
            };
            total += bytes;
            if total > bytes_max && !(entries.is_empty() && stored.is_empty()) {
                break;
            }
            if let Some(entry) = inner.index.cached(index) {
                entries.push(entry);
                continue;
            }
            let place = slot.place.and_then(|place| {
                inner.segments.get(&place.segment).map(|segment| (place, segment.clone()))
            });
            let Some((place, segment)) = place else {
                return Err(io::Error::other("an entry is neither in memory nor in a segment"));
            };
            let position = Position { term: slot.term, index };
            stored.push(Stored { position, kind: slot.kind, place, segment });
        }
        Ok((entries, stored))
    }

    /// The last durable vote.
    pub fn vote(&self) -> Option<Vote> {
        self.shared().inner.lock().vote
    }

    /// What the log holds now, durable or not.
    pub fn state(&self) -> State {
        let inner = self.shared().inner.lock();
        State {
            first: inner.index.first(),
            last: inner.index.last(),
            purged: inner.index.purged(),
            committed: inner.committed,
        }
    }

    /// The index up to which all entries are durable or purged. Truncation lowers it.
    pub fn durable_index(&self) -> Option<u64> {
        self.shared().inner.lock().durable
    }

    /// Resolves once all entries up to `index` are durable.
    ///
    /// # Errors
    /// The failure of the log, should it come first; `NotConnected` when the log is closed.
    pub async fn wait_durable(&self, index: u64) -> io::Result<()> {
        let mut receiver = self.handle.progress.clone();
        let reached = |progress: &Progress| {
            progress.durable.is_some_and(|durable| durable >= index)
                || progress.failure.is_some()
                || progress.stopped
        };
        match receiver.wait_for(reached).await {
            Ok(progress) if progress.durable.is_some_and(|durable| durable >= index) => Ok(()),
            Ok(progress) => Err(failure(&progress)),
            Err(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Resolves when the log has failed, with the first error. The node must stop: what the disk
    /// holds of the flush that failed is not known until the log is opened again.
    pub async fn failed(&self) -> io::Error {
        let mut receiver = self.handle.progress.clone();
        match receiver.wait_for(|progress| progress.failure.is_some()).await {
            Ok(progress) => failure(&progress),
            Err(_) => io::ErrorKind::NotConnected.into(),
        }
    }

    /// What the writer did since the log was opened.
    pub fn metrics(&self) -> Metrics {
        self.shared().inner.lock().metrics
    }

    /// Answers what waits, and lets the folder go. Requests that come later are never answered:
    /// their completions are dropped.
    pub async fn close(&self) {
        self.shared().inner.lock().closed = true;
        self.shared().notify();
        let mut receiver = self.handle.progress.clone();
        // The sender lives as long as this handle.
        let _ = receiver.wait_for(|progress| progress.stopped).await;
    }
}

fn failure(progress: &Progress) -> io::Error {
    match &progress.failure {
        Some(failure) => failure.error(),
        None => io::ErrorKind::NotConnected.into(),
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        formatter
            .debug_struct("Log")
            .field("backend", &self.backend())
            .field("state", &state)
            .finish()
    }
}
