//! Nodes and clients that speak TLS to each other.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod pki;

use std::time::Duration;

use dqlite_client::{Client, ClientOptions};
use dqlite_env::Env;
use dqlite_server::{Node, NodeOptions, Role};
use dqlite_tls::TlsFiles;
use pki::{Authority, env};
use tempfile::TempDir;

async fn start(files: &TlsFiles, address: &str, join: &[&str]) -> (Node, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(dir.path(), address);
    options.join = join.iter().map(|address| (*address).to_owned()).collect();
    let node = Node::start(files.node_env(env()).unwrap(), options).await.unwrap();
    node.ready().await.unwrap();
    (node, dir)
}

fn client(env: Env, address: &str, timeout_ms: u64) -> Client {
    let timeout = Duration::from_millis(timeout_ms);
    let options = ClientOptions { timeout, ..ClientOptions::default() };
    Client::with_options(env, [address], "test", options)
}

/// What a client is told that is not let in.
async fn refusal(env: Env, address: &str) -> String {
    client(env, address, 1000).query_all("SELECT 1", ()).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_and_their_clients_speak_tls() {
    let (authority, other) = (Authority::new(), Authority::new());
    let addresses = ["node1.test:1", "node2.test:2", "node3.test:3"];
    let hosts = ["node1.test", "node2.test", "node3.test"];
    let mut nodes = Vec::new();
    for (number, address) in addresses.into_iter().enumerate() {
        let files = authority.certified(&[hosts[number]]);
        nodes.push(start(&files, address, &addresses[..number]).await);
    }
    let members = nodes[0].0.status().members;
    assert!(members.len() == 3 && members.iter().all(|member| member.role == Role::Voter));

    let files = authority.certified(&["client.test"]);
    let good = client(files.client_env(env()).unwrap(), addresses[1], 10_000);
    good.execute("CREATE TABLE t (n)", ()).await.unwrap();
    let blob = vec![7_u8; 3_000_000];
    good.execute("INSERT INTO t VALUES (?)", (blob.clone(),)).await.unwrap();
    let rows = good.query_all("SELECT n FROM t", ()).await.unwrap();
    assert!(rows[0].get::<Vec<u8>>(0).unwrap() == blob);
    // Followers have it, so it went through TLS between the nodes.
    good.cluster().transfer(0).await.unwrap();
    let rows = good.query_all("SELECT length(n) FROM t", ()).await.unwrap();
    assert_eq!(rows[0].get::<i64>(0).unwrap(), 3_000_000);

    let address = addresses[0];
    let reason = refusal(env(), address).await;
    assert!(reason.contains("this node takes TLS connections only"), "{reason}");
    let reason = refusal(other.ca().client_env(env()).unwrap(), address).await;
    assert!(reason.contains("its certificate is not signed by the given CA"), "{reason}");
    let reason = refusal(authority.ca().client_env(env()).unwrap(), address).await;
    assert!(reason.contains("CertificateRequired"), "{reason}");
    let reason = refusal(files.client_env(env()).unwrap(), "elsewhere.test:1").await;
    assert!(reason.contains("its certificate is not for elsewhere.test"), "{reason}");
    for (node, _) in &nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_tls_is_told_of_a_plain_node() {
    let authority = Authority::new();
    let (node, _dir) = start(&TlsFiles::default(), "node1.test:11", &[]).await;
    let reason = refusal(authority.ca().client_env(env()).unwrap(), node.address()).await;
    assert!(reason.contains("no TLS with node1.test:11"), "{reason}");
    node.stop().await;
}
