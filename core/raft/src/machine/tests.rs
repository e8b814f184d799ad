use std::sync::atomic::Ordering;

use dqlite_engine::Position;
use openraft::storage::RaftStateMachine;
use tempfile::TempDir;

use super::*;
use crate::testing::Nothing;
use crate::types::{Command, Entry, log_id};

fn id(term: u64, index: u64) -> LogId {
    log_id(Position { term, index })
}

async fn open(dir: &TempDir, machine: &Arc<Nothing>) -> Replica {
    let growth = Arc::new(Growth::new(u64::MAX, u64::MAX));
    Replica::open(Env::real(), dir.path().to_owned(), machine.clone(), growth).await.unwrap()
}

async fn apply(replica: &mut Replica, range: std::ops::Range<u64>) -> io::Result<()> {
    let entries = range.map(|index| {
        let payload = EntryPayload::Normal(Command(vec![]));
        Ok((Entry { log_id: id(1, index), payload }, None))
    });
    replica.apply(futures::stream::iter(entries.collect::<Vec<_>>())).await
}

async fn last(replica: &mut Replica) -> u64 {
    position_or_zero(replica.applied_state().await.unwrap().0).index
}

/// (1)
#[tokio::test]
async fn what_the_engine_refused_is_not_applied() {
    let (dir, machine) = (tempfile::tempdir().unwrap(), Arc::new(Nothing::default()));
    let mut replica = open(&dir, &machine).await;
    apply(&mut replica, 1..4).await.unwrap();
    machine.broken.store(true, Ordering::Relaxed);
    assert!(apply(&mut replica, 4..5).await.is_err());
    assert_eq!(last(&mut replica).await, 3);
}

/// (2)
#[tokio::test]
async fn a_snapshot_is_durable_before_it_is_one() {
    let (dir, machine) = (tempfile::tempdir().unwrap(), Arc::new(Nothing::default()));
    let mut replica = open(&dir, &machine).await;
    apply(&mut replica, 1..6).await.unwrap();
    assert!(replica.get_current_snapshot().await.unwrap().is_none());
    let mut builder = replica.get_snapshot_builder().await;
    apply(&mut replica, 6..9).await.unwrap();
    assert_eq!(last(&mut open(&dir, &machine).await).await, 0);
    let built = builder.build_snapshot().await.unwrap();
    assert_eq!(built.meta.last_log_id, Some(id(1, 8)));
    assert_eq!(last(&mut open(&dir, &machine).await).await, 8);
    let current = replica.get_current_snapshot().await.unwrap().unwrap();
    assert_eq!(current.meta, built.meta);
}

/// The engine tells of an entry before it is noted as applied.
#[tokio::test]
async fn a_checkpoint_counts_as_far_as_is_noted() {
    let (dir, machine) = (tempfile::tempdir().unwrap(), Arc::new(Nothing::default()));
    let mut replica = open(&dir, &machine).await;
    apply(&mut replica, 1..6).await.unwrap();
    assert_eq!(replica.shared.advance(3).await.unwrap().last, Some(id(1, 3)));
    assert_eq!(replica.shared.advance(2).await.unwrap().last, Some(id(1, 3)));
    assert_eq!(replica.shared.advance(6).await.unwrap().last, Some(id(1, 5)));
}

/// (3)
#[tokio::test]
async fn a_snapshot_that_the_engine_refused_is_not_in_the_manifest() {
    let (dir, machine) = (tempfile::tempdir().unwrap(), Arc::new(Nothing::default()));
    let mut replica = open(&dir, &machine).await;
    let last_membership = StoredMembership::default();
    let meta = SnapshotMeta { last_log_id: Some(id(2, 40)), last_membership };
    machine.broken.store(true, Ordering::Relaxed);
    let writer = machine.write_snapshot().await.unwrap();
    let received = SnapshotHandle::Received(writer);
    assert!(replica.install_snapshot(&meta, received).await.is_err());
    assert_eq!(last(&mut open(&dir, &machine).await).await, 0);

    machine.broken.store(false, Ordering::Relaxed);
    let writer = machine.write_snapshot().await.unwrap();
    let received = SnapshotHandle::Received(writer);
    replica.install_snapshot(&meta, received).await.unwrap();
    assert_eq!(last(&mut replica).await, 40);
    assert_eq!(last(&mut open(&dir, &machine).await).await, 40);
}
