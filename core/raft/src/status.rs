//! What a node tells about itself.

use crate::member::{Member, Role};
use crate::types::{Metrics, position_or_zero};
use crate::view;

/// Who leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The leader's number.
    pub id: u64,
    /// Where it is reached.
    pub address: String,
    /// The term it leads.
    pub term: u64,
}

/// A node's state, as of a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The node's number.
    pub id: u64,
    /// Its role; `None` as long as it is in no cluster.
    pub role: Option<Role>,
    /// Who leads, as far as the node knows.
    pub leader: Option<Leader>,
    /// The highest term the node has seen.
    pub term: u64,
    /// The last entry in the node's log, durable or not.
    pub last_index: u64,
    /// The last entry that the node knows to be committed.
    pub commit_index: u64,
    /// The last entry that was applied here.
    pub applied_index: u64,
    /// The last entry that the last checkpoint holds.
    pub snapshot_index: u64,
    /// The last entry that is no longer in the log.
    pub purged_index: u64,
    /// All members, by id.
    pub members: Vec<Member>,
}

impl Status {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let index = |id| position_or_zero(id).index;
        let members = view::members(metrics.membership_config.membership());
        let own = members.iter().find(|member| member.id == metrics.id);
        Self {
            id: metrics.id,
            role: own.map(|member| member.role),
            leader: leader(metrics),
            term: metrics.current_term,
            last_index: metrics.last_log_index.map_or(0, |index| index + 1),
            commit_index: index(metrics.local_committed),
            applied_index: index(metrics.last_applied),
            snapshot_index: index(metrics.snapshot),
            purged_index: index(metrics.purged),
            members,
        }
    }
}

/// Who leads, if the membership still says where it is.
pub(crate) fn leader(metrics: &Metrics) -> Option<Leader> {
    let id = metrics.current_leader?;
    let info = metrics.membership_config.membership().get_node(&id)?;
    Some(Leader { id, address: info.address.clone(), term: metrics.current_term })
}
