//! Indexes of the log, and what became of a commit.

use std::io;
use std::time::Duration;

use dqlite_wire::call::{AskOutcome, Wait};
use dqlite_wire::{Response, codes};

use super::Gateway;
use super::attend::attend_or_stop;

impl Gateway {
    pub(super) async fn wait(&mut self, wait: Wait) -> io::Result<()> {
        let node = self.node();
        let applied = node.wait_applied(wait.index);
        let work = async {
            if wait.timeout_ms == 0 {
                applied.await;
                return true;
            }
            let timeout = Duration::from_millis(wait.timeout_ms);
            tokio::time::timeout(timeout, applied).await.is_ok()
        };
        let attended = attend_or_stop(&mut self.reader, work).await?;
        match attended.value {
            Some(true) => self.respond(&Response::Index { index: node.applied_index() })?,
            Some(false) => {
                let message = format!("timed out after {} ms", wait.timeout_ms);
                self.fail(codes::INTERRUPT, &message)?;
            }
            None => self.fail(codes::INTERRUPT, codes::messages::INTERRUPTED)?,
        }
        self.acknowledge(attended.interrupted)
    }

    pub(super) async fn barrier(&mut self) -> io::Result<()> {
        let node = self.node();
        let attended = attend_or_stop(&mut self.reader, node.barrier()).await?;
        match attended.value {
            Some(Ok(index)) => self.respond(&Response::Index { index })?,
            Some(Err(error)) => self.fail_call(&error)?,
            None => self.fail(codes::INTERRUPT, codes::messages::INTERRUPTED)?,
        }
        self.acknowledge(attended.interrupted)
    }

    pub(super) async fn outcome(&mut self, ask: &AskOutcome) -> io::Result<()> {
        let node = self.node();
        let attended = attend_or_stop(&mut self.reader, node.outcome(ask)).await?;
        match attended.value {
            Some(Ok(outcome)) => self.respond(&Response::Outcome(outcome))?,
            Some(Err(error)) => self.fail_call(&error)?,
            None => self.fail(codes::INTERRUPT, codes::messages::INTERRUPTED)?,
        }
        self.acknowledge(attended.interrupted)
    }
}
