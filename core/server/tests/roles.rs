//! Roles that the leader keeps up by itself.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use std::time::Duration;

use dqlite_server::{NodeOptions, Role};
use raw::cluster::unused_address;
use raw::{Body, DEADLINE, Server, ask};
use tokio::time::timeout;

/// Five nodes, one after the other: three voters, a stand-by and a spare. Each has its domain and
/// its weight.
async fn five(domains: [u64; 5], weights: [u64; 5]) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    for number in 0..5 {
        let join = servers.first().map(|first| first.node.address().to_owned());
        let set = |options: &mut NodeOptions| {
            options.heartbeat = Duration::from_millis(60);
            options.election_min = Duration::from_millis(250);
            options.election_max = Duration::from_millis(500);
            options.roles_patience = Some(Duration::from_secs(1));
            options.standbys = 1;
            options.failure_domain = domains[number];
            options.weight = weights[number];
            options.join = join.into_iter().collect();
        };
        let server = Server::start(number as u64 + 1, &unused_address(), None, set).await;
        server.node.ready().await.unwrap();
        servers.push(server);
    }
    servers
}

fn roles(server: &Server) -> Vec<Role> {
    server.node.status().members.iter().map(|member| member.role).collect()
}

/// Waits until `server` knows of these roles.
async fn wait_roles(server: &Server, wanted: &[Role]) {
    let seen = async {
        while roles(server) != wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let seen = timeout(DEADLINE, seen).await;
    assert!(seen.is_ok(), "{:?} and not {wanted:?}", roles(server));
}

use Role::{Spare, StandBy, Voter};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_voter_is_replaced_by_the_one_that_stands_best() {
    let servers = five([1, 2, 3, 1, 3], [0; 5]).await;
    wait_roles(&servers[3], &[Voter, Voter, Voter, StandBy, Spare]).await;
    // The spare stands where the lost one stood; the stand-by beside another voter.
    servers[2].node.stop().await;
    wait_roles(&servers[3], &[Voter, Voter, Spare, StandBy, Voter]).await;
    // The next one is replaced too, and two of five are gone then without harm.
    servers[1].node.stop().await;
    wait_roles(&servers[3], &[Voter, Spare, Spare, Voter, Voter]).await;
    for server in [&servers[0], &servers[3], &servers[4]] {
        server.node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_leader_is_replaced_and_too_few_voters_become_more() {
    let servers = five([0; 5], [0, 0, 0, 5, 2]).await;
    servers[0].node.stop().await;
    wait_roles(&servers[4], &[Spare, Voter, Voter, Voter, Spare]).await;
    let leader = timeout(DEADLINE, async {
        loop {
            match servers[4].node.status().leader {
                Some(leader) if leader.id != 1 => break leader.id,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    });
    let leader = leader.await.unwrap();
    let server = &servers[leader as usize - 1];
    server.wait_leader(leader).await;
    // One voter less: the spare that is there is the only one to take its place.
    let gone = if leader == 2 { 3 } else { 2 };
    server.connect().await.ask(ask::REMOVE, Body::new().u64(gone)).await.assert_empty();
    wait_roles(server, &[Spare, Voter, Voter, Voter]).await;
    for server in &servers[1..] {
        server.node.stop().await;
    }
}
