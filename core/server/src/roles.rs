//! The leader keeps the number of voters up, without being asked.
//!
//! 1. Nothing happens in haste: what is to be done must have been so, without a break, for as long
//!    as the patience that the settings name. A node that restarts keeps its role.
//! 2. One change at a time, each decided on how the members stand just then.
//! 3. A vote goes only to a node that answers clients too, and has the log.
//!
//! ```text
//! what raft knows of the members ── policy ── the same for long? ── survey ── policy ── change
//! ```

mod policy;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dqlite_raft::{Follower, Member, Role};
use tokio::time::Instant;

use crate::node::Shared;
use crate::placement::Standing;
use crate::survey;
use policy::{Seen, Step, next_step};

/// The members are looked at so many times within the patience.
const LOOKS: u32 = 5;
/// A member that has all but so many entries has nearly all.
const LAG_MAX: u64 = 1000;

/// Looks after the roles whenever this node leads, until dropped.
pub(crate) async fn keep(node: Arc<Shared>) {
    let Some(patience) = node.options.roles_patience else { return };
    let patience = patience.max(silence(&node));
    let mut wish = Wish::default();
    loop {
        tokio::time::sleep(patience / LOOKS).await;
        let step = look(&node);
        if !wish.is_due(step.map(Step::lost), patience, Instant::now()) {
            continue;
        }
        if let Some(step) = look_closely(&node).await {
            change(&node, step).await;
        }
        wish = Wish::default();
    }
}

/// What is to be done, and since when (1).
#[derive(Debug, Default)]
struct Wish {
    since: Option<(Option<u64>, Instant)>,
}

impl Wish {
    /// Notes that something about the voter `lost` is to be done, or about none; outside that
    /// nothing is. True when that has been so for long.
    fn is_due(&mut self, wish: Option<Option<u64>>, patience: Duration, now: Instant) -> bool {
        let since = match (self.since, wish) {
            (_, None) => None,
            (Some((before, since)), Some(lost)) if before == lost => Some((lost, since)),
            (_, Some(lost)) => Some((lost, now)),
        };
        self.since = since;
        since.is_some_and(|(_, since)| now.duration_since(since) >= patience)
    }
}

/// Who was not heard of for so long is out of reach.
fn silence(node: &Shared) -> Duration {
    node.options.election_max * 3
}

/// What should be done, by what is known without asking anybody.
fn look(node: &Shared) -> Option<Step> {
    let unknown = |member: &Member| {
        let Member { id, role, .. } = *member;
        Some(Standing { id, role, failure_domain: 0, weight: 0 })
    };
    next_step(&seen(node, unknown)?, node.options.voters)
}

/// The same, by what the members say of themselves; those that are silent count as out of reach.
async fn look_closely(node: &Shared) -> Option<Step> {
    let members = node.raft.members();
    let own = node.identity.id;
    let others = members.into_iter().filter(|member| member.id != own).collect();
    let answers = survey::ask(node, others).await;
    let told = |member: &Member| {
        let Member { id, role, .. } = *member;
        if id == own {
            let failure_domain = node.options.failure_domain;
            let weight = node.weight.load(Ordering::SeqCst);
            return Some(Standing { id, role, failure_domain, weight });
        }
        let answer = answers.iter().find(|answer| answer.standing.id == id)?;
        Some(Standing { role, ..answer.standing })
    };
    next_step(&seen(node, told)?, node.options.voters)
}

/// The members, if this node leads. Those that `standing` does not know cannot take a vote (3).
fn seen(node: &Shared, standing: impl Fn(&Member) -> Option<Standing>) -> Option<Vec<Seen>> {
    if !node.engine.is_leading() {
        return None;
    }
    let followers = node.raft.followers()?;
    let status = node.raft.status();
    let silence = silence(node);
    let member = |member: &Member| {
        let follower = followers.iter().find(|it: &&Follower| it.id == member.id);
        let own = member.id == status.id;
        let heard = follower.and_then(|it| it.heard_ago).is_some_and(|ago| ago <= silence);
        let caught_up = follower.is_some_and(|it| it.matched_index + LAG_MAX >= status.last_index);
        let known = standing(member);
        let unknown = Standing { id: member.id, role: member.role, failure_domain: 0, weight: 0 };
        Seen {
            standing: known.unwrap_or(unknown),
            // A voter that raft hears of does its work, whatever else it does not answer.
            reachable: own || (heard && (known.is_some() || member.role == Role::Voter)),
            caught_up: own || caught_up,
        }
    };
    Some(status.members.iter().map(member).collect())
}

async fn change(node: &Shared, step: Step) {
    let changed = match step {
        Step::Promote(id) => node.raft.assign(id, Role::Voter).await,
        Step::Replace { lost, by } => node.raft.replace_voter(lost, by).await,
        Step::Demote(id) => node.raft.assign(id, Role::Spare).await,
    };
    match changed {
        Ok(()) => tracing::info!(?step, "changed the roles of members"),
        // It is looked at again.
        Err(error) => tracing::info!(?step, %error, "could not change the roles of members"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (1)
    #[tokio::test(start_paused = true)]
    async fn what_is_wished_must_last() {
        let (patience, start) = (Duration::from_secs(10), Instant::now());
        let mut wish = Wish::default();
        let mut at =
            |second, wished| wish.is_due(wished, patience, start + Duration::from_secs(second));
        assert!(!at(0, Some(Some(1))) && !at(9, Some(Some(1))) && at(10, Some(Some(1))));
        // A break, another voter, or another kind of wish begins anew.
        assert!(!at(11, None) && !at(12, Some(Some(1))) && !at(20, Some(Some(1))));
        assert!(!at(21, Some(Some(2))) && !at(30, Some(None)) && !at(39, Some(None)));
        assert!(at(40, Some(None)));
    }
}
