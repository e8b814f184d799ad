//! What comes out of the log committed.

use std::io;
use std::sync::Arc;

use dqlite_vfs::WalPosition;

use super::{Database, Mark};
use crate::chain::Verdict;
use crate::command::Command;
use crate::consensus::Position;
use crate::outcomes::Call;
use crate::speculation::Speculation;

/// Above this, putting pages into the WAL takes long enough to leave the task's thread.
const INLINE_PAGES_MAX: usize = 64;

impl Database {
    /// Applies the command that the committed entry at `position` holds.
    pub async fn apply(self: &Arc<Self>, position: Position, command: Command) -> io::Result<()> {
        let _transition = self.transition.lock().await;
        let Some((verdict, first_index)) = self.judge(position, &command) else { return Ok(()) };
        let live = self.state.lock().live.clone();
        let own = live.filter(|live| live.id == command.link.session);
        if own.is_some() {
            self.settle_before(position, Some(&command));
        }
        match (verdict, own) {
            (Verdict::Commit, Some(live)) => self.confirm(&live, first_index, &command),
            (Verdict::Keep, Some(_)) => {
                self.state.lock().staged.extend(command.pages);
                Ok(())
            }
            (Verdict::Void, Some(live)) => {
                tracing::warn!(database = %self.name, index = position.index, "own entry is void");
                live.lose_from(command.link.sequence);
                self.undo().await
            }
            (verdict, None) => self.apply_foreign(verdict, position, first_index, command).await,
        }
    }

    /// Moves the chain on; `None` where the file held the entry when the node started.
    fn judge(&self, position: Position, command: &Command) -> Option<(Verdict, u64)> {
        let mut state = self.state.lock();
        let state = &mut *state;
        if position.index <= state.chain.index {
            return None;
        }
        let first_index = match &state.open {
            Some(open) if command.link.part > 0 => open.first_index,
            _ => position.index,
        };
        let link = &command.link;
        let verdict = state.chain.judge(&mut state.open, link, position.term, position.index);
        if verdict == Verdict::Void || command.link.part == 0 {
            state.staged.clear();
        }
        Some((verdict, first_index))
    }

    /// Applies an entry that the live session, if there is one, did not make.
    async fn apply_foreign(
        self: &Arc<Self>,
        verdict: Verdict,
        position: Position,
        first_index: u64,
        command: Command,
    ) -> io::Result<()> {
        let is_deposed = {
            let state = self.state.lock();
            state.live.as_ref().is_some_and(|live| live.id.term < position.term)
        };
        if is_deposed || verdict != Verdict::Void {
            self.undo().await?; // (4) of the module above.
        }
        self.settle_before(position, Some(&command));
        match verdict {
            Verdict::Void => {
                self.retired(&command, |retired| retired.lose_from(command.link.sequence));
                Ok(())
            }
            Verdict::Keep => {
                self.state.lock().staged.extend(command.pages);
                Ok(())
            }
            Verdict::Commit => self.put(first_index, command).await,
        }
    }

    /// Notes a committed entry that does not concern the database.
    pub async fn pass(self: &Arc<Self>, position: Position) -> io::Result<()> {
        let is_deposed = {
            let state = self.state.lock();
            state.live.as_ref().is_some_and(|live| live.id.term < position.term)
        };
        if is_deposed {
            self.step_down().await?;
        }
        self.settle_before(position, None);
        Ok(())
    }

    /// Entries of one session precede those of the next, and those of one term those of the next:
    /// the entry at `position` settles all that ended before it.
    fn settle_before(&self, position: Position, command: Option<&Command>) {
        let session = command
            .map(|command| command.link.session)
            .filter(|session| session.term == position.term);
        self.state.lock().retired.retain(|retired| {
            let is_over = retired.id.term < position.term
                || session.is_some_and(|session| retired.id < session);
            if is_over {
                retired.lose_rest();
            }
            !is_over
        });
    }

    /// Calls `settle` for the session that made `command`, if it ended here unsettled.
    fn retired(&self, command: &Command, settle: impl FnOnce(&Speculation)) {
        let mut state = self.state.lock();
        if let Some(at) = state.retired.iter().position(|it| it.id == command.link.session) {
            settle(&state.retired[at]);
            if state.retired[at].is_settled() {
                state.retired.remove(at);
            }
        }
    }

    /// The entry is this node's own and its frames are in the WAL already.
    fn confirm(
        self: &Arc<Self>,
        live: &Arc<Speculation>,
        first_index: u64,
        command: &Command,
    ) -> io::Result<()> {
        let sequence = command.link.sequence;
        let Some(pending) = live.oldest().filter(|it| it.sequence == sequence) else {
            return Err(io::Error::other(format!("transaction {sequence} was not waiting")));
        };
        self.state.lock().staged.clear();
        self.mark(pending.end, first_index, command.call);
        live.commit(sequence);
        Ok(())
    }

    /// Puts the pages of a complete transaction into the WAL.
    async fn put(self: &Arc<Self>, first_index: u64, command: Command) -> io::Result<()> {
        let mut pages = std::mem::take(&mut self.state.lock().staged);
        pages.extend_from_slice(&command.pages);
        let vfs = self.vfs.clone();
        let page_count = command.page_count;
        let end = if pages.len() <= INLINE_PAGES_MAX {
            vfs.apply(&pages, page_count)
        } else {
            self.context.env.blocking.run(move || vfs.apply(&pages, page_count)).await
        };
        let end = end.map_err(io::Error::other)?;
        self.mark(end, first_index, command.call);
        self.retired(&command, |retired| {
            retired.commit(command.link.sequence);
        });
        Ok(())
    }

    /// What is committed now ends at `end` in the WAL. Before anybody is told that it is: whoever
    /// has waited for that may ask for the outcome of `call`.
    fn mark(self: &Arc<Self>, end: WalPosition, first_index: u64, call: Option<Call>) {
        {
            let mut state = self.state.lock();
            let chain = state.chain;
            state.committed = end;
            state.marks.push_back(Mark { end, first_index, chain, call });
        }
        let frames = self.vfs.last_frame().saturating_sub(self.vfs.backfilled_frame());
        if frames >= self.context.options.checkpoint_frames {
            self.ask_for_checkpoint();
        }
    }
}
