//! Changes of the membership, one at a time, and of the leader.
//!
//! 1. A change is decided on a membership and made only if that one still stands.
//! 2. A change that needs two steps runs to its end even when nobody waits for it any more; if its
//!    leader is lost half way, the next leader completes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{ChangeMembers, Instant as _, Precondition};
use tokio::time::{Instant, timeout_at};

use crate::error::Error;
use crate::handle::Handle;
use crate::member::{MemberInfo, Role};
use crate::options::ADDRESS_BYTES_MAX;
use crate::types::{Membership, Metrics, MetricsReceiver, Raft, RaftInstant};
use crate::view;

type Changes = ChangeMembers<u64, MemberInfo>;

/// What is to be done, and whether a voter that goes stays as a member.
struct Plan {
    changes: Changes,
    retain: bool,
}

/// Changes who is in the cluster and who leads it.
#[derive(Clone, Debug)]
pub(crate) struct Changer {
    pub raft: Raft,
    pub handle: Arc<Handle>,
    pub election_max: Duration,
    pub catch_up_timeout: Duration,
    /// Held while this node makes a change that it was asked for.
    pub asked: Arc<tokio::sync::Mutex<()>>,
    /// Held while this node changes the membership, or looks whether it has to.
    pub turn: Arc<tokio::sync::Mutex<()>>,
}

impl Changer {
    pub(crate) async fn add(&self, id: u64, address: String) -> Result<(), Error> {
        if id == 0 || address.is_empty() || address.len() > ADDRESS_BYTES_MAX {
            return Err(Error::Options(format!("node {id} at {address:?}")));
        }
        self.change(move |membership| {
            if membership.get_node(&id).is_some() {
                return Err(Error::IdInUse(id));
            }
            if membership.nodes().any(|(_, info)| info.address == address) {
                return Err(Error::AddressInUse(address));
            }
            let info = MemberInfo { address, role: Role::Spare };
            Ok(Plan { changes: Changes::AddNodes(BTreeMap::from([(id, info)])), retain: true })
        })
        .await
    }

    pub(crate) async fn assign(&self, id: u64, role: Role) -> Result<(), Error> {
        if role == Role::Voter {
            self.wait_for_catch_up(id).await?;
        }
        self.change(move |membership| {
            let info = membership.get_node(&id).ok_or(Error::UnknownId(id))?;
            let now = view::role_of(membership, id, info);
            if now == role {
                return Err(Error::AlreadyHasRole);
            }
            let info = MemberInfo { role, ..info.clone() };
            let mut changes = vec![Changes::SetNodes(BTreeMap::from([(id, info)]))];
            match (now, role) {
                (_, Role::Voter) => changes.push(Changes::AddVoterIds([id].into())),
                (Role::Voter, _) => changes.push(Changes::RemoveVoters([id].into())),
                _ => {}
            }
            Ok(Plan { changes: Changes::Batch(changes), retain: true })
        })
        .await
    }

    pub(crate) async fn remove(&self, id: u64) -> Result<(), Error> {
        self.change(move |membership| {
            let info = membership.get_node(&id).ok_or(Error::UnknownId(id))?;
            let changes = match view::role_of(membership, id, info) {
                Role::Voter => Changes::RemoveVoters([id].into()),
                _ => Changes::RemoveNodes([id].into()),
            };
            Ok(Plan { changes, retain: false })
        })
        .await
    }

    /// Makes the change that `plan` derives from the present membership.
    async fn change(
        &self,
        plan: impl FnOnce(&Membership) -> Result<Plan, Error>,
    ) -> Result<(), Error> {
        let Ok(asked) = self.asked.clone().try_lock_owned() else {
            return Err(Error::ChangeInProgress);
        };
        // Whoever only looks is done in a moment; who completes a change may not be.
        let turn = tokio::time::timeout(self.election_max, self.turn.clone().lock_owned());
        let Ok(turn) = turn.await else { return Err(Error::ChangeInProgress) };
        let (plan, standing) = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow_watched();
            ensure_leads(&metrics)?;
            let effective = &metrics.membership_config;
            let settled = metrics.committed_membership_config.log_id() == effective.log_id();
            if !settled || view::is_joint(effective.membership()) {
                return Err(Error::ChangeInProgress);
            }
            (plan(effective.membership())?, *effective.log_id())
        };
        let this = self.clone();
        let made = tokio::spawn(async move {
            let _held = (asked, turn); // (2)
            // (1)
            let stands = Precondition::LastMembershipLogId { last_membership_log_id: standing };
            let done = this.raft.change_membership_if(plan.changes, plan.retain, [stands]).await?;
            let mut metrics = this.raft.metrics();
            loop {
                {
                    let metrics = metrics.borrow_watched();
                    // The metrics may lag behind the answer: the next change asks them.
                    if *metrics.committed_membership_config.log_id() >= Some(done.log_id)
                        || !metrics.state.is_leader()
                    {
                        return Ok(());
                    }
                }
                metrics.changed().await.map_err(|_| Error::Stopped)?;
            }
        });
        made.await.map_err(|_| Error::Stopped)?
    }

    /// Waits until the member has nearly the whole log, so that the cluster can count on it.
    async fn wait_for_catch_up(&self, id: u64) -> Result<(), Error> {
        let deadline = Instant::now() + self.catch_up_timeout;
        let mut metrics = self.raft.metrics();
        let mut goal = None;
        loop {
            {
                let metrics = metrics.borrow_watched();
                ensure_leads(&metrics)?;
                let membership = metrics.membership_config.membership();
                let info = membership.get_node(&id).ok_or(Error::UnknownId(id))?;
                if view::role_of(membership, id, info) == Role::Voter || id == metrics.id {
                    return Ok(());
                }
                let goal = *goal.get_or_insert(metrics.last_log_index);
                let replication = metrics.replication.as_ref();
                let matched = replication.and_then(|all| *all.get(&id)?).map(|at| at.index);
                if matched >= goal {
                    return Ok(());
                }
            }
            match timeout_at(deadline, metrics.changed()).await {
                Ok(changed) => changed.map_err(|_| Error::Stopped)?,
                Err(_) => return Err(Error::NotCaughtUp),
            }
        }
    }

    /// Completes a change that an earlier leader left half way.
    pub(crate) async fn complete(&self) {
        let Ok(_turn) = self.turn.clone().try_lock_owned() else { return };
        let joint = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow_watched();
            metrics.state.is_leader() && view::is_joint(metrics.membership_config.membership())
        };
        if joint {
            let nothing = Changes::AddVoterIds(Default::default());
            if let Err(error) = self.raft.change_membership(nothing, true).await {
                tracing::warn!(%error, "could not complete a change of the membership");
            }
        }
    }

    /// Hands leadership to `to`, or, if that is 0, to the voter that is most up to date.
    pub(crate) async fn transfer(&self, to: u64) -> Result<(), Error> {
        let mut metrics = self.raft.metrics();
        if to == *self.raft.node_id() {
            return ensure_leads(&metrics.borrow_watched());
        }
        let begun = RaftInstant::now();
        self.raft.trigger().heartbeat().await.map_err(|_| Error::Stopped)?;
        let deadline = Instant::now() + self.election_max;
        let (term, to) = loop {
            {
                let metrics = metrics.borrow_watched();
                ensure_leads(&metrics)?;
                if let Some(to) = successor(&metrics, to, begun)? {
                    break (metrics.current_term, to);
                }
            }
            changed_before(deadline, &mut metrics).await?;
        };
        // Before the other one is asked: no lease counts from here on.
        self.handle.yielded.store(term, Ordering::SeqCst);
        self.raft.trigger().transfer_leader(to).await.map_err(|_| Error::Stopped)?;
        let deadline = Instant::now() + self.election_max;
        while view::leads(&metrics.borrow_watched(), term) {
            changed_before(deadline, &mut metrics).await?;
        }
        Ok(())
    }
}

async fn changed_before(deadline: Instant, metrics: &mut MetricsReceiver) -> Result<(), Error> {
    match timeout_at(deadline, metrics.changed()).await {
        Ok(changed) => changed.map_err(|_| Error::Stopped),
        Err(_) => Err(Error::TransferFailed),
    }
}

/// The voter to take over, if one has been heard from since `begun`: a leader that hands over to a
/// node that is not there takes no writes until an election.
fn successor(metrics: &Metrics, to: u64, begun: RaftInstant) -> Result<Option<u64>, Error> {
    let membership = metrics.membership_config.membership();
    let is_candidate = |id: &u64| *id != metrics.id && (to == 0 || to == *id);
    if to != 0 {
        membership.get_node(&to).ok_or(Error::UnknownId(to))?;
    }
    if !membership.voter_ids().any(|id| is_candidate(&id)) {
        return Err(Error::TransferFailed);
    }
    let heard = |id: &u64| {
        let acked = metrics.heartbeat.as_ref().and_then(|all| *all.get(id)?);
        acked.is_some_and(|acked| *acked >= begun)
    };
    let matched = |id: &u64| metrics.replication.as_ref().and_then(|all| *all.get(id)?);
    let candidates = membership.voter_ids().filter(|id| is_candidate(id) && heard(id));
    Ok(candidates.max_by_key(|id| (matched(id), std::cmp::Reverse(*id))))
}

fn ensure_leads(metrics: &Metrics) -> Result<(), Error> {
    if metrics.running_state.is_err() {
        return Err(Error::Stopped);
    }
    if metrics.state.is_leader() { Ok(()) } else { Err(Error::NotLeader) }
}

/// No term is ever this one.
pub(crate) fn nothing_yielded() -> AtomicU64 {
    AtomicU64::new(u64::MAX)
}
