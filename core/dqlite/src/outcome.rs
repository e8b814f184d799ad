//! What became of a commit whose answer never came.

use std::sync::Arc;
use std::time::Duration;

use dqlite_wire::call::{AskOutcome, Outcome};
use tokio::time::Instant;

use crate::error::Error;
use crate::target::Target;

/// How long the search for a leader that knows goes on, unless a call says otherwise.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(30);

/// Finds out what became of one commit.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    pub target: Arc<Target>,
    pub ask: AskOutcome,
}

impl Resolver {
    /// Whether it took effect.
    pub async fn resolve(&self) -> Result<bool, Error> {
        match self.outcome(Instant::now() + RESOLVE_TIMEOUT).await? {
            Outcome::Applied(_) => Ok(true),
            Outcome::NotApplied => Ok(false),
            Outcome::Forgotten => Err(Error::new(
                "outcome.forgotten",
                "so many others have committed since that the record of outcomes does not reach \
                 back to this transaction",
            )
            .with_outcome(crate::Outcome::Unknown)),
        }
    }

    /// Asks the leader, until `deadline`.
    pub async fn outcome(&self, deadline: Instant) -> Result<Outcome, Error> {
        self.target.outcome(&self.ask, deadline).await
    }
}
