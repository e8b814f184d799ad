//! A node that gives up what it does, before it stops.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use std::time::Duration;

use dqlite_server::{Error, Role};
use raw::cluster::{members, three, unused_address};
use raw::{Body, DEADLINE, Server, ask};
use tokio::time::timeout;

fn role(server: &Server, id: u64) -> Option<Role> {
    let members = server.node.status().members;
    members.into_iter().find(|member| member.id == id).map(|member| member.role)
}

/// Waits until `server` knows of these roles of the nodes 1, 2, …
async fn wait_roles(server: &Server, roles: &[Role]) {
    let seen = async {
        while (1..).zip(roles).any(|(id, wanted)| role(server, id) != Some(*wanted)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let seen = timeout(DEADLINE, seen).await;
    assert!(seen.is_ok(), "{:?}", server.node.status().members);
}

fn fast(options: &mut dqlite_server::NodeOptions) {
    options.election_min = Duration::from_millis(500);
    options.election_max = Duration::from_millis(1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_gives_its_lead_and_its_vote_to_others() {
    let [first, second, third] = members([0, 1], fast).await;
    let mut session = first.session().await;
    session.run("CREATE TABLE t (n); INSERT INTO t VALUES (42)").await;
    first.node.handover().await.unwrap();
    wait_roles(&third, &[Role::Spare, Role::Voter, Role::Voter]).await;
    assert_ne!(third.node.status().leader.unwrap().id, 1);
    first.node.stop().await;
    let id = third.node.status().leader.unwrap().id;
    let leader = if id == 2 { &second } else { &third };
    leader.wait_leader(id).await;
    assert_eq!(leader.session().await.number("SELECT n FROM t").await, 42);
    leader.session().await.run("INSERT INTO t VALUES (1)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_voter_is_replaced() {
    let [first, second, third] = members([1, 2], fast).await;
    first.node.handover().await.unwrap();
    // A stand-by comes before a spare.
    wait_roles(&second, &[Role::Spare, Role::Voter, Role::Spare]).await;
    second.wait_leader(2).await;
    drop(third);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_has_the_leader_do_it() {
    let [first, second, third] = members([0, 1], |_| {}).await;
    second.node.handover().await.unwrap();
    wait_roles(&first, &[Role::Voter, Role::Spare, Role::Voter]).await;
    assert_eq!(first.node.status().leader.unwrap().id, 1);
    // A spare has nothing to give.
    second.node.handover().await.unwrap();
    // A stand-by becomes a spare.
    let mut wire = first.connect().await;
    wire.ask(ask::ASSIGN, Body::new().u64(3).u64(1)).await.assert_empty();
    third.node.handover().await.unwrap();
    wait_roles(&first, &[Role::Voter, Role::Spare, Role::Spare]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nobody_to_vote_in_its_place_it_stays_a_voter() {
    let [first, second, third] = three(fast).await;
    let leader = [&first, &second, &third]
        .into_iter()
        .find(|server| server.node.status().leader.is_some_and(|it| it.id == server.node.id()))
        .unwrap();
    let id = leader.node.id();
    leader.node.handover().await.unwrap();
    wait_roles(leader, &[Role::Voter; 3]).await;
    let now = timeout(DEADLINE, async {
        loop {
            match leader.node.status().leader {
                Some(now) if now.id != id => break,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    });
    now.await.unwrap();
    let refused = leader.node.handover().await.unwrap_err();
    assert!(matches!(refused, Error::NobodyToTakeOver), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn alone_there_is_nobody_to_give_to() {
    let server = Server::single().await;
    let error = server.node.handover().await.unwrap_err();
    assert!(matches!(error, Error::NobodyToTakeOver), "{error}");
    // A member that is not there is nobody either.
    let mut wire = server.connect().await;
    let add = Body::new().u64(2).text(&unused_address());
    wire.ask(ask::ADD, add).await.assert_empty();
    let error = server.node.handover().await.unwrap_err();
    assert!(matches!(error, Error::NobodyToTakeOver), "{error}");
    assert_eq!(role(&server, 1), Some(Role::Voter));
    let lonely = Server::lonely().await;
    let error = lonely.node.handover().await.unwrap_err();
    assert!(matches!(error, Error::NobodyToTakeOver), "{error}");
}
