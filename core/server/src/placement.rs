//! Which of several nodes should vote.

use std::cmp::Reverse;

use dqlite_raft::Role;

/// A member, as far as it matters for where votes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub id: u64,
    pub role: Role,
    /// Nodes with the same number may fail together.
    pub failure_domain: u64,
    /// How little the node wants to vote.
    pub weight: u64,
}

/// `candidates`, the best to vote beside `voters` first: in the failure domain with the fewest of
/// them, then stand-bys before spares, then the lower weight.
pub(crate) fn best_first(mut candidates: Vec<Standing>, voters: &[Standing]) -> Vec<Standing> {
    let beside = |it: &Standing| {
        voters.iter().filter(|voter| voter.failure_domain == it.failure_domain).count()
    };
    candidates.sort_by_key(|it| (beside(it), Reverse(it.role == Role::StandBy), it.weight, it.id));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(id: u64, role: Role, failure_domain: u64, weight: u64) -> Standing {
        Standing { id, role, failure_domain, weight }
    }

    fn order(candidates: &[Standing], voters: &[Standing]) -> Vec<u64> {
        best_first(candidates.to_vec(), voters).iter().map(|it| it.id).collect()
    }

    #[test]
    fn domains_come_before_roles_and_roles_before_weights() {
        use Role::{Spare, StandBy, Voter};
        let voters = [standing(1, Voter, 1, 0), standing(2, Voter, 1, 0), standing(3, Voter, 2, 0)];
        let candidates = [
            standing(4, StandBy, 1, 0),
            standing(5, Spare, 2, 0),
            standing(6, StandBy, 2, 9),
            standing(7, StandBy, 2, 3),
            standing(8, Spare, 3, 7),
            standing(9, Spare, 3, 7),
        ];
        assert_eq!(order(&candidates, &voters), [8, 9, 7, 6, 5, 4]);
        assert_eq!(order(&candidates, &[]), [4, 7, 6, 5, 8, 9]);
    }
}
