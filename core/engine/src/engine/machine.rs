//! The engine as the log sees it.

use std::io;
use std::sync::Arc;

use dqlite_env::BoxFuture;

use super::{Engine, load};
use crate::command::Command;
use crate::consensus::{Machine, Payload, Position, SnapshotReader, SnapshotWriter};
use crate::folder;
use crate::snapshot::{Incoming, Outgoing};

impl Machine for Engine {
    fn resume(&self, position: Position) {
        self.shared.context.set_applied_index(position.index);
    }

    fn apply(&self, position: Position, command: Payload) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let command = Command::decode(&command).map_err(|error| {
                let reason = format!("entry {} of the log: {error}", position.index);
                io::Error::new(io::ErrorKind::InvalidData, reason)
            })?;
            self.shared.context.set_reached_index(position.index);
            let database = self.find_or_create(command.database.clone()).await?;
            database.apply(position, command).await?;
            self.shared.context.set_applied_index(position.index);
            Ok(())
        })
    }

    fn pass(&self, position: Position) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            for database in self.all() {
                database.pass(position).await?;
            }
            self.shared.context.set_applied_index(position.index);
            Ok(())
        })
    }

    fn lead(&self, term: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            tracing::info!(term, "leading");
            self.shared.context.set_leading_term(term);
        })
    }

    fn follow(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.shared.context.set_leading_term(0);
            for database in self.all() {
                if let Err(error) = database.step_down().await {
                    super::report(&self.shared.failure, &database, "undo", &error);
                }
            }
        })
    }

    fn checkpoint(&self) -> BoxFuture<'_, io::Result<u64>> {
        Box::pin(async move {
            let applied_index = self.shared.context.applied_index();
            let mut covered_index = applied_index;
            for database in self.all() {
                if let Some(consensus) = self.shared.consensus.get() {
                    database.checkpoint(&**consensus).await?;
                }
                covered_index = covered_index.min(database.covered_index(applied_index));
            }
            Ok(covered_index)
        })
    }

    fn read_snapshot(&self) -> BoxFuture<'_, io::Result<Box<dyn SnapshotReader>>> {
        Box::pin(async move {
            let databases = self.all().into_iter().filter(|it| it.is_used()).collect();
            let outgoing = Outgoing::new(self.shared.context.env.blocking, databases);
            Ok(Box::new(outgoing) as Box<dyn SnapshotReader>)
        })
    }

    fn write_snapshot(&self) -> BoxFuture<'_, io::Result<Box<dyn SnapshotWriter>>> {
        Box::pin(async move {
            let env = self.shared.context.env.clone();
            let dir = folder::incoming(&self.shared.data_dir);
            let create = move || Incoming::create(env, dir);
            let incoming = self.shared.context.env.blocking.run(create).await?;
            Ok(Box::new(incoming) as Box<dyn SnapshotWriter>)
        })
    }

    fn install_snapshot(
        &self,
        position: Position,
        snapshot: Box<dyn SnapshotWriter>,
    ) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            let Ok(incoming) = snapshot.into_any().downcast::<Incoming>() else {
                return Err(io::Error::other("snapshot was written by another machine"));
            };
            self.shared.context.set_leading_term(0);
            for database in self.all() {
                database.close().await?;
            }
            let shared = Arc::clone(&self.shared);
            let swap = move || {
                let mut databases = shared.databases.lock();
                let files = &*shared.context.env.files;
                let received = incoming.keep()?;
                let number = databases.number + 1;
                let dir = folder::path(&shared.data_dir, number);
                files.rename(&received, &dir)?;
                files.sync_dir(&shared.data_dir)?;
                databases.by_name.clear();
                folder::remove(files, &databases.dir)?;
                databases.by_name = load(&shared.context, &dir)?;
                (databases.dir, databases.number) = (dir, number);
                shared.context.set_applied_index(position.index);
                Ok(())
            };
            self.shared.context.env.blocking.run(swap).await
        })
    }
}
