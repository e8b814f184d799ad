//! What was applied since the manifest, as far as a new manifest will need it.

use std::collections::VecDeque;

use crate::manifest::Manifest;
use crate::types::{self, LogId, StoredMembership};
use dqlite_engine::Position;

/// Where terms began and which memberships were applied, from the manifest on.
///
/// A checkpoint gives an index only; the term of that entry and the membership as of it are looked
/// up here.
#[derive(Debug)]
pub(crate) struct History {
    base: Manifest,
    last: Option<LogId>,
    /// The first entry of each term.
    terms: VecDeque<LogId>,
    memberships: VecDeque<StoredMembership>,
}

impl History {
    pub(crate) fn new(base: Manifest) -> Self {
        let last = base.last;
        Self { base, last, terms: VecDeque::new(), memberships: VecDeque::new() }
    }

    /// What is durable.
    pub(crate) fn base(&self) -> &Manifest {
        &self.base
    }

    /// The last entry applied.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.last
    }

    /// The last membership applied.
    pub(crate) fn membership(&self) -> &StoredMembership {
        self.memberships.back().unwrap_or(&self.base.membership)
    }

    /// Notes that the entry `id` was applied.
    pub(crate) fn push(&mut self, id: LogId) {
        debug_assert!(self.last < Some(id));
        if self.last.is_none_or(|last| last.leader_id != id.leader_id) {
            self.terms.push_back(id);
        }
        self.last = Some(id);
    }

    /// Notes that the entry just applied was this membership.
    pub(crate) fn push_membership(&mut self, membership: StoredMembership) {
        self.memberships.push_back(membership);
    }

    /// The manifest for the entry number `index`, from 1; `None` when it is not after the durable
    /// one or was not applied.
    pub(crate) fn manifest_at(&self, index: u64) -> Option<Manifest> {
        let base_index = types::position_or_zero(self.base.last).index;
        if index <= base_index || index > types::position_or_zero(self.last).index {
            return None;
        }
        let is_before = |id: &LogId| types::position(*id).index <= index;
        let started = self.terms.iter().rev().find(|id| is_before(id));
        let term = started.or(self.base.last.as_ref()).map(|id| *id.leader_id)?;
        let membership = self
            .memberships
            .iter()
            .rev()
            .find(|stored| stored.log_id().as_ref().is_some_and(is_before))
            .unwrap_or(&self.base.membership);
        Some(Manifest {
            last: Some(types::log_id(Position { term, index })),
            membership: membership.clone(),
        })
    }

    /// Notes that `manifest` is durable now.
    pub(crate) fn rebase(&mut self, manifest: Manifest) {
        self.terms.retain(|id| Some(*id) > manifest.last);
        self.memberships.retain(|stored| *stored.log_id() > manifest.last);
        self.last = self.last.max(manifest.last);
        self.base = manifest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(term: u64, index: u64) -> LogId {
        types::log_id(Position { term, index })
    }

    fn membership(term: u64, index: u64) -> StoredMembership {
        StoredMembership::new(Some(id(term, index)), Default::default())
    }

    fn applied() -> History {
        let mut history = History::new(Manifest::default());
        for (term, index) in [(0, 1), (1, 2), (1, 3), (4, 4), (4, 5), (6, 6)] {
            history.push(id(term, index));
            if index == 1 || index == 5 {
                history.push_membership(membership(term, index));
            }
        }
        history
    }

    #[test]
    fn a_manifest_has_the_term_and_the_membership_of_its_entry() {
        let history = applied();
        for (term, index, stored) in
            [(0, 1, (0, 1)), (1, 3, (0, 1)), (4, 4, (0, 1)), (4, 5, (4, 5)), (6, 6, (4, 5))]
        {
            let manifest = history.manifest_at(index).unwrap();
            assert_eq!(manifest.last, Some(id(term, index)));
            assert_eq!(manifest.membership, membership(stored.0, stored.1));
        }
        assert_eq!(history.manifest_at(7), None);
        assert_eq!(history.manifest_at(0), None);
    }

    #[test]
    fn what_is_durable_is_forgotten_and_still_known() {
        let mut history = applied();
        let manifest = history.manifest_at(4).unwrap();
        history.rebase(manifest.clone());
        assert_eq!(history.base(), &manifest);
        assert_eq!(history.manifest_at(4), None);
        assert_eq!(history.manifest_at(5).unwrap().last, Some(id(4, 5)));
        assert_eq!(history.manifest_at(5).unwrap().membership, membership(4, 5));
        assert_eq!(history.last(), Some(id(6, 6)));
        assert_eq!(history.terms.len(), 1);
    }
}
