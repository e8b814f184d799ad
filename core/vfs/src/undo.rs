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
