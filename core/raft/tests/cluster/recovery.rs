//! Nodes that stop, come back, lag behind or break.

use crate::harness::{Cluster, numbered};

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_was_away_catches_up_from_the_log() {
    let mut cluster = Cluster::new(3, 3, |_| {}).await;
    let commands = numbered(0..600);
    cluster.propose(1, &commands[..200]).await.unwrap();
    cluster.stop(3).await;
    cluster.propose(1, &commands[200..400]).await.unwrap();
    cluster.start(3).await;
    cluster.propose(1, &commands[400..]).await.unwrap();
    cluster.settle(1).await;
    assert_eq!(cluster.machine(3).payloads(), commands);
    assert_eq!(cluster.machine(3).seen().installed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_leads_when_the_leader_is_gone() {
    let mut cluster = Cluster::new(3, 3, |_| {}).await;
    let commands = numbered(0..300);
    cluster.propose(1, &commands[..100]).await.unwrap();
    cluster.stop(1).await;
    let (leader, term) = cluster.leader().await;
    cluster.propose(leader, &commands[100..200]).await.unwrap();
    cluster.node(leader).handle().confirm_leadership(term).await.unwrap();
    cluster.start(1).await;
    cluster.propose(leader, &commands[200..]).await.unwrap();
    cluster.settle(leader).await;
    assert_eq!(cluster.machine(1).payloads(), commands);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_there_after_all_were_stopped() {
    let mut cluster = Cluster::new(3, 3, |options| options.snapshot_entries = 64).await;
    let commands = numbered(0..500);
    for batch in commands.chunks(20) {
        cluster.propose(1, batch).await.unwrap();
    }
    cluster.settle(1).await;
    for id in 1..=3 {
        cluster.stop(id).await;
    }
    for id in 1..=3 {
        cluster.start(id).await;
    }
    let (leader, _) = cluster.leader().await;
    cluster.settle(leader).await;
    assert_eq!(cluster.machine(leader).payloads(), commands);
    let seen = cluster.machine(leader).seen();
    assert!(seen.redone < 400, "{} of 500 were redone in spite of checkpoints", seen.redone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_too_far_behind_is_sent_a_snapshot() {
    let mut cluster = Cluster::new(3, 3, |options| {
        options.snapshot_entries = 50;
        options.log_entries_kept = 10;
    })
    .await;
    let commands = numbered(0..1000);
    cluster.stop(3).await;
    for batch in commands[..900].chunks(30) {
        cluster.propose(1, batch).await.unwrap();
    }
    cluster.node(1).wait_status(|status| (status.purged_index > 600).then_some(())).await.unwrap();
    cluster.start(3).await;
    cluster.machine(3).wait(|seen| seen.installed > 0).await;
    cluster.propose(1, &commands[900..]).await.unwrap();
    cluster.settle(1).await;
    assert_eq!(cluster.machine(3).payloads(), commands);

    // What was installed is there in the next life, too.
    cluster.stop(3).await;
    cluster.start(3).await;
    cluster.settle(1).await;
    assert_eq!(cluster.machine(3).seen().installed, 0);
    assert_eq!(cluster.machine(3).payloads(), commands);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_cannot_apply_ends_its_node_only() {
    let cluster = Cluster::new(3, 3, |_| {}).await;
    cluster.propose(1, &numbered(0..10)).await.unwrap();
    cluster.settle(1).await;
    let machine = cluster.machine(3);
    *machine.fail_at.lock() = Some(machine.seen().last.index + 5);
    cluster.propose(1, &numbered(10..20)).await.unwrap();
    let failure = cluster.node(3).failed().await;
    assert!(failure.contains("planted"), "{failure}");
    assert!(cluster.node(3).wait_leader().await.is_err());
    cluster.propose(1, &numbered(20..30)).await.unwrap();
}
