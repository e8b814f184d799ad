//! What other members say of themselves.

use std::io;
use std::time::Duration;

use dqlite_env::Network;
use dqlite_raft::Member;
use dqlite_wire::{Request, Response};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::asking::Asking;
use crate::node::Shared;
use crate::placement::Standing;

/// Who does not answer in this time counts as not there.
const SURVEY_TIMEOUT: Duration = Duration::from_secs(3);

/// A member that answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub standing: Standing,
    /// The last entry that it has applied.
    pub applied_index: u64,
}

/// Asks `members` all at once; those that do not answer are left out. Sorted by id.
pub(crate) async fn ask(node: &Shared, members: Vec<Member>) -> Vec<Answer> {
    let mut asked = JoinSet::new();
    for member in members {
        let network = node.env.network.clone();
        asked.spawn(async move {
            match timeout(SURVEY_TIMEOUT, ask_one(&*network, &member)).await {
                Ok(Ok(answer)) => Some(answer),
                Ok(Err(error)) => {
                    tracing::debug!(id = member.id, %error, "a member does not answer");
                    None
                }
                Err(_) => None,
            }
        });
    }
    let mut answers: Vec<_> = asked.join_all().await.into_iter().flatten().collect();
    answers.sort_by_key(|answer| answer.standing.id);
    answers
}

async fn ask_one(network: &dyn Network, member: &Member) -> io::Result<Answer> {
    let out_of_place = || io::Error::other("an answer out of place");
    let mut asking = Asking::connect(network, &member.address).await?;
    let Response::Metadata { failure_domain, weight } = asking.ask(&Request::Describe).await?
    else {
        return Err(out_of_place());
    };
    let Response::Status(status) = asking.ask(&Request::Status).await? else {
        return Err(out_of_place());
    };
    // An address may have been given to another node meanwhile.
    if status.id != member.id {
        return Err(io::Error::other(format!("node {} answers there", status.id)));
    }
    let standing = Standing { id: member.id, role: member.role, failure_domain, weight };
    Ok(Answer { standing, applied_index: status.applied_index })
}
