//! The one task that takes commits to the log.
//!
//! 1. The transactions of one database reach the log in the order in which SQLite committed them.
//! 2. All that waits goes in one batch, so that it shares a flush and a message to each follower.
//! 3. When the log refuses a batch, the transactions in it are lost, and so is everything that was
//!    built on them: their databases are undone back to what is committed.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::consensus::{Consensus, Payload};
use crate::database::Database;
use crate::speculation::Speculation;

/// The most bytes that are proposed at once, unless one transaction has more.
const BATCH_BYTES_MAX: u64 = 4 << 20;

/// A captured transaction.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub database: Arc<Database>,
    pub speculation: Arc<Speculation>,
    pub sequence: u64,
    /// The transaction's parts.
    pub commands: Vec<Payload>,
    pub payload_bytes: u64,
}

/// A database whose session of leadership cannot go on.
#[derive(Debug)]
pub(crate) struct Broken {
    pub database: Arc<Database>,
    pub speculation: Arc<Speculation>,
}

/// Proposes what `proposals` gives, until its senders are gone.
pub(crate) async fn run(
    mut proposals: mpsc::UnboundedReceiver<Proposal>,
    consensus: Arc<dyn Consensus>,
    broken: mpsc::UnboundedSender<Broken>,
) {
    let mut carried: Option<Proposal> = None;
    loop {
        let first = match carried.take() {
            Some(proposal) => proposal,
            None => match proposals.recv().await {
                Some(proposal) => proposal,
                None => return,
            },
        };
        let term = first.speculation.id.term;
        let mut batch_bytes = first.payload_bytes;
        let mut batch = vec![first];
        while batch_bytes < BATCH_BYTES_MAX {
            match proposals.try_recv() {
                Ok(next) if next.speculation.id.term == term => {
                    batch_bytes += next.payload_bytes;
                    batch.push(next);
                }
                Ok(other) => {
                    carried = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let mut commands = Vec::with_capacity(batch.len());
        let mut origins = Vec::with_capacity(batch.len());
        for proposal in batch {
            commands.extend(proposal.commands);
            origins.push((proposal.database, proposal.speculation, proposal.sequence));
        }
        let broken = broken.clone();
        let refused = move |reason| {
            tracing::info!(%reason, transactions = origins.len(), "the log refused a batch");
            for (database, speculation, sequence) in origins {
                speculation.lose_from(sequence); // (3)
                // The receiver is gone only when the engine is.
                let _ = broken.send(Broken { database, speculation });
            }
        };
        consensus.propose(term, commands, Box::new(refused)).await;
    }
}
