//! How nodes find their place in a cluster.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;

use dqlite_env::Env;
use dqlite_server::{Node, NodeOptions, Role};

/// An abstract socket that nobody else has: a free port could be taken before it is listened on.
fn address(name: &str) -> String {
    format!("@dqlite-joining-{}-{name}", std::process::id())
}

async fn start(dir: &Path, address: &str, join: &[&str]) -> Node {
    let mut options = NodeOptions::new(dir, address);
    options.join = join.iter().map(|address| (*address).to_owned()).collect();
    Node::start(Env::real(), options).await.unwrap()
}

fn roles(node: &Node) -> Vec<Role> {
    let mut roles: Vec<_> = node.status().members.iter().map(|member| member.role).collect();
    roles.sort();
    roles
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_take_the_roles_that_are_needed_and_keep_them() {
    let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let addresses: Vec<_> = (0..4).map(|number| address(&number.to_string())).collect();
    let first = start(dirs[0].path(), &addresses[0], &[]).await;
    first.ready().await.unwrap();
    let mut nodes = vec![first];
    for number in 1..4 {
        // The last one is told of a node that is not there, and of one that does not lead.
        let join = [&*address("nobody"), &*addresses[number - 1]];
        let node = start(dirs[number].path(), &addresses[number], &join).await;
        node.ready().await.unwrap();
        nodes.push(node);
    }
    assert_eq!(roles(&nodes[0]), [Role::Voter, Role::Voter, Role::Voter, Role::StandBy]);
    let id = nodes[3].id();
    nodes[3].stop().await;
    // It comes back as who it was, and asks for nothing.
    let again = start(dirs[3].path(), &addresses[3], &[&addresses[0]]).await;
    again.ready().await.unwrap();
    assert_eq!(again.id(), id);
    assert_eq!(roles(&nodes[0]), [Role::Voter, Role::Voter, Role::Voter, Role::StandBy]);
    for node in nodes.iter().take(3).chain([&again]) {
        node.stop().await;
    }
}
