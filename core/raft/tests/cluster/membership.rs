//! Who is in the cluster, and as what.

use dqlite_raft::{Error, Role};

use crate::harness::{Cluster, numbered};

use Role::{Spare, StandBy, Voter};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_comes_rises_falls_and_goes() {
    let cluster = Cluster::new(4, 3, |_| {}).await;
    let commands = numbered(0..40);
    cluster.propose(1, &commands[..20]).await.unwrap();
    let leader = cluster.node(1);

    leader.add(4, cluster.address(4)).await.unwrap();
    let three = [(1, Voter), (2, Voter), (3, Voter)];
    assert_eq!(cluster.roles(1)[..3], three);
    assert_eq!(cluster.roles(1)[3], (4, Spare));
    cluster.settle(1).await;
    assert_eq!(cluster.machine(4).payloads(), &commands[..20]);
    assert_eq!(cluster.node(4).wait_leader().await.unwrap().id, 1);

    for role in [StandBy, Voter, Spare, Voter, StandBy] {
        leader.assign(4, role).await.unwrap();
        assert_eq!(cluster.roles(1)[3], (4, role));
        assert!(matches!(leader.assign(4, role).await, Err(Error::AlreadyHasRole)));
    }
    cluster.propose(1, &commands[20..]).await.unwrap();
    cluster.settle(1).await;
    assert_eq!(cluster.roles(4), cluster.roles(1));

    leader.remove(4).await.unwrap();
    assert_eq!(cluster.roles(1), three);
    leader.remove(3).await.unwrap();
    assert_eq!(cluster.roles(1), three[..2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused() {
    let cluster = Cluster::new(3, 2, |_| {}).await;
    let leader = cluster.node(1);
    let (second, third) = (cluster.address(2), cluster.address(3));
    assert!(matches!(leader.add(2, third.clone()).await, Err(Error::IdInUse(2))));
    assert!(matches!(leader.add(3, second).await, Err(Error::AddressInUse(_))));
    assert!(matches!(leader.add(0, third.clone()).await, Err(Error::Options(_))));
    assert!(matches!(leader.add(3, "").await, Err(Error::Options(_))));
    assert!(matches!(leader.assign(3, Voter).await, Err(Error::UnknownId(3))));
    assert!(matches!(leader.assign(3, Spare).await, Err(Error::UnknownId(3))));
    assert!(matches!(leader.assign(2, Voter).await, Err(Error::AlreadyHasRole)));
    assert!(matches!(leader.remove(3).await, Err(Error::UnknownId(3))));
    cluster.settle(1).await;
    let follower = cluster.node(2);
    assert!(matches!(follower.add(3, third).await, Err(Error::NotLeader)));
    assert!(matches!(follower.assign(1, Spare).await, Err(Error::NotLeader)));
    assert!(matches!(follower.remove(1).await, Err(Error::NotLeader)));
    leader.remove(2).await.unwrap();
    assert!(matches!(leader.remove(1).await, Err(Error::LastVoter)));
    assert!(matches!(leader.assign(1, Spare).await, Err(Error::LastVoter)));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_change_at_a_time() {
    let mut cluster = Cluster::new(4, 3, |_| {}).await;
    cluster.stop(2).await;
    cluster.stop(3).await;
    let leader = cluster.node(1).clone();
    let address = cluster.address(4);
    // Without a quorum this stays under way.
    let adding = tokio::spawn(async move { leader.add(4, address).await });
    let members = |status: &dqlite_raft::Status| (status.members.len() == 4).then_some(());
    cluster.node(1).wait_status(members).await.unwrap();
    assert!(matches!(cluster.node(1).remove(3).await, Err(Error::ChangeInProgress)));
    cluster.start(2).await;
    match adding.await.unwrap() {
        Ok(()) | Err(Error::Unsettled) => {}
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_removes_itself_steps_down() {
    let cluster = Cluster::new(3, 3, |_| {}).await;
    let commands = numbered(0..20);
    cluster.propose(1, &commands[..10]).await.unwrap();
    cluster.node(1).remove(1).await.unwrap();
    cluster.machine(1).wait(|seen| seen.leads.is_none()).await;
    let (leader, _) = cluster.leader().await;
    assert_ne!(leader, 1);
    cluster.propose(leader, &commands[10..]).await.unwrap();
    assert_eq!(cluster.roles(leader), [(2, Voter), (3, Voter)]);
}
