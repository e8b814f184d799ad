//! Nodes that come back without their quorum, or under another address.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use std::path::Path;
use std::sync::Arc;

use dqlite_env::{Env, NoNetwork};
use dqlite_server::{Error, Holder, Member, Node, NodeOptions, Role, describe_last_entry, recover};
use raw::cluster::unused_address;
use raw::{DEADLINE, HELLO, Wire};
use tempfile::TempDir;
use tokio::time::timeout;

async fn start(dir: &Path, id: Option<u64>, address: &str, join: &[&str]) -> Node {
    let mut options = NodeOptions::new(dir, address);
    options.id = id;
    options.join = join.iter().map(|address| (*address).to_owned()).collect();
    let node = Node::start(Env::real(), options).await.unwrap();
    timeout(DEADLINE, node.ready()).await.unwrap().unwrap();
    node
}

fn voter(id: u64, address: &str) -> Member {
    Member { id, address: address.to_owned(), role: Role::Voter }
}

/// A session with the leader, through whatever network the node has.
async fn session(nodes: &[&Node]) -> Wire {
    let found = async {
        loop {
            for node in nodes {
                let leads = node.status().leader.is_some_and(|leader| leader.id == node.id());
                if leads && node.is_leading() {
                    let stream = node.network().connect(node.address()).await.unwrap();
                    let mut wire = Wire::over(stream);
                    wire.send(&HELLO).await;
                    wire.open("test").await;
                    return wire;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, found).await.unwrap()
}

/// Waits until the node has applied what `other` has.
async fn caught_up(node: &Node, other: &Node) {
    let goal = other.status().commit_index;
    let reached = async {
        while node.status().applied_index < goal {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, reached).await.unwrap();
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn dirs() -> [TempDir; 3] {
    [(); 3].map(|()| tempfile::tempdir().unwrap())
}

/// Three voters that all hold a hundred rows, stopped.
async fn stopped_cluster(dirs: &[TempDir; 3], addresses: &[String; 3]) {
    let first = start(dirs[0].path(), Some(1), &addresses[0], &[]).await;
    let second = start(dirs[1].path(), Some(2), &addresses[1], &[&addresses[0]]).await;
    let third = start(dirs[2].path(), Some(3), &addresses[2], &[&addresses[0]]).await;
    let mut wire = session(&[&first]).await;
    wire.run(
        "CREATE TABLE t (n); WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s
        WHERE i < 100) INSERT INTO t SELECT i FROM s",
    )
    .await;
    caught_up(&third, &first).await;
    first.stop().await;
    second.stop().await;
    // What is left cannot lead.
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_three_begins_anew_with_all_that_was_acknowledged() {
    let dirs = dirs();
    let addresses = [(); 3].map(|()| unused_address());
    stopped_cluster(&dirs, &addresses).await;
    let [lost_one, lost_two, left] = dirs;
    drop((lost_one, lost_two));
    let env = Env::real();
    let before = describe_last_entry(&env, left.path()).await.unwrap();
    recover(&env, left.path(), &[voter(3, &addresses[2])]).await.unwrap();
    let after = describe_last_entry(&env, left.path()).await.unwrap();
    assert!(after.0 > before.0 && after.1 == before.1 + 1, "{before:?} {after:?}");

    let third = start(left.path(), None, &addresses[2], &[]).await;
    assert_eq!((third.id(), third.status().members.len()), (3, 1));
    let mut wire = session(&[&third]).await;
    assert_eq!(wire.number("SELECT sum(n) FROM t").await, 5050);
    wire.run("INSERT INTO t VALUES (1000)").await;
    let fresh = self::dirs();
    let fourth = start(fresh[0].path(), None, &unused_address(), &[&addresses[2]]).await;
    let fifth = start(fresh[1].path(), None, &unused_address(), &[&addresses[2]]).await;
    caught_up(&fourth, &third).await;
    caught_up(&fifth, &third).await;
    let members = third.status().members;
    assert!(members.len() == 3 && members.iter().all(|member| member.role == Role::Voter));
    // The first may go now.
    third.stop().await;
    let mut wire = session(&[&fourth, &fifth]).await;
    assert_eq!(wire.number("SELECT sum(n) FROM t").await, 6050);
    wire.run("INSERT INTO t VALUES (1)").await;
    fourth.stop().await;
    fifth.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_a_recovered_directory_are_the_other_members() {
    let dirs = dirs();
    let addresses = [(); 3].map(|()| unused_address());
    stopped_cluster(&dirs, &addresses).await;
    let fresh = self::dirs();
    let new = [(); 3].map(|()| unused_address());
    let members = [voter(3, &new[0]), voter(7, &new[1]), voter(8, &new[2])];
    recover(&Env::real(), dirs[2].path(), &members).await.unwrap();
    copy(dirs[2].path(), fresh[0].path());
    copy(dirs[2].path(), fresh[1].path());
    let mut nodes = Vec::new();
    for (dir, id, address) in [
        (&dirs[2], None, &new[0]),
        (&fresh[0], Some(7), &new[1]),
        // Its address says which it is.
        (&fresh[1], None, &new[2]),
    ] {
        let mut options = NodeOptions::new(dir.path(), address);
        options.id = id;
        nodes.push(Node::start(Env::real(), options).await.unwrap());
    }
    assert_eq!(nodes.iter().map(Node::id).collect::<Vec<_>>(), [3, 7, 8]);
    let nodes: Vec<&Node> = nodes.iter().collect();
    let mut wire = session(&nodes).await;
    assert_eq!(wire.number("SELECT sum(n) FROM t").await, 5050);
    wire.run("INSERT INTO t VALUES (0)").await;
    for node in &nodes {
        assert_eq!(node.status().members, members);
        node.stop().await;
    }
    // The directory belongs to its node now, and to no other.
    let mut options = NodeOptions::new(fresh[0].path(), &new[2]);
    options.id = Some(8);
    let error = Node::start(Env::real(), options).await.unwrap_err().to_string();
    assert!(error.contains("belongs to the node with id 7"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_node_becomes_the_first_of_a_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let env = Env { network: Arc::new(NoNetwork), ..Env::real() };
    let options = NodeOptions::new(dir.path(), NoNetwork::ADDRESS);
    let node = Node::start(env.clone(), options.clone()).await.unwrap();
    node.ready().await.unwrap();
    assert_eq!(node.listening_on(), "embedded");
    let mut wire = session(&[&node]).await;
    wire.run("CREATE TABLE t (n); INSERT INTO t VALUES (42)").await;
    let id = node.id();
    drop(wire);
    let address = unused_address();
    let locked = recover(&env, dir.path(), &[voter(id, &address)]).await.unwrap_err();
    assert!(matches!(&locked, Error::Locked { holder: Holder::ThisProcess, .. }), "{locked}");
    let locked = Node::start(env.clone(), options).await.unwrap_err();
    assert!(matches!(&locked, Error::Locked { holder: Holder::ThisProcess, .. }), "{locked}");
    node.stop().await;

    let unknown = recover(&env, dir.path(), &[voter(id + 1, &address)]).await.unwrap_err();
    assert!(unknown.to_string().contains(&format!("has the id {id}")), "{unknown}");
    recover(&env, dir.path(), &[voter(id, &address)]).await.unwrap();
    let first = start(dir.path(), None, &address, &[]).await;
    let other = tempfile::tempdir().unwrap();
    let second = start(other.path(), None, &unused_address(), &[&address]).await;
    let mut wire = session(&[&first]).await;
    assert_eq!(wire.number("SELECT n FROM t").await, 42);
    assert_eq!(second.status().members.len(), 2);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn where_no_node_is_nothing_is_recovered() {
    let dir = tempfile::tempdir().unwrap();
    let env = Env::real();
    for error in [
        recover(&env, dir.path(), &[voter(1, "a:1")]).await.unwrap_err(),
        describe_last_entry(&env, dir.path()).await.unwrap_err(),
        describe_last_entry(&env, &dir.path().join("missing")).await.unwrap_err(),
    ] {
        assert!(error.to_string().ends_with("holds no node"), "{error}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
