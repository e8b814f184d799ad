//! What a leader knows of the other members.

use std::time::Duration;

use openraft::Instant as _;
use openraft::async_runtime::watch::WatchReceiver;

use crate::node::Node;
use crate::types::{Metrics, position_or_zero};

/// Another member, as the leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    /// The member's number.
    pub id: u64,
    /// How long ago it last answered this leader, counted from the question; `None` when it never
    /// did.
    pub heard_ago: Option<Duration>,
    /// The last entry that it is known to have.
    pub matched_index: u64,
}

impl Node {
    /// All other members, by id; `None` when this node does not lead.
    pub fn followers(&self) -> Option<Vec<Follower>> {
        of(&self.raft().metrics().borrow_watched())
    }
}

fn of(metrics: &Metrics) -> Option<Vec<Follower>> {
    let leads = metrics.running_state.is_ok() && metrics.state.is_leader();
    let (true, Some(heard), Some(matched)) = (leads, &metrics.heartbeat, &metrics.replication)
    else {
        return None;
    };
    let members = metrics.membership_config.membership().nodes();
    let follower = |id: u64| Follower {
        id,
        heard_ago: heard.get(&id).copied().flatten().map(|at| at.elapsed()),
        matched_index: position_or_zero(matched.get(&id).copied().flatten()).index,
    };
    Some(members.map(|(id, _)| *id).filter(|id| *id != metrics.id).map(follower).collect())
}
