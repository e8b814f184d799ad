//! From the WAL in memory to the database file: rules 1 to 5 of `meta.rs`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dqlite_vfs::WalPosition;

use super::{Database, Mark};
use crate::consensus::Consensus;
use crate::meta::Meta;

/// How many times `checkpoint_frames` the WAL may number before its writers pause for a restart.
const RESTART_FACTOR: u32 = 16;

impl Database {
    /// Brings the file up to the newest transaction that is committed and durable here, as far as
    /// readers allow.
    pub async fn checkpoint(self: &Arc<Self>, consensus: &dyn Consensus) -> io::Result<()> {
        let _checkpointing = self.checkpointing.lock().await;
        self.checkpoint_asked.store(false, Ordering::SeqCst);
        if self.closed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let Some(target) = self.state.lock().marks.back().copied() else { return Ok(()) };
        consensus // (1)
            .wait_durable(target.chain.index)
            .await
            .map_err(|refused| io::Error::other(refused.to_string()))?;
        let database = self.clone();
        self.context.env.blocking.run(move || database.copy(target)).await
    }

    fn copy(&self, target: Mark) -> io::Result<()> {
        let mut meta = self.meta.lock().get();
        if meta.consistent_at < target.chain.index {
            meta.consistent_at = target.chain.index;
            self.meta.lock().write(meta)?; // (2)
        }
        let reached = self.vfs.checkpoint(target.end)?;
        let reached =
            WalPosition { generation: reached.generation, frame: reached.backfilled_frame };
        let newest = {
            let state = self.state.lock();
            // A generation before the present one is in the file to its end.
            state.marks.iter().take_while(|mark| mark.end <= reached).last().copied()
        };
        self.record(meta, newest)
    }

    /// All up to `newest` is durably in the file. (3)
    fn record(&self, meta: Meta, newest: Option<Mark>) -> io::Result<()> {
        let Some(newest) = newest else { return Ok(()) };
        let (last_calls, voucher) = self.record_outcomes(meta.voucher, newest.chain.index)?; // (5)
        self.meta.lock().write(Meta { chain: newest.chain, voucher, ..meta })?;
        let mut state = self.state.lock();
        state.last_calls = last_calls;
        while state.marks.front().is_some_and(|mark| mark.chain.index <= newest.chain.index) {
            state.marks.pop_front();
        }
        Ok(())
    }

    /// The highest index such that nothing up to it is missing from the file, given that all up to
    /// `applied_index` is applied. (4)
    pub fn covered_index(&self, applied_index: u64) -> u64 {
        let state = self.state.lock();
        let oldest_mark = state.marks.front().map(|mark| mark.first_index);
        let oldest_part = state.open.as_ref().map(|open| open.first_index);
        oldest_mark.or(oldest_part).map_or(applied_index, |index| index - 1)
    }

    /// Under steady writes there is always a frame that is not in the file yet, and the WAL would
    /// go on for ever. Before it gets too long, the writers pause until everything is in the file.
    pub async fn restart_wal_if_long(
        self: &Arc<Self>,
        consensus: &dyn Consensus,
    ) -> io::Result<()> {
        let span = self.context.options.checkpoint_frames.saturating_mul(RESTART_FACTOR);
        let end = self.vfs.position();
        {
            let mut state = self.state.lock();
            if state.restart_at.generation != end.generation {
                state.restart_at = WalPosition { frame: span, ..end };
            }
            if end < state.restart_at {
                return Ok(());
            }
            // Should a reader prevent the restart, another try is not worth a pause for a while.
            state.restart_at.frame = end.frame.saturating_add(span);
        }
        let Some(live) = self.state.lock().live.clone() else { return Ok(()) };
        let _permit = self.lane.take().await;
        let deadline = tokio::time::Instant::now() + self.context.options.commit_timeout;
        if live.ticket().settled(deadline).await.is_err() {
            return Ok(()); // The lead is being lost, and the WAL with it.
        }
        self.checkpoint(consensus).await?;
        self.vfs.restart();
        Ok(())
    }
}
