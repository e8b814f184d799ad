//! Tells the engine when this node leads.
//!
//! 1. `lead` comes once the node has applied an entry of its own term: nothing of an earlier term
//!    is left to apply then.
//! 2. Every `lead` is followed by a `follow` before the next `lead`.

use std::sync::Arc;

use dqlite_engine::Machine;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::{Notify, watch};

use crate::types::{Metrics, Raft};

/// The term that the engine may lead now.
fn leading(metrics: &Metrics) -> Option<u64> {
    let applied_term = metrics.last_applied.map(|id| *id.leader_id);
    let leads = metrics.running_state.is_ok() && metrics.state.is_leader();
    (leads && applied_term == Some(metrics.current_term)).then_some(metrics.current_term) // (1)
}

/// Whether the engine may go on with `term`.
fn still_leads(metrics: &Metrics, term: u64) -> bool {
    crate::view::leads(metrics, term)
}

/// Runs until openraft ends or the node stops, and gives what openraft died of.
pub(crate) async fn watch(
    raft: Raft,
    machine: Arc<dyn Machine>,
    refused: Arc<Notify>,
    mut stopping: watch::Receiver<bool>,
) -> Option<String> {
    let mut metrics = raft.metrics();
    let mut led = None;
    let died = loop {
        let (next, goes_on, died) = {
            let metrics = metrics.borrow_watched();
            let goes_on = led.is_some_and(|term| still_leads(&metrics, term));
            let died = metrics.running_state.as_ref().err().map(ToString::to_string);
            (leading(&metrics), goes_on, died)
        };
        if died.is_some() {
            break died;
        }
        if led.is_some() && !goes_on {
            machine.follow().await; // (2)
            led = None;
            continue;
        }
        if led.is_none()
            && let Some(term) = next
        {
            machine.lead(term).await;
            led = Some(term);
            continue;
        }
        tokio::select! {
            biased;
            () = stopped(&mut stopping) => break None,
            changed = metrics.changed() => {
                if changed.is_err() {
                    break Some("consensus has ended".to_owned());
                }
            }
            () = refused.notified() => {
                // The engine gave its pipeline up: it begins a new one in the same term.
                if led.take().is_some() {
                    machine.follow().await;
                }
            }
        }
    };
    if led.is_some() {
        machine.follow().await;
    }
    died
}

/// Resolves once the node stops.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Without a sender there is no node any more.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

#[cfg(test)]
mod tests {
    use dqlite_engine::Position;
    use openraft::ServerState;

    use super::*;
    use crate::types::log_id;

    /// (1)
    #[test]
    fn a_leader_leads_once_it_has_applied_an_entry_of_its_term() {
        let mut metrics = Metrics::new_initial(1);
        metrics.current_term = 3;
        metrics.state = ServerState::Leader;
        assert_eq!(leading(&metrics), None);
        metrics.last_applied = Some(log_id(Position { term: 2, index: 9 }));
        assert_eq!(leading(&metrics), None);
        metrics.last_applied = Some(log_id(Position { term: 3, index: 10 }));
        assert_eq!(leading(&metrics), Some(3));
        metrics.state = ServerState::Follower;
        assert_eq!(leading(&metrics), None);
    }
}
