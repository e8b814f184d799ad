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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use openraft::metrics::SerdeInstant;

    use super::*;
    use crate::types::{RaftInstant, StoredMembership};

    fn membership(voters: &[u64], role: Role) -> Membership {
        let info = MemberInfo { address: String::new(), role };
        let nodes: BTreeMap<_, _> = (1..=3).map(|id| (id, info.clone())).collect();
        Membership::new(vec![voters.iter().copied().collect()], nodes).unwrap()
    }

    #[tokio::test]
    async fn a_lease_lasts_as_long_as_a_quorum_was_heard_of_recently() {
        let lease = Duration::from_secs(5);
        let mut metrics = Metrics::new_initial(1);
        let mut holds = |voters: &[u64], acked_ago: Option<u64>| {
            let stored = StoredMembership::new(None, membership(voters, Role::Voter));
            metrics.membership_config = Arc::new(stored);
            let acked = acked_ago.map(|ago| RaftInstant::now() - Duration::from_secs(ago));
            metrics.last_quorum_acked = acked.map(SerdeInstant::new);
            holds_lease(&metrics, lease)
        };
        assert!(holds(&[1, 2, 3], Some(4)));
        assert!(!holds(&[1, 2, 3], Some(6)));
        assert!(!holds(&[1, 2, 3], None));
        assert!(holds(&[1], None));
        assert!(!holds(&[2], None));
    }

    #[test]
    fn the_sets_of_voters_outrank_the_roles_assigned() {
        let role = |voters: &[u64], assigned| {
            let membership = membership(voters, assigned);
            members(&membership)[1].role
        };
        assert_eq!(role(&[1, 2], Role::Spare), Role::Voter);
        assert_eq!(role(&[1], Role::Voter), Role::Spare);
        assert_eq!(role(&[1], Role::StandBy), Role::StandBy);
    }
}
