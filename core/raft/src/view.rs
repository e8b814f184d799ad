//! Openraft's metrics, read the way this crate needs them.

use std::time::Duration;

use openraft::Instant as _;

use crate::member::{Member, MemberInfo, Role};
use crate::types::{Membership, Metrics};

/// What the role of a member amounts to. While a change is under way, or after one that stopped
/// half way, what counts is who votes.
pub(crate) fn role_of(membership: &Membership, id: u64, info: &MemberInfo) -> Role {
    let votes = membership.get_joint_config().last().is_some_and(|config| config.contains(&id));
    match (votes, info.role) {
        (true, _) => Role::Voter,
        (false, Role::Voter) => Role::Spare,
        (false, role) => role,
    }
}

/// All members, by id.
pub(crate) fn members(membership: &Membership) -> Vec<Member> {
    membership
        .nodes()
        .map(|(id, info)| Member {
            id: *id,
            address: info.address.clone(),
            role: role_of(membership, *id, info),
        })
        .collect()
}

pub(crate) fn is_joint(membership: &Membership) -> bool {
    membership.get_joint_config().len() > 1
}

/// Whether the node leads `term`.
pub(crate) fn leads(metrics: &Metrics, term: u64) -> bool {
    metrics.running_state.is_ok() && metrics.state.is_leader() && metrics.current_term == term
}

/// Whether a quorum heard from this leader less than `lease` ago. Alone it needs to ask nobody.
pub(crate) fn holds_lease(metrics: &Metrics, lease: Duration) -> bool {
    let mut voters = metrics.membership_config.membership().voter_ids();
    match (voters.next(), voters.next()) {
        (Some(only), None) => only == metrics.id,
        _ => metrics.last_quorum_acked.is_some_and(|acked| acked.elapsed() < lease),
    }
}
