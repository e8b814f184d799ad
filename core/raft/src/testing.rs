//! An engine for unit tests, which takes everything and only counts.

use std::any::Any;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use dqlite_engine::{Machine, Payload, Position, SnapshotReader, SnapshotWriter};
use dqlite_env::BoxFuture;

#[derive(Debug, Default)]
pub(crate) struct Nothing {
    applied: AtomicU64,
    /// Makes what changes the state fail.
    pub broken: AtomicBool,
}

impl Nothing {
    fn count(&self, position: Position) -> BoxFuture<'_, io::Result<()>> {
        if self.broken.load(Ordering::Relaxed) {
            return Box::pin(async { Err(io::Error::other("broken")) });
        }
        self.applied.store(position.index, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    }
}

impl Machine for Nothing {
    fn resume(&self, _position: Position) {}

    fn apply(&self, position: Position, _command: Payload) -> BoxFuture<'_, io::Result<()>> {
        self.count(position)
    }

    fn pass(&self, position: Position) -> BoxFuture<'_, io::Result<()>> {
        self.count(position)
    }

    fn lead(&self, _term: u64) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn follow(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn checkpoint(&self) -> BoxFuture<'_, io::Result<u64>> {
        Box::pin(async { Ok(self.applied.load(Ordering::Relaxed)) })
    }

    fn read_snapshot(&self) -> BoxFuture<'_, io::Result<Box<dyn SnapshotReader>>> {
        Box::pin(async { Ok(Box::new(Nothing::default()) as Box<dyn SnapshotReader>) })
    }

    fn write_snapshot(&self) -> BoxFuture<'_, io::Result<Box<dyn SnapshotWriter>>> {
        Box::pin(async { Ok(Box::new(Nothing::default()) as Box<dyn SnapshotWriter>) })
    }

    fn install_snapshot(
        &self,
        position: Position,
        _snapshot: Box<dyn SnapshotWriter>,
    ) -> BoxFuture<'_, io::Result<()>> {
        self.count(position)
    }
}

impl SnapshotReader for Nothing {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Bytes>>> {
        Box::pin(async { Ok(None) })
    }
}

impl SnapshotWriter for Nothing {
    fn write(&mut self, _chunk: Bytes) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn finish(&mut self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}
