//! Cuts the WAL back to an earlier commit: the way of a transaction that the log did not take.

use crate::error::WalError;
use crate::shared::Shared;
use crate::transaction::WalPosition;
use crate::wal_index::{MARK_UNUSED, READ_MARKS};

impl Shared {
    pub fn undo_to(&self, position: WalPosition) -> Result<(), WalError> {
        // Held to the end: no connection can open meanwhile.
        let locks = self.locks.lock();
        match locks.connection_count() {
            0 => {}
            count => return Err(WalError::ConnectionsOpen(count)),
        }
        let mut header = self.index.header();
        let mut frames = self.frames.write();
        let frame = if position.generation < frames.generation { 0 } else { position.frame };
        if position.generation > frames.generation || frame > header.last_frame {
            return Err(WalError::NotACommit(frame));
        }
        if frame < self.index.backfilled() {
            return Err(WalError::Checkpointed(frame + 1));
        }
        (header.page_count, header.frame_sums) = match frames.wal.frame(frame) {
            Some(last) if last.commit() != 0 => (last.commit(), last.sums()),
            None if frame == 0 => (frames.first_page_count, [0, 0]),
            _ => return Err(WalError::NotACommit(frame)),
        };
        header.last_frame = frame;
        header.change = header.change.wrapping_add(1);

        let dropped = frames.wal.truncate(frame);
        if frame == 0 {
            // The salt must differ from that of the frames that go.
            header.salt[0] = header.salt[0].wrapping_add(1);
            frames.first_salt = header.salt;
            frames.wal.clear();
        }
        self.index.cut_after(frame);
        self.index.publish(&header);
        self.index.set_mark(1, frame);
        for mark in 2..READ_MARKS {
            self.index.set_mark(mark, MARK_UNUSED);
        }
        drop(frames);
        drop(locks);
        drop(dropped);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dqlite_env::{FileSystem, OpenMode, RealFiles};
    use parking_lot::Mutex;

    use crate::registry;
    use crate::{CommitSink, Database, Refused, Transaction};

    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<Transaction>>);

    impl CommitSink for Kept {
        fn commit(&self, transaction: Transaction) -> Result<(), Refused> {
            self.0.lock().push(transaction);
            Ok(())
        }
    }

    /// Whoever writes next, SQLite or apply, after whichever wrote last or an undo: checksums,
    /// salts and frame numbers go on.
    #[test]
    fn the_chain_of_checksums_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealFiles.open(&dir.path().join("db"), OpenMode::New).unwrap();
        let kept = Arc::new(Kept::default());
        let database = Database::open(file, kept.clone()).unwrap();
        let shared = registry::find(database.name()).unwrap();
        let write = |sql: &str| {
            database.connect().unwrap().rusqlite().execute_batch(sql).unwrap();
            assert!(shared.frames.read().wal.is_chained(), "{sql}");
        };
        // Commits, undoes, and puts the same in as another node's.
        let replay = |sql: &str| {
            let before = database.position();
            write(sql);
            let Some(transaction) = kept.0.lock().pop() else { panic!("no commit") };
            database.undo_to(before).unwrap();
            assert_eq!(shared.frames.read().wal.len(), database.last_frame());
            database.apply(&transaction.pages, transaction.page_count).unwrap();
            assert!(shared.frames.read().wal.is_chained(), "{sql}");
            assert_eq!(shared.frames.read().wal.len(), database.last_frame());
        };
        replay("CREATE TABLE t(a)");
        write("INSERT INTO t VALUES(1)");
        replay("INSERT INTO t VALUES(2)");
        replay("INSERT INTO t VALUES(3)");
        let spilled = "PRAGMA cache_size = 5; BEGIN; INSERT INTO t SELECT randomblob(90000);
                       DELETE FROM t; INSERT INTO t SELECT randomblob(90000); COMMIT";
        write(spilled);
        replay(spilled);
        assert!(database.checkpoint(database.position()).unwrap().complete);
        // SQLite restarts the WAL; the undo goes to its start.
        replay("INSERT INTO t VALUES(4)");
        assert_eq!((database.generation(), database.last_frame() < 9), (1, true));
        write(spilled);
        replay("INSERT INTO t VALUES(5)");
    }
}
