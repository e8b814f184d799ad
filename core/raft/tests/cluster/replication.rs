//! Entries reach all nodes, in order, whole.

use bytes::Bytes;

use crate::harness::{Cluster, numbered};

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_commands_are_applied_everywhere_in_order() {
    let cluster = Cluster::new(3, 3, |_| {}).await;
    let commands = numbered(0..4000);
    for batch in commands.chunks(25) {
        cluster.propose(1, batch).await.unwrap();
    }
    cluster.settle(1).await;
    for id in 1..=3 {
        assert_eq!(cluster.machine(id).payloads(), commands, "node {id}");
    }
}

/// Batches that are handed over without waiting stand in the log in the order of the calls.
#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_of_batches_keeps_its_order() {
    let cluster = Cluster::new(3, 3, |_| {}).await;
    let (handle, machine) = (cluster.node(1).handle(), cluster.machine(1));
    let term = machine.seen().leads.unwrap();
    let commands = numbered(0..5000);
    for batch in commands.chunks(3) {
        let batch = batch.iter().map(|command| vec![command.clone()]).collect();
        let refused = Box::new(|reason| panic!("refused: {reason}"));
        handle.propose(term, batch, refused).await;
    }
    machine.wait(|seen| seen.commands.len() == commands.len()).await;
    cluster.settle(1).await;
    assert_eq!(cluster.machine(3).payloads(), commands);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_entries_pass() {
    let cluster = Cluster::new(3, 3, |_| {}).await;
    let commands: Vec<Bytes> = (0..24_u8).map(|byte| vec![byte; 1_150_000].into()).collect();
    for batch in commands.chunks(8) {
        cluster.propose(1, batch).await.unwrap();
    }
    cluster.settle(1).await;
    assert!(cluster.machine(2).payloads() == commands);
    let last = cluster.machine(1).seen().last.index;
    cluster.node(1).handle().wait_durable(last).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_alone_is_a_cluster() {
    let mut cluster = Cluster::new(1, 1, |_| {}).await;
    let commands = numbered(0..200);
    cluster.propose(1, &commands).await.unwrap();
    cluster.stop(1).await;
    cluster.start(1).await;
    let (id, term) = cluster.leader().await;
    assert_eq!(id, 1);
    assert_eq!(cluster.machine(1).payloads(), commands);
    cluster.node(1).handle().confirm_leadership(term).await.unwrap();
    assert!(!cluster.node(1).bootstrap().await.unwrap());
}
