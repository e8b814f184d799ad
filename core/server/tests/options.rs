//! Settings that a node is started with.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod raw;

use std::time::Duration;

use dqlite_env::Env;
use dqlite_server::{Backend, Error, Node, NodeOptions};
use raw::body::Reader;
use raw::{Server, ask, say};

#[tokio::test(flavor = "multi_thread")]
async fn every_log_backend_carries_a_node() {
    for backend in [Backend::Auto, Backend::Threads, Backend::Inline] {
        let server = Server::with(|options| options.log.backend = backend).await;
        let mut wire = server.session().await;
        wire.run("CREATE TABLE t (n); INSERT INTO t VALUES (7)").await;
        assert_eq!(wire.number("SELECT n FROM t").await, 7, "{backend:?}");
        server.node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_its_domain_and_its_weight() {
    let server = Server::with(|options| {
        options.failure_domain = 7;
        options.weight = 9;
    })
    .await;
    let answer = server.connect().await.ask(ask::DESCRIBE, [0; 8]).await;
    assert_eq!(answer.kind, say::METADATA);
    let mut reader = Reader::new(&answer.body);
    assert_eq!((reader.u64(), reader.u64()), (7, 9));
}

#[tokio::test]
async fn what_contradicts_itself_touches_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(dir.path().join("node"), "a:1");
    options.heartbeat = Duration::from_secs(2);
    let error = Node::start(Env::real(), options).await.unwrap_err();
    assert!(matches!(&error, Error::Options(_)), "{error}");
    assert!(error.to_string().contains("2s is too slow for elections after 500ms"), "{error}");
    assert!(!dir.path().join("node").exists());
}
