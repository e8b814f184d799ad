//! How a node gives up what it does for its cluster, before it stops.
//!
//! 1. Whoever takes the vote votes before this node does not any more: in between the cluster has a
//!    voter more, never one less.
//! 2. A leader gives the lead away before its vote, to a voter that was heard of a moment ago.
//! 3. Nothing is given to a node that does not answer, or that lags behind.

use std::time::Duration;

use dqlite_raft::{Error as RaftError, Member, Role};
use dqlite_wire::{Request, Response, codes};
use tokio::time::Instant;

use crate::asking::Asking;
use crate::error::Error;
use crate::node::Shared;
use crate::placement::best_first;
use crate::survey;

/// How long all of it may take.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait before a leader that was busy, or not there, is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// A node that has applied all but so many entries is up to date: it has the rest in a moment.
const LAG_MAX: u64 = 1000;

/// See [`Node::handover`](crate::Node::handover).
pub(crate) async fn give_up(node: &Shared) -> Result<(), Error> {
    let deadline = Instant::now() + HANDOVER_TIMEOUT;
    let status = node.raft.status();
    let Some(role) = status.role else { return Err(Error::NobodyToTakeOver) };
    let others: Vec<_> =
        status.members.iter().filter(|member| member.id != status.id).cloned().collect();
    if others.is_empty() {
        return Err(Error::NobodyToTakeOver);
    }
    if role != Role::Voter {
        return assign(node, status.id, Role::Spare, deadline).await;
    }
    let replaced = replace(node, others, status.applied_index, deadline).await?; // (1)
    let leads = node.raft.leader().is_some_and(|leader| leader.id == status.id);
    if leads {
        match node.raft.transfer(0).await {
            Ok(()) | Err(RaftError::NotLeader) => {}
            Err(RaftError::TransferFailed) if !replaced => return Err(Error::NobodyToTakeOver),
            Err(error) => return Err(error.into()),
        }
    }
    match (replaced, leads) {
        (true, _) => assign(node, status.id, Role::Spare, deadline).await,
        (false, true) => Ok(()),
        (false, false) => Err(Error::NobodyToTakeOver),
    }
}

/// Makes another node a voter; false when none is fit.
async fn replace(
    node: &Shared,
    others: Vec<Member>,
    applied_index: u64,
    deadline: Instant,
) -> Result<bool, Error> {
    let answers = survey::ask(node, others).await;
    let of = |votes: bool| {
        let those = answers.iter().filter(move |it| (it.standing.role == Role::Voter) == votes);
        those.filter(move |it| votes || it.applied_index + LAG_MAX >= applied_index) // (3)
    };
    let voters: Vec<_> = of(true).map(|answer| answer.standing).collect();
    let candidates = of(false).map(|answer| answer.standing).collect();
    for candidate in best_first(candidates, &voters) {
        match assign(node, candidate.id, Role::Voter, deadline).await {
            Ok(()) => return Ok(true),
            Err(Error::Raft(RaftError::NotCaughtUp | RaftError::UnknownId(_))) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Has the leader, whoever that is, give a member a role that it may have already.
async fn assign(node: &Shared, id: u64, role: Role, deadline: Instant) -> Result<(), Error> {
    loop {
        let assigned = try_assign(node, id, role).await;
        match assigned {
            Ok(()) | Err(Error::Raft(RaftError::AlreadyHasRole)) => return Ok(()),
            Err(Error::Raft(
                RaftError::NotLeader | RaftError::ChangeInProgress | RaftError::Unsettled,
            )) if Instant::now() < deadline => {
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn try_assign(node: &Shared, id: u64, role: Role) -> Result<(), Error> {
    let leader = node.raft.leader().ok_or(RaftError::NotLeader)?;
    if leader.id == node.identity.id {
        return Ok(node.raft.assign(id, role).await?);
    }
    let role = match role {
        Role::Voter => dqlite_wire::Role::Voter,
        Role::StandBy => dqlite_wire::Role::Standby,
        Role::Spare => dqlite_wire::Role::Spare,
    };
    // A leader that is not reached, or breaks off, may be none any more.
    let asked = async {
        let mut asking = Asking::connect(&*node.env.network, &leader.address).await?;
        asking.ask(&Request::Assign { id, role }).await
    };
    match asked.await {
        Ok(Response::Empty) => Ok(()),
        Ok(Response::Failure { code, message }) => Err(refused(code, &message, id)),
        Ok(_) | Err(_) => Err(RaftError::NotLeader.into()),
    }
}

/// What a leader's refusal means, as its gateway spells it.
fn refused(code: u64, message: &str, id: u64) -> Error {
    // It does not lead, or stopped to, or cannot tell: a role that was given is not given again.
    if codes::primary(code) == codes::IO {
        return RaftError::NotLeader.into();
    }
    if codes::primary(code) == codes::BUSY {
        return RaftError::ChangeInProgress.into();
    }
    if message == codes::messages::SERVER_ROLE_INVALID {
        return RaftError::AlreadyHasRole.into();
    }
    if message == RaftError::NotCaughtUp.to_string() {
        return RaftError::NotCaughtUp.into();
    }
    tracing::debug!(code, message, id, "the leader refuses a role");
    std::io::Error::other(format!("the leader refuses: {message} (code {code})")).into()
}
