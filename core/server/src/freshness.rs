//! How fresh this node is: up to when it surely has everything that was acknowledged.
//!
//! 1. A node is as fresh as the moment at which it asked the leader for an index, once it has
//!    applied the log up to that. The leader answers when it is certain, after the question came,
//!    that it leads; so the index is at or above all that was acknowledged before the question.
//! 2. One such round serves all who wait and need to be no fresher than the moment it began.
//! 3. A round that fails serves those, too, who were waiting when it began: they would learn
//!    nothing else by one of their own.

use std::time::Duration;

use dqlite_wire::codes;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::asking::Asking;
use crate::call_session::CallError;
use crate::node::Shared;

/// A round that takes longer than this has failed: the leader is gone, or this node is far behind.
const ROUND_TIMEOUT: Duration = Duration::from_secs(10);

/// What a node knows about how fresh it is.
#[derive(Debug, Default)]
pub(crate) struct Freshness {
    known: Mutex<Known>,
    /// Held during a round. The leader is asked on one connection after the other.
    round: tokio::sync::Mutex<Option<(String, Asking)>>,
}

#[derive(Debug, Default)]
struct Known {
    fresh_at: Option<Instant>,
    failed: Option<(Instant, CallError)>,
}

impl Freshness {
    /// Resolves once `node` has everything that was acknowledged until `max_age` before the call.
    ///
    /// # Errors
    /// [`codes::NOT_LEADER`] when no leader can be asked.
    pub async fn ensure(node: &Shared, max_age: Duration) -> Result<(), CallError> {
        let freshness = &node.freshness;
        let called_at = Instant::now();
        let needed = called_at.checked_sub(max_age);
        if freshness.is_fresh(needed) {
            return Ok(());
        }
        let mut connection = freshness.round.lock().await;
        if freshness.is_fresh(needed) {
            return Ok(()); // (2)
        }
        if let Some((began, error)) = &freshness.known.lock().failed
            && *began >= called_at
        {
            return Err(error.clone()); // (3)
        }
        let began = Instant::now();
        let round = timeout_at(began + ROUND_TIMEOUT, round(node, &mut connection)).await;
        let result = round.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let mut known = freshness.known.lock();
        match result {
            Ok(()) => {
                known.fresh_at = Some(began); // (1)
                Ok(())
            }
            Err(reason) => {
                let message = format!("how fresh this node is cannot be made sure: {reason}");
                let error = CallError { code: codes::NOT_LEADER, message };
                known.failed = Some((began, error.clone()));
                Err(error)
            }
        }
    }

    fn is_fresh(&self, needed: Option<Instant>) -> bool {
        self.known.lock().fresh_at.is_some_and(|at| needed.is_none_or(|needed| at >= needed))
    }
}

/// Asks who leads for an index and waits until it is applied here.
async fn round(node: &Shared, connection: &mut Option<(String, Asking)>) -> Result<(), String> {
    let index = if node.engine.is_leading() {
        node.engine.barrier().await.map_err(|error| error.to_string())?
    } else {
        ask_leader(node, connection).await?
    };
    node.engine.wait_applied(index).await;
    Ok(())
}

async fn ask_leader(
    node: &Shared,
    connection: &mut Option<(String, Asking)>,
) -> Result<u64, String> {
    let leader = node.raft.leader().ok_or("no leader is known")?;
    // Not kept, should the wait for its answer be given up.
    let kept = connection.take().filter(|(address, _)| *address == leader.address);
    if let Some((address, mut asking)) = kept
        && let Ok(index) = asking.barrier().await
    {
        *connection = Some((address, asking));
        return Ok(index);
    }
    let ask = async {
        let mut asking = Asking::connect(&*node.env.network, &leader.address).await?;
        let index = asking.barrier().await?;
        std::io::Result::Ok((index, asking))
    };
    match ask.await {
        Ok((index, asking)) => {
            *connection = Some((leader.address, asking));
            Ok(index)
        }
        Err(error) => Err(format!("{}: {error}", leader.address)),
    }
}
