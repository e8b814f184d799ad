//! An engine that only remembers: what was applied, what it was told, and what it "checkpointed".

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use dqlite_engine::{Machine, Payload, Position, SnapshotReader, SnapshotWriter};
use dqlite_env::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;

/// What outlives the process: the "database files".
#[derive(Clone, Debug, Default)]
pub struct Files(Arc<Mutex<Durable>>);

#[derive(Clone, Debug, Default)]
struct Durable {
    commands: BTreeMap<u64, (u64, Bytes)>,
    index: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Commands by index, with their term.
    pub commands: BTreeMap<u64, (u64, Bytes)>,
    /// The last position applied or passed.
    pub last: Position,
    /// The term that is led.
    pub leads: Option<u64>,
    /// Calls to `lead`.
    pub leads_count: u64,
    /// Snapshots installed.
    pub installed: u64,
    /// Commands applied again that the files held already.
    pub redone: u64,
}

/// One life of the engine.
#[derive(Debug)]
pub struct Recorder {
    files: Files,
    seen: watch::Sender<Seen>,
    pub fail_at: Mutex<Option<u64>>,
}

impl Recorder {
    pub fn new(files: Files) -> Arc<Self> {
        let durable = files.0.lock().clone();
        let seen = Seen { commands: durable.commands, ..Seen::default() };
        Arc::new(Self { files, seen: watch::Sender::new(seen), fail_at: Mutex::default() })
    }

    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Resolves once `found` holds.
    pub async fn wait(&self, found: impl FnMut(&Seen) -> bool) -> Seen {
        self.seen.subscribe().wait_for(found).await.unwrap().clone()
    }

    pub fn payloads(&self) -> Vec<Bytes> {
        self.seen.borrow().commands.values().map(|(_, payload)| payload.clone()).collect()
    }

    fn advance(seen: &mut Seen, position: Position) {
        assert_eq!(position.index, seen.last.index + 1, "entries come without gaps");
        assert!(position.term >= seen.last.term);
        seen.last = position;
    }
}

impl Machine for Recorder {
    fn resume(&self, position: Position) {
        self.seen.send_modify(|seen| seen.last = position);
    }

    fn apply(&self, position: Position, command: Payload) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            if *self.fail_at.lock() == Some(position.index) {
                return Err(io::Error::other("planted"));
            }
            self.seen.send_modify(|seen| {
                Self::advance(seen, position);
                let entry = (position.term, Bytes::from(command.concat()));
                if let Some(before) = seen.commands.insert(position.index, entry.clone()) {
                    assert_eq!(before, entry, "a position holds one command for good");
                    seen.redone += 1;
                }
            });
            Ok(())
        })
    }

    fn pass(&self, position: Position) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            self.seen.send_modify(|seen| Self::advance(seen, position));
            Ok(())
        })
    }

    fn lead(&self, term: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.seen.send_modify(|seen| {
                assert_eq!(seen.leads, None, "follow comes between two leads");
                assert_eq!(seen.last.term, term, "an entry of the term was applied");
                seen.leads = Some(term);
                seen.leads_count += 1;
            });
        })
    }

    fn follow(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.seen.send_modify(|seen| seen.leads = None) })
    }

    fn checkpoint(&self) -> BoxFuture<'_, io::Result<u64>> {
        Box::pin(async move {
            let seen = self.seen.borrow();
            let mut durable = self.files.0.lock();
            durable.commands = seen.commands.clone();
            durable.index = seen.last.index;
            Ok(durable.index)
        })
    }

    fn read_snapshot(&self) -> BoxFuture<'_, io::Result<Box<dyn SnapshotReader>>> {
        Box::pin(async move {
            let commands: Vec<_> = self.files.0.lock().commands.clone().into_iter().collect();
            let chunks = commands.into_iter().map(|(index, (term, payload))| {
                let head = [index.to_le_bytes(), term.to_le_bytes()].concat();
                Bytes::from([&head, &payload[..]].concat())
            });
            Ok(Box::new(Chunks(chunks.rev().collect())) as Box<dyn SnapshotReader>)
        })
    }

    fn write_snapshot(&self) -> BoxFuture<'_, io::Result<Box<dyn SnapshotWriter>>> {
        Box::pin(async move { Ok(Box::new(Received::default()) as Box<dyn SnapshotWriter>) })
    }

    fn install_snapshot(
        &self,
        position: Position,
        snapshot: Box<dyn SnapshotWriter>,
    ) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let received = snapshot.into_any().downcast::<Received>().unwrap();
            assert!(received.finished);
            let mut durable = self.files.0.lock();
            durable.commands = received.commands;
            durable.index = position.index;
            self.seen.send_modify(|seen| {
                seen.commands = durable.commands.clone();
                seen.last = position;
                seen.installed += 1;
            });
            Ok(())
        })
    }
}

#[derive(Debug)]
struct Chunks(Vec<Bytes>);

impl SnapshotReader for Chunks {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Bytes>>> {
        Box::pin(async move { Ok(self.0.pop()) })
    }
}

#[derive(Debug, Default)]
struct Received {
    commands: BTreeMap<u64, (u64, Bytes)>,
    finished: bool,
}

impl SnapshotWriter for Received {
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, io::Result<()>> {
        let number = |at: usize| u64::from_le_bytes(chunk[at..at + 8].try_into().unwrap());
        let (index, term) = (number(0), number(8));
        self.commands.insert(index, (term, chunk.slice(16..)));
        Box::pin(async move { Ok(()) })
    }

    fn finish(&mut self) -> BoxFuture<'_, io::Result<()>> {
        self.finished = true;
        Box::pin(async move { Ok(()) })
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}
