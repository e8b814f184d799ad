//! Who leads, and who may say so.

use dqlite_engine::Refused;
use dqlite_raft::Error;

use crate::harness::{Cluster, numbered, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn leadership_is_handed_over() {
    let cluster = Cluster::new(3, 3, |_| {}).await;
    let commands = numbered(0..90);
    cluster.propose(1, &commands[..30]).await.unwrap();
    let term = cluster.machine(1).seen().leads.unwrap();

    cluster.node(1).transfer(3).await.unwrap();
    cluster.machine(1).wait(|seen| seen.leads.is_none()).await;
    cluster.machine(3).wait(|seen| seen.leads.is_some()).await;
    let old = cluster.node(1).handle();
    assert_eq!(old.confirm_leadership(term).await, Err(Refused::NotLeader));
    cluster.propose(3, &commands[30..60]).await.unwrap();

    cluster.node(3).transfer(0).await.unwrap();
    cluster.machine(3).wait(|seen| seen.leads.is_none()).await;
    let (leader, _) = cluster.leader().await;
    assert_ne!(leader, 3);
    cluster.propose(leader, &commands[60..]).await.unwrap();
    cluster.settle(leader).await;
    assert_eq!(cluster.machine(1).payloads(), commands);
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_goes_only_to_a_voter_that_is_there() {
    let mut cluster = Cluster::new(4, 3, |_| {}).await;
    let address = cluster.address(4);
    cluster.node(1).add(4, address).await.unwrap();
    assert!(matches!(cluster.node(1).transfer(4).await, Err(Error::TransferFailed)));
    assert!(matches!(cluster.node(1).transfer(9).await, Err(Error::UnknownId(9))));
    assert!(matches!(cluster.node(2).transfer(1).await, Err(Error::NotLeader)));
    cluster.node(1).transfer(1).await.unwrap();
    cluster.propose(1, &numbered(0..5)).await.unwrap();
    cluster.stop(2).await;
    cluster.node(1).transfer(0).await.unwrap();
    cluster.machine(3).wait(|seen| seen.leads.is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_leader_of_the_term_may_propose() {
    let cluster = Cluster::new(3, 3, |_| {}).await;
    let term = cluster.machine(1).seen().leads.unwrap();
    for (id, term) in [(2, term), (1, term + 1), (1, term - 1)] {
        let (on_refused, refused) = refusal();
        let handle = cluster.node(id).handle();
        handle.propose(term, vec![vec![b"no"[..].into()]], on_refused).await;
        assert_eq!(refused.await, Ok(Refused::NotLeader));
        assert_eq!(handle.confirm_leadership(term).await, Err(Refused::NotLeader));
    }
    cluster.propose(1, &numbered(0..3)).await.unwrap();
    assert_eq!(cluster.machine(1).payloads(), numbered(0..3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_without_a_quorum_confirms_nothing() {
    let mut cluster = Cluster::new(3, 3, |_| {}).await;
    let term = cluster.machine(1).seen().leads.unwrap();
    let handle = cluster.node(1).handle();
    handle.confirm_leadership(term).await.unwrap();
    cluster.stop(2).await;
    cluster.stop(3).await;
    // The lease may outlive the others for a while, but it ends.
    while handle.confirm_leadership(term).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let (on_refused, refused) = refusal();
    handle.propose(term, vec![vec![b"no"[..].into()]], on_refused).await;
    assert_eq!(refused.await, Ok(Refused::NotLeader));

    // The others are back before anybody else leads: the engine is told to begin anew.
    let before = cluster.machine(1).seen().leads_count;
    cluster.start(2).await;
    cluster.start(3).await;
    let (leader, _) = cluster.leader().await;
    cluster.propose(leader, &numbered(0..3)).await.ok();
    assert!(leader != 1 || before <= cluster.machine(1).seen().leads_count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stopped_refuses() {
    let mut cluster = Cluster::new(1, 1, |_| {}).await;
    let term = cluster.machine(1).seen().leads.unwrap();
    let (handle, machine) = (cluster.node(1).handle(), cluster.machine(1));
    cluster.stop(1).await;
    assert_eq!(machine.seen().leads, None);
    let (on_refused, refused) = refusal();
    handle.propose(term, vec![vec![b"no"[..].into()]], on_refused).await;
    assert_eq!(refused.await, Ok(Refused::Stopped));
    assert_eq!(handle.confirm_leadership(term).await, Err(Refused::Stopped));
    assert_eq!(handle.wait_durable(u64::MAX).await, Err(Refused::Stopped));
}
