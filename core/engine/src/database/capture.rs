//! From SQLite's commit to commands for the log.

use std::sync::{Arc, OnceLock, Weak};

use dqlite_vfs::{CommitSink, PAGE_BYTES, Page, Refused, Transaction};

use super::Database;
use crate::chain::{Base, Link};
use crate::command::{Command, PAGES_MAX};
use crate::consensus::Payload;
use crate::outcomes::Call;
use crate::pipeline::Proposal;
use crate::speculation::Speculation;

/// Where the VFS hands commits to.
#[derive(Debug, Default)]
pub(super) struct Sink(OnceLock<Weak<Database>>);

impl Sink {
    pub fn connect(&self, database: &Arc<Database>) {
        let _ = self.0.set(Arc::downgrade(database));
    }
}

impl CommitSink for Sink {
    fn commit(&self, transaction: Transaction) -> Result<(), Refused> {
        let database = self.0.get().and_then(Weak::upgrade).ok_or(Refused)?;
        database.capture(transaction)
    }
}

impl Database {
    /// Takes a transaction that SQLite is about to make visible. Called on the thread that runs
    /// the statement, with SQLite's write lock held, so one at a time; never waits.
    fn capture(self: &Arc<Self>, transaction: Transaction) -> Result<(), Refused> {
        let payload_bytes = (transaction.pages.len() * PAGE_BYTES) as u64;
        let (live, sequence) = {
            // Under the lock, so that an undo sees either no session or this transaction.
            let state = self.state.lock();
            let live = state.live.clone().ok_or(Refused)?;
            let sequence = live.push(transaction.position(), payload_bytes);
            (live, sequence)
        };
        let call = self.running_call();
        let proposal = Proposal {
            database: self.clone(),
            commands: self.commands(&live, sequence, &transaction, call),
            speculation: live,
            sequence,
            payload_bytes,
        };
        self.context.proposals.send(proposal).map_err(|_| Refused)
    }

    fn commands(
        &self,
        live: &Speculation,
        sequence: u64,
        whole: &Transaction,
        call: Option<Call>,
    ) -> Vec<Payload> {
        let part_total = whole.pages.len().div_ceil(PAGES_MAX);
        let part_payload = |(part, pages): (usize, &[(u32, Page)])| {
            let base = if sequence == 1 { Base::Index(live.base_index) } else { Base::Previous };
            let link = Link {
                session: live.id,
                sequence,
                base,
                part: part as u32,
                last: part + 1 == part_total,
            };
            Command {
                database: self.name.clone(),
                link,
                page_count: whole.page_count,
                call: call.filter(|_| link.last),
                pages: pages.to_vec(),
            }
            .encode()
        };
        whole.pages.chunks(PAGES_MAX).enumerate().map(part_payload).collect()
    }
}
